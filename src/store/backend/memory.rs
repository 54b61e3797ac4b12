//! Bytes in memory: gone with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Backend, BackendError, BackendFuture, Blob, Slot};
use crate::store::feed::Feed;
use crate::store::{Change, Changes, Revision};

/// Keeps bytes in memory. Clones share them, as two processes share a folder.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    slots: Arc<Mutex<Slots>>,
    feed: Feed,
}

#[derive(Debug, Default)]
struct Slots {
    current: BTreeMap<Slot, Blob>,
    aside: Vec<(Slot, Blob)>,
}

impl Memory {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts anything into a slot, whatever stands there: as a fault would.
    pub fn overwrite(&self, slot: Slot, blob: Blob) {
        let revision = blob.revision;
        self.lock().current.insert(slot, blob);
        self.tell(slot, revision);
    }

    fn tell(&self, slot: Slot, revision: Revision) {
        self.feed.tell(Change::Written { slot, revision });
    }

    /// What was set aside, oldest first.
    pub fn aside(&self) -> Vec<(Slot, Blob)> {
        self.lock().aside.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slots {
    fn check(&self, slot: Slot, expected: Revision) -> Result<(), BackendError> {
        let found = self.current.get(&slot).map(|blob| blob.revision);
        match found.unwrap_or(Revision::NONE) {
            found if found == expected => Ok(()),
            found => Err(BackendError::Conflict { found }),
        }
    }
}

impl Backend for Memory {
    fn describe(&self) -> String {
        "memory".into()
    }

    fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>> {
        Box::pin(async move { Ok(self.lock().current.get(&slot).cloned()) })
    }

    fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(async move {
            let revision = blob.revision;
            {
                let mut slots = self.lock();
                slots.check(slot, expected)?;
                slots.current.insert(slot, blob);
            }
            self.tell(slot, revision);
            Ok(())
        })
    }

    fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>> {
        Box::pin(async move {
            {
                let mut slots = self.lock();
                let Some(blob) = slots.current.remove(&slot) else {
                    return Ok(None);
                };
                slots.aside.push((slot, blob));
            }
            self.tell(slot, Revision::NONE);
            Ok(Some("memory".into()))
        })
    }

    fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(async move {
            let removed = {
                let mut slots = self.lock();
                slots.check(slot, expected)?;
                slots.current.remove(&slot)
            };
            if removed.is_some() {
                self.tell(slot, Revision::NONE);
            }
            Ok(())
        })
    }

    fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
        Box::pin(async move { Ok(self.lock().current.keys().copied().collect()) })
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.feed.listen())
    }
}
