//! What all handles of a manager share: logging in and out, and the chores that follow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::builder::{Config, IdleAction, WhenFull};
use super::cluster::Cluster;
use super::error::ManagerError;
use super::event::{CloseReason, ManagerEventKind};
use super::key::SessionKey;
use super::managed::ManagedSession;
use super::place::Place;
use super::state::{Chore, Entry, State};
use super::usage::{Times, Usage};
use crate::clock::{Timestamp, millis};
use crate::error::ConnectError;
use crate::event::Event;
use crate::identity::Identity;
use crate::provider::Provider;
use crate::session::{DisconnectReport, Observe, Session};
use crate::snapshot::{DisconnectReason, Snapshot, Status};
use crate::store::{RecordName, Store, StoreError, Stored, Tombstone};

/// First delay before the manager's own record is written again; doubles up to [`RETRY_CAP`].
const RETRY_BASE: Duration = Duration::from_secs(1);
const RETRY_CAP: Duration = Duration::from_secs(60);

pub(super) struct Inner {
    pub(super) config: Config,
    pub(super) times: Arc<Times>,
    pub(super) runtime: Handle,
    pub(super) bell: Arc<Notify>,
    /// How many sessions are being ended.
    jobs: watch::Sender<usize>,
    /// Whether everything has ended.
    pub(super) ended: watch::Sender<bool>,
    pub(super) cluster: Option<Cluster>,
    me: Weak<Self>,
    state: Mutex<State>,
}

/// Sees the events of one session for its manager.
struct Watcher {
    manager: Weak<Inner>,
    id: u64,
}

impl Observe for Watcher {
    fn observe(&self, event: &Event, snapshot: &Arc<Snapshot>) {
        if let Some(manager) = self.manager.upgrade() {
            manager.with(|state| state.observe(self.id, event, snapshot));
        }
    }
}

/// A session that has not joined yet. Dropped, nothing is left of it.
pub(super) struct Started {
    inner: Arc<Inner>,
    pub(super) id: u64,
    pub(super) session: Session,
    pub(super) place: Option<Arc<Place>>,
}

impl Drop for Started {
    fn drop(&mut self) {
        let gone = {
            let mut state = self.inner.lock();
            let pending = state
                .entries
                .get(&self.id)
                .is_some_and(|entry| entry.key.is_none());
            pending.then(|| state.entries.remove(&self.id)).flatten()
        };
        if gone.is_some()
            && let Some(place) = &self.place
        {
            place.take_away();
        }
        // Its handle of the session is dropped here, where nothing is locked.
        drop(gone);
    }
}

