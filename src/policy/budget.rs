//! One budget of reconnect attempts for many sessions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Attempts that begin late by no more than this never lose their slot: timers have a grain, and
/// tasks wait for a thread.
const GRACE: Duration = Duration::from_millis(20);

/// Limits how many reconnect attempts begin per second over all sessions that share it, so that
/// neither the end of an outage nor a wake-up from sleep is the start of a stampede.
///
/// Cheap to clone; clones share the budget. A session that has no room yet says so with
/// `reconnect:deferred` and begins its attempt when its turn comes, in the order of asking.
///
/// Room that nobody used does not add up beyond the burst. Where the computer slept, or the
/// process was held up, so that many turns passed at once, a burst of the attempts begins
/// and the others ask again: they are deferred once more, behind those who asked before.
#[derive(Clone, Debug)]
pub struct ReconnectBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Time one attempt uses up.
    interval: Duration,
    /// How far ahead of an even pace attempts are planned.
    tolerance: Duration,
    /// How much further ahead they may begin, for those before them were late.
    grace: Duration,
    pace: Mutex<Pace>,
}

/// When the next attempt would come at an even pace: the one to plan, and the one to begin.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    planned: Option<Instant>,
    begun: Option<Instant>,
}

impl ReconnectBudget {
    /// At most `rate` attempts per second over time, `burst` of them at once. Over any one second
    /// at most `rate + burst` begin, whatever the clock does; a burst that is less than 20 ms of
    /// the rate counts as that much after a delay. Values below 1 count as 1.
    pub fn per_second(rate: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        let tolerance = interval * (burst.max(1) - 1);
        Self(Arc::new(Inner {
            interval,
            tolerance,
            grace: GRACE.saturating_sub(tolerance),
            pace: Mutex::default(),
        }))
    }

    /// Takes the next free slot and says when it begins. If that is `now`, the attempt is taken
    /// to begin; a later slot must be [redeemed](Self::redeem) when it has come.
    pub(crate) fn reserve(&self, now: Instant) -> Instant {
        let Inner {
            interval,
            tolerance,
            grace,
            ..
        } = self.0.as_ref();
        let mut pace = self.lock();
        let earliest = pace.begun.and_then(|begun| begun.checked_sub(*grace));
        let due = now.max(pace.planned.unwrap_or(now));
        let due = due.max(earliest.unwrap_or(now));
        pace.planned = Some(due + *interval);
        let slot = now.max(due.checked_sub(*tolerance).unwrap_or(now));
        if slot == now {
            pace.begin(now, *interval);
        }
        slot
    }

    /// Whether the attempt whose reserved slot has come begins now. If not, too many slots have
    /// passed unused and others begin in their place: this one is lost.
    pub(crate) fn redeem(&self, now: Instant) -> bool {
        let mut pace = self.lock();
        let ahead = self.0.tolerance + self.0.grace;
        let room = pace.begun.is_none_or(|begun| begun <= now + ahead);
        if room {
            pace.begin(now, self.0.interval);
        }
        room
    }

    fn lock(&self) -> MutexGuard<'_, Pace> {
        self.0.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    fn begin(&mut self, now: Instant, interval: Duration) {
        self.begun = Some(self.begun.map_or(now, |begun| begun.max(now)) + interval);
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
    const MS: Duration = Duration::from_millis(1);

    /// Slots for `count` attempts that all ask at `now`, the ones that are due left out.
    fn reserved(budget: &ReconnectBudget, now: Instant, count: usize) -> Vec<Instant> {
        let slots = (0..count).map(|_| budget.reserve(now));
        slots.filter(|slot| *slot > now).collect()
    }

    #[test]
    fn of_slots_that_passed_at_once_a_burst_is_used() {
        let budget = ReconnectBudget::per_second(10, 3);
        let now = Instant::now();
        let slots = reserved(&budget, now, 53);
        let woken = now + Duration::from_secs(60);
        let begun = slots.iter().filter(|_| budget.redeem(woken)).count();
        assert_eq!((slots.len(), begun), (50, 3));
        // The lost ones, and whoever asks then, go on in step.
        let again: Vec<u128> = (0..3)
            .map(|_| budget.reserve(woken).duration_since(woken).as_millis())
            .collect();
        assert_eq!(again, [100, 200, 300]);
    }

    #[test]
    fn slots_that_have_not_passed_keep_their_time() {
        let budget = ReconnectBudget::per_second(100, 10);
        let now = Instant::now();
        let slots = reserved(&budget, now, 510);
        let woken = now + Duration::from_secs(2);
        let (passed, ahead) = slots.split_at(200);
        let lost = passed.iter().filter(|_| !budget.redeem(woken)).count();
        assert_eq!(lost, 190);
        let last = ahead[ahead.len() - 1];
        let again: Vec<Instant> = (0..lost).map(|_| budget.reserve(woken)).collect();
        assert_eq!(again[0], last + 10 * MS);
        assert!(ahead.iter().chain(&again).all(|slot| budget.redeem(*slot)));
    }

    #[test]
    fn attempts_that_are_always_a_little_late_lose_nothing() {
        for (rate, burst, late) in [(1000, 1, 20), (10, 1, 20), (1000, 101, 100), (10, 1, 60)] {
            let budget = ReconnectBudget::per_second(rate, burst);
            let now = Instant::now();
            let slots = reserved(&budget, now, 2000);
            // Some on time, some late; where later than the grace, all are.
            let steady = Duration::from_millis(late) > GRACE.max(budget.0.tolerance);
            let lost = slots.iter().enumerate().filter(|(number, slot)| {
                let on_time = !steady && number % 7 == 3;
                let late = if on_time { 0 } else { late };
                !budget.redeem(**slot + Duration::from_millis(late))
            });
            assert_eq!(lost.count(), 0, "{rate} {burst}");
        }
    }
}
