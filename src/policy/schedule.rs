//! Retry schedules other than the built-in one.

use std::time::Duration;

/// A retry schedule of the application's own, one value a session.
///
/// Limits of the built-in policy (attempts, elapsed time, stable period) apply beside it.
pub trait Schedule: Send {
    /// The delay before attempt `attempt`, counted from 1 and reset after a stable connection.
    /// `None` gives up.
    fn next_delay(&mut self, attempt: u32) -> Option<Duration>;
}

/// Any [`backoff::backoff::Backoff`] is a schedule: reset before the first attempt.
#[cfg(feature = "backoff")]
impl<B: backoff::backoff::Backoff + Send> Schedule for B {
    fn next_delay(&mut self, attempt: u32) -> Option<Duration> {
        if attempt <= 1 {
            self.reset();
        }
        self.next_backoff()
    }
}