impl Inner {
    pub(super) fn new(config: Config, runtime: Handle) -> Arc<Self> {
        let times = Arc::new(Times::new(config.clock.clone()));
        let namespace = config.namespace.clone();
        let (settings, store) = (config.cluster.clone(), config.store.clone());
        let cluster = settings.zip(store);
        let cluster = cluster.map(|(settings, store)| Cluster::new(settings, store));
        Arc::new_cyclic(|me| Self {
            state: Mutex::new(State::new(times.clone(), namespace, config.event_capacity)),
            config,
            times,
            runtime,
            bell: Arc::default(),
            jobs: watch::Sender::new(0),
            ended: watch::Sender::new(false),
            cluster,
            me: me.clone(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held but a subscriber's waker: the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and rings for the chores that follow.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, busy) = {
            let mut state = self.lock();
            let result = change(&mut state);
            (result, !state.chores.is_empty() || state.memory.dirty)
        };
        if busy {
            self.bell.notify_one();
        }
        result
    }

    /// Builds a session that will join once it is known whom it acts for.
    pub(super) fn begin(
        self: &Arc<Self>,
        provider: Arc<dyn Provider>,
        last_used: Option<Timestamp>,
    ) -> Result<Started, ManagerError> {
        let kind: Arc<str> = provider.kind().into();
        let id = self.with(|state| {
            if state.closed {
                return Err(ManagerError::Closed);
            }
            Ok(state.add(Entry {
                key: None,
                session: None,
                kind: kind.clone(),
                snapshot: None,
                usage: Arc::new(Usage::new(&self.times, last_used)),
                place: None,
                name: None,
            }))
        })?;
        let built = self.build(id, &kind, provider);
        let (session, place) = built.inspect_err(|_| {
            self.lock().entries.remove(&id);
        })?;
        if let Some(entry) = self.lock().entries.get_mut(&id) {
            entry.session = Some(session.clone());
            entry.place.clone_from(&place);
        }
        Ok(Started {
            inner: self.clone(),
            id,
            session,
            place,
        })
    }

    fn build(
        &self,
        id: u64,
        kind: &str,
        provider: Arc<dyn Provider>,
    ) -> Result<(Session, Option<Arc<Place>>), ManagerError> {
        let config = &self.config;
        let (provider, gate) = match &self.cluster {
            Some(cluster) => {
                let (provider, gate) = cluster.fence(provider);
                (provider, Some(gate))
            }
            None => (provider, None),
        };
        let mut builder = Session::builder_dyn(provider.clone())
            .policy(config.policy.clone())
            .clock_dyn(config.clock.clone());
        if let Some(driver) = &config.driver {
            builder = builder.driver(driver);
        }
        if let Some(budget) = &config.budget {
            builder = builder.budget(budget.clone());
        }
        if let Some(configure) = &config.configure {
            builder = configure(builder);
        }
        let place = config.store.clone().map(|store| {
            let manager = self.me.clone();
            let failed = move |error| {
                if let Some(manager) = manager.upgrade() {
                    manager.with(|state| {
                        state.tell(id, || ManagerEventKind::PayloadFailed { error });
                    });
                }
            };
            Arc::new(Place::new(store, provider, Box::new(failed)).through(gate))
        });
        if let Some(place) = place.clone() {
            builder = builder.store_dyn(place, format!("{kind}-{id}"));
        }
        let manager = self.me.clone();
        let session = builder.observer(Box::new(Watcher { manager, id })).build();
        Ok((session.map_err(ManagerError::Build)?, place))
    }

    /// A session that was connected joins, or gives way to one that is there already.
    pub(super) fn join(
        &self,
        started: &Started,
        activate: bool,
    ) -> Result<ManagedSession, ManagerError> {
        self.with(|state| {
            if state.closed {
                return Err(ManagerError::Closed);
            }
            let id = started.id;
            let gone = |reason| ManagerError::Connect(ConnectError::Cancelled(reason));
            let lost = || gone(DisconnectReason::Closed);
            let entry = state.entries.get(&id).ok_or_else(lost)?;
            let snapshot = entry.snapshot.clone().ok_or_else(lost)?;
            let identity = match (snapshot.identity(), snapshot.status) {
                (_, Status::Disconnected { reason }) => return Err(gone(reason)),
                (identity, _) => identity.ok_or_else(lost)?,
            };
            let read_only = entry.is_read_only();
            let key = Arc::new(SessionKey::new(identity, entry.kind.clone()));
            let twin = state.twin(&key, id);
            let stays = twin
                .and_then(|twin| state.entries.get(&twin))
                .is_some_and(|twin| read_only || (twin.is_connected() && !twin.is_read_only()));
            let joined = match twin {
                // The one that is there stays; the other is dropped by its owner.
                Some(twin) if stays => twin,
                _ => {
                    let was_active = twin.is_some() && state.active() == twin;
                    if twin.is_none() {
                        self.make_room(state)?;
                    }
                    state.put(id, key, None);
                    if let Some(twin) = twin {
                        let heir = was_active.then_some(id);
                        state.shut(twin, CloseReason::Replaced, false, heir);
                    }
                    state.tell(id, || ManagerEventKind::LoggedIn { read_only });
                    id
                }
            };
            if let Some(entry) = state.entries.get(&joined) {
                entry.usage.touch();
            }
            if activate {
                state.set_active(Some(joined));
            }
            state.managed(joined).ok_or_else(lost)
        })
    }

    /// A stored session joins before it is restored. `false` if another stands for its account.
    pub(super) fn join_stored(
        &self,
        started: &Started,
        identity: Identity,
        name: RecordName,
        active: bool,
    ) -> Result<bool, ManagerError> {
        self.with(|state| {
            if state.closed {
                return Err(ManagerError::Closed);
            }
            let id = started.id;
            let Some(entry) = state.entries.get(&id) else {
                return Ok(false);
            };
            let read_only = entry.is_read_only();
            let key = Arc::new(SessionKey::new(identity, entry.kind.clone()));
            if state.twin(&key, id).is_some() {
                return Ok(false);
            }
            if let Some(max_sessions) = self.config.max_sessions
                && state.by_key.len() >= max_sessions
            {
                return Err(ManagerError::Full { max_sessions });
            }
            state.put(id, key, Some(name));
            state.tell(id, || ManagerEventKind::LoggedIn { read_only });
            if active && !state.memory.active_touched {
                state.set_active(Some(id));
            }
            Ok(true)
        })
    }

    fn make_room(&self, state: &mut State) -> Result<(), ManagerError> {
        let Some(max_sessions) = self.config.max_sessions else {
            return Ok(());
        };
        while state.by_key.len() >= max_sessions {
            let spare = match self.config.when_full {
                WhenFull::Refuse => None,
                WhenFull::CloseLeastRecent => state.least_recent(),
            };
            let spare = spare.ok_or(ManagerError::Full { max_sessions })?;
            state.shut(spare, CloseReason::Capacity, false, None);
        }
        Ok(())
    }

    /// Runs what [`quiet`](Self::quiet) waits for.
    pub(super) fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        struct Ends(Arc<Inner>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0
                    .jobs
                    .send_modify(|jobs| *jobs = jobs.saturating_sub(1));
            }
        }
        self.jobs.send_modify(|jobs| *jobs += 1);
        let ends = Ends(self.clone());
        self.runtime.spawn(async move {
            let _ends = ends;
            job.await
        })
    }

