//! The timers of a machine.

use std::hash::{Hash, Hasher};

use super::fingerprint::ahead;
use crate::clock::{Moment, Mono};

/// What a timer of the machine is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Timer {
    /// The wall clock must be looked at: warning, expiry, or just a check.
    Expiry,
    /// An operation's deadline passes.
    Operations,
    /// Load, open, probe or re-authentication has taken too long.
    Attempt,
    /// A person has taken too long.
    UserAction,
    /// The wallet is asked whether a person is done.
    UserActionPoll,
    /// The next attempt begins.
    Backoff,
    /// The wallet has taken too long to close.
    CloseLink,
    /// The store has taken too long to write.
    Persist,
    /// A failed write is tried again.
    PersistRetry,
}

impl Timer {
    /// In the order in which timers that are due at the same time fire.
    const ALL: [Self; 9] = [
        Self::Expiry,
        Self::Operations,
        Self::Attempt,
        Self::UserAction,
        Self::UserActionPoll,
        Self::Backoff,
        Self::CloseLink,
        Self::Persist,
        Self::PersistRetry,
    ];
}

/// How many timers an idle session may run, or one with requests: the first ones.
const STANDING: usize = 2;
/// How many run only while something is under way.
const PASSING: usize = Timer::ALL.len() - STANDING;

/// When each timer is due.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct TimerTable {
    standing: [Mono; STANDING],
    /// There only while one of them runs: a session is idle most of the time.
    passing: Option<Box<[Mono; PASSING]>>,
    /// Which comes first, kept up to date: it is asked for after every input and rarely changes.
    first: Timer,
}

impl TimerTable {
    pub(super) fn new() -> Self {
        Self {
            standing: [Mono::NEVER; STANDING],
            passing: None,
            first: Timer::ALL[0],
        }
    }

    pub(super) fn set(&mut self, timer: Timer, at: Mono) {
        self.put(timer, at);
        let first = self.due(self.first);
        if timer == self.first {
            self.find_first();
        } else if at < first || (at == first && (timer as usize) < self.first as usize) {
            self.first = timer;
        }
    }

    #[inline]
    fn due(&self, timer: Timer) -> Mono {
        let index = timer as usize;
        match &self.passing {
            _ if index < STANDING => self.standing[index],
            Some(passing) => passing[index - STANDING],
            None => Mono::NEVER,
        }
    }

    #[inline]
    fn put(&mut self, timer: Timer, at: Mono) {
        let index = timer as usize;
        if index < STANDING {
            self.standing[index] = at;
            return;
        }
        if at == Mono::NEVER && self.passing.is_none() {
            return;
        }
        let passing = self
            .passing
            .get_or_insert_with(|| Box::new([Mono::NEVER; PASSING]));
        passing[index - STANDING] = at;
        if passing.iter().all(|at| *at == Mono::NEVER) {
            self.passing = None;
        }
    }

    /// Sets the timer only if it would otherwise be due later.
    pub(super) fn set_earlier(&mut self, timer: Timer, at: Mono) {
        if at < self.due(timer) {
            self.set(timer, at);
        }
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.put(timer, Mono::NEVER);
        if timer == self.first {
            self.find_first();
        }
    }

    fn find_first(&mut self) {
        self.first = Timer::ALL[0];
        for timer in Timer::ALL {
            if self.due(timer) < self.due(self.first) {
                self.first = timer;
            }
        }
    }

    pub(super) fn next(&self) -> Option<(Mono, Timer)> {
        let at = self.due(self.first);
        (at != Mono::NEVER).then_some((at, self.first))
    }

    pub(super) fn fingerprint(&self, now: Moment, hasher: &mut impl Hasher) {
        for timer in Timer::ALL {
            ahead(self.due(timer), now).hash(hasher);
        }
    }

    /// The timer that has been due longest at `now`, stopped.
    pub(super) fn pop_due(&mut self, now: Mono) -> Option<Timer> {
        let (at, timer) = self.next()?;
        (at <= now).then(|| {
            self.stop(timer);
            timer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_timers_come_out_in_order_and_once() {
        let mut timers = TimerTable::new();
        let at = Mono::from_millis;
        timers.set(Timer::Backoff, at(20));
        timers.set(Timer::Attempt, at(10));
        timers.set(Timer::Expiry, at(20));
        timers.set_earlier(Timer::Attempt, at(30));
        assert_eq!(timers.next(), Some((at(10), Timer::Attempt)));
        assert_eq!(timers.pop_due(at(9)), None);
        let fired: Vec<Timer> = std::iter::from_fn(|| timers.pop_due(at(20))).collect();
        assert_eq!(fired, [Timer::Attempt, Timer::Expiry, Timer::Backoff]);
        assert_eq!(timers.next(), None);
    }
}
