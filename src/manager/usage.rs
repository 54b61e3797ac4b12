//! When a session was last used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Timestamp, millis};

/// The clocks of a manager.
pub(super) struct Times {
    clock: Arc<dyn Clock>,
    start: Instant,
    /// Counts uses, which tells the later of two in the same millisecond.
    turn: AtomicU64,
}

impl Times {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            start: Instant::now(),
            turn: AtomicU64::new(0),
        }
    }

    pub(super) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    fn elapsed(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

/// When a session was last used, and whether it is being used.
pub(super) struct Usage {
    times: Arc<Times>,
    wall: AtomicU64,
    elapsed: AtomicU64,
    turn: AtomicU64,
    busy: AtomicUsize,
}

impl Usage {
    /// Used now, or at an earlier time that was stored.
    pub(super) fn new(times: &Arc<Times>, at: Option<Timestamp>) -> Self {
        let usage = Self {
            times: times.clone(),
            wall: AtomicU64::new(0),
            elapsed: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
        };
        usage.touch();
        if let Some(at) = at {
            usage.wall.store(at.as_millis(), Ordering::Relaxed);
        }
        usage
    }

    pub(super) fn touch(&self) {
        let turn = self.times.turn.fetch_add(1, Ordering::Relaxed) + 1;
        self.turn.store(turn, Ordering::Relaxed);
        let wall = self.times.wall().as_millis();
        self.wall.store(wall, Ordering::Relaxed);
        self.elapsed.store(self.times.elapsed(), Ordering::Relaxed);
    }

    pub(super) fn begin(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.touch();
        Busy(self)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    pub(super) fn last(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::Relaxed))
    }

    /// For how long it has not been used.
    pub(super) fn idle(&self) -> Duration {
        if self.is_busy() {
            return Duration::ZERO;
        }
        let since = self.elapsed.load(Ordering::Relaxed);
        Duration::from_millis(self.times.elapsed().saturating_sub(since))
    }

    /// Sorts by how recently sessions were used.
    pub(super) fn recency(&self) -> (u64, u64) {
        (
            self.wall.load(Ordering::Relaxed),
            self.turn.load(Ordering::Relaxed),
        )
    }
}

/// A request that is under way.
pub(super) struct Busy<'a>(&'a Usage);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.touch();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