    /// Until no session is being ended.
    pub(super) async fn quiet(&self) {
        let mut jobs = self.jobs.subscribe();
        // Fails only if the sender is gone, which is here.
        let _quiet = jobs.wait_for(|jobs| *jobs == 0).await.is_ok();
    }

    /// Ends a session that has left, at the wallet too.
    pub(super) async fn end(self: &Arc<Self>, mut entry: Entry) -> DisconnectReport {
        let owned = entry.owned();
        let Some(session) = entry.session.take() else {
            return DisconnectReport::default();
        };
        let inner = self.clone();
        let end = self.spawn(async move {
            let report = session.disconnect().await;
            session.close().await;
            if report.not_persisted.is_some() {
                inner.insist(&owned);
            }
            inner.release(owned).await;
            report
        });
        end.await.unwrap_or_default()
    }

    /// Nobody writes under this name any more.
    pub(super) async fn release(&self, owned: Option<(RecordName, Arc<Place>)>) {
        let Some((name, place)) = owned else { return };
        {
            let mut state = self.lock();
            if let Some(owner) = state.owners.get(&name)
                && owner.as_ptr() == Arc::as_ptr(&place)
            {
                state.owners.remove(&name);
            }
        }
        if let Some(gate) = place.gate() {
            gate.right().release().await;
        }
    }
}

/// When the manager's own record is written again after failures.
#[derive(Default)]
struct Retry {
    failures: u32,
    at: Option<Instant>,
}

/// The chores of a manager: for as long as it lives.
pub(super) async fn keep_house(manager: Weak<Inner>, bell: Arc<Notify>) {
    let mut retry = Retry::default();
    loop {
        let next = match manager.upgrade() {
            Some(manager) => manager.tidy(&mut retry).await,
            None => return,
        };
        match next {
            Some(delay) => {
                let _rung = tokio::time::timeout(delay, bell.notified()).await;
            }
            None => bell.notified().await,
        }
    }
}

impl Inner {
    /// Does what is to be done, and says when to look again.
    async fn tidy(self: &Arc<Self>, retry: &mut Retry) -> Option<Duration> {
        // Without ringing: that would wake this very task for ever.
        let idle = self.close_idle(&mut self.lock());
        self.do_chores();
        let retry = self.save(retry).await;
        [idle, retry].into_iter().flatten().min()
    }

