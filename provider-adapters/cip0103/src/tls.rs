//! TLS underneath: whom it trusts, and what it says of those it does not.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::rustls::{self, ClientConfig, crypto::ring};

/// `rustls` with `ring`, certificates checked the way the operating system does.
pub(crate) fn system() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()
        .with_no_client_auth())
}

/// What to say, if a connection was not made because of the other side's certificate.
pub(crate) fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An I/O error holds another one, which is not its source.
        let held = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(held) = held {
            return distrust(held);
        }
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(format!(
                "its certificate is not trusted ({why}); have it signed by an authority this \
                 computer knows, or set a `tls_config` that knows its authority"
            ));
        }
        next = error.source();
    }
    None
}
