//! Records in clear, under a name that says so.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::backend::{Backend, Blob, Slot};
use super::draft::Draft;
use super::envelope::Content;
use super::records::{Entry, Protection, Records, Refusal, store_on_records};
use super::{Record, RecordName, Revision, StoreError, StoreFuture, Stored, Tombstone};

/// Keeps records in clear, for development and for disks that are encrypted as a whole. Whoever
/// can read the backend can read accounts and networks, and whoever can write it can forge them:
/// prefer [`EncryptedStore`](super::EncryptedStore).
#[derive(Clone)]
pub struct PlaintextStore<B> {
    records: Arc<Records<B, Clear>>,
}

impl<B: Backend> PlaintextStore<B> {
    /// Records in clear on `backend`.
    pub fn new(backend: B) -> Self {
        Self {
            records: Arc::new(Records {
                backend,
                protection: Clear,
            }),
        }
    }

    /// What carries the bytes.
    pub fn backend(&self) -> &B {
        &self.records.backend
    }

    /// Everything that stands in the store, readable or not. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the store cannot be read right now.
    pub async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        self.records.entries().await
    }

    /// Removes a record for good, tombstone and all, if it has the revision `expected`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] if it has another; [`StoreError::Unavailable`].
    pub async fn purge(&self, name: &RecordName, expected: Revision) -> Result<(), StoreError> {
        self.records.purge(name, expected).await
    }
}

store_on_records!(PlaintextStore);

impl<B: Backend> std::fmt::Debug for PlaintextStore<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PlaintextStore")
            .field(&self.records.backend.describe())
            .finish()
    }
}

/// No protection.
struct Clear;

impl Protection for Clear {
    type Ready = ();

    const SEALS: bool = false;

    async fn ready(&self, _backend: &dyn Backend) -> Result<(), StoreError> {
        Ok(())
    }

    fn slot(&self, (): &(), name: &RecordName) -> Slot {
        let mut digest = Sha256::new();
        digest.update(b"moorline plaintext record 1");
        digest.update(name.as_str().as_bytes());
        Slot::new(digest.finalize().into())
    }

    fn wrap(
        &self,
        (): &(),
        _: Slot,
        _: Revision,
        write: impl FnOnce(&mut Draft) -> Result<(), String>,
    ) -> Result<Vec<u8>, String> {
        let mut plain = Draft::new();
        write(&mut plain)?;
        Ok(plain.into_bytes())
    }

    async fn unwrap(&self, (): &(), _: Slot, blob: Blob) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        Ok(Zeroizing::new(blob.bytes))
    }

    async fn floor(&self, _: Slot) -> Result<Revision, StoreError> {
        Ok(Revision::NONE)
    }

    async fn note(&self, _: Slot, _: Revision) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, _: Slot) -> Result<(), StoreError> {
        Ok(())
    }
}
