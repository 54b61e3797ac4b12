//! Time as the session sees it: a monotonic reading for delays, a wall-clock one for expiry.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::Instant;

/// A duration in whole milliseconds. Without the 128-bit arithmetic of `as_millis`: every request
/// asks several times.
pub(crate) fn millis(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(1000);
    whole.saturating_add(u64::from(duration.subsec_millis()))
}

/// A point in wall-clock time, in milliseconds since the Unix epoch. Serialised as RFC 3339.
///
/// Ranges from 1970 to the end of the year 9999; arithmetic saturates at both ends, so that a time
/// to live of a hundred years is as good as one of an hour.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(Millis);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(Millis::new(0));
    /// The last millisecond of the year 9999, the end of RFC 3339.
    pub const MAX: Self = Self(Millis::new(253_402_300_799_999));

    /// From milliseconds since the Unix epoch, clamped to [`Timestamp::MAX`].
    pub fn from_millis(millis: u64) -> Self {
        Self(Millis::new(millis).min(Self::MAX.0))
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// This time plus `duration`, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_add(millis(duration)))
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }

    /// Parses an RFC 3339 time in UTC, such as `2026-03-10T12:00:00Z`.
    pub fn parse(text: &str) -> Option<Self> {
        humantime::parse_rfc3339(text).ok().map(Self::from)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::from_millis(millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(time.as_millis())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}",
            humantime::format_rfc3339_millis(SystemTime::from(*self))
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is not an RFC 3339 time in UTC"))
        })
    }
}

/// Monotonic time in milliseconds since the session was built. It never goes back, and it may
/// stand still while the computer sleeps: delays are measured on it, expiry never is.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mono(Millis);

impl Mono {
    /// A time that never comes.
    pub const NEVER: Self = Self(Millis::new(u64::MAX));

    /// From milliseconds since the session's origin.
    pub fn from_millis(millis: u64) -> Self {
        Self(Millis::new(millis))
    }

    /// Milliseconds since the session's origin.
    pub fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// This time plus `duration`, rounded down to milliseconds; [`Mono::NEVER`] on overflow.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_add(millis(duration)))
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

impl Default for Mono {
    fn default() -> Self {
        Self::from_millis(0)
    }
}

impl fmt::Debug for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mono").field(&self.as_millis()).finish()
    }
}

/// Milliseconds, kept one higher: so an `Option` of a time takes no more room than the time, and
/// a session keeps many of them.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Millis(NonZeroU64);

impl Millis {
    /// The highest number is taken for the one below it.
    const fn new(millis: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(millis))
    }

    const fn get(self) -> u64 {
        self.0.get() - 1
    }
}

/// What the time was when an input reached the machine.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Moment {
    /// For delays and deadlines.
    pub mono: Mono,
    /// For expiry and for the stamp on events.
    pub wall: Timestamp,
}

/// Where a session reads the wall clock. Delays always follow the runtime's own clock
/// ([`tokio::time::Instant`]), so that a paused runtime plays them in virtual time.
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock time now.
    fn wall(&self) -> Timestamp;
}

/// The computer's clock. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// One for all sessions that are given none.
    pub(crate) fn shared() -> Arc<dyn Clock> {
        static SHARED: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(SystemClock));
        SHARED.clone()
    }

    /// Whether `clock` is the one for all sessions that are given none.
    pub(crate) fn is_shared(clock: &Arc<dyn Clock>) -> bool {
        Arc::ptr_eq(clock, &Self::shared())
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// A wall clock that moves with the (possibly paused) tokio clock and can be set apart from it:
/// for tests of expiry, of sleep and of clock jumps.
#[derive(Debug)]
pub struct VirtualClock {
    origin: Instant,
    wall: Mutex<Timestamp>,
}

impl VirtualClock {
    /// A clock that shows `start` now. Call it inside the runtime whose time it should follow.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            wall: Mutex::new(start),
        }
    }

    /// Moves the wall clock forward without the monotonic clock moving: what a program sees when
    /// its computer slept, or when somebody set the clock.
    pub fn jump_forward(&self, by: Duration) {
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        *wall = wall.saturating_add(by);
    }

    /// Moves the wall clock back, as a time correction does.
    pub fn jump_back(&self, by: Duration) {
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        *wall = Timestamp::from_millis(wall.as_millis().saturating_sub(millis(by)));
    }
}

impl Clock for VirtualClock {
    fn wall(&self) -> Timestamp {
        let wall = *self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        wall.saturating_add(self.origin.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_range_and_an_option_of_them_is_free() {
        assert_eq!(size_of::<Option<Timestamp>>(), size_of::<u64>());
        assert_eq!(size_of::<Option<Mono>>(), size_of::<u64>());
        for millis in [0, 1, 253_402_300_799_999] {
            assert_eq!(Timestamp::from_millis(millis).as_millis(), millis);
            assert_eq!(Mono::from_millis(millis).as_millis(), millis);
        }
        assert_eq!(Timestamp::from_millis(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::EPOCH.as_millis(), 0);
        assert_eq!(Mono::from_millis(u64::MAX), Mono::NEVER);
        assert_eq!(Mono::from_millis(7).after(Duration::MAX), Mono::NEVER);
        assert_eq!(Mono::NEVER.since(Mono::NEVER), Duration::ZERO);
        assert_eq!(format!("{:?}", Mono::default()), "Mono(0)");
    }
}
