//! What the tests of the manager share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use moorline::clock::VirtualClock;
use moorline::manager::{ManagerEventKind, ManagerEvents, SessionManager, SessionManagerBuilder};
use moorline::policy::Backoff;
use moorline::provider::{ErrorKind, ProviderError, ProviderPayload};
use moorline::store::{MemoryStore, RecordName, Store};
use moorline::{Policy, Timestamp};
use moorline_scripted::{Control, ScriptedProvider, ScriptedWallet};

#[path = "../support/seen.rs"]
mod seen;

pub(crate) use self::seen::{accounts, active, published, settle};

pub(crate) fn payload(account: &str) -> ProviderPayload {
    let content = serde_json::json!({ "account": account, "secret": "s3cret" });
    ProviderPayload::new("keyed", &content).unwrap()
}

/// A scripted wallet whose provider persists itself: as its account, with a secret.
pub(crate) fn wallet(account: &str) -> (ScriptedProvider, Control) {
    ScriptedWallet::new()
        .accounts([account])
        .payload(payload(account))
        .build()
}

/// Wallets by account, as they are built again.
#[derive(Clone, Default)]
pub(crate) struct Wallets(Arc<Mutex<HashMap<String, Control>>>);

impl Wallets {
    pub(crate) fn get(&self, account: &str) -> Control {
        self.0.lock().unwrap().get(account).unwrap().clone()
    }
}

pub(crate) fn clock() -> VirtualClock {
    VirtualClock::starting_at(Timestamp::parse("2026-01-01T00:00:00Z").unwrap())
}

/// The same clock, this much later: for a manager after a restart.
pub(crate) fn clock_after(passed: std::time::Duration) -> VirtualClock {
    let clock = clock();
    clock.jump_forward(passed);
    clock
}

pub(crate) fn builder() -> SessionManagerBuilder {
    let policy = Policy {
        reconnect: Backoff {
            jitter: false,
            ..Backoff::default()
        },
        ..Policy::default()
    };
    SessionManager::builder().policy(policy).clock(clock())
}

/// A builder that stores, and builds `keyed` providers again. `prepare` sees each wallet first.
pub(crate) fn stored(
    store: &MemoryStore,
    prepare: impl Fn(&str, &Control) + Send + Sync + 'static,
) -> (SessionManagerBuilder, Wallets) {
    stored_dyn(Arc::new(store.clone()), prepare)
}

/// Like [`stored`], for any store.
pub(crate) fn stored_dyn(
    store: Arc<dyn Store>,
    prepare: impl Fn(&str, &Control) + Send + Sync + 'static,
) -> (SessionManagerBuilder, Wallets) {
    let wallets = Wallets::default();
    let made = wallets.clone();
    let builder = builder().store_dyn(store).provider("keyed", move |record| {
        #[derive(serde::Deserialize)]
        struct Content {
            account: String,
        }
        let payload = record.provider_payload.as_ref().unwrap();
        let content: Content = payload
            .read()
            .map_err(|error| ProviderError::new(ErrorKind::Malformed, error.to_string()))?;
        let (provider, control) = wallet(&content.account);
        prepare(&content.account, &control);
        made.0.lock().unwrap().insert(content.account, control);
        Ok(Arc::new(provider))
    });
    (builder, wallets)
}

pub(crate) fn name(account: &str) -> RecordName {
    format!("moorline/session/scripted/=canton:scripted/{account}").into()
}

/// What was published by now of the manager's own, in short.
pub(crate) fn own(events: &mut ManagerEvents) -> Vec<String> {
    let of = |key: &Option<Arc<moorline::manager::SessionKey>>| {
        key.as_ref()
            .map_or_else(|| "-".into(), |key| key.account.to_string())
    };
    published(events)
        .iter()
        .filter_map(|event| {
            let who = of(&event.key);
            Some(match &event.kind {
                ManagerEventKind::LoggedIn { .. } => format!("{who} in"),
                ManagerEventKind::LoggedOut { active } => format!("{who} out, {}", of(active)),
                ManagerEventKind::ActiveChanged { previous, current } => {
                    format!("active {} > {}", of(previous), of(current))
                }
                ManagerEventKind::Rekeyed { previous } => format!("{} is {who}", previous.account),
                ManagerEventKind::Closed { reason, active } => {
                    format!("{who} closed {reason:?}, {}", of(active))
                }
                _ => return None,
            })
        })
        .collect()
}
