//! Known deviations of wallets that are out there, by name.
//!
//! A name begins with the generation a deviation was first seen in; some live on in the next.

mod table;

pub use self::table::DEVIATIONS;
use crate::check::Problem;
use crate::checks;
use crate::evidence::Evidence;

/// Whose deviations are forgiven.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Profile {
    /// Those of the generation the wallet behaves like.
    Auto,
    /// Nobody's: the standard to the letter.
    #[default]
    Strict,
    /// Those of the reference gateway of May 2026.
    G1,
    /// Those of the reference gateway of August to November 2026.
    G2,
}

/// A generation of wallets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Generation {
    /// The standard to the letter, or at least none of the others.
    Standard,
    /// The reference gateway of May 2026.
    G1,
    /// The reference gateway of August to November 2026.
    G2,
}

impl Generation {
    /// `standard`, `g1` or `g2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::G1 => "g1",
            Self::G2 => "g2",
        }
    }
}

impl Profile {
    /// The generation whose deviations are forgiven, for a wallet that looks like `seen`.
    pub(crate) fn forgives(self, seen: Generation) -> Generation {
        match self {
            Self::Auto => seen,
            Self::Strict => Generation::Standard,
            Self::G1 => Generation::G1,
            Self::G2 => Generation::G2,
        }
    }
}

/// A deviation that is known by name.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Deviation {
    /// Its name.
    pub id: &'static str,
    /// What the wallet does instead.
    pub about: &'static str,
    /// The generations known for it.
    pub known_of: &'static [Generation],
    /// The checks it fails.
    pub checks: &'static [&'static str],
    /// Where to read more.
    pub reference: &'static str,
    /// Whether a failure of one of these checks is this deviation.
    sign: fn(&Evidence) -> bool,
}

impl std::fmt::Debug for Deviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// The deviation that a failed check is, if it is one that is known. One known of the generation
/// goes before one that is not.
pub(crate) fn name(
    e: &Evidence,
    check: &str,
    problem: &Problem,
    generation: Generation,
) -> Option<&'static Deviation> {
    if !matches!(problem, Problem::Wrong { .. }) {
        return None;
    }
    let fits = |it: &&Deviation| it.checks.contains(&check) && (it.sign)(e);
    let mut fitting = DEVIATIONS.iter().filter(fits);
    let first = fitting.clone().next();
    fitting
        .find(|it| it.known_of.contains(&generation))
        .or(first)
}

/// Which generation a wallet behaves like: the one whose own deviations it shows more of.
pub(crate) fn guess(e: &Evidence) -> Generation {
    let shows = |of: Generation| {
        let own = DEVIATIONS.iter().filter(|it| it.known_of == [of]);
        own.filter(|it| it.checks.iter().any(|id| fails(e, id)) && (it.sign)(e))
            .count()
    };
    match (shows(Generation::G1), shows(Generation::G2)) {
        // One alone may be chance.
        (0 | 1, 0 | 1) => Generation::Standard,
        (one, two) if one > two => Generation::G1,
        _ => Generation::G2,
    }
}

fn fails(e: &Evidence, id: &str) -> bool {
    let mut checks = checks::catalogue().filter(|it| it.id == id && it.applies.to(e.transport));
    checks.any(|it| matches!((it.judge)(e), Err(Problem::Wrong { .. })))
}
