//! When attempts are made: the policy's delays or the application's schedule, within the budget.

use std::time::Duration;

use super::moments::Moments;
use crate::clock::Mono;
use crate::machine::Pacing;
use crate::policy::{Policy, ReconnectBudget, Schedule};

/// Delays: the policy's, or the application's own schedule.
pub(super) struct Pacer {
    pub(super) schedule: Option<Box<dyn Schedule>>,
    pub(super) random: fastrand::Rng,
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
        match &mut self.pacer.schedule {
            Some(schedule) => schedule.next_delay(attempt),
            None => Some(
                self.policy
                    .reconnect
                    .delay(attempt, self.pacer.random.u64(..)),
            ),
        }
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
