//! A store that does as it is told.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline::snapshot::DisconnectReason;
use moorline::store::{
    MemoryStore, Record, RecordName, Revision, Store, StoreError, StoreFuture, Stored, Tombstone,
};
use moorline::{Account, NetworkId, Timestamp};

use crate::model::StoreCall;

/// A memory store between the session and a script.
#[derive(Clone, Debug, Default)]
pub(super) struct ScriptedStore {
    inner: MemoryStore,
    mood: Arc<Mutex<Mood>>,
}

#[derive(Debug, Default)]
struct Mood {
    load: Treatment,
    write: Treatment,
    corrupt: bool,
    writes: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Treatment {
    #[default]
    Works,
    Slow(Duration),
    Fails(Option<u32>),
    Hangs,
}

/// The name under which the session is stored.
pub(super) const RECORD: &str = "session";

impl ScriptedStore {
    fn lock(&self) -> MutexGuard<'_, Mood> {
        self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn treat(&self, calls: StoreCall, treatment: &Treatment) {
        let mut mood = self.lock();
        if calls != StoreCall::Write {
            mood.load = treatment.clone();
        }
        if calls != StoreCall::Load {
            mood.write = treatment.clone();
        }
        if matches!(treatment, Treatment::Works) {
            mood.corrupt = false;
        }
    }

    pub(super) fn corrupt(&self) {
        self.lock().corrupt = true;
    }

    pub(super) fn writes(&self) -> u64 {
        self.lock().writes
    }

    pub(super) fn peek(&self) -> Stored {
        self.inner.peek(&RECORD.into())
    }

    /// Another process writes a record.
    pub(super) fn put(
        &self,
        accounts: Vec<Account>,
        network: Option<NetworkId>,
        expires_at: Option<Timestamp>,
        provider: &str,
        now: Timestamp,
    ) {
        let revision = self.peek().revision().next();
        let mut record = Record::new(provider, accounts, network, now);
        record.expires_at = expires_at;
        let stored = Stored::Record { record, revision };
        self.inner.put(RECORD.into(), stored);
    }

    /// Another process ends the session.
    pub(super) fn end(&self, now: Timestamp) {
        let revision = self.peek().revision().next();
        let tombstone = Tombstone::new(DisconnectReason::User, now);
        let stored = Stored::Tombstone {
            tombstone,
            revision,
        };
        self.inner.put(RECORD.into(), stored);
    }

    async fn pass(&self, write: bool) -> Result<(), StoreError> {
        let treatment = {
            let mut mood = self.lock();
            mood.writes += u64::from(write);
            let treatment = if write {
                &mut mood.write
            } else {
                &mut mood.load
            };
            let now = treatment.clone();
            if let Treatment::Fails(Some(times)) = treatment {
                *times = times.saturating_sub(1);
                if *times == 0 {
                    *treatment = Treatment::Works;
                }
            }
            now
        };
        match treatment {
            Treatment::Works => Ok(()),
            Treatment::Slow(by) => {
                tokio::time::sleep(by).await;
                Ok(())
            }
            Treatment::Fails(_) => Err(StoreError::Unavailable {
                reason: "scripted".into(),
            }),
            Treatment::Hangs => pending().await,
        }
    }

    fn readable(&self, name: &RecordName) -> Result<(), StoreError> {
        if self.lock().corrupt {
            return Err(StoreError::Unreadable {
                name: name.clone(),
                reason: "scripted".into(),
            });
        }
        Ok(())
    }
}

impl Store for ScriptedStore {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async move {
            self.pass(false).await?;
            self.readable(name)?;
            self.inner.load(name).await
        })
    }

    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.pass(true).await?;
            self.inner.save(name, record, expected).await
        })
    }

    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.pass(true).await?;
            self.inner.erase(name, tombstone, expected).await
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        self.inner.list()
    }
}
