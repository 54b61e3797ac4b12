//! Reading the clocks no more often than needed.

use tokio::time::Instant;

use crate::clock::{Clock, Moment, Mono};

/// A session's origin of monotonic time, and the last reading of both clocks.
#[derive(Debug)]
pub(super) struct Moments {
    origin: Instant,
    last: Moment,
}

impl Moments {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        Self {
            origin: Instant::now(),
            last: Moment {
                mono: Mono::default(),
                wall: clock.wall(),
            },
        }
    }

    /// Reads both clocks.
    pub(super) fn now(&mut self, clock: &dyn Clock) -> Moment {
        self.last = Moment {
            mono: self.mono(),
            wall: clock.wall(),
        };
        self.last
    }

    /// Reads the monotonic clock; the wall clock is taken to have moved along. For where nothing
    /// depends on the wall clock.
    pub(super) fn roughly_now(&self) -> Moment {
        let mono = self.mono();
        let wall = self.last.wall.saturating_add(mono.since(self.last.mono));
        Moment { mono, wall }
    }

    /// The last reading, for where nothing depends on the time.
    pub(super) fn last(&self) -> Moment {
        self.last
    }

    fn mono(&self) -> Mono {
        Mono::default().after(self.origin.elapsed())
    }

    /// The instant of a monotonic time.
    pub(super) fn instant(&self, at: Mono) -> Instant {
        let far = Instant::now() + std::time::Duration::from_secs(3600 * 24 * 365);
        self.origin
            .checked_add(std::time::Duration::from_millis(at.as_millis()))
            .unwrap_or(far)
    }

    /// The monotonic time of an instant, rounded up.
    pub(super) fn mono_of(&self, instant: Instant) -> Mono {
        let since = instant.saturating_duration_since(self.origin);
        let millis = since.as_micros().div_ceil(1000);
        Mono::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}
