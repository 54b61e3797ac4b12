//! Brings back many sessions: the most recently used first, a few at a time, none in the way of
//! another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::NextActive;
use super::cluster::Previous;
use super::error::ManagerError;
use super::event::{CloseReason, ManagerEventKind};
use super::inner::Inner;
use super::key::{SessionKey, of_record, session_prefix};
use super::options::LoginOptions;
use super::own_record::Own;
use crate::clock::Timestamp;
use crate::error::BuildError;
use crate::provider::ProviderError;
use crate::session::RestoreOutcome;
use crate::store::{About, Record, RecordName, Store, StoreError, Stored};
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
    /// It was not done when the time for it was over (see
    /// [`restore_within`](super::SessionManagerBuilder::restore_within)), or when the manager was
    /// closed. In the first case it goes on: events tell how it ends.
    Unfinished,
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

/// What is to be restored.
struct Plan {
    active: Option<RecordName>,
    others: Vec<RecordName>,
    own: Own,
}

/// Says, unless it was told otherwise, that nobody waits any more.
struct Leaving(Option<Arc<AtomicBool>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(nobody_waits) = &self.0 {
            nobody_waits.store(true, Ordering::Relaxed);
        }
    }
}

/// When a record's session was last used.
pub(super) fn read_last_use(record: &Record, listed: Option<Timestamp>) -> Timestamp {
    let said = record.about.as_ref().map(|about| about.last_active_at);
    said.max(listed).unwrap_or(record.connected_at)
}

impl Inner {
    pub(super) async fn restore(self: &Arc<Self>) -> Result<RestoreReport, ManagerError> {
        let store = self.config.store.clone();
        let store = store.ok_or(ManagerError::Build(BuildError::NoStore))?;
        if self.lock().closed {
            return Err(ManagerError::Closed);
        }
        let limit = self.config.restore_within;
        let limit = limit.and_then(|limit| Instant::now().checked_add(limit));
        let plan = self.plan(&*store).await;
        let plan = plan.map_err(super::revoke::store_error)?;
        let mut missing: BTreeSet<RecordName> = plan.others.iter().cloned().collect();
        missing.extend(plan.active.clone());

        let nobody_waits = Arc::<AtomicBool>::default();
        let mut leaving = Leaving(Some(nobody_waits.clone()));
        let (told, mut done) = mpsc::unbounded_channel();
        let all = self.clone().restore_all(store, plan, told, nobody_waits);
        let all = self.runtime.spawn(all);
        self.until_the_end(all.abort_handle());
        let mut report = RestoreReport::default();
        loop {
            let next = match limit {
                Some(limit) => tokio::time::timeout_at(limit, done.recv()).await,
                None => Ok(done.recv().await),
            };
            match next {
                Ok(Some(one)) => {
                    let one: RestoredSession = one;
                    missing.remove(&one.record);
                    report.sessions.push(one);
                }
                Ok(None) => break,
                Err(_) => {
                    // It goes on although nobody waits.
                    leaving.0 = None;
                    break;
                }
            }
        }
        let unfinished = missing.into_iter().map(|record| RestoredSession {
            record,
            key: None,
            restored: Restored::Unfinished,
        });
        report.sessions.extend(unfinished);
        report.active = self.lock().active_key();
        Ok(report)
    }

    async fn restore_all(
        self: Arc<Self>,
        store: Arc<dyn Store>,
        plan: Plan,
        told: mpsc::UnboundedSender<RestoredSession>,
        nobody_waits: Arc<AtomicBool>,
    ) {
        let total = plan.others.len() + usize::from(plan.active.is_some());
        let done = Arc::new(AtomicUsize::new(0));
        let room = Arc::new(Semaphore::new(self.config.restore_at_once));
        let mut running = JoinSet::new();
        let begin = |task: Task, permit: OwnedSemaphorePermit, running: &mut JoinSet<()>| {
            let (inner, store, done) = (self.clone(), store.clone(), done.clone());
            let told = told.clone();
            let one = async move {
                let record = task.record.clone();
                let (key, restored) = inner.restore_one(&*store, task, permit).await;
                inner.restored_one(&done, total, &key, &restored);
                // Nobody may wait any more.
                let _unheard = told.send(RestoredSession {
                    record,
                    key,
                    restored,
                });
            };
            running.spawn_on(one, &self.runtime);
        };
        if let Some(record) = plan.active.clone()
            && let Ok(permit) = room.clone().acquire_owned().await
        {
            let last = plan.own.listed.get(&record).copied();
            let active = true;
            let task = Task {
                record,
                last,
                active,
                taken_over: None,
            };
            begin(task, permit, &mut running);
        }
        for task in self.by_last_use(&store, plan).await {
            // Never closed.
            let Ok(permit) = room.clone().acquire_owned().await else {
                break;
            };
            if nobody_waits.load(Ordering::Relaxed) {
                break;
            }
            begin(task, permit, &mut running);
            while running.try_join_next().is_some() {}
        }
        while running.join_next().await.is_some() {}
        self.with(|state| {
            let nobody = state.active().is_none() && !state.memory.active_touched;
            if nobody && self.config.next_active == NextActive::MostRecent {
                let next = state.most_recent();
                state.set_active(next);
            }
        });
    }

