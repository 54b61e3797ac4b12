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
    /// What is asked for a list is not answered.
    Unlisted,
    /// Nothing is answered.
    Silent,
}

/// A store in memory, and its mood. Clones are the same store.
#[derive(Clone, Default)]
pub(crate) struct Moody {
    pub(crate) memory: MemoryStore,
    mood: Arc<Mutex<Mood>>,
}

impl Moody {
    #[allow(dead_code, reason = "not every test begins with something")]
    pub(crate) fn of(memory: MemoryStore) -> Self {
        let mood = Arc::default();
        Self { memory, mood }
    }

    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    async fn there(&self) -> Result<&MemoryStore, StoreError> {
        self.unless_silent(&[Mood::Silent]).await;
        self.unless(Mood::Away, "away")
    }

    async fn unless_silent(&self, moods: &[Mood]) {
        let silent = moods.contains(&self.mood.lock().unwrap());
        if silent {
            std::future::pending::<()>().await;
        }
    }

    async fn writable(&self) -> Result<&MemoryStore, StoreError> {
        if *self.mood.lock().unwrap() == Mood::Slow {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        self.unless(Mood::Full, "disk full")?;
        self.there().await
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
        Box::pin(async move { self.there().await?.load(name).await })
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
        Box::pin(async move {
            self.unless_silent(&[Mood::Unlisted]).await;
            self.there().await?.list().await
        })
    }

    fn changes(&self) -> Option<Changes> {
        self.memory.changes()
    }

    fn slot<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        Box::pin(async move { self.there().await?.slot(name).await })
    }
}
