//! What is stored and not here.

use std::sync::Arc;

use super::inner::Inner;
use super::key::{SessionKey, of_record};
use crate::clock::Timestamp;
use crate::store::{About, RecordName, StoreError, Stored};

/// A session that is stored and not here.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoredSession {
    /// Its record.
    pub record: RecordName,
    /// Whom it acts for; `None` if it names no account.
    pub key: Option<Arc<SessionKey>>,
    /// When it was made, written and used, and by what. Of a record that says nothing of it, when
    /// it was connected.
    pub about: About,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

/// Reads stored sessions that are not here one after the other, in the order of their names. Kept
/// of each is its name until it is its turn, so that any number can be gone through.
pub struct StoredSessions {
    inner: Arc<Inner>,
    names: std::vec::IntoIter<RecordName>,
}

impl StoredSessions {
    pub(super) fn new(inner: Arc<Inner>, names: Vec<RecordName>) -> Self {
        Self {
            inner,
            names: names.into_iter(),
        }
    }

    /// The next one; `None` when all were read. Those that ended or were restored meanwhile are
    /// passed over; one that cannot be read is an error, and the next call goes on behind it.
    ///
    /// # Cancel safety
    ///
    /// One session is passed over if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<StoredSession, StoreError>> {
        let store = self.inner.config.store.clone()?;
        loop {
            let record = self.names.next()?;
            if self.inner.lock().owner(&record).is_some() {
                continue;
            }
            let loaded = self.inner.within_deadline(store.load(&record)).await;
            match loaded {
                Ok(Stored::Record { record: read, .. }) => {
                    let about = read.about.as_deref().cloned();
                    return Some(Ok(StoredSession {
                        record,
                        key: of_record(&read),
                        about: about.unwrap_or_else(|| About::new(read.connected_at)),
                        expires_at: read.expires_at,
                    }));
                }
                Ok(Stored::Nothing | Stored::Tombstone { .. }) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The next ones, at most `sessions` of them; fewer only at the end.
    ///
    /// # Cancel safety
    ///
    /// Those that were read are passed over if the future is dropped.
    pub async fn page(&mut self, sessions: usize) -> Vec<Result<StoredSession, StoreError>> {
        let mut page = Vec::new();
        while page.len() < sessions
            && let Some(next) = self.next().await
        {
            page.push(next);
        }
        page
    }
}

impl std::fmt::Debug for StoredSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSessions")
            .field("left", &self.names.len())
            .finish_non_exhaustive()
    }
}
