//! News of what changes in a store.

use std::pin::Pin;

use futures_core::Stream;

use super::{Revision, Slot};

/// Something to look at. It says where, never what: whoever hears it reads the store, so that news
/// that is late, doubled or out of order does no harm.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Something was written here, or removed.
    Written {
        /// Where.
        slot: Slot,
        /// The write. One that is not later than what was read already is no news.
        /// [`Revision::NONE`] where it is not known, as after a removal: that is always to be
        /// looked at.
        revision: Revision,
    },
    /// Something may have been missed: everything that matters is to be read again. Also the first
    /// item of every stream.
    Resync,
}

/// News of what changes, from the moment it was asked for. It begins with [`Change::Resync`], says
/// so again after every gap (a lost link, a reader too slow), reconnects by itself, and ends only
/// with the store.
pub type Changes = Pin<Box<dyn Stream<Item = Change> + Send>>;
