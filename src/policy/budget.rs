//! One budget of reconnect attempts for many sessions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Limits how many reconnect attempts begin per second over all sessions that share it, so that
/// the end of an outage is not the start of a stampede.
///
/// Cheap to clone; clones share the budget. A session that has no room yet says so with
/// `reconnect:deferred` and begins its attempt when its turn comes, in the order of asking.
#[derive(Clone, Debug)]
pub struct ReconnectBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Time one attempt uses up.
    interval: Duration,
    /// How far ahead of an even pace attempts may run.
    tolerance: Duration,
    /// When the next attempt would begin at an even pace.
    next: Mutex<Option<Instant>>,
}

impl ReconnectBudget {
    /// At most `rate` attempts per second over time, `burst` of them at once.
    /// Values below 1 count as 1.
    pub fn per_second(rate: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        Self(Arc::new(Inner {
            interval,
            tolerance: interval * (burst.max(1) - 1),
            next: Mutex::new(None),
        }))
    }

    /// Takes the next free slot and says when it begins: `now` if there is room at once.
    pub(crate) fn reserve(&self, now: Instant) -> Instant {
        let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(now, |due| due.max(now));
        *next = Some(due + self.0.interval);
        now.max(due.checked_sub(self.0.tolerance).unwrap_or(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_begins_at_once_and_the_rest_in_step() {
        let budget = ReconnectBudget::per_second(10, 3);
        let now = Instant::now();
        let waits: Vec<u128> = (0..6)
            .map(|_| budget.reserve(now).duration_since(now).as_millis())
            .collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        let later = now + Duration::from_secs(10);
        assert_eq!(budget.reserve(later), later);
    }
}
