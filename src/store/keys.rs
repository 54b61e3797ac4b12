//! The keys that seal records, and where they come from.

mod environment;
mod file;
#[cfg(feature = "keyring")]
mod keyring;
mod marks;
#[cfg(feature = "passphrase")]
mod passphrase;
mod secret_file;
mod set;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::environment::EnvironmentKeys;
pub use self::file::KeyFile;
#[cfg(feature = "keyring")]
pub use self::keyring::KeyringKeys;
pub use self::marks::{MarkFolder, Marks};
#[cfg(feature = "passphrase")]
pub use self::passphrase::PassphraseKeys;
pub use self::set::{KeyId, KeySet, KeyTextError};

/// What a [`KeySource`] returns.
pub type KeyFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

/// Where keys come from. Implement it to keep them in a key management service.
///
/// Every call may be repeated, and dropped at any point.
pub trait KeySource: Send + Sync + 'static {
    /// A few words for people: what it is and where. Never a key.
    fn describe(&self) -> String;

    /// The keys; `None` if this source certainly holds none yet.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`] if it cannot be asked right now: that is not the same as having
    /// none. [`KeyError::Unusable`] if what is there is no key.
    fn load(&self) -> KeyFuture<'_, Option<KeySet>>;

    /// Makes keys where there are none. Of any number of callers, in any number of processes,
    /// exactly one makes them, and all get the same.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load); [`KeyError::ReadOnly`] if keys are made elsewhere.
    fn create(&self) -> KeyFuture<'_, KeySet>;

    /// Puts `next` in place of the keys whose current one is `expected`. If they are others by
    /// now, they are returned and nothing changes.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create).
    fn replace(&self, expected: KeyId, next: KeySet) -> KeyFuture<'_, KeySet>;

    /// Remembers the last revision of each record apart from the store, if this source can: an old
    /// record put in place of a newer one is noticed then. Default: it cannot.
    fn marks(&self) -> Option<&dyn Marks> {
        None
    }
}

/// Why keys cannot be had. Says where, never what.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The source cannot be asked right now; trying again can help. No record is touched.
    #[error("the keys cannot be had right now: {reason}")]
    Unavailable {
        /// What failed, and on what.
        reason: Arc<str>,
    },
    /// What is there is not what this library wrote, or is not opened by this passphrase.
    #[error("the keys cannot be used: {reason}")]
    Unusable {
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// Keys of this source are made and changed elsewhere.
    #[error("{reason}")]
    ReadOnly {
        /// What to do instead.
        reason: Arc<str>,
    },
}

impl KeyError {
    /// The source cannot be asked right now.
    pub fn unavailable(reason: impl Into<Arc<str>>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
        }
    }

    /// What is there cannot be used.
    pub fn unusable(reason: impl Into<Arc<str>>) -> Self {
        Self::Unusable {
            reason: reason.into(),
        }
    }

    /// Keys are changed elsewhere.
    pub fn read_only(reason: impl Into<Arc<str>>) -> Self {
        Self::ReadOnly {
            reason: reason.into(),
        }
    }
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, KeyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) => Err(KeyError::unavailable(format!(
            "the thread that read them ended: {ended}"
        ))),
    }
}
