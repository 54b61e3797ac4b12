//! Brings back many sessions: the most recently used first, a few at a time, none in the way of
//! another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::NextActive;
use super::cluster::Previous;
use super::error::ManagerError;
use super::event::ManagerEventKind;
use super::inner::Inner;
use super::key::{SessionKey, own_name, session_prefix};
use super::state::{Chore, State};
use crate::clock::Timestamp;
use crate::error::BuildError;
use crate::provider::ProviderError;
use crate::session::RestoreOutcome;
use crate::store::{Record, RecordName, Store, StoreError, Stored};
#[cfg(feature = "stores")]
use crate::sync::lease::Member;

/// How the restore of one stored session ended.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "restored", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Restored {
    /// There is a session, and its own restore ended so. It stays unless nothing usable was
    /// stored.
    Session {
        /// How.
        outcome: RestoreOutcome,
    },
    /// It had ended before: there is nothing to restore.
    Ended,
    /// There are as many sessions as may be.
    Full,
    /// Another process holds it, and acts for it.
    #[cfg(feature = "stores")]
    HeldElsewhere {
        /// Which.
        #[serde(serialize_with = "super::cluster::serialize_holder")]
        holder: Member,
    },
    /// Its provider could not be built again. What is stored was left as it is.
    ProviderFailed {
        /// What the factory said.
        error: ProviderError,
    },
    /// The store could not be asked.
    StoreUnavailable {
        /// What it said.
        reason: Arc<str>,
    },
    /// A session for the same account is there already.
    Superseded,
    /// No factory was registered for its provider. What is stored was left as it is.
    UnknownProvider {
        /// Its type; empty if it says none.
        kind: Arc<str>,
    },
    /// What is stored cannot be read. It was left as it is.
    Unreadable {
        /// Why.
        reason: Arc<str>,
    },
}

/// How one stored session was restored.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RestoredSession {
    /// Its record.
    pub record: RecordName,
    /// Whom the record says it acts for.
    pub key: Option<Arc<SessionKey>>,
    /// How it ended.
    pub restored: Restored,
}

/// How a restore of many ended.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RestoreReport {
    /// Every stored session, in the order in which they were done.
    pub sessions: Vec<RestoredSession>,
    /// Who is active now.
    pub active: Option<Arc<SessionKey>>,
}

impl RestoreReport {
    /// How many sessions are connected again.
    pub fn restored(&self) -> usize {
        let restored = Restored::Session {
            outcome: RestoreOutcome::Restored,
        };
        let sessions = self.sessions.iter();
        sessions.filter(|it| it.restored == restored).count()
    }
}

/// One session to restore.
pub(super) struct Task {
    record: RecordName,
    last: Option<Timestamp>,
    active: bool,
    /// If it is because nobody holds it any more.
    pub(super) taken_over: Option<Previous>,
}

#[cfg(feature = "stores")]
impl Task {
    /// One that was asked for by name.
    pub(super) fn one(record: RecordName) -> Self {
        Self {
            record,
            last: None,
            active: false,
            taken_over: None,
        }
    }
}

impl Inner {
    pub(super) async fn restore(self: &Arc<Self>) -> Result<RestoreReport, ManagerError> {
        let store = self.config.store.clone();
        let store = store.ok_or(ManagerError::Build(BuildError::NoStore))?;
        if self.lock().closed {
            return Err(ManagerError::Closed);
        }
        let tasks = self
            .tasks(&*store)
            .await
            .map_err(|error| ManagerError::Store {
                reason: error.to_string().into(),
            })?;
        let (total, done) = (tasks.len(), Arc::new(AtomicUsize::new(0)));
        let room = Arc::new(Semaphore::new(self.config.restore_at_once));
        let mut running = JoinSet::new();
        let mut report = RestoreReport::default();
        for task in tasks {
            // Never closed.
            let Ok(permit) = room.clone().acquire_owned().await else {
                break;
            };
            let (inner, store, done) = (self.clone(), store.clone(), done.clone());
            let one = async move {
                let record = task.record.clone();
                let (key, restored) = inner.restore_one(&*store, task, permit).await;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                inner.with(|state| {
                    let id = key.as_ref().and_then(|key| state.by_key.get(key).copied());
                    let restored = restored.clone();
                    state.tell(id.unwrap_or_default(), || {
                        ManagerEventKind::RestoreProgress {
                            done,
                            total,
                            restored,
                        }
                    });
                });
                RestoredSession {
                    record,
                    key,
                    restored,
                }
            };
            running.spawn_on(one, &self.runtime);
            while let Some(Ok(one)) = running.try_join_next() {
                report.sessions.push(one);
            }
        }
        while let Some(joined) = running.join_next().await {
            report.sessions.extend(joined);
        }
        report.active = self.with(|state| {
            let nobody = state.active().is_none() && !state.memory.active_touched;
            if nobody && self.config.next_active == NextActive::MostRecent {
                let next = state.most_recent();
                state.set_active(next);
            }
            state.active_key()
        });
        Ok(report)
    }

