//! Why a lease could not be had.

use std::sync::Arc;

use super::machine::Refusal;
use super::member::Member;

/// Why a lease could not be had, or a process not become a member.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Another member holds it.
    #[error("`{holder}` holds the lease")]
    HeldElsewhere {
        /// Which.
        holder: Member,
    },
    /// This process holds it already, or is getting it.
    #[error("this process holds the lease already, or is getting it")]
    HeldHere,
    /// This process is not a member at the moment: its membership was lost, and it joins anew by
    /// itself as soon as the backend lets it ([`LeaseNews::Rejoined`](super::LeaseNews::Rejoined)).
    #[error(
        "this process is not a member of the lease service at the moment; it joins anew by itself"
    )]
    Lost,
    /// This process has [left](super::Leases::leave).
    #[error("this process has left the lease service")]
    Left,
    /// The backend does not answer. Trying again can help.
    #[error("the lease backend is unavailable: {reason}")]
    Unavailable {
        /// What failed, and on what.
        reason: Arc<str>,
    },
    /// The lease's record, or that of its holder, cannot be understood: it counts as held by
    /// somebody unknown, and was left as it is.
    #[error("somebody unknown holds the lease, its record cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// The settings make no sense.
    #[error("a membership cannot have a ttl of {} ms: it must be at least 100 ms and at most a day", .ttl_ms)]
    Ttl {
        /// The ttl that was asked for, in milliseconds.
        ttl_ms: u64,
    },
}

impl LeaseError {
    pub(super) fn unavailable(reason: impl Into<Arc<str>>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
        }
    }
}

impl From<Refusal> for LeaseError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Held(holder) => Self::HeldElsewhere { holder },
            Refusal::HeldHere => Self::HeldHere,
            Refusal::NotMember => Self::Lost,
            Refusal::Unavailable(reason) => Self::Unavailable { reason },
            Refusal::Unreadable(reason) => Self::Unreadable { reason },
        }
    }
}
