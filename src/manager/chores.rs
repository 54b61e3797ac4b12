//! What a manager does beside: ends sessions that have left, closes idle ones, writes its record.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::builder::IdleAction;
use super::event::{CloseReason, ManagerEventKind};
use super::inner::Inner;
use super::key::own_name;
use super::state::{Chore, Entry, Owned, State};
use crate::clock::millis;
use crate::session::DisconnectReport;
use crate::snapshot::DisconnectReason;
use crate::store::{RecordName, Store, StoreError, Stored, Tombstone};

/// First delay before the manager's own record is written again; doubles up to [`RETRY_CAP`].
const RETRY_BASE: Duration = Duration::from_secs(1);
const RETRY_CAP: Duration = Duration::from_secs(60);
/// How often it is written for nothing but who logged in last.
const LIST_PACE: Duration = Duration::from_secs(1);

/// A list of all names may take as long as this many calls.
const LIST_DEADLINES: u32 = 60;

/// When the manager's own record is written again.
#[derive(Default)]
struct Pace {
    failures: u32,
    retry_at: Option<Instant>,
    /// Not before, unless it matters.
    rests_until: Option<Instant>,
}

/// The chores of a manager: for as long as it lives.
pub(super) async fn keep_house(manager: Weak<Inner>, bell: Arc<Notify>) {
    let mut pace = Pace::default();
    loop {
        let next = match manager.upgrade() {
            Some(manager) => manager.tidy(&mut pace).await,
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
    async fn tidy(self: &Arc<Self>, pace: &mut Pace) -> Option<Duration> {
        // Without ringing: that would wake this very task for ever.
        let idle = self.close_idle(&mut self.lock());
        self.do_chores();
        let save = self.save(pace).await;
        [idle, save].into_iter().flatten().min()
    }

    pub(super) fn do_chores(self: &Arc<Self>) {
        // Whoever waits for what follows must not find it neither here nor begun.
        let _job = self.job();
        let chores = std::mem::take(&mut self.lock().chores);
        for chore in chores {
            match chore {
                Chore::Drop(handle) => drop(handle),
                Chore::Save(session) => session.save_again(),
                Chore::Close {
                    id,
                    session,
                    usage,
                    detach,
                    owned,
                } => {
                    let inner = self.clone();
                    self.spawn(async move {
                        if usage.is_some_and(|usage| usage.is_unstored()) {
                            session.save_again();
                        }
                        let report = match detach {
                            true => session.detach().await,
                            false => DisconnectReport::default(),
                        };
                        session.close().await;
                        inner.release(id, owned, &report).await;
                    });
                }
                Chore::Claim(id, name) => {
                    let claiming = self.clone().reclaim(id, name);
                    self.runtime.spawn(claiming);
                }
                Chore::Forget(name) => {
                    let inner = self.clone();
                    self.spawn(async move {
                        if let Err(error) = inner.within_deadline(inner.forget(&name)).await {
                            // It is restored next time, found to be somebody else's, and
                            // forgotten then.
                            tracing::warn!(%error, "an outdated record could not be removed");
                        }
                    });
                }
            }
        }
    }

    /// Ends a session that has left, at the wallet too.
    pub(super) async fn end(self: &Arc<Self>, id: u64, mut entry: Entry) -> DisconnectReport {
        let owned = entry.owned();
        let (said, created) = (self.times.wall(), entry.usage.about().created_at);
        let Some(session) = entry.session.take() else {
            return DisconnectReport::default();
        };
        let inner = self.clone();
        let end = self.spawn(async move {
            let report = session.disconnect().await;
            session.close().await;
            if report.not_persisted.is_some()
                && let Some(name) = owned.as_ref().and_then(|owned| owned.name.clone())
            {
                inner.insist(name, said, created);
            }
            inner.release(id, owned, &report).await;
            report
        });
        end.await.unwrap_or_default()
    }

    /// A session has ended.
    pub(super) async fn release(&self, id: u64, owned: Option<Owned>, report: &DisconnectReport) {
        {
            let mut state = self.lock();
            state.release(id, owned.as_ref());
            // Its record says so now; if not, it is at least not restored here.
            if let Some(name) = owned.as_ref().and_then(|owned| owned.name.as_ref())
                && report.not_persisted.is_none()
            {
                state.memory.forgotten.remove(name);
            }
        }
        if let Some(gate) = owned.as_ref().and_then(|owned| owned.place.gate()) {
            gate.right().release().await;
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
            if state.owner(name).is_some() || !self.owns(name) {
                return Ok(());
            }
            state.memory.went(name);
        }
        self.bell.notify_one();
        let tombstone = Tombstone::new(DisconnectReason::Detached, self.times.wall());
        match store.erase(name, tombstone, revision).await {
            // Somebody has written it: it is not outdated.
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Closes what was not used for too long, and says when the next turn is. The active one and
    /// those that answer a request are spared.
    fn close_idle(&self, state: &mut State) -> Option<Duration> {
        let (after, action) = self.config.idle?;
        loop {
            let now = self.times.elapsed();
            let due = state.idle_turns.as_ref()?.first()?;
            if due > now {
                return Some(Duration::from_millis(due - now));
            }
            let (_, id) = state.idle_turns.as_mut()?.next()?;
            let Some(entry) = state.entries.get(id) else {
                continue;
            };
            let left = after.saturating_sub(entry.usage.idle());
            if left.is_zero() && state.active() != Some(id) {
                state.shut(id, CloseReason::Idle, action == IdleAction::Detach, None);
            } else {
                // Never at once again: the active one may be idle for ever.
                let left = if left.is_zero() { after } else { left };
                let turns = state.idle_turns.as_mut()?;
                turns.take_turn(id, now.saturating_add(millis(left).max(1)));
            }
        }
    }

    async fn save(&self, pace: &mut Pace) -> Option<Duration> {
        let Some(store) = &self.config.store else {
            let memory = &mut self.lock().memory;
            (memory.dirty, memory.outdated) = (false, false);
            memory.unlisted.clear();
            return None;
        };
        let until = |at: Option<Instant>| {
            let left = at?.saturating_duration_since(Instant::now());
            (!left.is_zero()).then_some(left)
        };
        if let Some(wait) = until(pace.retry_at) {
            return Some(wait);
        }
        {
            let memory = &mut self.lock().memory;
            match (memory.dirty, memory.outdated) {
                (false, false) => return None,
                (false, true) => {
                    if let Some(wait) = until(pace.rests_until) {
                        return Some(wait);
                    }
                }
                (true, _) => {}
            }
            (memory.dirty, memory.outdated) = (false, false);
        }
        let Err(error) = self.try_save(store).await else {
            *pace = Pace {
                rests_until: Some(Instant::now() + LIST_PACE),
                ..Pace::default()
            };
            return None;
        };
        let delay = (RETRY_BASE * 2_u32.pow(pace.failures.min(6))).min(RETRY_CAP);
        pace.failures = pace.failures.saturating_add(1);
        pace.retry_at = Some(Instant::now() + delay);
        let mut state = self.lock();
        state.memory.dirty = true;
        let record = own_name(&self.config.namespace);
        state.tell(0, || ManagerEventKind::SaveFailed {
            record,
            error: error.to_string().into(),
            retry_in_ms: millis(delay),
        });
        Some(delay)
    }

    pub(super) async fn try_save(&self, store: &Arc<dyn Store>) -> Result<(), StoreError> {
        self.within_deadline(self.save_own(store)).await
    }

    /// A call of the store, within its deadline.
    pub(super) async fn within_deadline<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(self.config.policy.deadlines.storage, call).await
    }

    /// All names of a store. How long that takes follows from how many there are: whether the store
    /// is there is asked first.
    pub(super) async fn list_if_there(
        &self,
        store: &dyn Store,
    ) -> Result<Vec<RecordName>, StoreError> {
        let own = own_name(&self.config.namespace);
        match self.within_deadline(store.load(&own)).await {
            Ok(_) | Err(StoreError::Unreadable { .. }) => self.list(store).await,
            Err(error) => Err(error),
        }
    }

    /// All names of a store that has just answered.
    pub(super) async fn list(&self, store: &dyn Store) -> Result<Vec<RecordName>, StoreError> {
        let deadline = self.config.policy.deadlines.storage;
        within(deadline.saturating_mul(LIST_DEADLINES), store.list()).await
    }
}

pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(deadline, call).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Unavailable {
            reason: format!("no answer within {} ms", deadline.as_millis()).into(),
        }),
    }
}