    /// What is to be restored, the active one first, then the most recently used.
    pub(super) async fn tasks(&self, store: &dyn Store) -> Result<Vec<Task>, StoreError> {
        let own = self.load_own(store).await?;
        let prefix = session_prefix(&self.config.namespace);
        let mut names: BTreeSet<RecordName> = store.list().await?.into_iter().collect();
        // What cannot be read is in no list, and is reported.
        names.extend(own.last.keys().cloned());
        names.remove(&own_name(&self.config.namespace));
        names.retain(|name| name.as_str().starts_with(&prefix));
        {
            let mut state = self.lock();
            if self.cluster().is_some() {
                // Others may have logged in again.
                state.memory.forgotten.clear();
            }
            let State {
                entries, memory, ..
            } = &mut *state;
            let here: BTreeSet<_> = entries.values().filter_map(|it| it.name.as_ref()).collect();
            names.retain(|name| !here.contains(name) && !memory.forgotten.contains(name));
            for (name, at) in &own.last {
                if !here.contains(name) && !memory.forgotten.contains(name) {
                    memory.known.insert(name.clone(), *at);
                }
            }
        }
        let mut tasks: Vec<Task> = names
            .into_iter()
            .map(|record| Task {
                last: own.last.get(&record).copied(),
                active: own.active.as_ref() == Some(&record),
                record,
                taken_over: None,
            })
            .collect();
        tasks.sort_by_key(|task| std::cmp::Reverse((task.active, task.last)));
        Ok(tasks)
    }

    pub(super) async fn restore_one(
        self: &Arc<Self>,
        store: &dyn Store,
        task: Task,
        permit: OwnedSemaphorePermit,
    ) -> (Option<Arc<SessionKey>>, Restored) {
        let record = match self.read(store, &task.record).await {
            Ok(record) => record,
            Err(restored) => return (None, restored),
        };
        let Some(identity) = record.identity() else {
            let reason = "it has no account".into();
            return (None, Restored::Unreadable { reason });
        };
        let key = Arc::new(SessionKey::new(identity.clone(), record.provider.clone()));
        // Read again once it is certain that nobody else writes it.
        let (claim, record) = match self.claim_stored(&task.record).await {
            Ok(None) => (None, record),
            Ok(Some(claim)) => match self.read(store, &task.record).await {
                Ok(record) => (Some(claim), record),
                Err(restored) => return (Some(key), restored),
            },
            Err(refused) => return (Some(key), refused.into()),
        };
        let provider = match self.config.rebuild(&record) {
            Ok(Ok(provider)) => provider,
            Ok(Err(error)) => return (Some(key), Restored::ProviderFailed { error }),
            Err(kind) => return (Some(key), Restored::UnknownProvider { kind }),
        };
        let last = task.last.unwrap_or(record.connected_at);
        let Ok(started) = self.begin(provider, Some(last)) else {
            return (Some(key), Restored::Superseded);
        };
        if let Some(place) = &started.place {
            place.keep(record.provider_payload);
        }
        if let Some(claim) = claim
            && let Err(refused) = started.hold(claim).await
        {
            return (Some(key), refused.into());
        }
        match self.join_stored(&started, identity, task.record, task.active) {
            Ok(true) => {
                if let Some(previous) = task.taken_over {
                    self.tell_taken_over(&started, previous);
                }
            }
            Err(ManagerError::Full { .. }) => return (Some(key), Restored::Full),
            Ok(false) | Err(_) => return (Some(key), Restored::Superseded),
        }
        // One that takes long goes on, and makes room for others.
        let restore = started.session.restore();
        let mut restore = std::pin::pin!(restore);
        let patience = self.config.restore_patience;
        let outcome = match tokio::time::timeout(patience, restore.as_mut()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                drop(permit);
                restore.await
            }
        };
        if matches!(
            outcome,
            RestoreOutcome::NothingStored
                | RestoreOutcome::UserDisconnected
                | RestoreOutcome::Quarantined { .. }
                | RestoreOutcome::StoreUnavailable { .. }
        ) {
            self.with(|state| state.discard(started.id));
        }
        (Some(key), Restored::Session { outcome })
    }

    async fn read(&self, store: &dyn Store, name: &RecordName) -> Result<Record, Restored> {
        let deadline = self.config.policy.deadlines.storage;
        let unavailable = |reason: String| Restored::StoreUnavailable {
            reason: reason.into(),
        };
        match tokio::time::timeout(deadline, store.load(name)).await {
            Ok(Ok(Stored::Record { record, .. })) => Ok(record),
            Ok(Ok(Stored::Nothing | Stored::Tombstone { .. })) => {
                self.with(|state| {
                    state.memory.forgotten.insert(name.clone());
                    state.memory.known.remove(name);
                    state.memory.dirty = true;
                });
                Err(Restored::Ended)
            }
            Ok(Err(StoreError::Unreadable { reason, .. })) => Err(Restored::Unreadable { reason }),
            Ok(Err(error)) => Err(unavailable(error.to_string())),
            Err(_) => Err(unavailable(format!(
                "no answer within {} ms",
                deadline.as_millis()
            ))),
        }
    }
}

impl State {
    /// A session that turned out to be none leaves; what is stored stays as it is.
    fn discard(&mut self, id: u64) {
        let was_active = self.active() == Some(id);
        let Some(mut entry) = self.remove(id) else {
            return;
        };
        if let Some(place) = &entry.place {
            place.take_away();
        }
        if let Some(session) = entry.session.take() {
            self.chores.push(Chore::Close {
                session,
                detach: false,
                owned: entry.owned(),
            });
        }
        if was_active {
            self.set_active(None);
        }
    }
}
