//! What a session does with its own record.

use std::sync::Arc;

use super::Bus;
use crate::store::{Record, Revision, Stored, Tombstone};

/// What a session does with its own record: something begins, and ends in one of the ways below.
/// One at a time.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Own<'a> {
    /// It begins to read.
    Loading,
    /// It begins to write this.
    Saving(&'a Record),
    /// It begins to write this.
    Erasing(&'a Tombstone),
    /// It has read this.
    Found(&'a Stored),
    /// What it began to write stands under this revision.
    Written(Revision),
    /// It has found its session ended by another under this revision, and follows.
    Ended(Revision),
    /// It failed, or was given up: what was to be written may stand there yet.
    Unknown,
}

/// Says that something begun has ended, even if it is dropped before.
pub(crate) struct Begun(Option<Arc<dyn Bus>>);

impl Begun {
    pub(crate) fn new(bus: Option<&Arc<dyn Bus>>, what: Own<'_>) -> Self {
        if let Some(bus) = bus {
            bus.own(what);
        }
        Self(bus.cloned())
    }

    pub(crate) fn end(mut self, how: Own<'_>) {
        if let Some(bus) = self.0.take() {
            bus.own(how);
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(bus) = self.0.take() {
            bus.own(Own::Unknown);
        }
    }
}