    pub(super) fn do_chores(self: &Arc<Self>) {
        let chores = std::mem::take(&mut self.lock().chores);
        for chore in chores {
            match chore {
                Chore::Drop(handle) => drop(handle),
                Chore::Close {
                    session,
                    detach,
                    owned,
                } => {
                    let inner = self.clone();
                    self.spawn(async move {
                        if detach {
                            session.detach().await;
                        }
                        session.close().await;
                        inner.release(owned).await;
                    });
                }
                Chore::Claim(id, name) => {
                    let claiming = self.clone().reclaim(id, name);
                    self.runtime.spawn(claiming);
                }
                Chore::Forget(name) => {
                    let inner = self.clone();
                    self.spawn(async move {
                        if let Err(error) = inner.forget(&name).await {
                            // It is restored next time, found to be somebody else's, and
                            // forgotten then.
                            tracing::warn!(%error, "an outdated record could not be removed");
                        }
                    });
                }
            }
        }
    }

    pub(super) async fn forget(&self, name: &RecordName) -> Result<(), StoreError> {
        let Some(store) = &self.config.store else {
            return Ok(());
        };
        let Stored::Record { revision, .. } = store.load(name).await? else {
            return Ok(());
        };
        {
            let mut state = self.lock();
            let here = state
                .entries
                .values()
                .any(|entry| entry.name.as_ref() == Some(name));
            if here || !self.owns(name) {
                return Ok(());
            }
            state.memory.forgotten.insert(name.clone());
            state.memory.dirty = true;
        }
        self.bell.notify_one();
        let tombstone = Tombstone::new(DisconnectReason::Detached, self.times.wall());
        match store.erase(name, tombstone, revision).await {
            // Somebody has written it: it is not outdated.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Closes what was not used for too long, and says when the next one is due. The active one
    /// and those that answer a request are spared.
    fn close_idle(&self, state: &mut State) -> Option<Duration> {
        let (after, action) = self.config.idle?;
        let mut due = Vec::new();
        let mut next = None;
        for id in state.by_key.values() {
            let Some(entry) = state.entries.get(id) else {
                continue;
            };
            let left = after.saturating_sub(entry.usage.idle());
            if left.is_zero() && state.active() != Some(*id) {
                due.push(*id);
            } else {
                // Never at once again: the active one may be idle for ever.
                let left = if left.is_zero() { after } else { left };
                next = Some(next.map_or(left, |next: Duration| next.min(left)));
            }
        }
        for id in due {
            state.shut(id, CloseReason::Idle, action == IdleAction::Detach, None);
        }
        next
    }

    async fn save(&self, retry: &mut Retry) -> Option<Duration> {
        let Some(store) = &self.config.store else {
            self.lock().memory.dirty = false;
            return None;
        };
        let wait = retry
            .at
            .map(|at| at.saturating_duration_since(Instant::now()));
        if wait.is_some_and(|wait| !wait.is_zero()) {
            return wait;
        }
        if !std::mem::take(&mut self.lock().memory.dirty) {
            return None;
        }
        let Err(error) = self.try_save(store).await else {
            *retry = Retry::default();
            return None;
        };
        let delay = (RETRY_BASE * 2_u32.pow(retry.failures.min(6))).min(RETRY_CAP);
        retry.failures = retry.failures.saturating_add(1);
        retry.at = Some(Instant::now() + delay);
        let mut state = self.lock();
        state.memory.dirty = true;
        let record = super::key::own_name(&self.config.namespace);
        state.tell(0, || ManagerEventKind::SaveFailed {
            record,
            error: error.to_string().into(),
            retry_in_ms: millis(delay),
        });
        Some(delay)
    }

    pub(super) async fn try_save(&self, store: &Arc<dyn Store>) -> Result<(), StoreError> {
        let deadline = self.config.policy.deadlines.storage;
        match tokio::time::timeout(deadline, self.save_own(store)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable {
                reason: format!("no answer within {} ms", deadline.as_millis()).into(),
            }),
        }
    }
}
