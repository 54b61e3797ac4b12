//! How a manager is put together.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::SessionManager;
use super::chores::keep_house;
use super::cluster;
use super::hydration::{Fetch, Kit};
use super::inner::Inner;
use super::read_only::{self, ReadOnly};
use crate::clock::{Clock, SystemClock};
use crate::error::BuildError;
use crate::policy::{Policy, ReconnectBudget};
use crate::provider::{ErrorKind, Provider, ProviderError};
use crate::session::{Driver, SessionBuilder};
use crate::store::{Record, Store};

/// Who becomes active when the active session is logged out. Default: nobody.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NextActive {
    /// Nobody: the user says who is next.
    #[default]
    None,
    /// The session that was used most recently.
    MostRecent,
}

/// What happens to a login when there are as many sessions as may be. Default: it is refused.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The login fails, and says so.
    #[default]
    Refuse,
    /// The session that was not used for longest is closed; what is stored of it stays. The active
    /// session and those that answer a request are spared.
    CloseLeastRecent,
}

/// What happens to a session that is not used. Default: it is closed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum IdleAction {
    /// It is closed here; what is stored of it stays and can be restored.
    #[default]
    Close,
    /// It is forgotten here; the wallet is not told.
    Detach,
}

type Factory = Box<dyn Fn(&Record) -> Result<Arc<dyn Provider>, ProviderError> + Send + Sync>;
type Configure = Box<dyn Fn(SessionBuilder) -> SessionBuilder + Send + Sync>;

/// What surrounds the sessions of a manager.
pub(super) struct Config {
    pub(super) namespace: Arc<str>,
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) policy: Arc<Policy>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) driver: Option<Driver>,
    pub(super) budget: Option<ReconnectBudget>,
    pub(super) configure: Option<Configure>,
    factories: HashMap<Arc<str>, Factory>,
    pub(super) next_active: NextActive,
    pub(super) max_sessions: Option<usize>,
    pub(super) when_full: WhenFull,
    pub(super) idle: Option<(Duration, IdleAction)>,
    pub(super) restore_at_once: usize,
    pub(super) restore_patience: Duration,
    pub(super) restore_within: Option<Duration>,
    pub(super) unstored_use: Duration,
    pub(super) event_capacity: usize,
    pub(super) kit: Kit,
    pub(super) cluster: Option<cluster::Settings>,
}

impl Config {
    /// Whether sessions are closed to make room for others.
    pub(super) fn makes_room(&self) -> bool {
        self.max_sessions.is_some() && self.when_full == WhenFull::CloseLeastRecent
    }

    /// The provider of a stored session; `None` if its type was not registered.
    pub(super) fn rebuild(
        &self,
        record: &Record,
    ) -> Result<Result<Arc<dyn Provider>, ProviderError>, Arc<str>> {
        if &*record.provider == read_only::KIND
            && let Some(identity) = record.identity()
        {
            return Ok(Ok(Arc::new(ReadOnly(identity))));
        }
        let kind = match &record.provider_payload {
            Some(payload) => payload.kind().unwrap_or_default(),
            None => &record.provider,
        };
        let factory = self.factories.get(kind).ok_or_else(|| Arc::from(kind))?;
        let built = catch_unwind(AssertUnwindSafe(|| factory(record)));
        // What a panic says may quote what it was given.
        Ok(built.unwrap_or_else(|_| {
            Err(ProviderError::new(
                ErrorKind::Panicked,
                "the factory of the provider panicked",
            ))
        }))
    }
}

/// Builds a [`SessionManager`]. Everything has a default.
#[must_use = "a builder does nothing until `build` is called"]
pub struct SessionManagerBuilder {
    config: Config,
    #[cfg(feature = "stores")]
    take_over: cluster::TakeOver,
}

