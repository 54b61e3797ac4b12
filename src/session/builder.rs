//! How a session is put together.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::config::{Config, Extras, Observer};
use super::driver::Driver;
use super::hooks::{HookError, Hooks, Reauth};
use super::shared::Shared;
use crate::clock::{Clock, SystemClock};
use crate::error::BuildError;
use crate::event::Invalidation;
use crate::policy::{Policy, ReconnectBudget, Schedule};
use crate::provider::Provider;
use crate::store::{RecordName, Store};
use crate::sync::{Bus, StoreBus};

/// Builds a [`Session`]. Everything has a default but the provider.
#[must_use = "a builder does nothing until `build` is called"]
pub struct SessionBuilder {
    provider: Arc<dyn Provider>,
    policy: Arc<Policy>,
    store: Option<(Arc<dyn Store>, RecordName)>,
    clock: Arc<dyn Clock>,
    hooks: Hooks,
    bus: Option<Arc<dyn Bus>>,
    budget: Option<ReconnectBudget>,
    schedule: Option<Box<dyn Schedule>>,
    driver: Option<Driver>,
    seed: Option<u64>,
    label: Option<Arc<str>>,
    observer: Option<Observer>,
    kind: Option<Arc<str>>,
    event_capacity: Option<usize>,
    restore: bool,
}

impl SessionBuilder {
    pub(super) fn new(provider: Arc<dyn Provider>) -> Self {
        Self {
            provider,
            policy: Arc::default(),
            store: None,
            clock: SystemClock::shared(),
            hooks: Hooks::default(),
            bus: None,
            budget: None,
            schedule: None,
            driver: None,
            seed: None,
            label: None,
            observer: None,
            kind: None,
            event_capacity: None,
            restore: false,
        }
    }

