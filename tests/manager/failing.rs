//! A store that does not do as it is told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::store::{
    MemoryStore, Record, RecordName, Revision, Store, StoreError, StoreFuture, Stored, Tombstone,
};

/// A store that fails by name, and does not say where its records stand.
#[derive(Clone)]
pub(crate) struct Failing {
    inner: MemoryStore,
    how: Arc<Mutex<How>>,
}

#[derive(Clone, Default)]
struct How {
    refuses: HashSet<RecordName>,
    unreadable: HashSet<RecordName>,
    set_aside: Vec<RecordName>,
    slow: Duration,
}

impl Failing {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        let how = Arc::default();
        Self { inner, how }
    }

    pub(crate) fn refuse_writes_to(&self, name: &RecordName) {
        self.how.lock().unwrap().refuses.insert(name.clone());
    }

    pub(crate) fn accept_writes(&self) {
        self.how.lock().unwrap().refuses.clear();
    }

    pub(crate) fn spoil(&self, name: &RecordName) {
        self.how.lock().unwrap().unreadable.insert(name.clone());
    }

    pub(crate) fn set_aside(&self) -> Vec<RecordName> {
        self.how.lock().unwrap().set_aside.clone()
    }

    /// Records are written after this long, whoever waits for it or not. Removals are not slow.
    pub(crate) fn slow_saves(&self, by: Duration) {
        self.how.lock().unwrap().slow = by;
    }

    fn how(&self) -> How {
        self.how.lock().unwrap().clone()
    }

    fn check(&self, name: &RecordName) -> Result<(), StoreError> {
        if self.how().unreadable.contains(name) {
            return Err(StoreError::Unreadable {
                name: name.clone(),
                reason: "torn".into(),
            });
        }
        Ok(())
    }

    async fn write<F>(
        &self,
        name: RecordName,
        slow: Duration,
        write: F,
    ) -> Result<Revision, StoreError>
    where
        F: Future<Output = Result<Revision, StoreError>> + Send + 'static,
    {
        self.check(&name)?;
        let how = self.how();
        if how.refuses.contains(&name) {
            return Err(StoreError::Unavailable {
                reason: "disk full".into(),
            });
        }
        if slow.is_zero() {
            return write.await;
        }
        let later = async move {
            tokio::time::sleep(slow).await;
            write.await
        };
        tokio::spawn(later).await.unwrap()
    }
}

impl Store for Failing {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async move {
            self.check(name)?;
            self.inner.load(name).await
        })
    }

    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        let (inner, place) = (self.inner.clone(), name.clone());
        let write = async move { inner.save(&place, record, expected).await };
        Box::pin(self.write(name.clone(), self.how().slow, write))
    }

    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        let (inner, place) = (self.inner.clone(), name.clone());
        let write = async move { inner.erase(&place, tombstone, expected).await };
        Box::pin(self.write(name.clone(), Duration::ZERO, write))
    }

    fn set_aside<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            let how = &mut *self.how.lock().unwrap();
            if how.unreadable.remove(name) {
                how.set_aside.push(name.clone());
            }
            Ok(self.inner.peek(name).revision())
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        self.inner.list()
    }
}
