//! Keys, the present one and earlier ones.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyError;

/// Names a key without telling it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId([u8; 8]);

impl KeyId {
    fn of(key: &[u8; 32]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"moorline key id 1");
        digest.update(key);
        let digest = digest.finalize();
        Self(std::array::from_fn(|index| {
            digest.get(index).copied().unwrap_or_default()
        }))
    }

    pub(crate) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// 32 bytes that are wiped when dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    fn random() -> Result<Self, KeyError> {
        let mut secret = Self([0; 32]);
        getrandom::fill(&mut secret.0).map_err(|error| {
            KeyError::unavailable(format!("the computer gives no random numbers: {error}"))
        })?;
        Ok(secret)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64.decode(text.trim()).ok()?);
        let mut secret = Self([0; 32]);
        secret.0 = bytes.as_slice().try_into().ok()?;
        Some(secret)
    }

    fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(self.0))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The keys of a store: the one that seals, earlier ones that still open, and one that turns the
/// names of records into places, which stays as long as the store.
///
/// Wiped from memory when dropped; [`Debug`] shows the ids only.
#[derive(Clone)]
pub struct KeySet {
    names: Secret,
    /// Never empty; the current one is first.
    keys: Vec<(KeyId, Secret)>,
}

/// Why a text is no key set. Does not quote it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "this is no key: it must be 32 random bytes in base64, or a whole key set as `moorline` writes it"
)]
pub struct KeyTextError;

/// How a key set is written. Every string is a key in base64.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u8,
    names: String,
    keys: Vec<String>,
}

impl Drop for Written {
    fn drop(&mut self) {
        self.names.zeroize();
        self.keys.zeroize();
    }
}

impl KeySet {
    /// New random keys.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`] if the operating system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let key = Secret::random()?;
        Ok(Self {
            names: Secret::random()?,
            keys: vec![(KeyId::of(&key.0), key)],
        })
    }

    /// Keys that follow from one key, such as a key management service gives out. All 32 bytes
    /// must be random; a passphrase is no key. The set cannot be rotated without
    /// [writing it down whole](Self::to_text): where records stand follows from the first key.
    pub fn from_key(key: [u8; 32]) -> Self {
        let key = Secret(key);
        Self {
            names: derive(&key, b"moorline names 1"),
            keys: vec![(KeyId::of(&key.0), key)],
        }
    }

    /// Reads what [`to_text`](Self::to_text) wrote, or a single key of 32 bytes in base64.
    ///
    /// # Errors
    ///
    /// [`KeyTextError`] if it is neither.
    pub fn parse(text: &SecretString) -> Result<Self, KeyTextError> {
        let text = text.expose_secret().trim();
        if !text.starts_with('{') {
            let key = Secret::parse(text).ok_or(KeyTextError)?;
            return Ok(Self::from_key(key.0));
        }
        let written: Written = serde_json::from_str(text).map_err(|_| KeyTextError)?;
        let keys: Option<Vec<_>> = written
            .keys
            .iter()
            .map(|key| Secret::parse(key).map(|key| (KeyId::of(&key.0), key)))
            .collect();
        let keys = keys.filter(|keys| !keys.is_empty() && written.version == 1);
        let names = Secret::parse(&written.names);
        match (names, keys) {
            (Some(names), Some(keys)) => Ok(Self { names, keys }),
            _ => Err(KeyTextError),
        }
    }

    /// The set as one line of JSON, for a place that keeps secrets.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unusable`] never happens in practice: the set is plain text and numbers.
    pub fn to_text(&self) -> Result<SecretString, KeyError> {
        let written = Written {
            version: 1,
            names: self.names.to_text().as_str().to_owned(),
            keys: self
                .keys
                .iter()
                .map(|(_, key)| key.to_text().as_str().to_owned())
                .collect(),
        };
        serde_json::to_string(&written)
            .map(SecretString::from)
            .map_err(|error| KeyError::unusable(format!("they cannot be written: {error}")))
    }

    /// The same keys with a new current one; the others still open what they sealed.
    ///
    /// # Errors
    ///
    /// As for [`generate`](Self::generate).
    pub fn rotated(&self) -> Result<Self, KeyError> {
        let key = Secret::random()?;
        let mut next = self.clone();
        next.keys.insert(0, (KeyId::of(&key.0), key));
        Ok(next)
    }

    /// The same keys without earlier ones: what those sealed cannot be opened any more.
    #[must_use]
    pub fn without_earlier(&self) -> Self {
        let mut next = self.clone();
        next.keys.truncate(1);
        next
    }

    /// The id of the key that seals.
    pub fn current(&self) -> KeyId {
        self.keys.first().map_or(KeyId([0; 8]), |(id, _)| *id)
    }

    /// The ids of all keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.iter().map(|(id, _)| *id)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (KeyId, &Secret)> {
        self.keys.iter().map(|(id, key)| (*id, key))
    }

    pub(crate) const fn names(&self) -> &Secret {
        &self.names
    }
}

/// A key for another purpose (one block of HKDF-Expand, RFC 5869, with HMAC-SHA-256).
fn derive(key: &Secret, purpose: &[u8]) -> Secret {
    let mut secret = Secret([0; 32]);
    // HMAC takes keys of any length: this cannot fail.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.0) {
        mac.update(purpose);
        mac.update(&[1]);
        secret.0 = mac.finalize().into_bytes().into();
    }
    secret
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<KeyId> = self.ids().collect();
        f.debug_tuple("KeySet").field(&ids).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_reads_what_it_wrote_and_shows_nothing() {
        let set = KeySet::generate().unwrap().rotated().unwrap();
        let text = set.to_text().unwrap();
        let read = KeySet::parse(&text).unwrap();
        assert!(read.ids().eq(set.ids()));
        assert_eq!(read.ids().count(), 2);
        assert_eq!(read.names.0, set.names.0);
        let shown = format!("{set:?}");
        for (_, key) in &set.keys {
            assert!(!shown.contains(key.to_text().as_str()), "{shown}");
        }
        assert_eq!(set.without_earlier().ids().count(), 1);
    }

    #[test]
    fn a_single_key_makes_the_same_set_each_time() {
        let text = SecretString::from(BASE64.encode([7; 32]));
        let (one, two) = (KeySet::parse(&text).unwrap(), KeySet::from_key([7; 32]));
        assert_eq!(one.current(), two.current());
        assert_eq!(one.names.0, two.names.0);
        assert_ne!(one.names.0, [7; 32]);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_quoted() {
        for text in [
            "",
            "hunter2",
            "{}",
            r#"{"version":1,"names":"","keys":[]}"#,
            "AAAA",
        ] {
            let error = KeySet::parse(&SecretString::from(text)).unwrap_err();
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
