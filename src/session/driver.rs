//! The timers of sessions: one task, one ordered table, any number of sessions.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::shared::Shared;
use crate::error::BuildError;

/// Serves the timers of sessions from one task. Cheap to clone; the task ends with the last clone
/// and the last session that uses it.
///
/// A session makes its own unless it is given one. Backends with many sessions share one: it saves
/// a task a session.
#[derive(Clone)]
pub struct Driver(Arc<Running>);

/// The task, and what it serves. The task refers to the timers alone, so that it ends with the
/// last handle.
struct Running {
    timers: Arc<Timers>,
    task: AbortHandle,
}

#[derive(Default)]
struct Timers {
    table: Mutex<Table>,
    /// A timer was set that is due before all others.
    earlier: Notify,
}

#[derive(Default)]
struct Table {
    due: BTreeMap<TimerKey, Weak<Shared>>,
    last: u64,
}

/// Names one timer: when it is due, and a number of its own. Never used again, so that a key that
/// is kept too long means nothing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct TimerKey {
    at: Instant,
    number: u64,
}

impl Driver {
    /// Starts a driver on the runtime that is running here.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoRuntime`] if there is none.
    pub fn new() -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let timers = Arc::<Timers>::default();
        let task = runtime.spawn(serve(timers.clone())).abort_handle();
        Ok(Self(Arc::new(Running { timers, task })))
    }

    /// Has the session woken at `at`; replaces its earlier timer, if it has one.
    pub(super) fn arm(&self, key: &mut Option<TimerKey>, session: &Weak<Shared>, at: Instant) {
        let timers = &self.0.timers;
        let mut table = timers.lock();
        if let Some(earlier) = key.take() {
            table.due.remove(&earlier);
        }
        table.last += 1;
        let number = table.last;
        let set = TimerKey { at, number };
        let first = table.due.keys().next().is_none_or(|first| set < *first);
        table.due.insert(set, session.clone());
        drop(table);
        *key = Some(set);
        if first {
            timers.earlier.notify_one();
        }
    }

    pub(super) fn disarm(&self, key: &mut Option<TimerKey>) {
        if let Some(key) = key.take() {
            self.0.timers.lock().due.remove(&key);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl Timers {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session whose timer is due, or else when the next one is.
    fn next(&self) -> Result<Weak<Shared>, Option<Instant>> {
        let mut table = self.lock();
        match table.due.first_entry() {
            Some(first) if first.key().at <= Instant::now() => Ok(first.remove()),
            Some(first) => Err(Some(first.key().at)),
            None => Err(None),
        }
    }
}

async fn serve(timers: Arc<Timers>) {
    loop {
        match timers.next() {
            Ok(session) => {
                if let Some(session) = session.upgrade() {
                    session.timer_fired();
                }
            }
            Err(None) => timers.earlier.notified().await,
            Err(Some(at)) => {
                let mut earlier = pin!(timers.earlier.notified());
                let mut due = pin!(sleep_until(at));
                poll_fn(|cx| {
                    if due.as_mut().poll(cx).is_ready() || earlier.as_mut().poll(cx).is_ready() {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            }
        }
    }
}