    /// How the session behaves. Hand in an `Arc` to share one policy between many sessions.
    pub fn policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.policy = policy.into();
        self
    }

    /// Where the session is stored, and under which name. Default: nowhere.
    pub fn store(self, store: impl Store, name: impl Into<RecordName>) -> Self {
        self.store_dyn(Arc::new(store), name)
    }

    /// Like [`store`](Self::store), for a store that is shared.
    pub fn store_dyn(mut self, store: Arc<dyn Store>, name: impl Into<RecordName>) -> Self {
        self.store = Some((store, name.into()));
        self
    }

    /// Makes an expired or revoked session valid again. Called with everything that is needed to
    /// talk to the wallet outside the queue; has [`Deadlines::reauth`] to finish, and is dropped
    /// where it stands when the user disconnects. Takes precedence over what the provider can do
    /// by itself, but for a session that is being restored: nobody is asked for anything then.
    ///
    /// # What a hook may fail with
    ///
    /// A hook is called again only if it says itself that trying again can help, for it may bring
    /// up a prompt. It says so with a [`ProviderError`] that is
    /// [retryable](crate::ProviderError::is_retryable): its own, or the one inside an
    /// [`OperationError`](crate::OperationError) (what [`Wallet::request`] fails with) or a
    /// [`ConnectError`](crate::ConnectError). Then it is called again under the policy for
    /// [reconnecting](Policy::reconnect): with its backoff and its limits, not before the error's
    /// [`retry_after`](crate::ProviderError::retry_after), and visibly (`reconnect:scheduled`,
    /// `reconnect:attempt`, `reauth:started`). Operations are held meanwhile, up to their own
    /// deadlines. At the limit the session gives up ([`DisconnectReason::GaveUp`]); what is stored
    /// of it stays.
    ///
    /// Everything else is a no, and ends the session ([`DisconnectReason::ReauthFailed`]): any
    /// other error, [`ErrorKind::Unauthorized`] (a login was what the hook was there for), a
    /// panic, and the deadline, for a person who did not act is not asked over and over.
    ///
    /// [`Wallet::request`]: super::Wallet::request
    /// [`ProviderError`]: crate::ProviderError
    /// [`ErrorKind::Unauthorized`]: crate::provider::ErrorKind::Unauthorized
    /// [`DisconnectReason::GaveUp`]: crate::DisconnectReason::GaveUp
    /// [`DisconnectReason::ReauthFailed`]: crate::DisconnectReason::ReauthFailed
    ///
    /// A hook that holds a clone of its own session keeps that alive for ever; everything it needs
    /// is in what it is given.
    ///
    /// [`Deadlines::reauth`]: crate::policy::Deadlines::reauth
    pub fn on_reauth<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Reauth) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        self.hooks.reauth = Some(Arc::new(move |reauth| Box::pin(hook(reauth))));
        self
    }

    /// Called whenever the party or the network changed: the place to throw away what was derived
    /// from the one before. Failures and panics are reported as `hook:failed` and change nothing.
    pub fn on_invalidate<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Invalidation) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        self.hooks.invalidate = Some(Arc::new(move |what| Box::pin(hook(what))));
        self
    }

    /// Joins those who share this session elsewhere. Default: nobody.
    pub fn bus(mut self, bus: impl Bus) -> Self {
        self.bus = Some(Arc::new(bus));
        self
    }

    /// Where the session is stored, as [`store`](Self::store), together with all others that are
    /// stored there under the same name, in this process or elsewhere: as [`bus`](Self::bus).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use moorline::store::MemoryStore;
    /// # use moorline::sync::StoreBus;
    /// # use moorline::{Provider, Session};
    /// # fn build(provider: impl Provider) -> Result<Session, moorline::BuildError> {
    /// let bus = StoreBus::new(Arc::new(MemoryStore::new()))?; // one for the whole process
    /// let session = Session::builder(provider).shared(&bus, "alice").build()?;
    /// # Ok(session)
    /// # }
    /// ```
    pub fn shared(self, bus: &StoreBus, name: impl Into<RecordName>) -> Self {
        let name = name.into();
        self.store_dyn(bus.store().clone(), name.clone())
            .bus(bus.member(name))
    }

    /// Shares a budget of reconnect attempts with other sessions. Default: none.
    pub fn budget(mut self, budget: ReconnectBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Replaces the delays of the built-in backoff; its limits stay.
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.schedule = Some(Box::new(schedule));
        self
    }

    /// Whose task serves the session's timers, and on which runtime the session runs. Default: the
    /// one that all sessions built on this runtime share unless they are given another.
    pub fn driver(mut self, driver: &Driver) -> Self {
        self.driver = Some(driver.clone());
        self
    }

    /// The wall clock. Default: the computer's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Like [`clock`](Self::clock), for a clock that is shared.
    pub fn clock_dyn(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes jitter repeatable. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// A name for logs. Default: the record's name, if there is a store.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Gives the session a shorter life than its policy does: use does not renew it. A longer one
    /// changes nothing.
    pub(crate) fn lifetime(mut self, lifetime: Duration) -> Self {
        if self.policy.expiry.ttl.is_none_or(|ttl| lifetime < ttl) {
            let policy = Arc::make_mut(&mut self.policy);
            policy.expiry.ttl = Some(lifetime.max(Duration::from_millis(1)));
            policy.expiry.update_age = None;
        }
        self
    }

    /// Who sees every event first.
    pub(crate) fn observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// What the provider calls itself, if that text is to be shared with other sessions.
    pub(crate) fn kind(mut self, kind: Arc<str>) -> Self {
        self.kind = Some(kind);
        self
    }

    /// How many events a subscriber may be behind before it misses some. At least 1; default 256.
    pub fn event_capacity(mut self, capacity: usize) -> Self {
        self.event_capacity = Some(capacity.max(1));
        self
    }

    /// Begins to restore the session as soon as it is built: silently, like
    /// [`Session::restore`], which joins it and tells how it ended.
    pub fn restore_at_build(mut self) -> Self {
        self.restore = true;
        self
    }

    /// Builds the session: disconnected, with no wallet traffic (unless it is to be
    /// [restored](Self::restore_at_build)).
    ///
    /// # Errors
    ///
    /// [`BuildError::NoStore`] if it is to be restored and has no store;
    /// [`BuildError::NoRuntime`] outside a tokio runtime (with time enabled);
    /// [`BuildError::InvalidPolicy`] for a policy that is out of range.
    pub fn build(self) -> Result<Session, BuildError> {
        self.policy.validate()?;
        if self.restore && self.store.is_none() {
            return Err(BuildError::NoStore);
        }
        let driver = match self.driver {
            Some(driver) => driver,
            None => Driver::of_this_runtime()?,
        };
        let label = self
            .label
            .or_else(|| self.store.as_ref().map(|(_, name)| name.shared()))
            .unwrap_or_default();
        let extras = Extras {
            clock: (!SystemClock::is_shared(&self.clock)).then_some(self.clock),
            store: self.store,
            hooks: self.hooks,
            bus: self.bus,
            budget: self.budget,
            label,
            event_capacity: self.event_capacity,
        };
        let config = Config {
            provider: self.provider,
            policy: self.policy,
            driver,
            observer: self.observer,
            extras: extras.is_any().then(|| Box::new(extras)),
        };
        let shared = Shared::start(config, self.schedule, self.seed, self.kind);
        if self.restore {
            shared.begin_restore();
        }
        Ok(Session::from_shared(shared))
    }
}
