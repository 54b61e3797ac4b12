//! A store whose calls can be held up, one that other processes write to, and one that lies.

use std::sync::{Arc, Mutex};

use moorline::store::{
    MemoryStore, Record, RecordName, Revision, Store, StoreFuture, Stored, Tombstone,
};
use moorline::{DisconnectReason, Timestamp};
use tokio::sync::Semaphore;

use crate::world::Fault;

#[derive(Clone)]
pub(crate) struct GatedStore {
    pub(crate) memory: MemoryStore,
    gate: Arc<Mutex<Option<Arc<Semaphore>>>>,
    fault: Option<Fault>,
}

impl GatedStore {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self {
            memory: MemoryStore::new(),
            gate: Arc::default(),
            fault,
        }
    }

    pub(crate) fn hold(&self) {
        *self.gate.lock().unwrap() = Some(Arc::new(Semaphore::new(0)));
    }

    pub(crate) fn is_held(&self) -> bool {
        self.gate.lock().unwrap().is_some()
    }

    /// Lets one call through.
    pub(crate) fn step(&self) {
        if let Some(gate) = &*self.gate.lock().unwrap() {
            gate.add_permits(1);
        }
    }

    pub(crate) fn release(&self) {
        if let Some(gate) = self.gate.lock().unwrap().take() {
            gate.add_permits(Semaphore::MAX_PERMITS / 2);
        }
    }

    /// Another process ends a session.
    pub(crate) fn end(&self, name: &RecordName) {
        let revision = self.memory.peek(name).revision().next();
        let tombstone = Tombstone::new(DisconnectReason::User, Timestamp::EPOCH);
        let ended = Stored::Tombstone {
            tombstone,
            revision,
        };
        self.memory.put(name.clone(), ended);
    }

    async fn pass(&self) {
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
    }
}

impl Store for GatedStore {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async move {
            self.pass().await;
            self.memory.load(name).await
        })
    }

    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.pass().await;
            if self.fault == Some(Fault::LostRecords) && name.as_str().ends_with("/b") {
                return Ok(expected.next());
            }
            self.memory.save(name, record, expected).await
        })
    }

    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.pass().await;
            if self.fault == Some(Fault::LostTombstones) {
                return Ok(expected.next());
            }
            self.memory.erase(name, tombstone, expected).await
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        Box::pin(async move {
            self.pass().await;
            self.memory.list().await
        })
    }
}
