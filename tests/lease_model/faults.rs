//! Planted faults: for every rule, ways to break it, to see the checks fail.

use crate::world::Rule;

/// Something done wrongly.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Planted {
    ChecksNoDeadline,
    ChecksNoWallClock,
    CountsFromTheEnd,
    TakesOverUnfenced,
    UsesTheSameEpoch,
    DoesNotWaitTheFullTtl,
    ReleasesBeforeStopping,
    SavesOverATombstone,
    DoesNotReadBeforeActing,
    NeverFences,
}

pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) planted: Planted,
    /// Where it shows.
    pub(crate) base: &'static str,
    pub(crate) breaks: Rule,
}

const fn fault(name: &'static str, planted: Planted, base: &'static str, breaks: Rule) -> Fault {
    Fault {
        name,
        planted,
        base,
        breaks,
    }
}

#[rustfmt::skip]
pub(crate) const FAULTS: &[Fault] = &[
    fault("no deadline is checked before acting", Planted::ChecksNoDeadline, "a process sleeps", Rule::OneActs),
    fault("sleep is not noticed", Planted::ChecksNoWallClock, "a process sleeps", Rule::OneActs),
    fault("the deadline counts from the end of the renewal", Planted::CountsFromTheEnd, "a late confirmation", Rule::OneActs),
    fault("taken over without fencing the member first", Planted::TakesOverUnfenced, "a stale read", Rule::OneActs),
    fault("taken over with the same epoch", Planted::UsesTheSameEpoch, "a process crashes", Rule::FencesGrow),
    fault("taken for dead before its ttl is over", Planted::DoesNotWaitTheFullTtl, "ttls differ", Rule::OneActs),
    fault("released before it stopped", Planted::ReleasesBeforeStopping, "released", Rule::OneActs),
    fault("a late save overwrites a tombstone", Planted::SavesOverATombstone, "the user disconnects", Rule::DisconnectWins),
    fault("a new holder acts without reading the record", Planted::DoesNotReadBeforeActing, "the user disconnects", Rule::DisconnectWins),
    fault("the dead are never fenced", Planted::NeverFences, "a process crashes", Rule::NothingForgotten),
];