impl Default for SessionManagerBuilder {
    fn default() -> Self {
        Self {
            config: Config {
                namespace: "moorline".into(),
                store: None,
                policy: Arc::default(),
                clock: SystemClock::shared(),
                driver: None,
                budget: None,
                configure: None,
                factories: HashMap::new(),
                next_active: NextActive::default(),
                max_sessions: None,
                when_full: WhenFull::default(),
                idle: None,
                restore_at_once: 8,
                restore_patience: Duration::from_secs(10),
                restore_within: None,
                unstored_use: Duration::from_secs(300),
                event_capacity: 1024,
                kit: Kit::default(),
                cluster: None,
            },
            #[cfg(feature = "stores")]
            take_over: cluster::TakeOver::default(),
        }
    }
}

impl SessionManagerBuilder {
    /// Where sessions are stored, each under a name of its own. Default: nowhere.
    pub fn store(self, store: impl Store) -> Self {
        self.store_dyn(Arc::new(store))
    }

    /// Like [`store`](Self::store), for a store that is shared.
    pub fn store_dyn(mut self, store: Arc<dyn Store>) -> Self {
        self.config.store = Some(store);
        self
    }

    /// What the names of all records begin with: managers that share a store and not their
    /// sessions have different ones. Default `moorline`.
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.config.namespace = namespace.into();
        self
    }

    /// How to build a provider again from what is stored of it: called with the record of a
    /// session whose [`provider_payload`](Record::provider_payload) has the type `kind`, or, where
    /// none is stored, whose provider is called so. Must not block.
    ///
    /// What sessions can share is the factory's to share: keep one provider for each wallet server and
    /// hand out others made from it (as `HttpProvider::another` of `moorline-cip0103` does), so that
    /// all of them use one pool of connections. Timers and the budget of attempts the manager's
    /// sessions share in any case.
    ///
    /// Sessions of a type that is not registered are reported and left as they are.
    pub fn provider<F>(mut self, kind: impl Into<Arc<str>>, factory: F) -> Self
    where
        F: Fn(&Record) -> Result<Arc<dyn Provider>, ProviderError> + Send + Sync + 'static,
    {
        self.config.factories.insert(kind.into(), Box::new(factory));
        self
    }

    /// How every session behaves.
    pub fn policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.config.policy = policy.into();
        self
    }

    /// The wall clock of the manager and all sessions. Default: the computer's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.config.clock = Arc::new(clock);
        self
    }

    /// Whose task serves the timers of all sessions. Default: that of the runtime.
    pub fn driver(mut self, driver: &Driver) -> Self {
        self.config.driver = Some(driver.clone());
        self
    }

    /// The budget of reconnect attempts that all sessions share. Default: none.
    pub fn budget(mut self, budget: ReconnectBudget) -> Self {
        self.config.budget = Some(budget);
        self
    }

    /// Called for every session before it is built, to set hooks, for instance. The store is the
    /// manager's in any case.
    pub fn configure<F>(mut self, configure: F) -> Self
    where
        F: Fn(SessionBuilder) -> SessionBuilder + Send + Sync + 'static,
    {
        self.config.configure = Some(Box::new(configure));
        self
    }

    /// Who becomes active when the active session is logged out. Default: nobody.
    pub fn next_active(mut self, next: NextActive) -> Self {
        self.config.next_active = next;
        self
    }

    /// How many sessions there may be, at least 1, and what happens to a login beyond. Default:
    /// any number.
    pub fn max_sessions(mut self, sessions: usize, when_full: WhenFull) -> Self {
        self.config.max_sessions = Some(sessions.max(1));
        self.config.when_full = when_full;
        self
    }

    /// For how long a session may be unused (see [`ManagedSession::last_active`]), and what
    /// happens to it then. The active session is spared, and looked at again as long after. Default: for ever.
    ///
    /// [`ManagedSession::last_active`]: super::ManagedSession::last_active
    pub fn idle_after(mut self, after: Duration, action: IdleAction) -> Self {
        self.config.idle = Some((after.max(Duration::from_millis(1)), action));
        self
    }

    /// How many sessions are restored at once, at least 1 (default 8), and how long one may keep
    /// others waiting before it goes on beside them (default 10 s).
    pub fn restore_at_once(mut self, sessions: usize, patience: Duration) -> Self {
        self.config.restore_at_once = sessions.max(1);
        self.config.restore_patience = patience;
        self
    }

    /// Within which time [`SessionManager::restore`] returns, at least 1 ms: what is not done by
    /// then goes on, and is reported as [`Restored::Unfinished`](super::Restored::Unfinished).
    /// Default: any time, which is for ever where the policy sets no limit to retries and a wallet
    /// does not come back.
    pub fn restore_within(mut self, limit: Duration) -> Self {
        self.config.restore_within = Some(limit.max(Duration::from_millis(1)));
        self
    }

    /// For how long use of a session may be unknown to the store (default 5 min): when it was last
    /// used is written with whatever else is, when it is switched to, closed, or the manager is,
    /// and on a use that long after the last write.
    pub fn unstored_use(mut self, at_most: Duration) -> Self {
        self.config.unstored_use = at_most;
        self
    }

    /// Something to fetch for every session, or the last of several with the same name. Default:
    /// nothing.
    pub fn fetch(mut self, fetch: Fetch) -> Self {
        self.config.kit.add(fetch);
        self
    }

    /// How many fetches run at once, of all sessions together; at least 1. Default 32.
    pub fn fetches_at_once(mut self, fetches: usize) -> Self {
        self.config.kit.at_once = fetches.max(1);
        self
    }

    /// How many fetched values are kept, of all sessions together; at least 1. The one that was not
    /// looked at for longest is dropped for a new one, and fetched again when somebody asks.
    /// Default: all.
    pub fn max_values(mut self, values: usize) -> Self {
        self.config.kit.max_values = Some(values.max(1));
        self
    }

    /// How many events a subscriber may be behind before it misses some. At least 1; default 1024.
    pub fn event_capacity(mut self, capacity: usize) -> Self {
        self.config.event_capacity = capacity.max(1);
        self
    }

    /// Makes the manager one of several that share its [`store`](Self::store), in as many processes:
    /// each session is held by one of them. See
    /// [the documentation of managers](crate::manager#several-processes). The store must say where
    /// its records stand and tell what changes, as encrypted ones on a shared backend do.
    /// Default: the manager is alone.
    #[cfg(feature = "stores")]
    pub fn leases(mut self, leases: crate::sync::lease::Leases) -> Self {
        self.config.cluster = Some(cluster::Settings::new(leases));
        self
    }

    /// What a manager with [`leases`](Self::leases) does about sessions that nobody alive holds.
    /// Default: it takes them over.
    #[cfg(feature = "stores")]
    pub fn take_over(mut self, take_over: cluster::TakeOver) -> Self {
        self.take_over = take_over;
        self
    }

    /// Builds the manager, without sessions: [`SessionManager::restore`] brings back those that
    /// are stored.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoRuntime`] outside a tokio runtime (with time enabled);
    /// [`BuildError::NoStore`] with leases and without a store; [`BuildError::InvalidPolicy`] for a policy that is out of range.
    pub fn build(
        #[cfg_attr(not(feature = "stores"), allow(unused_mut))] mut self,
    ) -> Result<SessionManager, BuildError> {
        #[cfg(feature = "stores")]
        if let Some(settings) = &mut self.config.cluster {
            settings.take_over = self.take_over;
        }
        self.config.policy.validate()?;
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        if self.config.cluster.is_some() && self.config.store.is_none() {
            return Err(BuildError::NoStore);
        }
        let inner = Inner::new(self.config, runtime);
        inner.start_hydration();
        if let Some(cluster) = inner.cluster() {
            cluster.start(&inner);
        }
        let chores = keep_house(Arc::downgrade(&inner), inner.bell.clone());
        let chores = inner.runtime.spawn(chores).abort_handle();
        Ok(SessionManager::from_inner(inner, chores))
    }
}
