//! How sessions join a manager.

use std::sync::Arc;

use super::builder::WhenFull;
use super::error::ManagerError;
use super::event::{CloseReason, ManagerEventKind};
use super::inner::Inner;
use super::key::SessionKey;
use super::managed::ManagedSession;
use super::options::LoginOptions;
use super::place::{Inside, Place};
use super::state::{Chore, Entry, State};
use super::usage::Usage;
use crate::error::ConnectError;
use crate::event::Event;
use crate::identity::Identity;
use crate::provider::Provider;
use crate::session::{Observe, Observer, Session};
use crate::snapshot::{DisconnectReason, Snapshot, Status};
use crate::store::{About, RecordName};

impl Observe for Inner {
    fn observe(&self, session: u64, event: &Event, snapshot: &Arc<Snapshot>) {
        self.with(|state| state.observe(session, event, snapshot));
    }
}

/// A session that has not joined yet. Dropped, nothing is left of it.
pub(super) struct Started {
    pub(super) inner: Arc<Inner>,
    pub(super) id: u64,
    /// What its provider calls itself.
    kind: Arc<str>,
    pub(super) session: Session,
    pub(super) place: Option<Arc<Place>>,
}

impl Started {
    /// Whom it is for, once the wallet or a record has said so.
    pub(super) fn key(&self, identity: Identity) -> SessionKey {
        SessionKey::new(identity, self.kind.clone())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let gone = {
            let mut state = self.inner.lock();
            let pending = state
                .entries
                .get(self.id)
                .is_some_and(|entry| entry.key.is_none());
            pending.then(|| state.entries.remove(self.id)).flatten()
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
    /// Builds a session that will join once it is known whom it acts for.
    pub(super) fn begin(
        self: &Arc<Self>,
        provider: Arc<dyn Provider>,
        options: &LoginOptions,
        stored: Option<&About>,
    ) -> Result<Started, ManagerError> {
        let usage = Arc::new(Usage::new(&self.times, stored));
        usage.describe(options.described.clone());
        let (id, kind) = self.with(|state| {
            if state.closed {
                return Err(ManagerError::Closed);
            }
            let kind = state.kind(provider.kind());
            let id = state.add(Entry {
                key: None,
                session: None,
                snapshot: None,
                usage: usage.clone(),
                place: None,
            });
            Ok((id, kind))
        })?;
        let built = self.build(id, &kind, provider, usage, options);
        let (session, place) = built.inspect_err(|_| {
            self.lock().entries.remove(id);
        })?;
        let started = Started {
            inner: self.clone(),
            id,
            kind,
            session,
            place,
        };
        // What was closed or cleared meanwhile knows nothing of it.
        let mut state = self.lock();
        let gone = state.closed;
        if let Some(entry) = state.entries.get_mut(id).filter(|_| !gone) {
            entry.session = Some(started.session.clone());
            entry.place.clone_from(&started.place);
            drop(state);
            return Ok(started);
        }
        drop(state);
        let cleared = ManagerError::Connect(ConnectError::Cancelled(DisconnectReason::Closed));
        Err(if gone { ManagerError::Closed } else { cleared })
    }

    fn build(
        &self,
        id: u64,
        kind: &Arc<str>,
        provider: Arc<dyn Provider>,
        usage: Arc<Usage>,
        options: &LoginOptions,
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
        if let Some(lifetime) = options.lifetime {
            builder = builder.lifetime(lifetime);
        }
        let place = config.store.clone().map(|store| {
            let place = Place {
                id,
                manager: self.me.clone(),
                store,
                provider,
                usage,
                inside: Inside::default().into(),
                gate: None,
            };
            Arc::new(place.through(gate))
        });
        if let Some(place) = place.clone() {
            builder = builder.store_dyn(place, format!("{kind}-{id}"));
        }
        let observer = Observer {
            by: self.observer.clone(),
            session: id,
        };
        let session = builder.kind(kind.clone()).observer(observer).build();
        Ok((session.map_err(ManagerError::Build)?, place))
    }

    /// A session that was connected joins, or gives way to one that is there already.
    pub(super) fn join(
        &self,
        started: &Started,
        options: &LoginOptions,
    ) -> Result<ManagedSession, ManagerError> {
        self.with(|state| {
            if state.closed {
                return Err(ManagerError::Closed);
            }
            let id = started.id;
            let gone = |reason| ManagerError::Connect(ConnectError::Cancelled(reason));
            let lost = || gone(DisconnectReason::Closed);
            let entry = state.entries.get(id).ok_or_else(lost)?;
            let snapshot = entry.snapshot.clone().ok_or_else(lost)?;
            let identity = match (snapshot.identity(), snapshot.status) {
                (_, Status::Disconnected { reason }) => return Err(gone(reason)),
                (identity, _) => identity.ok_or_else(lost)?,
            };
            let key = Arc::new(started.key(identity));
            let read_only = key.is_read_only();
            let twin = state.twin(&key, id);
            let stays = twin
                .and_then(|twin| state.entries.get(twin))
                .is_some_and(|twin| read_only || (twin.is_connected() && !twin.is_read_only()));
            let joined = match twin {
                // The one that is there stays; the other is dropped by its owner.
                Some(twin) if stays => {
                    let entry = state.entries.get(twin);
                    if let Some(entry) = entry
                        && entry.usage.describe(options.described.clone())
                        && let Some(session) = entry.session.clone()
                    {
                        state.chores.push(Chore::Save(session));
                    }
                    twin
                }
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
            if let Some(entry) = state.entries.get(joined) {
                entry.usage.touch();
            }
            if !options.inactive {
                state.set_active(Some(joined));
            }
            state.managed(joined).ok_or_else(lost)
        })
    }

    /// A stored session joins before it is restored. `false` if another stands for its account;
    /// [`ManagerError::NotFound`] if it was logged out, or everything was cleared since `era`.
    pub(super) fn join_stored(
        &self,
        started: &Started,
        identity: Identity,
        name: RecordName,
        active: bool,
        era: u64,
    ) -> Result<bool, ManagerError> {
        self.with(|state| {
            if state.closed {
                return Err(ManagerError::Closed);
            }
            let id = started.id;
            if state.entries.get(id).is_none() {
                return Ok(false);
            }
            let key = Arc::new(started.key(identity));
            let read_only = key.is_read_only();
            // A logout that is not written yet counts more than what is.
            let forgotten = state.memory.forgotten.contains(&name);
            if forgotten || state.era() != Some(era) {
                let who = SessionKey::clone(&key).into();
                return Err(ManagerError::NotFound { who });
            }
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
}
