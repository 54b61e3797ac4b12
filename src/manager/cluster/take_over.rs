//! Sessions that nobody holds any more are taken over: spread over those who are left.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, PoisonError, Weak};
use std::task::Poll;
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
use crate::session::RestoreOutcome;
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

/// What wakes those who look after orphans.
enum Woken {
    /// There may be some.
    Rung,
    /// One was restored, or not: whether it need not be tried again.
    Done(bool),
}

/// For as long as the manager lives. Restores go on beside: one may take as long as its wallet is
/// away, and keeps nobody else from being taken over.
pub(super) async fn look_after_orphans(manager: Weak<Inner>, orphans: Arc<Notify>, at_once: usize) {
    let room = Arc::new(Semaphore::new(at_once));
    let mut restoring = JoinSet::new();
    let mut wait = RETRY;
    let mut again_at = None;
    loop {
        let done = match wake(&orphans, &mut restoring, again_at).await {
            Woken::Done(done) => done,
            Woken::Rung => {
                let Some(inner) = manager.upgrade() else {
                    return;
                };
                again_at = None;
                inner.take_over(&room, &mut restoring).await
            }
        };
        if !done && again_at.is_none() {
            again_at = Some(Instant::now() + wait);
            wait = (wait * 2).min(RETRY_CAP);
        } else if again_at.is_none() && restoring.is_empty() {
            wait = RETRY;
        }
    }
}

async fn wake(
    orphans: &Notify,
    restoring: &mut JoinSet<Restored>,
    again_at: Option<Instant>,
) -> Woken {
    let mut rung = pin!(async {
        match again_at {
            Some(at) => drop(tokio::time::timeout_at(at, orphans.notified()).await),
            None => orphans.notified().await,
        }
    });
    poll_fn(|cx| {
        if let Poll::Ready(Some(restored)) = restoring.poll_join_next(cx) {
            let done = restored.is_ok_and(|it| !is_store_away(&it));
            return Poll::Ready(Woken::Done(done));
        }
        rung.as_mut().poll(cx).map(|()| Woken::Rung)
    })
    .await
}

/// Whether it was not restored for want of the store alone.
fn is_store_away(restored: &Restored) -> bool {
    let outcome = match restored {
        Restored::StoreUnavailable { .. } => return true,
        Restored::Session { outcome } => outcome,
        _ => return false,
    };
    matches!(outcome, RestoreOutcome::StoreUnavailable { .. })
}

impl Inner {
    /// Looks through everything that is stored, and begins to restore it. `false` if it could not
    /// be looked at.
    async fn take_over(
        self: &Arc<Self>,
        room: &Arc<Semaphore>,
        restoring: &mut JoinSet<Restored>,
    ) -> bool {
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
        for (delay, mut task) in tasks {
            tokio::time::sleep_until(begun + delay).await;
            let Ok(permit) = room.clone().acquire_owned().await else {
                return false;
            };
            task.taken_over = Some(Previous(previous.clone()));
            let (inner, store) = (self.clone(), store.clone());
            let one = async move { inner.restore_one(&*store, task, permit).await.1 };
            restoring.spawn_on(one, &self.runtime);
        }
        true
    }

    /// A session has joined that nobody held.
    pub(in crate::manager) fn tell_taken_over(&self, started: &Started, previous: Previous) {
        let right = started.place.as_ref().and_then(|place| place.gate());
        let Some(epoch) = right.and_then(|gate| Some(gate.right().fence()?.epoch)) else {
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
