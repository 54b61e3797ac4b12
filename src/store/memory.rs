//! Records in memory: gone with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::feed::Feed;
use super::{
    Change, Changes, Record, RecordName, Revision, Slot, Store, StoreError, StoreFuture, Stored,
    Tombstone,
};

/// Keeps records in memory. Clones share them: sessions of one process, or a session before and
/// after a simulated restart.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    records: Arc<Mutex<BTreeMap<RecordName, Place>>>,
    feed: Feed,
}

#[derive(Debug)]
struct Place {
    /// Names are numbered as they come: the number is the slot.
    number: u64,
    stored: Stored,
}

impl Place {
    fn slot(&self) -> Slot {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&self.number.to_be_bytes());
        Slot::new(bytes)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// What stands under a name, without waiting.
    pub fn peek(&self, name: &RecordName) -> Stored {
        let records = self.lock();
        let place = records.get(name);
        place.map_or(Stored::Nothing, |place| place.stored.clone())
    }

    /// Puts something under a name whatever stands there, as another process might. Its revision
    /// should be higher than the present one.
    pub fn put(&self, name: RecordName, stored: Stored) {
        let revision = stored.revision();
        let slot = {
            let mut records = self.lock();
            let place = place(&mut records, &name);
            place.stored = stored;
            place.slot()
        };
        self.feed.tell(Change::Written { slot, revision });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RecordName, Place>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(
        &self,
        name: &RecordName,
        expected: Revision,
        write: impl FnOnce(Revision) -> Stored,
    ) -> Result<Revision, StoreError> {
        let (slot, revision) = {
            let mut records = self.lock();
            let place = place(&mut records, name);
            let found = place.stored.revision();
            if found != expected {
                return Err(StoreError::Conflict {
                    name: name.clone(),
                    expected,
                    found,
                });
            }
            place.stored = write(found.next());
            (place.slot(), found.next())
        };
        self.feed.tell(Change::Written { slot, revision });
        Ok(revision)
    }
}

fn place<'a>(records: &'a mut BTreeMap<RecordName, Place>, name: &RecordName) -> &'a mut Place {
    // Nothing is ever taken out: no number is given twice.
    let number = records.len() as u64;
    records.entry(name.clone()).or_insert(Place {
        number,
        stored: Stored::Nothing,
    })
}

impl Store for MemoryStore {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async move { Ok(self.peek(name)) })
    }

    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.replace(name, expected, |revision| Stored::Record {
                record,
                revision,
            })
        })
    }

    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.replace(name, expected, |revision| Stored::Tombstone {
                tombstone,
                revision,
            })
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        Box::pin(async move {
            let records = self.lock();
            let written = records
                .iter()
                .filter(|(_, place)| place.stored != Stored::Nothing);
            Ok(written.map(|(name, _)| name.clone()).collect())
        })
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.feed.listen())
    }

    fn slot<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        Box::pin(async move { Ok(Some(place(&mut self.lock(), name).slot())) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::identity::Account;
    use crate::snapshot::DisconnectReason;

    fn record() -> Record {
        Record::new(
            "test",
            vec![Account::primary("alice")],
            None,
            Timestamp::EPOCH,
        )
    }

    #[tokio::test]
    async fn a_late_write_does_not_bring_back_what_was_erased() {
        let (store, name) = (MemoryStore::new(), RecordName::from("s"));
        let first = store.save(&name, record(), Revision::NONE).await.unwrap();
        let tombstone = Tombstone::new(DisconnectReason::User, Timestamp::EPOCH);
        let erased = store.erase(&name, tombstone, first).await.unwrap();
        let late = store.save(&name, record(), first).await;
        assert_eq!(
            late,
            Err(StoreError::Conflict {
                name: name.clone(),
                expected: first,
                found: erased
            })
        );
        assert!(matches!(store.peek(&name), Stored::Tombstone { .. }));
        assert_eq!(store.list().await.unwrap(), [name]);
    }
}
