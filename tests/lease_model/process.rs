//! One process: the machine, its clock, and the program that acts on what it holds.

use std::time::Duration;

use moorline::Timestamp;
use moorline::clock::{Moment, Mono};
use moorline::store::Slot;
use moorline::sync::lease::machine::{Answer, Effect, Machine, Timing};

use crate::faults::Planted;

pub(crate) const SLOT: Slot = Slot::new([7; 32]);

/// What the program knows of the session.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Knows {
    /// It has no lease.
    Nothing,
    /// It asked for the lease.
    Asked,
    /// It has the lease and has to look at the record.
    Unread,
    /// It read the record at this revision and acts.
    Acts(u64),
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Process {
    pub(crate) machine: Machine,
    pub(crate) ttl: u64,
    pub(crate) knows: Knows,
    pub(crate) lives: bool,
    /// How much of the time it slept: its monotonic clock stood still.
    pub(crate) slept: u64,
    /// Its clocks are ahead of everybody's by this: nothing may compare them.
    pub(crate) ahead: u64,
    pub(crate) calls: Vec<Pending>,
    /// When its last renewal was confirmed: for a planted fault.
    pub(crate) confirmed: u64,
    /// It has let go and not been told yet that it is done: for a planted fault.
    pub(crate) letting_go: Option<u64>,
}

/// A call under way.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Pending {
    pub(crate) call: Effect,
    /// What it did, if it has taken effect.
    pub(crate) done: Option<Answer>,
}

/// Times in steps of the model, which are milliseconds to the machine.
fn timing(ttl: u64, keep: u64) -> Timing {
    let mut timing = Timing::new(Duration::from_millis(ttl));
    // Clocks run equally fast here, and looking and acting are one step.
    timing.margin = Duration::ZERO;
    timing.period = Duration::from_millis(1);
    timing.retry = Duration::from_millis(1);
    timing.keep = Duration::from_millis(keep);
    timing
}

impl Process {
    pub(crate) fn new(ttl: u64, keep: u64, ahead: u64) -> Self {
        Self {
            machine: Machine::new(timing(ttl, keep), "p"),
            ttl,
            knows: Knows::Nothing,
            lives: true,
            slept: 0,
            ahead,
            calls: Vec::new(),
            confirmed: 0,
            letting_go: None,
        }
    }

    /// A process that is no more.
    pub(crate) fn gone() -> Self {
        Self {
            lives: false,
            ..Self::new(1, 1, 0)
        }
    }

    pub(crate) fn moment(&self, now: u64) -> Moment {
        Moment {
            mono: Mono::from_millis(now + self.ahead - self.slept),
            wall: Timestamp::from_millis(now + self.ahead),
        }
    }

    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.lives && self.machine.next_timeout() <= self.moment(now).mono
    }

    /// The epoch with which it may act, by its own check.
    pub(crate) fn holds(&self, now: u64, planted: Option<Planted>) -> Option<u64> {
        if !self.lives {
            return None;
        }
        if planted == Some(Planted::ReleasesBeforeStopping) && self.letting_go.is_some() {
            return self.letting_go;
        }
        let moment = self.moment(now);
        let in_time = match (planted, self.machine.deadline()) {
            (_, None) => false,
            (Some(Planted::ChecksNoDeadline), _) => true,
            (Some(Planted::ChecksNoWallClock), Some(deadline)) => moment.mono < deadline.mono,
            (Some(Planted::CountsFromTheEnd), Some(deadline)) => {
                now < self.confirmed + self.ttl || !deadline.passed(moment)
            }
            (_, Some(deadline)) => !deadline.passed(moment),
        };
        self.machine.holds(SLOT).filter(|_| in_time)
    }

    /// The epoch with which it acts for the session.
    pub(crate) fn acts(&self, now: u64, planted: Option<Planted>) -> Option<u64> {
        let ready = matches!(self.knows, Knows::Acts(_)) || self.letting_go.is_some();
        self.holds(now, planted).filter(|_| ready)
    }
}
