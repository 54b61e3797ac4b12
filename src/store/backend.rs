//! What carries records: bytes under a slot, with compare-and-swap on a revision.
//!
//! A backend knows nothing of sessions, names or keys. [`EncryptedStore`](super::EncryptedStore)
//! and [`PlaintextStore`](super::PlaintextStore) turn records into the bytes it keeps, so a new
//! backend is one file that knows how to keep bytes safely.

mod files;
mod fs;
mod lock;
mod memory;
#[cfg(feature = "redb")]
mod redb;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::files::Files;
pub(super) use self::fs::{create_private, create_private_folder, sync_folder};
pub(super) use self::lock::Lock;
pub use self::memory::Memory;
#[cfg(feature = "redb")]
pub use self::redb::Redb;
use super::Revision;
use super::change::Changes;
pub use super::slot::Slot;

/// What a [`Backend`] returns.
pub type BackendFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// What stands in a slot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Blob {
    /// The write it comes from.
    pub revision: Revision,
    /// What was written.
    pub bytes: Vec<u8>,
}

/// Keeps bytes under slots.
///
/// All methods may be called concurrently, by several processes where the backend says so. A
/// write whose future was dropped may still take effect, but only against the revision it named.
pub trait Backend: Send + Sync + 'static {
    /// A few words for people: what it is and where.
    fn describe(&self) -> String;

    /// What stands in a slot.
    ///
    /// # Errors
    ///
    /// [`BackendError::Damaged`] if what stands there was not written whole by this backend;
    /// [`BackendError::Unavailable`].
    fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>>;

    /// Puts `blob` in place of what has the revision `expected` ([`Revision::NONE`]: of nothing).
    /// Durable once it returns: what stood there before or the new bytes survive any crash, never
    /// a mixture.
    ///
    /// # Errors
    ///
    /// [`BackendError::Conflict`] if something else stands there; otherwise as for
    /// [`get`](Self::get).
    fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()>;

    /// Moves what stands in a slot out of the way and keeps it; the slot is empty then. Says where
    /// it went, `None` if there was nothing.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>>;

    /// Empties a slot that has the revision `expected`, for good.
    ///
    /// # Errors
    ///
    /// As for [`put`](Self::put).
    fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()>;

    /// The slots in which something stands, in order.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`].
    fn list(&self) -> BackendFuture<'_, Vec<Slot>>;

    /// What changes from now on, whoever changes it: see [`Changes`]. Default: `None`, for a
    /// backend that cannot tell.
    fn changes(&self) -> Option<Changes> {
        None
    }
}

/// What a backend says when it cannot do as asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// Something else stands there than was expected.
    #[error("revision {} stands there", .found.number())]
    Conflict {
        /// What stands there.
        found: Revision,
    },
    /// It cannot be used right now; trying again can help.
    #[error("{reason}")]
    Unavailable {
        /// What failed, and on what.
        reason: Arc<str>,
    },
    /// What stands there was not written whole by this backend. It was left as it is.
    #[error("{reason}")]
    Damaged {
        /// What is wrong with it.
        reason: Arc<str>,
    },
}

impl BackendError {
    pub(crate) fn unavailable(reason: impl Into<Arc<str>>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
        }
    }

    pub(crate) fn damaged(reason: impl Into<Arc<str>>) -> Self {
        Self::Damaged {
            reason: reason.into(),
        }
    }
}

/// Waits for the lock on a file. Blocks; the error is a sentence.
pub(super) fn lock(path: &std::path::Path) -> Result<Lock, String> {
    Lock::acquire(path)
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackendError> + Send + 'static,
) -> Result<T, BackendError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) => Err(BackendError::unavailable(format!(
            "the store's thread ended: {ended}"
        ))),
    }
}
