//! Where records live.
//!
//! A store keeps one record a session under a name. Every write names the revision it was made
//! against, so that two writers cannot overwrite each other unseen, and a removal leaves a
//! tombstone in the same order, so that a slow write cannot bring back what was removed.

mod about;
#[cfg(feature = "stores")]
pub mod backend;
mod change;
#[cfg(feature = "stores")]
mod draft;
#[cfg(feature = "stores")]
mod encrypted;
#[cfg(feature = "stores")]
mod envelope;
pub(crate) mod feed;
// Only stores that write records out look into what is unknown.
#[cfg_attr(not(feature = "stores"), allow(dead_code))]
mod fields;
#[cfg(feature = "stores")]
pub mod keys;
mod lookup;
mod memory;
#[cfg(feature = "stores")]
mod plaintext;
mod reconcile;
mod record;
#[cfg(feature = "stores")]
mod records;
#[cfg(feature = "stores")]
mod seal;
mod slot;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::about::About;
pub use self::change::{Change, Changes};
#[cfg(feature = "redb")]
pub use self::encrypted::RedbStore;
#[cfg(feature = "stores")]
pub use self::encrypted::{EncryptedStore, FileStore, Rotation};
#[cfg(feature = "stores")]
pub use self::envelope::{FormatError, export, export_v1, import};
pub use self::fields::Extra;
#[cfg(feature = "keyring")]
pub use self::keys::KeyringKeys;
#[cfg(feature = "passphrase")]
pub use self::keys::PassphraseKeys;
#[cfg(feature = "stores")]
pub use self::keys::{EnvironmentKeys, KeyFile, KeySource};
pub use self::lookup::{has_session_for, session_for};
pub use self::memory::MemoryStore;
#[cfg(feature = "stores")]
pub use self::plaintext::PlaintextStore;
pub use self::reconcile::{Difference, Differences, reconcile};
pub use self::record::{Intent, Record, Tombstone};
#[cfg(feature = "stores")]
pub use self::records::Entry;
pub use self::slot::Slot;

/// What a [`Store`] returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The name of a session's record, chosen by the application: one session, one name.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordName(Arc<str>);

impl RecordName {
    /// A record name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name as shared text.
    pub(crate) fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RecordName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for RecordName {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts the writes to one record. A record that was never written has [`Revision::NONE`].
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// Nothing was ever written under this name.
    pub const NONE: Self = Self(0);

    /// The revision with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What stands under a name.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// Nothing was ever written.
    Nothing,
    /// A session.
    Record {
        /// What was written.
        record: Record,
        /// The write it comes from.
        revision: Revision,
    },
    /// A session that was removed.
    Tombstone {
        /// Why it was removed.
        tombstone: Tombstone,
        /// The write it comes from.
        revision: Revision,
    },
}

impl Stored {
    /// The revision to name in the next write.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Nothing => Revision::NONE,
            Self::Record { revision, .. } | Self::Tombstone { revision, .. } => *revision,
        }
    }
}

/// Keeps the records of sessions.
///
/// Every method may be called concurrently for different names; the session calls it for its own
/// name one at a time and bounds each call with a deadline, after which it drops the future. A
/// write whose future was dropped may still take effect, but only against the revision it named.
pub trait Store: Send + Sync + 'static {
    /// Reads what stands under a name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] if something is there that cannot be understood (it stays there);
    /// [`StoreError::Unavailable`] if the store cannot be asked right now.
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored>;

    /// Writes a record if the one under its name still has the revision `expected`, and returns
    /// the new revision. Durable once it returns.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] if somebody else wrote first; [`StoreError::Unavailable`] if it
    /// could not be written.
    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision>;

    /// Replaces a record by a tombstone, under the same conditions as [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// As for [`save`](Self::save).
    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision>;

    /// Moves what cannot be read out of the way and keeps it, so that something new can be written
    /// under its name, and returns the revision to write against. The session calls it when it has
    /// something to write and finds what it cannot read.
    ///
    /// The default is for stores in which everything can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it could not be moved.
    fn set_aside<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Revision> {
        Box::pin(async move { Ok(self.load(name).await?.revision()) })
    }

    /// The names under which something stands, tombstones included, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the store cannot be asked right now.
    fn list(&self) -> StoreFuture<'_, Vec<RecordName>>;

    /// Whether what a provider needs to be built again, which may be secret, is kept. Default:
    /// `true`; a store that others can read keeps none.
    fn keeps_secrets(&self) -> bool {
        true
    }

    /// What changes from now on, in this process or in others that share the store: see
    /// [`Changes`]. Default: `None`, for a store that cannot tell.
    fn changes(&self) -> Option<Changes> {
        None
    }

    /// Where a record stands, as [`changes`](Self::changes) names it; `None` where that says
    /// nothing either (the default).
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it cannot be told right now.
    fn slot<'a>(&'a self, _name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        Box::pin(async { Ok(None) })
    }
}

/// What a store says when it cannot do as asked.
#[derive(Clone, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else wrote this record first.
    #[error("record `{name}` was written by somebody else: expected revision {}, found {}", .expected.number(), .found.number())]
    Conflict {
        /// The record.
        name: RecordName,
        /// The revision the write was made against.
        expected: Revision,
        /// The revision that stands there.
        found: Revision,
    },
    /// The store cannot be used right now; trying again can help.
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// Why.
        reason: Arc<str>,
    },
    /// Something stands there that cannot be understood. It was left as it is.
    #[error("record `{name}` cannot be read: {reason}; it was left as it is")]
    Unreadable {
        /// The record.
        name: RecordName,
        /// Why.
        reason: Arc<str>,
    },
}
