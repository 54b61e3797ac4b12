//! When attempts are made: the policy's delays or the application's schedule, within the budget.

use std::time::Duration;

use super::moments::Moments;
use crate::clock::Mono;
use crate::machine::Pacing;
use crate::policy::{Policy, ReconnectBudget, Schedule};

/// Delays: the policy's with the thread's own randomness, unless something else was asked for.
pub(super) struct Pacer(Option<Box<Own>>);

/// What a session paces its attempts by, if not as all do.
enum Own {
    Schedule(Box<dyn Schedule>),
    Seeded(fastrand::Rng),
}

impl Pacer {
    /// A schedule draws nothing: a seed says nothing to it.
    pub(super) fn new(schedule: Option<Box<dyn Schedule>>, seed: Option<u64>) -> Self {
        let seeded = || seed.map(|seed| Own::Seeded(fastrand::Rng::with_seed(seed)));
        let own = schedule.map(Own::Schedule).or_else(seeded);
        Self(own.map(Box::new))
    }
}

/// The machine's pacing, as a session provides it.
pub(super) struct SessionPacing<'a> {
    pub(super) policy: &'a Policy,
    pub(super) budget: Option<&'a ReconnectBudget>,
    pub(super) pacer: &'a mut Pacer,
    pub(super) moments: &'a Moments,
}

impl Pacing for SessionPacing<'_> {
    fn delay(&mut self, attempt: u32) -> Option<Duration> {
        let random = match self.pacer.0.as_deref_mut() {
            Some(Own::Schedule(schedule)) => return schedule.next_delay(attempt),
            Some(Own::Seeded(random)) => random.u64(..),
            None => fastrand::u64(..),
        };
        Some(self.policy.reconnect.delay(attempt, random))
    }

    fn reserve(&mut self, now: Mono) -> Mono {
        match self.budget {
            Some(budget) => {
                let slot = budget.reserve(self.moments.instant(now));
                self.moments.mono_of(slot).max(now)
            }
            None => now,
        }
    }

    fn redeem(&mut self, now: Mono) -> bool {
        self.budget
            .is_none_or(|budget| budget.redeem(self.moments.instant(now)))
    }
}
