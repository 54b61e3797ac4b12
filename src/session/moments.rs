//! Reading the clocks no more often than needed.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::{Clock, Moment, Mono};

/// How long the wall clock is taken to move along with the monotonic one.
const WALL_READING: Duration = Duration::from_millis(10);

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

    /// Reads the monotonic clock; the wall clock is taken to have moved along since it was last
    /// read, and is read again every [`WALL_READING`]. For where nothing depends on the wall clock
    /// but the stamp on an event.
    #[inline]
    pub(super) fn roughly_now(&mut self, clock: &dyn Clock) -> Moment {
        let mono = self.mono();
        let since = mono.since(self.last.mono);
        if since >= WALL_READING {
            self.last = Moment {
                mono,
                wall: clock.wall(),
            };
            return self.last;
        }
        let wall = self.last.wall.saturating_add(since);
        Moment { mono, wall }
    }

    /// Reads the monotonic clock alone.
    #[inline]
    pub(super) fn mono(&self) -> Mono {
        Mono::default().after(self.origin.elapsed())
    }

    /// The instant of a monotonic time.
    pub(super) fn instant(&self, at: Mono) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600 * 24 * 365);
        self.origin
            .checked_add(Duration::from_millis(at.as_millis()))
            .unwrap_or(far)
    }

    /// The monotonic time of an instant, rounded up.
    pub(super) fn mono_of(&self, instant: Instant) -> Mono {
        let since = instant.saturating_duration_since(self.origin);
        let millis = since.as_nanos().div_ceil(1_000_000);
        Mono::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Timestamp, VirtualClock};

    #[tokio::test(start_paused = true)]
    async fn a_rough_reading_follows_a_jump_of_the_clock_within_moments() {
        let clock = VirtualClock::starting_at(Timestamp::EPOCH);
        let mut moments = Moments::new(&clock);
        let millis = |moment: Moment| (moment.mono.as_millis(), moment.wall.as_millis());
        tokio::time::advance(Duration::from_millis(9)).await;
        assert_eq!(millis(moments.roughly_now(&clock)), (9, 9));
        clock.jump_forward(Duration::from_secs(1));
        assert_eq!(millis(moments.roughly_now(&clock)), (9, 9));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(millis(moments.roughly_now(&clock)), (10, 1010));
        clock.jump_back(Duration::from_secs(1));
        assert_eq!(millis(moments.now(&clock)), (10, 10));
        assert_eq!(millis(moments.roughly_now(&clock)), (10, 10));
    }
}
