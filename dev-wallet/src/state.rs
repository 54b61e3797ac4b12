//! Everything the wallet knows, apart from its sockets: it outlives a restart.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::account::DevAccount;
use crate::admin::Plan;
use crate::approval::{Approval, Prompt, Waiting};
use crate::connection::Outgoing;
use crate::faults::Faults;
use crate::fences::Fences;
use crate::gateway::Gateway;
use crate::http::Handle;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::server::Command;
use crate::session::Session;

/// What a wallet knows: accounts, session, ledger, log. Survives [`DevWallet::stop`], so that a
/// wallet can be restarted with it. Cheap to clone; every clone is the same state.
///
/// [`DevWallet::stop`]: crate::DevWallet::stop
#[derive(Clone)]
pub struct DevWalletState(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    /// Counts changes, so that they can be waited for.
    version: watch::Sender<u64>,
    /// Whether sockets are frozen: every connection waits for that, and for nothing else.
    frozen: watch::Sender<bool>,
}

/// The state itself.
pub(crate) struct Inner {
    pub(crate) accounts: Vec<DevAccount>,
    /// The index of the primary account.
    pub(crate) primary: usize,
    pub(crate) network: String,
    pub(crate) network_up: bool,
    pub(crate) session: Option<Session>,
    pub(crate) session_ttl: Option<Duration>,
    pub(crate) sessions_started: u64,
    pub(crate) approval: Approval,
    pub(crate) prompt: Prompt,
    /// A login waits for a person.
    pub(crate) logging_in: bool,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) next_pending: u64,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) fences: Fences,
    pub(crate) gateway: Gateway,
    pub(crate) journal: Journal,
    pub(crate) plan: Plan,
    /// WebSockets.
    pub(crate) connections: HashMap<u64, mpsc::Sender<Outgoing>>,
    /// Connections of every kind.
    pub(crate) lines: BTreeMap<u64, Handle>,
    pub(crate) connections_made: u64,
    /// The server that runs with this state, and the address it is reached at.
    pub(crate) server: Option<(mpsc::Sender<Command>, String)>,
}

impl DevWalletState {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(Shared {
            inner: Mutex::new(inner),
            version: watch::Sender::new(0),
            frozen: watch::Sender::new(false),
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for a change. Never called with the lock held.
    pub(crate) fn changed(&self) {
        self.0
            .version
            .send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Changes the state and wakes whoever waits for it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed();
        result
    }

    /// Freezes every socket, or lets them go.
    pub(crate) fn freeze(&self, freeze: bool) {
        self.0.frozen.send_replace(freeze);
        self.changed();
    }

    /// Waits until sockets are frozen, or are not. Cancel safe.
    pub(crate) async fn until_frozen(&self, frozen: bool) {
        let mut watch = self.0.frozen.subscribe();
        // The sender lives as long as this state.
        watch.wait_for(|it| *it == frozen).await.ok();
    }

    /// Waits until the state is so. Cancel safe.
    pub(crate) async fn until(&self, mut is_so: impl FnMut(&Inner) -> bool) {
        let mut version = self.0.version.subscribe();
        loop {
            version.borrow_and_update();
            if is_so(&self.lock()) {
                return;
            }
            // The sender lives as long as this state.
            if version.changed().await.is_err() {
                return;
            }
        }
    }

    /// Sends a text to every connection. One that does not take it is dropped: it reads nothing.
    pub(crate) fn push(&self, text: &str) {
        self.push_all(&Outgoing::Text(text.to_owned()));
    }

    pub(crate) fn push_all(&self, message: &Outgoing) {
        let mut inner = self.lock();
        inner
            .connections
            .retain(|_, connection| connection.try_send(message.clone()).is_ok());
    }
}

impl fmt::Debug for DevWalletState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("DevWalletState")
            .field("accounts", &inner.accounts)
            .field("network", &inner.network)
            .field("connected", &inner.not_connected().is_none())
            .field("ledger_end", &inner.ledger.end())
            .finish_non_exhaustive()
    }
}
