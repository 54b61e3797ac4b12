//! A manager, what surrounds it, and what must be true of it by the rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use moorline::clock::VirtualClock;
use moorline::manager::{
    ActiveWatch, CloseReason, IdleAction, LogoutReport, ManagedSession, ManagerError, ManagerEvent,
    ManagerEventKind, ManagerEvents, ManagerItem, NextActive, RestoreReport, SessionKey,
    SessionManager, WhenFull,
};
use moorline::policy::Backoff;
use moorline::store::RecordName;
use moorline::{Policy, Timestamp};
use tokio::task::JoinHandle;

use crate::store::GatedStore;
use crate::wallets::{Wallet, Wallets};

pub(crate) const ACCOUNTS: [&str; 3] = ["a", "b", "c"];
pub(crate) const IDLE: Duration = Duration::from_secs(600);

/// What is planted to see a check fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    SharedKey,
    OtherActive,
    Unbound,
    LostTombstones,
    LostRecords,
    SkippedEvent,
    UntoldActive,
    LeftTask,
}

#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) next: NextActive,
    pub(crate) max: Option<usize>,
    pub(crate) idle: bool,
}

impl Setup {
    pub(crate) fn plain() -> Self {
        Self {
            name: "plain",
            next: NextActive::None,
            max: None,
            idle: false,
        }
    }

    pub(crate) fn tight() -> Self {
        Self {
            name: "tight",
            next: NextActive::MostRecent,
            max: Some(2),
            idle: true,
        }
    }
}

/// How an account stands by what the user and its wallet have done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// Never logged in, or logged out: nothing may bring it back.
    Out,
    /// Logged in: there, and brought back after a restart.
    In,
    /// Closed by a policy: not there, and brought back after a restart.
    Stored,
    /// Logged out, which is not through yet: not there.
    Leaving,
    /// Ended by another process, which this one may not know yet; not brought back.
    Ended,
    /// A crash cut something off: either.
    Unsure,
}

/// The state as the events tell it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folded {
    pub(crate) last: Option<u64>,
    pub(crate) gap: Option<(u64, u64)>,
    pub(crate) keys: BTreeMap<u64, Arc<SessionKey>>,
    pub(crate) active: Option<Arc<SessionKey>>,
}

pub(crate) struct Login {
    pub(crate) account: &'static str,
    /// Whether it waits for its wallet.
    pub(crate) held: bool,
    pub(crate) control: Option<moorline_scripted::Control>,
    pub(crate) task: JoinHandle<Result<ManagedSession, ManagerError>>,
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) fault: Option<Fault>,
    pub(crate) store: GatedStore,
    pub(crate) wallets: Wallets,
    pub(crate) manager: SessionManager,
    events: ManagerEvents,
    pub(crate) watch: ActiveWatch,
    pub(crate) folded: Folded,
    pub(crate) handles: Vec<ManagedSession>,
    pub(crate) logins: Vec<Login>,
    pub(crate) logouts: Vec<(String, JoinHandle<Result<LogoutReport, ManagerError>>)>,
    pub(crate) restoring: Option<JoinHandle<Result<RestoreReport, ManagerError>>>,
    pub(crate) standing: BTreeMap<&'static str, Standing>,
    /// Which accounts' standing has changed since the store was held up.
    pub(crate) unwritten: Vec<&'static str>,
    /// From which provider on they are those of this manager.
    pub(crate) own: usize,
    /// Whether a restart was just done.
    pub(crate) restarted: bool,
    pub(crate) arrived: Vec<(String, String, String)>,
}

fn build(setup: Setup, store: &GatedStore, wallets: &Wallets) -> SessionManager {
    let wallets = wallets.clone();
    let policy = Policy {
        reconnect: Backoff {
            jitter: false,
            ..Backoff::default()
        },
        ..Policy::default()
    };
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let mut builder = SessionManager::builder()
        .policy(policy)
        .clock(VirtualClock::starting_at(start))
        .store(store.clone())
        .next_active(setup.next)
        .provider("numbered", move |record| {
            let provider = wallets.rebuild(record.provider_payload.as_ref())?;
            Ok(Arc::new(provider))
        });
    if let Some(max) = setup.max {
        builder = builder.max_sessions(max, WhenFull::CloseLeastRecent);
    }
    if setup.idle {
        builder = builder.idle_after(IDLE, IdleAction::Close);
    }
    builder.build().unwrap()
}

pub(crate) fn record_of(account: &str) -> RecordName {
    format!("moorline/session/scripted/=canton:scripted/{account}").into()
}

/// Lets everything run that can without time passing.
pub(crate) async fn settle() {
    for _ in 0..48 {
        tokio::task::yield_now().await;
    }
}

impl World {
    pub(crate) fn new(setup: Setup, fault: Option<Fault>) -> Self {
        let (store, wallets) = (GatedStore::new(fault), Wallets::default());
        let manager = build(setup, &store, &wallets);
        Self {
            setup,
            fault,
            events: manager.events(),
            watch: manager.watch_active(),
            store,
            wallets,
            manager,
            folded: Folded::default(),
            handles: Vec::new(),
            logins: Vec::new(),
            logouts: Vec::new(),
            restoring: None,
            standing: ACCOUNTS.map(|account| (account, Standing::Out)).into(),
            unwritten: Vec::new(),
            own: 0,
            restarted: false,
            arrived: Vec::new(),
        }
    }

