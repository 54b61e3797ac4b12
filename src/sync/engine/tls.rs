//! Whom a connection to an engine trusts.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How to speak TLS, where the address asks for it.
#[derive(Clone, Debug, Default)]
pub(in crate::sync) enum Tls {
    /// Certificates are checked the way the operating system does.
    #[default]
    System,
    /// Certificates are signed by an authority in this file.
    Authority(PathBuf),
    /// The application's own.
    Own(Arc<ClientConfig>),
}

impl Tls {
    /// `rustls` with `ring`. The error is a sentence. Blocks for a moment to read a file.
    pub(in crate::sync) fn config(&self) -> Result<ClientConfig, String> {
        let path = match self {
            Self::Own(config) => return Ok(ClientConfig::clone(config)),
            Self::System => None,
            Self::Authority(path) => Some(path),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let Some(path) = path else {
            return Ok(builder.with_platform_verifier().with_no_client_auth());
        };
        let cannot =
            |why: &dyn std::fmt::Display| format!("{} cannot be used: {why}", path.display());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| cannot(&error))? {
            let certificate = certificate.map_err(|error| cannot(&error))?;
            roots.add(certificate).map_err(|error| cannot(&error))?;
        }
        if roots.is_empty() {
            return Err(cannot(&"there is no certificate in it"));
        }
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_that_is_not_there_is_named() {
        let missing = Tls::Authority("/nowhere/ca.pem".into()).config();
        let error = missing.unwrap_err();
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
        let empty = Tls::Authority("/dev/null".into()).config().unwrap_err();
        assert!(empty.contains("no certificate"), "{empty}");
        assert!(Tls::System.config().is_ok());
    }
}
