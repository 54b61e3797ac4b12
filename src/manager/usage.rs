//! When a session was made and used, and by what.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Timestamp, millis};
use crate::store::About;

/// The clocks of a manager.
pub(super) struct Times {
    clock: Arc<dyn Clock>,
    start: Instant,
    /// Counts uses, and begins anew some day: it tells the later of two in the same millisecond.
    turn: AtomicU32,
    /// How much use may be unknown to the store.
    unstored: Duration,
}

impl Times {
    pub(super) fn new(clock: Arc<dyn Clock>, unstored: Duration) -> Self {
        Self {
            clock,
            start: Instant::now(),
            turn: AtomicU32::new(0),
            unstored,
        }
    }

    pub(super) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    pub(super) fn elapsed(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

/// What the application says of a session.
#[derive(Clone, Default)]
pub(super) struct Described {
    pub(super) label: Option<Arc<str>>,
    pub(super) client_address: Option<Arc<str>>,
    pub(super) client_agent: Option<Arc<str>>,
}

impl Described {
    fn of(about: &About) -> Self {
        Self {
            label: about.label.clone(),
            client_address: about.client_address.clone(),
            client_agent: about.client_agent.clone(),
        }
    }

    fn is_empty(&self) -> bool {
        self.label.is_none() && self.client_address.is_none() && self.client_agent.is_none()
    }
}

/// When a session was made and last used, and whether it is being used.
pub(super) struct Usage {
    times: Arc<Times>,
    created: Timestamp,
    /// When it was last written, use included.
    updated: AtomicU64,
    wall: AtomicU64,
    elapsed: AtomicU64,
    turn: AtomicU32,
    busy: AtomicU32,
    /// Most have none.
    described: Mutex<Option<Box<Described>>>,
}

impl Usage {
    /// Made and used now, or as is stored.
    pub(super) fn new(times: &Arc<Times>, stored: Option<&About>) -> Self {
        let now = times.wall();
        let (created, updated) = stored.map_or((now, Timestamp::EPOCH), |about| {
            (about.created_at, about.updated_at)
        });
        let usage = Self {
            times: times.clone(),
            created,
            updated: AtomicU64::new(updated.as_millis()),
            wall: AtomicU64::new(0),
            elapsed: AtomicU64::new(0),
            turn: AtomicU32::new(0),
            busy: AtomicU32::new(0),
            described: Mutex::default(),
        };
        usage.touch();
        if let Some(about) = stored {
            let last = about.last_active_at.as_millis();
            usage.wall.store(last, Ordering::Relaxed);
            usage.describe(Described::of(about));
        }
        usage
    }

    pub(super) fn touch(&self) {
        let turn = self.times.turn.fetch_add(1, Ordering::Relaxed);
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
    pub(super) fn recency(&self) -> (u64, u32) {
        (
            self.wall.load(Ordering::Relaxed),
            self.turn.load(Ordering::Relaxed),
        )
    }

    /// Says of it what is said, and keeps the rest. Whether anything was.
    pub(super) fn describe(&self, said: Described) -> bool {
        if said.is_empty() {
            return false;
        }
        let mut described = self.described();
        let known = described.get_or_insert_default();
        known.label = said.label.or_else(|| known.label.take());
        known.client_address = said.client_address.or_else(|| known.client_address.take());
        known.client_agent = said.client_agent.or_else(|| known.client_agent.take());
        true
    }

    pub(super) fn label(&self, label: Arc<str>) {
        self.describe(Described {
            label: Some(label),
            ..Described::default()
        });
    }

    fn described(&self) -> MutexGuard<'_, Option<Box<Described>>> {
        self.described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn about(&self) -> About {
        let mut about = About::new(self.created);
        about.updated_at = Timestamp::from_millis(self.updated.load(Ordering::Relaxed));
        about.updated_at = about.updated_at.max(self.created);
        about.last_active_at = self.last();
        if let Some(described) = self.described().as_deref() {
            about.label.clone_from(&described.label);
            about.client_address.clone_from(&described.client_address);
            about.client_agent.clone_from(&described.client_agent);
        }
        about
    }

    /// What is written now.
    pub(super) fn about_to_write(&self) -> About {
        let mut about = self.about();
        about.updated_at = self.times.wall();
        about
    }

    pub(super) fn written(&self, about: &About) {
        let at = about.updated_at.as_millis();
        self.updated.store(at, Ordering::Relaxed);
    }

    /// Whether it was used since it was written.
    pub(super) fn is_unstored(&self) -> bool {
        self.wall.load(Ordering::Relaxed) > self.updated.load(Ordering::Relaxed)
    }

    /// Whether it was used for so long since it was written that it is to be written again: says
    /// so once.
    pub(super) fn is_write_due(&self) -> bool {
        let now = self.wall.load(Ordering::Relaxed);
        let updated = self.updated.load(Ordering::Relaxed);
        let due = now.saturating_sub(updated) >= millis(self.times.unstored);
        let order = Ordering::Relaxed;
        due && self
            .updated
            .compare_exchange(updated, now, order, order)
            .is_ok()
    }

    /// How long ago it was made.
    pub(super) fn age(&self) -> Duration {
        self.times.wall().saturating_since(self.created)
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
