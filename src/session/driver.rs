//! The timers of sessions: one task, one timer wheel, any number of sessions.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use super::shared::Shared;
use crate::error::BuildError;

/// The furthest a timer is set; the machine sets it again when it fires.
const HORIZON: Duration = Duration::from_secs(30 * 24 * 3600);

/// Serves the timers of sessions from one task. Cheap to clone; the task ends with the last clone
/// and the last session that uses it.
///
/// A session makes its own unless it is given one. Backends with many sessions share one: it saves
/// a task a session.
#[derive(Clone)]
pub struct Driver(Arc<Wheel>);

/// One for each runtime that has sessions.
static DRIVERS: Mutex<Vec<(tokio::runtime::Id, Weak<Wheel>)>> = Mutex::new(Vec::new());

struct Wheel {
    timers: Mutex<DelayQueue<Weak<Shared>>>,
    task: AbortHandle,
    runtime: tokio::runtime::Handle,
}

impl Driver {
    /// Starts a driver on the runtime that is running here.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoRuntime`] if there is none.
    pub fn new() -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let wheel = Arc::new_cyclic(|wheel: &Weak<Wheel>| Wheel {
            timers: Mutex::new(DelayQueue::new()),
            task: runtime.spawn(serve(wheel.clone())).abort_handle(),
            runtime: runtime.clone(),
        });
        Ok(Self(wheel))
    }

    /// The runtime it runs on, and with it its sessions.
    pub(super) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.0.runtime
    }

    /// The driver that sessions of this runtime share unless they are given one. It lives as long
    /// as one of them.
    pub(super) fn of_this_runtime() -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let mut drivers = DRIVERS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = drivers
            .iter()
            .filter(|(id, _)| *id == runtime.id())
            .find_map(|(_, wheel)| wheel.upgrade());
        if let Some(wheel) = known {
            return Ok(Self(wheel));
        }
        let driver = Self::new()?;
        drivers.retain(|(_, wheel)| wheel.strong_count() > 0);
        drivers.push((runtime.id(), Arc::downgrade(&driver.0)));
        Ok(driver)
    }

    /// Has the session woken at `at`; replaces its earlier timer, if it has one.
    pub(super) fn arm(&self, key: &mut Option<Key>, session: &Weak<Shared>, at: Instant) {
        let at = at.min(Instant::now() + HORIZON);
        let mut timers = self.0.lock();
        match key {
            Some(key) => timers.reset_at(key, at),
            None => *key = Some(timers.insert_at(session.clone(), at)),
        }
    }

    pub(super) fn disarm(&self, key: &mut Option<Key>) {
        if let Some(key) = key.take() {
            self.0.lock().try_remove(&key);
        }
    }
}

impl Wheel {
    fn lock(&self) -> MutexGuard<'_, DelayQueue<Weak<Shared>>> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wheel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

async fn serve(wheel: Weak<Wheel>) {
    loop {
        let due = poll_fn(|cx| {
            // Gone: the task is being aborted.
            let Some(wheel) = wheel.upgrade() else {
                return Poll::Ready(None);
            };
            let mut timers = wheel.lock();
            match timers.poll_expired(cx) {
                Poll::Ready(Some(expired)) => Poll::Ready(Some(expired.into_inner())),
                // An empty wheel wakes this task at the next insertion.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await;
        let Some(session) = due else { return };
        if let Some(session) = session.upgrade() {
            session.timer_fired();
        }
    }
}
