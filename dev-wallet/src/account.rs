//! Accounts with real keys.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// An account of the wallet: a party with an Ed25519 key.
///
/// The key is derived from the name, so that an account is the same in every run: it is worth
/// nothing, and says nothing about who holds it. Cheap to clone.
#[derive(Clone)]
pub struct DevAccount {
    hint: Arc<str>,
    party: Arc<str>,
    namespace: Arc<str>,
    key: Arc<Ed25519KeyPair>,
}

impl DevAccount {
    /// The account called `hint`. `None` only if the system's cryptography fails.
    pub(crate) fn derive(hint: &str) -> Option<Self> {
        let seed = digest(&SHA256, format!("moorline-dev-wallet/{hint}").as_bytes());
        let key = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).ok()?;
        let fingerprint = digest(&SHA256, key.public_key().as_ref());
        // `1220`: a SHA-256 multihash, as in Canton's namespaces.
        let mut namespace = String::from("1220");
        for byte in fingerprint.as_ref() {
            write!(namespace, "{byte:02x}").ok()?;
        }
        Some(Self {
            hint: hint.into(),
            party: format!("{hint}::{namespace}").into(),
            namespace: namespace.into(),
            key: Arc::new(key),
        })
    }

    /// The name, for people: the part of the party id before `::`.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The party id.
    pub fn party_id(&self) -> &str {
        &self.party
    }

    /// The public key, 32 bytes in base64.
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.key.public_key())
    }

    /// Signs a message: Ed25519, 64 bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).as_ref().to_vec()
    }

    /// Signs a message: Ed25519, in base64.
    pub(crate) fn sign_base64(&self, message: &[u8]) -> String {
        STANDARD.encode(self.sign(message))
    }

    /// The fingerprint of the key.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.namespace
    }

    /// The account as the dApp API writes it.
    pub(crate) fn to_json(&self, primary: bool, network: &str) -> Value {
        json!({
            "primary": primary,
            "partyId": &*self.party,
            "status": "allocated",
            "hint": &*self.hint,
            "publicKey": self.public_key(),
            "namespace": &*self.namespace,
            "networkId": network,
            "signingProviderId": "moorline-dev-wallet",
        })
    }
}

impl fmt::Debug for DevAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DevAccount").field(&self.party).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ED25519, UnparsedPublicKey};

    #[test]
    fn an_account_is_the_same_in_every_run_and_signs_for_real() {
        let alice = DevAccount::derive("alice").unwrap();
        let again = DevAccount::derive("alice").unwrap();
        assert_eq!(alice.party_id(), again.party_id());
        assert!(alice.party_id().starts_with("alice::1220"));
        let public = STANDARD.decode(alice.public_key()).unwrap();
        let key = UnparsedPublicKey::new(&ED25519, public);
        key.verify(b"hello", &again.sign(b"hello")).unwrap();
        assert!(key.verify(b"hullo", &again.sign(b"hello")).is_err());
    }
}
