//! What a provider needs to be built again: a typed payload that is never shown.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a provider needs to be built again after a restart, as `{"type": …, "payload": …}`.
///
/// It may hold keys and tokens: it shows in no `Debug`, log, error or event, is wiped from memory,
/// and is stored by stores that encrypt and by no other. The text is kept as it was written, so
/// that a type that nobody here knows survives byte for byte.
#[derive(Clone)]
pub struct ProviderPayload {
    kind: Option<Arc<str>>,
    json: Arc<SecretString>,
}

/// Why a payload cannot be written or read. Never quotes it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the provider's payload {reason}")]
pub struct PayloadError {
    /// What is wrong.
    pub reason: Arc<str>,
}

#[derive(Serialize)]
struct Typed<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    payload: &'a T,
}

impl ProviderPayload {
    /// A payload of a type, under which a factory is
    /// [registered](crate::manager::SessionManagerBuilder::provider).
    ///
    /// # Errors
    ///
    /// [`PayloadError`] if `payload` cannot be written as JSON.
    pub fn new(kind: &str, payload: &impl Serialize) -> Result<Self, PayloadError> {
        let json = serde_json::to_string(&Typed { kind, payload });
        let json = json.map_err(|_| wrong("cannot be written as JSON"))?;
        Ok(Self {
            kind: Some(kind.into()),
            json: Arc::new(json.into()),
        })
    }

    /// A payload as it was written. Any JSON is kept; without a `type` it has no kind.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] if it is not JSON.
    pub fn from_json(json: &str) -> Result<Self, PayloadError> {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "type")]
            kind: Arc<str>,
        }
        let json = json.trim();
        let _valid: &RawValue = serde_json::from_str(json).map_err(|_| wrong("is not JSON"))?;
        let kind = serde_json::from_str(json).map(|Kind { kind }| kind);
        // A list would be read as the members of one in order.
        let kind = kind.ok().filter(|_| json.starts_with('{'));
        Ok(Self {
            kind,
            json: Arc::new(json.to_owned().into()),
        })
    }

    /// Its type; `None` if it says none.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Reads what stands under `payload`.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] if it is not there or something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        #[derive(Deserialize)]
        struct Content<T> {
            payload: T,
        }
        let content: Result<Content<T>, _> = serde_json::from_str(self.json.expose_secret());
        content
            .map(|content| content.payload)
            .map_err(|_| wrong("is not what its type asks for"))
    }

    /// All of it, in clear: for those who write it somewhere safe.
    pub fn expose_json(&self) -> &str {
        self.json.expose_secret()
    }
}

fn wrong(reason: &str) -> PayloadError {
    PayloadError {
        reason: reason.into(),
    }
}

impl PartialEq for ProviderPayload {
    fn eq(&self, other: &Self) -> bool {
        self.expose_json() == other.expose_json()
    }
}

impl Eq for ProviderPayload {}

impl Hash for ProviderPayload {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.expose_json().hash(hasher);
    }
}

impl fmt::Debug for ProviderPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderPayload")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_keeps_its_text_and_shows_none_of_it() {
        let text = r#"{"type":"nip99", "payload" : {"secret":"s3cret"},"later":1.0}"#;
        let payload = ProviderPayload::from_json(text).unwrap();
        assert_eq!(payload.kind(), Some("nip99"));
        assert_eq!(payload.expose_json(), text);
        assert!(!format!("{payload:?}").contains("s3cret"));
        let error = payload.read::<u64>().unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        let error = ProviderPayload::from_json("s3cret").unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn json_without_a_type_is_kept_too() {
        let payload = ProviderPayload::from_json(r#"["no type"]"#).unwrap();
        assert_eq!(payload.kind(), None);
        assert_eq!(payload.expose_json(), r#"["no type"]"#);
        let payload = ProviderPayload::new("key", &"ab").unwrap();
        assert_eq!(payload.expose_json(), r#"{"type":"key","payload":"ab"}"#);
        assert_eq!(payload.read::<String>().unwrap(), "ab");
    }
}
