//! Leases: which of several processes acts for what, over any [`Backend`].
//!
//! A process [joins](Leases::builder) and [acquires](Leases::acquire) a [`Lease`] for each thing
//! it wants to act for alone. It asks [`Lease::is_held`] before every act, and tells whoever it
//! acts upon its [`Fence`]. If it dies, hangs, sleeps or loses the backend, it stops by itself, and
//! another takes over later with a higher fence.
//!
//! # What stands in the backend
//!
//! Give it a backend of its own. A *member* is one membership of a process: a record with its name,
//! renewed every third of the ttl by compare-and-swap, so that it costs one write a period however
//! many leases are held under it. A *lease* is a record that says which member holds it, its
//! *epoch*, and whether it was released. It stands where a hash of what it is the lease of says, and
//! is never removed, so that the epoch only grows. Records of members that ended are removed after a
//! hundred times the ttl.
//!
//! # Why two never act at once
//!
//! Times are measured by each process's own clock and never compared between processes.
//!
//! - A holder acts only before its *deadline*: the **start** of its last confirmed renewal, plus the
//!   ttl, less a margin (a tenth of the ttl). The renewal took effect after it was started, so every
//!   other process sees it later than the deadline counts from.
//! - Another takes a member for dead only once it has seen its record unchanged for the ttl (the
//!   longer of both, for the record tells it) plus the margin, counted from when the answer that first
//!   showed it had **come**, which is after the renewal took effect. So the deadline is over by then,
//!   by two margins, unless clocks run more than a tenth apart.
//! - It then *fences* the member first: it swaps the record, if it is still the one it saw, for one
//!   that says ended. A renewal in between makes that fail; once it is done every later renewal
//!   fails. Only then it writes itself into the lease, with the next epoch. A record that is missing
//!   is watched and fenced as one that stands still.
//! - A write whose answer was lost may take effect late, so the truth is read after it, and each
//!   attempt to renew is numbered, to know which one it was. A lease that may have been got and is not
//!   wanted any more is written over. The deadline is looked at again once a lease was got.
//! - While a computer sleeps, its monotonic clock may stand still. So the deadline is kept by the wall
//!   clock too, and whichever comes first counts. A wall clock set forward costs the membership, no
//!   more; set back, it does no harm unless the computer slept as well.
//!
//! A lease is lost only with the membership. Then the process ends its old record and joins anew,
//! under another id, as soon as the backend lets it.
//!
//! What was begun in time and arrives late is what the fence is for: who sees fences refuses the
//! lower. The argument needs a backend that swaps atomically and forgets nothing it has confirmed.
//! Reads may be stale.
//!
//! After a crash, others know within 1.8 times the ttl (the ttl, the margin, and two periods between
//! looks) and the time of a few calls; after a release or an orderly end, at once where the backend
//! has a feed of changes, within two thirds of the ttl where it has none.
//!
//! [`Backend`]: crate::store::backend::Backend
//! [`Fence`]: super::Fence

mod builder;
mod calls;
mod driver;
mod error;
mod held;
mod leases;
pub mod machine;
mod member;
mod news;
mod standing;
mod wire;

pub use self::builder::LeasesBuilder;
pub use self::error::LeaseError;
pub use self::held::Lease;
pub use self::leases::Leases;
pub use self::member::{Member, MemberId};
pub use self::news::{LeaseNews, News};
