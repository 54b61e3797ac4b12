//! What goes into the machine and what comes out.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Moment, Mono, Timestamp, millis};
use crate::store::{Revision, Slot};
use crate::sync::lease::member::{Member, MemberId};

/// How long everything takes. The argument why it is safe is in the documentation of
/// [`lease`](crate::sync::lease).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Timing {
    /// How long a membership lasts from the start of its last confirmed renewal.
    pub ttl: Duration,
    /// How much earlier than that its holder stops, and how much longer than that others wait: for
    /// clocks that do not run equally fast, and for what is between looking at the clock and acting.
    pub margin: Duration,
    /// From the start of one renewal to the start of the next, and between two looks at another
    /// member.
    pub period: Duration,
    /// Before what failed is tried again; doubled each time, up to the ttl.
    pub retry: Duration,
    /// How long the record of a member that ended is kept, and how often all are listed.
    pub keep: Duration,
}

impl Timing {
    /// The times that go with a ttl: a tenth of it as margin, a renewal every third of it.
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            margin: ttl / 10,
            period: ttl / 3,
            retry: ttl / 20,
            keep: ttl * 100,
        }
    }

    /// How long to wait after `failures` failures in a row.
    pub(super) fn backoff(&self, failures: u32) -> Duration {
        let doubled = self
            .retry
            .saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.ttl)
    }

    /// How long another member's record must stand unchanged, where that member counts with `ttl`.
    pub(super) fn patience(&self, ttl_ms: u64) -> Duration {
        self.ttl.max(Duration::from_millis(ttl_ms)) + self.margin
    }
}

/// When to stop: whichever clock gets there first. The monotonic clock may stand still while the
/// computer sleeps, the wall clock may be set.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Deadline {
    /// By the monotonic clock.
    pub mono: Mono,
    /// By the wall clock.
    pub wall: Timestamp,
}

impl Deadline {
    pub(super) fn of(begun: Moment, timing: &Timing) -> Self {
        let lasts = timing.ttl.saturating_sub(timing.margin);
        Self {
            mono: begun.mono.after(lasts),
            wall: begun.wall.saturating_add(lasts),
        }
    }

    /// Whether it has passed.
    pub fn passed(&self, now: Moment) -> bool {
        now.mono >= self.mono || now.wall >= self.wall
    }
}

/// Names a backend call, so that its answer finds who asked. A call taken back is answered all the
/// same, and nobody listens.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Call(pub(super) u64);

/// Numbers only tell calls apart: situations that differ in them alone are the same.
impl Hash for Call {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// A member's record.
    Member(MemberId),
    /// The lease record of what is named by this slot.
    Lease(Slot),
}

/// A record to write.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Record {
    /// A member's.
    Member(MemberId, MemberRecord),
    /// A lease's.
    Lease(LeaseRecord),
}

/// What a member's record says.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum MemberRecord {
    /// It lives, as long as this changes.
    Alive(Alive),
    /// It left, or was fenced. Final.
    Ended,
}

/// What a living member says.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Alive {
    /// What it calls itself.
    pub name: Arc<str>,
    /// The ttl it counts with.
    pub ttl_ms: u64,
    /// The number of this attempt to renew.
    pub beat: u64,
    /// How many leases it has released: others look again when that changes.
    pub released: u64,
}

/// What a lease's record says. It is never removed, so that the epoch only grows.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct LeaseRecord {
    /// Who holds it, or held it last.
    pub member: MemberId,
    /// How often it has changed hands.
    pub epoch: u64,
    /// Whether its holder let it go.
    pub released: bool,
}

/// What stands in a place.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// A member's record.
    Member(MemberRecord),
    /// A lease's record.
    Lease(LeaseRecord),
    /// Something that cannot be understood, and why.
    Unreadable(Arc<str>),
}

/// What happened.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Input {
    /// Time has passed.
    Time,
    /// Become a member under an id that was never used before.
    Join(MemberId),
    /// Stop for good.
    Leave,
    /// Get the lease of this.
    Acquire(Slot),
    /// Let the lease of this go, or give up getting it.
    Release(Slot),
    /// Say who holds the lease of this.
    Ask(Slot),
    /// The backend answered. Every call is answered once.
    Answer(Call, Answer),
    /// This member's record was written, perhaps.
    Look(MemberId),
    /// Something may have been written anywhere.
    LookAll,
}

/// What the backend said.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Answer {
    /// This stands there.
    Found(Revision, Content),
    /// It was written, or removed.
    Written,
    /// Something else stands there than was expected.
    Conflict,
    /// Nothing is known: a write may have taken effect, or may yet.
    Failed(Arc<str>),
    /// These members have records.
    Listed(Vec<MemberId>),
}

/// What to do, in this order.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Effect {
    /// Read.
    Get(Call, Place),
    /// Write, in place of what has this revision.
    Put(Call, Place, Record, Revision),
    /// Remove what has this revision.
    Remove(Call, Place, Revision),
    /// List the members that have records.
    List(Call),
    /// This process is a member now.
    Joined(MemberId),
    /// It is not any more, and holds nothing. The reason is for people.
    Lost(&'static str),
    /// Join again, under another id.
    JoinAnew,
    /// It has left.
    Left,
    /// The lease of this is held, with this epoch.
    Acquired(Slot, u64),
    /// The lease of this could not be had.
    Refused(Slot, Refusal),
    /// The lease of this is let go of.
    Freed(Slot),
    /// Who holds the lease of this.
    Told(Slot, Result<Option<Member>, Refusal>),
    /// A member that was known to live is dead or left: what it held is free.
    Gone(Member),
    /// This member let go of leases.
    Released(MemberId),
}

/// Why a lease could not be had.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Refusal {
    /// Another member holds it.
    Held(Member),
    /// This process holds it, or is getting it, already.
    HeldHere,
    /// This process is not a member at the moment.
    NotMember,
    /// The backend does not answer.
    Unavailable(Arc<str>),
    /// Its record, or its holder's, cannot be understood.
    Unreadable(Arc<str>),
}

/// What a part of the machine does with its place in the backend.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Stage {
    /// Nothing until then.
    Rest(Mono),
    Reading(Call),
    Writing(Call),
}

impl Stage {
    pub(super) fn due(&self) -> Option<Mono> {
        match self {
            Self::Rest(at) => Some(*at),
            Self::Reading(_) | Self::Writing(_) => None,
        }
    }

    pub(super) fn call(&self) -> Option<Call> {
        match self {
            Self::Rest(_) => None,
            Self::Reading(call) | Self::Writing(call) => Some(*call),
        }
    }
}

/// Whole milliseconds of a ttl, for a record.
pub(super) fn ttl_ms(timing: &Timing) -> u64 {
    millis(timing.ttl)
}