    pub(crate) fn session(&self, account: &str) -> Option<ManagedSession> {
        let sessions = self.manager.sessions();
        sessions
            .into_iter()
            .find(|it| it.account().as_str() == account)
    }

    pub(crate) fn wallet(&self, account: &str) -> Option<Wallet> {
        self.wallets.of(&self.session(account)?)
    }

    pub(crate) fn stands(&mut self, account: &str, standing: Standing) {
        let (known, now) = self
            .standing
            .iter_mut()
            .find(|it| *it.0 == account)
            .unwrap();
        *now = standing;
        if self.store.is_held() && !self.unwritten.contains(known) {
            self.unwritten.push(known);
        }
    }

    /// Ends this manager, whatever it is doing, or after it has said farewell, and begins another.
    pub(crate) async fn restart(&mut self, close: bool) {
        for login in self.logins.drain(..) {
            login.task.abort();
        }
        if close {
            self.store.release();
            self.manager.close().await;
        }
        let cut: Vec<&str> = std::mem::take(&mut self.unwritten);
        for (account, standing) in &mut self.standing {
            let unsure = *standing == Standing::Leaving || cut.contains(account);
            if unsure && !close {
                *standing = Standing::Unsure;
            } else if *standing == Standing::Leaving {
                *standing = Standing::Out;
            }
        }
        for (_, logout) in self.logouts.drain(..) {
            logout.abort();
        }
        if let Some(restoring) = self.restoring.take() {
            restoring.abort();
        }
        self.handles.clear();
        // The process is gone before what it had begun is through: nothing more of it is written.
        let memory = self.store.memory.clone();
        let mut store = GatedStore::new(self.fault);
        store.memory = memory;
        self.store = store;
        self.own = self.wallets.made();
        self.restarted = true;
        self.manager = build(self.setup, &self.store, &self.wallets);
        self.events = self.manager.events();
        self.watch = self.manager.watch_active();
        self.folded = Folded::default();
        settle().await;
    }

    pub(crate) fn restore(&mut self) {
        let manager = self.manager.clone();
        self.restoring = Some(tokio::spawn(async move { manager.restore().await }));
    }

    /// Reads what was told, and what has ended.
    pub(crate) async fn look(&mut self) {
        settle().await;
        self.arrived = self.wallets.arrived();
        while let Some(item) = self.events.try_next() {
            match item {
                ManagerItem::Event(event) => self.fold(&event),
                ManagerItem::Missed(missed) => panic!("missed {missed}"),
            }
        }
        let (done, waiting) = self.logins.drain(..).partition(|it| it.task.is_finished());
        self.logins = waiting;
        let done: Vec<Login> = done;
        for login in done {
            if let Ok(Ok(session)) = login.task.await {
                let known = self.handles.contains(&session);
                let standing = match self.standing[login.account] {
                    // One that is there and has not learned of its end: either.
                    Standing::Ended | Standing::Unsure if known => Standing::Unsure,
                    _ => Standing::In,
                };
                self.stands(login.account, standing);
                if !self.handles.contains(&session) {
                    self.handles.push(session);
                }
            }
        }
        let (done, waiting) = self.logouts.drain(..).partition(|it| it.1.is_finished());
        self.logouts = waiting;
        let done: Vec<(String, _)> = done;
        for (account, _) in done {
            let standing = self.standing[account.as_str()];
            if standing == Standing::Leaving {
                self.stands(&account, Standing::Out);
            }
        }
    }

    fn fold(&mut self, event: &ManagerEvent) {
        if self.fault == Some(Fault::SkippedEvent)
            && matches!(event.kind, ManagerEventKind::LoggedIn { .. })
        {
            return;
        }
        let folded = &mut self.folded;
        if let Some(last) = folded.last.replace(event.seq)
            && event.seq != last + 1
        {
            folded.gap = Some((last, event.seq));
        }
        let key = || event.key.clone().unwrap();
        match &event.kind {
            ManagerEventKind::LoggedIn { .. } | ManagerEventKind::Rekeyed { .. } => {
                folded.keys.insert(event.session, key());
            }
            ManagerEventKind::LoggedOut { .. } => {
                folded.keys.remove(&event.session);
            }
            ManagerEventKind::Closed { reason, .. } => {
                folded.keys.remove(&event.session);
                let policy = matches!(reason, CloseReason::Idle | CloseReason::Capacity);
                let account = key().account.to_string();
                if policy && self.standing[account.as_str()] == Standing::In {
                    self.stands(&account, Standing::Stored);
                }
            }
            ManagerEventKind::ActiveChanged { current, .. }
                if self.fault != Some(Fault::UntoldActive) =>
            {
                folded.active.clone_from(current);
            }
            _ => {}
        }
    }
}
