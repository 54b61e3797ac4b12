//! The wallet's time: real, or faster.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Turns the wallet's durations into real ones: an hour of a wallet whose time runs 3600 times as
/// fast passes in a second. The calendar stays the real one, or tokens would not agree with their
/// readers' clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clock {
    scale: f64,
}

impl Clock {
    /// `None` if time cannot run so fast.
    pub(crate) fn new(scale: f64) -> Option<Self> {
        (scale.is_finite() && scale > 0.0).then_some(Self { scale })
    }

    /// How long something takes for real.
    pub(crate) fn real(self, duration: Duration) -> Duration {
        let seconds = duration.as_secs_f64() / self.scale;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// Seconds since the epoch, to the millisecond.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_passes_in_a_second() {
        let clock = Clock::new(3600.0).unwrap();
        assert_eq!(
            clock.real(Duration::from_secs(3600)),
            Duration::from_secs(1)
        );
        assert_eq!(
            clock.real(Duration::MAX).max(Duration::ZERO),
            clock.real(Duration::MAX)
        );
        assert!(Clock::new(0.0).is_none() && Clock::new(f64::NAN).is_none());
    }
}
