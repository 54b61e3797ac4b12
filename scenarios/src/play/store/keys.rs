//! A key that can be lost and found, and that remembers the revisions of records.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline::store::KeySource;
use moorline::store::backend::Slot;
use moorline::store::keys::{KeyError, KeyFuture, KeyId, KeySet, Marks};

/// Always the same key: nothing of it shows in a scenario.
const KEY: [u8; 32] = [7; 32];

#[derive(Clone, Default)]
pub(super) struct ScriptedKeys {
    lost: Arc<AtomicBool>,
    marks: Arc<Mutex<BTreeMap<Slot, u64>>>,
}

impl ScriptedKeys {
    pub(super) fn lose(&self, lost: bool) {
        self.lost.store(lost, Ordering::Relaxed);
    }

    /// The same key for somebody who never loses it.
    pub(super) fn never_lost(&self) -> Self {
        Self {
            lost: Arc::default(),
            marks: self.marks.clone(),
        }
    }

    fn key(&self) -> Result<KeySet, KeyError> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(KeyError::unavailable("the key is not there"));
        }
        Ok(KeySet::from_key(KEY))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Slot, u64>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for ScriptedKeys {
    fn describe(&self) -> String {
        "the scenario".into()
    }

    fn load(&self) -> KeyFuture<'_, Option<KeySet>> {
        Box::pin(async { self.key().map(Some) })
    }

    fn create(&self) -> KeyFuture<'_, KeySet> {
        Box::pin(async { self.key() })
    }

    fn replace(&self, _expected: KeyId, _next: KeySet) -> KeyFuture<'_, KeySet> {
        Box::pin(async { Err(KeyError::read_only("a scenario has one key")) })
    }

    fn marks(&self) -> Option<&dyn Marks> {
        Some(self)
    }
}

impl Marks for ScriptedKeys {
    fn highest(&self, slot: Slot) -> KeyFuture<'_, u64> {
        Box::pin(async move { Ok(self.lock().get(&slot).copied().unwrap_or_default()) })
    }

    fn raise(&self, slot: Slot, revision: u64) -> KeyFuture<'_, ()> {
        Box::pin(async move {
            let mut marks = self.lock();
            let mark = marks.entry(slot).or_default();
            *mark = revision.max(*mark);
            Ok(())
        })
    }

    fn forget(&self, slot: Slot) -> KeyFuture<'_, ()> {
        Box::pin(async move {
            self.lock().remove(&slot);
            Ok(())
        })
    }
}
