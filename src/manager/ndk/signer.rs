//! Signers as NDK writes them: a string that holds `{"type": …, "payload": …}`.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::error::{NdkError, wrong};
use super::json::quote;
use crate::provider::{PayloadError, ProviderPayload};

/// The type of a payload that is no JSON, as this library keeps it.
const TEXT: &str = "ndk-text";

/// What NDK stores of a signer, as it was written: a key for the most part. Shows in no `Debug`,
/// is wiped from memory, and survives whatever its type.
#[derive(Clone)]
pub struct SignerPayload {
    text: SecretString,
    kind: Option<Arc<str>>,
}

impl SignerPayload {
    /// A payload as NDK's `toPayload` returns it. Any text is kept.
    pub fn from_text(text: &str) -> Self {
        let kind = ProviderPayload::from_json(text);
        let kind = kind.ok().and_then(|payload| payload.kind().map(Arc::from));
        Self {
            text: text.into(),
            kind,
        }
    }

    /// Its type, such as `private-key`; `None` if it says none, which NDK does not restore.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// All of it, in clear: for those who write it somewhere safe.
    pub fn expose_text(&self) -> &str {
        self.text.expose_secret()
    }

    /// What it says.
    ///
    /// # Errors
    ///
    /// [`NdkError::Member`] if it is of a type of NDK's and not made as that is.
    pub fn read(&self) -> Result<Signer, NdkError> {
        #[derive(Deserialize)]
        struct Content<T> {
            payload: T,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Nip46Content {
            bunker_pubkey: String,
            user_pubkey: String,
            #[serde(default)]
            relay_urls: Vec<String>,
            secret: Option<SecretString>,
            local_signer_payload: SecretString,
            nip05: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Nip55Content {
            package_name: String,
            pubkey: String,
        }
        fn content<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, NdkError> {
            let content: Result<Content<T>, _> = serde_json::from_str(text);
            let content = content.map_err(|_| wrong("payload", "is not what its type asks for"))?;
            Ok(content.payload)
        }
        let text = self.expose_text();
        Ok(match self.kind() {
            Some("private-key") => Signer::PrivateKey {
                key: content(text)?,
            },
            Some("nip07") => Signer::Nip07,
            Some("nip46") => {
                let it: Nip46Content = content(text)?;
                Signer::Nip46(Nip46Signer {
                    bunker_pubkey: it.bunker_pubkey,
                    user_pubkey: it.user_pubkey,
                    relay_urls: it.relay_urls,
                    secret: it.secret,
                    local_signer: Self::from_text(it.local_signer_payload.expose_secret()),
                    nip05: it.nip05,
                })
            }
            Some("nip55") => {
                let it: Nip55Content = content(text)?;
                Signer::Nip55 {
                    package_name: it.package_name,
                    pubkey: it.pubkey,
                }
            }
            _ => Signer::Other,
        })
    }

    /// As a provider's payload, which a factory registered for its type reads. The text stays as
    /// it is; what is no JSON is kept under a type that nobody registers.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] never happens in practice: any text can be written as JSON.
    pub fn to_provider_payload(&self) -> Result<ProviderPayload, PayloadError> {
        let text = self.expose_text();
        ProviderPayload::from_json(text).or_else(|_| ProviderPayload::new(TEXT, &text))
    }

    /// What [`to_provider_payload`](Self::to_provider_payload) made, or a provider said of itself
    /// since.
    pub fn from_provider_payload(payload: &ProviderPayload) -> Self {
        if payload.kind() == Some(TEXT)
            && let Ok(text) = payload.read::<SecretString>()
        {
            return Self::from_text(text.expose_secret());
        }
        Self::from_text(payload.expose_json())
    }
}

impl fmt::Debug for SignerPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerPayload")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl PartialEq for SignerPayload {
    fn eq(&self, other: &Self) -> bool {
        self.expose_text() == other.expose_text()
    }
}

impl Eq for SignerPayload {}

/// What a [`SignerPayload`] of a type of NDK's says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Signer {
    /// `private-key`: the key itself.
    PrivateKey {
        /// 64 hexadecimal digits.
        key: SecretString,
    },
    /// `nip07`: an extension of the browser. It holds nothing.
    Nip07,
    /// `nip46`: a remote signer.
    Nip46(Nip46Signer),
    /// `nip55`: a signing app on the same Android device.
    Nip55 {
        /// The app.
        package_name: String,
        /// The account there.
        pubkey: String,
    },
    /// Of a type that NDK does not have. The payload itself tells which.
    Other,
}

/// What `nip46` stores of a remote signer.
#[derive(Clone, Debug)]
pub struct Nip46Signer {
    /// Who signs.
    pub bunker_pubkey: String,
    /// The account signed for.
    pub user_pubkey: String,
    /// Where it is reached.
    pub relay_urls: Vec<String>,
    /// The secret of the connection.
    pub secret: Option<SecretString>,
    /// The key that this side of the connection signs with.
    pub local_signer: SignerPayload,
    /// The name the connection was made by.
    pub nip05: Option<String>,
}

impl Signer {
    /// The account that it says it signs for, where it does.
    pub fn pubkey(&self) -> Option<&str> {
        match self {
            Self::Nip46(signer) => Some(&signer.user_pubkey),
            Self::Nip55 { pubkey, .. } => Some(pubkey),
            Self::PrivateKey { .. } | Self::Nip07 | Self::Other => None,
        }
    }

    /// The payload, byte for byte as NDK writes it; `None` for [`Signer::Other`].
    pub fn to_payload(&self) -> Option<SignerPayload> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Nip46Content<'a> {
            bunker_pubkey: &'a str,
            user_pubkey: &'a str,
            relay_urls: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            secret: Option<&'a str>,
            local_signer_payload: &'a str,
            nip05: Option<&'a str>,
        }
        let (kind, content) = match self {
            Self::PrivateKey { key } => ("private-key", quote(key.expose_secret())),
            Self::Nip07 => ("nip07", quote("")),
            Self::Nip46(signer) => {
                let content = Nip46Content {
                    bunker_pubkey: &signer.bunker_pubkey,
                    user_pubkey: &signer.user_pubkey,
                    relay_urls: &signer.relay_urls,
                    secret: signer.secret.as_ref().map(ExposeSecret::expose_secret),
                    local_signer_payload: signer.local_signer.expose_text(),
                    nip05: signer.nip05.as_deref(),
                };
                ("nip46", serde_json::to_string(&content).ok()?)
            }
            Self::Nip55 {
                package_name,
                pubkey,
            } => {
                let (package_name, pubkey) = (quote(package_name), quote(pubkey));
                let content = format!(r#"{{"packageName":{package_name},"pubkey":{pubkey}}}"#);
                ("nip55", content)
            }
            Self::Other => return None,
        };
        let text = format!(r#"{{"type":"{kind}","payload":{content}}}"#);
        Some(SignerPayload::from_text(&text))
    }
}
