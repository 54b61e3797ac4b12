//! What the tests share: signers in place of NDK's, and what NDK wrote.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use moorline::Timestamp;
use moorline::clock::VirtualClock;
use moorline::manager::ndk::{Signer, SignerPayload};
use moorline::manager::{SessionManager, SessionManagerBuilder};
use moorline::provider::{ErrorKind, ProviderError};
use moorline::store::{RecordName, Store};
use moorline_scripted::{Control, ScriptedProvider, ScriptedWallet};
use secrecy::ExposeSecret;

#[path = "../support/seen.rs"]
mod seen;

pub(crate) use self::seen::{accounts, active, published, settle};

/// Written by `@nostr-dev-kit/sessions` 0.6.3 and 1.0.0-beta.70.
pub(crate) const SAMPLES: [&str; 2] = [
    include_str!("vectors/filestorage-sample.json"),
    include_str!("vectors/filestorage-sample.beta70.json"),
];

/// Written by `@nostr-dev-kit/ndk` 3.0.3.
pub(crate) const PAYLOADS: [&str; 2] = [
    include_str!("vectors/signer-payloads.json"),
    include_str!("vectors/signer-payloads.beta70.json"),
];

pub(crate) const KEY_A: &str = "0101010101010101010101010101010101010101010101010101010101010101";
pub(crate) const KEY_B: &str = "0202020202020202020202020202020202020202020202020202020202020202";
pub(crate) const PUBKEY_A: &str =
    "1b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f";
pub(crate) const PUBKEY_B: &str =
    "4d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766";
pub(crate) const PUBKEY_C: &str =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// An account that nobody here has the key of.
pub(crate) const PUBKEY_D: &str =
    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";

/// Whose key it is.
fn owner(key: &str) -> Option<&'static str> {
    match key {
        KEY_A => Some(PUBKEY_A),
        KEY_B => Some(PUBKEY_B),
        _ => None,
    }
}

pub(crate) fn private_key(key: &str) -> SignerPayload {
    SignerPayload::from_text(&format!(r#"{{"type":"private-key","payload":"{key}"}}"#))
}

/// A signer that holds a key, and stores it as NDK's does. It signs as wallets here do: the answer
/// names the account.
pub(crate) fn signer(key: &str) -> (ScriptedProvider, Control) {
    let wallet = ScriptedWallet::new().kind("private-key").network(None);
    wallet
        .accounts([owner(key).unwrap()])
        .payload(private_key(key).to_provider_payload().unwrap())
        .build()
}

/// Signers by account, as they are built again.
#[derive(Clone, Default)]
pub(crate) struct Signers(Arc<Mutex<HashMap<String, Control>>>);

impl Signers {
    pub(crate) fn get(&self, pubkey: &str) -> Control {
        self.0.lock().unwrap().get(pubkey).unwrap().clone()
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-12-01T00:00:00Z").unwrap()
}

pub(crate) fn builder() -> SessionManagerBuilder {
    SessionManager::builder().clock(VirtualClock::starting_at(now()))
}

/// A builder that stores, and builds signers with a key again. `prepare` sees each first.
pub(crate) fn stored(
    store: impl Store,
    prepare: impl Fn(&str, &Control) + Send + Sync + 'static,
) -> (SessionManagerBuilder, Signers) {
    let signers = Signers::default();
    let made = signers.clone();
    let builder = builder().store(store);
    let builder = builder.provider("private-key", move |record| {
        let unusable = || ProviderError::new(ErrorKind::Malformed, "the key cannot be used");
        let payload = record.provider_payload.as_ref().ok_or_else(unusable)?;
        let payload = SignerPayload::from_provider_payload(payload);
        let Ok(Signer::PrivateKey { key }) = payload.read() else {
            return Err(unusable());
        };
        let pubkey = owner(key.expose_secret()).ok_or_else(unusable)?;
        let (signer, control) = signer(key.expose_secret());
        prepare(pubkey, &control);
        made.0.lock().unwrap().insert(pubkey.to_owned(), control);
        Ok(Arc::new(signer))
    });
    (builder, signers)
}

pub(crate) fn name(kind: &str, pubkey: &str) -> RecordName {
    format!("moorline/session/{kind}/-/{pubkey}").into()
}
