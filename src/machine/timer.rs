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
    passing: Option<Box<Passing>>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Passing {
    due: [Mono; PASSING],
    /// The place of the first one, kept up to date: it is asked for after every input and rarely
    /// changes.
    first: usize,
}

impl Passing {
    fn put(&mut self, place: usize, at: Mono) {
        self.due[place] = at;
        self.first = 0;
        for place in 1..PASSING {
            if self.due[place] < self.due[self.first] {
                self.first = place;
            }
        }
    }
}

impl TimerTable {
    pub(super) fn new() -> Self {
        Self {
            standing: [Mono::NEVER; STANDING],
            passing: None,
        }
    }

    #[inline]
    fn due(&self, timer: Timer) -> Mono {
        let index = timer as usize;
        match &self.passing {
            _ if index < STANDING => self.standing[index],
            Some(passing) => passing.due[index - STANDING],
            None => Mono::NEVER,
        }
    }

    #[inline]
    pub(super) fn set(&mut self, timer: Timer, at: Mono) {
        let index = timer as usize;
        if index < STANDING {
            self.standing[index] = at;
            return;
        }
        if at == Mono::NEVER && self.passing.is_none() {
            return;
        }
        let passing = self.passing.get_or_insert_with(|| {
            Box::new(Passing {
                due: [Mono::NEVER; PASSING],
                first: 0,
            })
        });
        passing.put(index - STANDING, at);
        if passing.due[passing.first] == Mono::NEVER {
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
        self.set(timer, Mono::NEVER);
    }

    /// The timer that is due first, the first in order of those due then.
    #[inline]
    pub(super) fn next(&self) -> Option<(Mono, Timer)> {
        let [expiry, operations] = self.standing;
        let mut next = (expiry, Timer::Expiry);
        if operations < next.0 {
            next = (operations, Timer::Operations);
        }
        if let Some(passing) = &self.passing
            && passing.due[passing.first] < next.0
        {
            let timer = Timer::ALL[STANDING + passing.first];
            next = (passing.due[passing.first], timer);
        }
        (next.0 != Mono::NEVER).then_some(next)
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
        assert_eq!(timers, TimerTable::new());
        for timer in Timer::ALL.into_iter().rev() {
            timers.set(timer, at(40));
        }
        timers.set(Timer::CloseLink, at(39));
        timers.set(Timer::CloseLink, at(41));
        let fired: Vec<Timer> = std::iter::from_fn(|| timers.pop_due(at(40))).collect();
        let all = Timer::ALL.into_iter();
        let others = all.filter(|timer| *timer != Timer::CloseLink);
        assert_eq!(fired, others.collect::<Vec<_>>());
        assert_eq!(timers.next(), Some((at(41), Timer::CloseLink)));
    }
}
