//! A store that does not always do as it is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::store::{
    Changes, MemoryStore, Record, RecordName, Revision, Slot, Store, StoreError, StoreFuture,
    Stored, Tombstone,
};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(dead_code, reason = "not every test knows every mood")]
pub(crate) enum Mood {
    /// Does as it is told.
    #[default]
    Well,
    /// Writes take two seconds.
    Slow,
    /// Writes fail.
    Full,
    /// Everything fails.
    Away,
}

/// A store in memory, and its mood. Clones are the same store.
#[derive(Clone, Default)]
pub(crate) struct Moody {
    pub(crate) memory: MemoryStore,
    mood: Arc<Mutex<Mood>>,
}

impl Moody {
    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn there(&self) -> Result<&MemoryStore, StoreError> {
        self.unless(Mood::Away, "away")
    }

    async fn writable(&self) -> Result<&MemoryStore, StoreError> {
        if *self.mood.lock().unwrap() == Mood::Slow {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        self.unless(Mood::Full, "disk full")?;
        self.there()
    }

    fn unless(&self, mood: Mood, reason: &str) -> Result<&MemoryStore, StoreError> {
        let reason = reason.into();
        match *self.mood.lock().unwrap() == mood {
            true => Err(StoreError::Unavailable { reason }),
            false => Ok(&self.memory),
        }
    }
}

impl Store for Moody {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async move { self.there()?.load(name).await })
    }

    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move { self.writable().await?.save(name, record, expected).await })
    }

    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.writable()
                .await?
                .erase(name, tombstone, expected)
                .await
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        Box::pin(async move { self.there()?.list().await })
    }

    fn changes(&self) -> Option<Changes> {
        self.memory.changes()
    }

    fn slot<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        self.memory.slot(name)
    }
}
