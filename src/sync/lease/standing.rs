//! Until when a membership may be acted on, for everybody to see at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::machine::Deadline;
use super::member::Member;
use crate::clock::{Clock, Moment, Mono, Timestamp};

/// The clocks of one process.
#[derive(Clone)]
pub(super) struct Clocks {
    pub(super) origin: Instant,
    pub(super) wall: Arc<dyn Clock>,
}

impl Clocks {
    pub(super) fn now(&self) -> Moment {
        Moment {
            mono: Mono::default().after(self.origin.elapsed()),
            wall: self.wall.wall(),
        }
    }

    pub(super) fn instant(&self, at: Mono) -> Instant {
        // Beyond a year makes no difference, and an `Instant` has an end.
        let ahead = at.since(Mono::default());
        self.origin + ahead.min(self.origin.elapsed() + Duration::from_secs(365 * 24 * 60 * 60))
    }
}

/// One membership: shared by all leases held under it. Once over it stays over.
pub(super) struct Standing {
    pub(super) member: Member,
    clocks: Clocks,
    /// In milliseconds; 0 once it is over. Both hold, so it does no harm to read one before and
    /// the other after a renewal.
    mono: AtomicU64,
    wall: AtomicU64,
    over: watch::Sender<bool>,
}

impl Standing {
    pub(super) fn new(member: Member, clocks: Clocks) -> Self {
        Self {
            member,
            clocks,
            mono: AtomicU64::new(0),
            wall: AtomicU64::new(0),
            over: watch::Sender::new(false),
        }
    }

    pub(super) fn renew(&self, deadline: Deadline) {
        self.wall
            .store(deadline.wall.as_millis(), Ordering::Release);
        self.mono
            .store(deadline.mono.as_millis(), Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.mono.store(0, Ordering::Release);
        self.over.send_replace(true);
    }

    /// Whether what is held under it may be acted on, now.
    pub(super) fn lasts(&self) -> bool {
        let mono = self.mono.load(Ordering::Acquire);
        let now = self.clocks.now();
        now.mono.as_millis() < mono && now.wall < self.wall_deadline()
    }

    fn wall_deadline(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::Acquire))
    }

    pub(super) fn deadline(&self) -> Instant {
        let mono = self.mono.load(Ordering::Acquire);
        self.clocks.instant(Mono::from_millis(mono))
    }

    /// Resolves once it is over.
    pub(super) fn over(&self) -> watch::Receiver<bool> {
        self.over.subscribe()
    }
}