    fn restored_one(
        &self,
        done: &AtomicUsize,
        total: usize,
        key: &Option<Arc<SessionKey>>,
        restored: &Restored,
    ) {
        self.with(|state| {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
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
    }

    /// What is stored and not here.
    async fn plan(&self, store: &dyn Store) -> Result<Plan, StoreError> {
        let own = self.within_deadline(self.load_own(store)).await?;
        let prefix = session_prefix(&self.config.namespace);
        let listed = match self.cluster() {
            Some(_) => self.list_if_there(store).await?,
            None => self.list(store).await?,
        };
        let mut names: BTreeSet<RecordName> = listed.into_iter().collect();
        // What cannot be read is in no list, and is reported.
        names.extend(own.listed.keys().cloned());
        names.retain(|name| name.as_str().starts_with(&prefix));
        {
            let mut state = self.lock();
            if self.cluster().is_some() {
                // Others may have logged in again.
                let memory = &mut state.memory;
                memory.forgotten.retain(|name| memory.unsaid.has(name));
            }
            let forgotten = &state.memory.forgotten;
            names.retain(|name| state.owner(name).is_none() && !forgotten.contains(name));
        }
        let active = own.active.clone().filter(|name| names.remove(name));
        Ok(Plan {
            active,
            others: names.into_iter().collect(),
            own,
        })
    }

    /// What is stored and not here, in any order.
    #[cfg(feature = "stores")]
    pub(super) async fn tasks(&self, store: &dyn Store) -> Result<Vec<Task>, StoreError> {
        let Plan { active, others, .. } = self.plan(store).await?;
        Ok(active.into_iter().chain(others).map(Task::one).collect())
    }

    /// The most recently used first. Each record is read for it and let go again, a few at a time:
    /// what is kept of each is its name and a time.
    async fn by_last_use(self: &Arc<Self>, store: &Arc<dyn Store>, plan: Plan) -> Vec<Task> {
        let Plan { others, own, .. } = plan;
        let mut tasks: Vec<Task> = others
            .into_iter()
            .map(|record| Task {
                last: own.listed.get(&record).copied(),
                active: false,
                record,
                taken_over: None,
            })
            .collect();
        if tasks.len() < 2 {
            return tasks;
        }
        let own = Arc::new(own);
        let mut reading = JoinSet::new();
        for index in 0..=tasks.len() {
            let last = index == tasks.len();
            while reading.len() >= self.config.restore_at_once || last {
                match reading.join_next().await {
                    Some(Ok((read, last_use))) => {
                        let task: Option<&mut Task> = tasks.get_mut(read);
                        if let Some(task) = task {
                            task.last = last_use;
                        }
                    }
                    // A store that panicked: it is asked again when it is restored.
                    Some(Err(_)) => {}
                    None => break,
                }
            }
            if let Some(task) = tasks.get(index) {
                let (inner, store, own) = (self.clone(), store.clone(), own.clone());
                let name = task.record.clone();
                let read = async move { (index, inner.last_use(&*store, &name, &own).await) };
                reading.spawn_on(read, &self.runtime);
            }
        }
        tasks.sort_by_key(|task| std::cmp::Reverse(task.last));
        tasks
    }

    pub(super) async fn restore_one(
        self: &Arc<Self>,
        store: &dyn Store,
        task: Task,
        permit: OwnedSemaphorePermit,
    ) -> (Option<Arc<SessionKey>>, Restored) {
        let Some(era) = self.lock().era() else {
            return (None, Restored::Ended);
        };
        let record = match self.read(store, &task.record).await {
            Ok(record) => record,
            Err(restored) => return (None, restored),
        };
        let Some(key) = of_record(&record) else {
            let reason = "it has no account".into();
            return (None, Restored::Unreadable { reason });
        };
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
        let about = match &record.about {
            Some(about) => About::clone(about),
            // Written before there was one.
            None => {
                let mut about = About::new(record.connected_at);
                about.last_active_at = task.last.unwrap_or(record.connected_at);
                about
            }
        };
        let options = LoginOptions::new();
        let Ok(started) = self.begin(provider, &options, Some(&about)) else {
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
        match self.join_stored(&started, key.identity(), task.record, task.active, era) {
            Ok(true) => {
                if let Some(previous) = task.taken_over {
                    self.tell_taken_over(&started, previous);
                }
            }
            Err(ManagerError::Full { .. }) => return (Some(key), Restored::Full),
            Err(ManagerError::NotFound { .. }) => return (Some(key), Restored::Ended),
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
            // What is stored stays as it is.
            self.with(|state| state.shut(started.id, CloseReason::Ended, false, None));
        }
        (Some(key), Restored::Session { outcome })
    }

    async fn read(&self, store: &dyn Store, name: &RecordName) -> Result<Record, Restored> {
        match self.within_deadline(store.load(name)).await {
            Ok(Stored::Record { record, .. }) => Ok(record),
            Ok(Stored::Nothing | Stored::Tombstone { .. }) => {
                self.with(|state| state.memory.went(name));
                Err(Restored::Ended)
            }
            Err(StoreError::Unreadable { reason, .. }) => Err(Restored::Unreadable { reason }),
            Err(error) => Err(Restored::StoreUnavailable {
                reason: error.to_string().into(),
            }),
        }
    }
}
