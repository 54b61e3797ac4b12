//! Fencing: how a wallet tells the present holder of a session from an earlier one.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The right to act for a session, numbered. Whoever takes a session over has a higher epoch than
/// all before, so that a wallet (or anything behind it) that sees epochs can refuse what comes late
/// from an earlier holder.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fence {
    /// What it is the right to: opaque, the same for all holders of one session, and telling
    /// nothing of it.
    pub lease: Arc<str>,
    /// Its number, counted from 1. Not the [`Epoch`](crate::Epoch) of a connection.
    pub epoch: u64,
}

impl Fence {
    /// A fence.
    pub fn new(lease: impl Into<Arc<str>>, epoch: u64) -> Self {
        Self {
            lease: lease.into(),
            epoch,
        }
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.lease, self.epoch)
    }
}
