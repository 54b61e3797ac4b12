//! What came of a run.

mod json;
mod junit;
mod list;
mod text;

use std::time::Duration;

pub use self::list::list;
use crate::check::{Check, Level, Transport};
use crate::deviation::{Deviation, Generation};

/// The result of checking a wallet. Holds no secrets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The wallet, without the query of its address.
    pub url: String,
    /// How it was reached.
    pub transport: Transport,
    /// The generation it behaves like, as far as can be said.
    pub looks_like: Generation,
    /// The generation whose known deviations are forgiven.
    pub forgiven: Generation,
    /// What came of every check that applies, in the order of the catalogue.
    pub outcomes: Vec<Outcome>,
    /// How long it took.
    pub elapsed: Duration,
}

/// What came of one check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The check.
    pub check: &'static Check,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a check.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed {
        /// What was expected.
        expected: String,
        /// What was seen: a short excerpt without secrets.
        seen: String,
        /// The known deviation this is, if it is one.
        deviation: Option<&'static Deviation>,
        /// Whether it is forgiven: known of the generation that was chosen.
        forgiven: bool,
    },
    /// The wallet could not be expected to show it this time.
    NotChecked {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// Whether the check passed.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Passed)
    }

    /// Whether the check failed, and that is not forgiven.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Failed {
                forgiven: false,
                ..
            }
        )
    }

    /// `passed`, `failed`, `deviation` (a failure that is forgiven) or `not-checked`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { forgiven: true, .. } => "deviation",
            Self::Failed { .. } => "failed",
            Self::NotChecked { .. } => "not-checked",
        }
    }
}

/// How many checks of a level ended how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Tally {
    /// All of them.
    pub total: usize,
    /// Those that passed.
    pub passed: usize,
    /// Those that failed, and are not forgiven.
    pub failed: usize,
    /// Those that failed as a known deviation that is forgiven.
    pub deviations: usize,
    /// Those that could not be checked.
    pub not_checked: usize,
}

impl Report {
    /// Whether the wallet conforms: no MUST failed, but for what is forgiven.
    pub fn conforms(&self) -> bool {
        self.tally(Level::Must).failed == 0
    }

    /// How the checks of a level ended.
    pub fn tally(&self, level: Level) -> Tally {
        let mut tally = Tally::default();
        for outcome in self.outcomes.iter().filter(|it| it.check.level == level) {
            tally.total += 1;
            match &outcome.verdict {
                Verdict::Passed => tally.passed += 1,
                Verdict::Failed { forgiven: true, .. } => tally.deviations += 1,
                Verdict::Failed { .. } => tally.failed += 1,
                Verdict::NotChecked { .. } => tally.not_checked += 1,
            }
        }
        tally
    }

    /// The known deviations that were seen, in the order of their table.
    pub fn deviations(&self) -> Vec<&'static Deviation> {
        let seen = |it: &&Deviation| {
            self.outcomes.iter().any(|outcome| match &outcome.verdict {
                Verdict::Failed {
                    deviation: Some(deviation),
                    ..
                } => deviation.id == it.id,
                _ => false,
            })
        };
        crate::deviation::DEVIATIONS.iter().filter(seen).collect()
    }

    /// What came of one check.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|it| it.check.id == id)
    }
}
