//! Sessions that nobody holds any more are taken over: spread over those who are left.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{RETRY, RETRY_CAP};
use crate::clock::millis;
use crate::manager::event::ManagerEventKind;
use crate::manager::inner::Inner;
use crate::manager::joining::Started;
use crate::manager::restore::{Restored, Task};
use crate::sync::lease::Member;

/// What a manager does about stored sessions that nobody alive holds. Default: it takes them over.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TakeOver {
    /// Nothing by itself: [`claim`](crate::manager::SessionManager::claim) and
    /// [`restore`](crate::manager::SessionManager::restore) take over what is asked for.
    OnDemand,
    /// Once a process is found dead or has left, and once this one is a member again after it was
    /// none, every stored session is looked at, and those that nobody alive holds are restored
    /// here, each after a delay drawn at random from zero to `spread`: so the processes that are
    /// left share them. A cluster that closes idle sessions takes over what a process that has gone
    /// let go before, too: it is closed again for being idle.
    Orphans {
        /// The longest delay.
        spread: Duration,
    },
}

impl Default for TakeOver {
    /// [`TakeOver::Orphans`], over one second.
    fn default() -> Self {
        Self::Orphans {
            spread: Duration::from_secs(1),
        }
    }
}

/// Whom a session is taken over from, if that is known.
pub(in crate::manager) struct Previous(Option<Member>);

/// For as long as the manager lives.
pub(super) async fn look_after_orphans(manager: Weak<Inner>, orphans: Arc<Notify>) {
    let mut wait = RETRY;
    loop {
        orphans.notified().await;
        let Some(inner) = manager.upgrade() else {
            return;
        };
        if inner.take_over().await {
            wait = RETRY;
            continue;
        }
        drop(inner);
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_CAP);
        orphans.notify_one();
    }
}

impl Inner {
    /// Looks through everything that is stored. `false` if something could not be looked at.
    async fn take_over(self: &Arc<Self>) -> bool {
        let Some(cluster) = self.cluster() else {
            return true;
        };
        let TakeOver::Orphans { spread } = cluster.settings.take_over else {
            return true;
        };
        let gone = {
            let mut gone = cluster.gone.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *gone)
        };
        // Of several nobody knows which one it was.
        let previous = match &gone[..] {
            [one] => Some(one.clone()),
            _ => None,
        };
        let store = cluster.store.clone();
        let Ok(tasks) = self.tasks(&*store).await else {
            return false;
        };
        let begun = Instant::now();
        let mut tasks: Vec<(Duration, Task)> = tasks
            .into_iter()
            .map(|task| {
                let delay = fastrand::u64(0..=millis(spread));
                (Duration::from_millis(delay), task)
            })
            .collect();
        tasks.sort_by_key(|(delay, _)| *delay);
        let room = Arc::new(Semaphore::new(self.config.restore_at_once));
        let mut running = JoinSet::new();
        for (delay, mut task) in tasks {
            tokio::time::sleep_until(begun + delay).await;
            let Ok(permit) = room.clone().acquire_owned().await else {
                return false;
            };
            task.taken_over = Some(Previous(previous.clone()));
            let (inner, store) = (self.clone(), store.clone());
            let one = async move { inner.restore_one(&*store, task, permit).await.1 };
            running.spawn_on(one, &self.runtime);
        }
        let mut all = true;
        while let Some(restored) = running.join_next().await {
            all &= !matches!(restored, Ok(Restored::StoreUnavailable { .. }) | Err(_));
        }
        all
    }

    /// A session has joined that nobody held.
    pub(in crate::manager) fn tell_taken_over(&self, started: &Started, previous: Previous) {
        let right = started.place.as_ref().and_then(|place| place.gate());
        let Some(epoch) = right.and_then(|gate| gate.right().epoch()) else {
            return;
        };
        self.with(|state| {
            let previous = previous.0;
            state.tell(started.id, || ManagerEventKind::TakenOver {
                epoch,
                previous,
            });
        });
    }
}
