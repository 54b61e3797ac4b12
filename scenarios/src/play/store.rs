//! A store that does as it is told: sealed records in memory, as a process sees them and as
//! somebody who changes them behind its back does.

mod keys;

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use moorline::snapshot::DisconnectReason;
use moorline::store::backend::{Backend, Blob, Memory, Slot};
use moorline::store::{
    Changes, EncryptedStore, Record, RecordName, Revision, Store, StoreError, StoreFuture, Stored,
    Tombstone,
};
use moorline::{Account, NetworkId, Timestamp};

use self::keys::ScriptedKeys;
use crate::model::StoreCall;

const APPLICATION: &str = "scenario";

/// A store between the session and a script.
#[derive(Clone)]
pub(super) struct ScriptedStore {
    memory: Memory,
    keys: ScriptedKeys,
    /// As another process has it open, whose key is never lost.
    other: EncryptedStore<Memory>,
    mood: Arc<Mutex<Mood>>,
    /// How many writes took effect, whoever made them.
    written: Arc<AtomicU64>,
}

struct Mood {
    /// As the session's process has it open.
    own: EncryptedStore<Memory>,
    load: Treatment,
    write: Treatment,
    /// What was damaged: as it was, and as it is.
    damaged: Option<(Slot, Blob, Blob)>,
    /// The first record that was written.
    first: Option<(Slot, Blob)>,
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

impl Default for ScriptedStore {
    fn default() -> Self {
        let (memory, keys) = (Memory::new(), ScriptedKeys::default());
        let open = |keys| EncryptedStore::new(memory.clone(), keys, APPLICATION);
        let mood = Mood {
            own: open(keys.clone()),
            load: Treatment::Works,
            write: Treatment::Works,
            damaged: None,
            first: None,
            writes: 0,
        };
        Self {
            other: open(keys.never_lost()),
            mood: Arc::new(Mutex::new(mood)),
            memory,
            keys,
            written: Arc::default(),
        }
    }
}

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
        if !matches!(treatment, Treatment::Works) {
            return;
        }
        // Repaired, unless it was written over meanwhile.
        if let Some((slot, good, bad)) = mood.damaged.take()
            && self.blob(slot).as_ref() == Some(&bad)
        {
            self.memory.overwrite(slot, good);
        }
    }

    /// The process that has the store open ends, and a new one opens it.
    pub(super) fn reopen(&self) {
        let own = EncryptedStore::new(self.memory.clone(), self.keys.clone(), APPLICATION);
        self.lock().own = own;
    }

    /// Cuts the record short.
    pub(super) fn corrupt(&self) {
        let Some((slot, good)) = self.current() else {
            return;
        };
        let mut bad = good.clone();
        bad.bytes.truncate(bad.bytes.len() / 2);
        self.memory.overwrite(slot, bad.clone());
        self.lock().damaged = Some((slot, good, bad));
    }

    /// Puts the first record that was ever written in place of the present one.
    pub(super) fn replay(&self) {
        let first = self.lock().first.clone();
        if let Some((slot, blob)) = first {
            self.memory.overwrite(slot, blob);
        }
    }

    /// Whether a process that opens the store finds the key.
    pub(super) fn lose_key(&self, lost: bool) {
        self.keys.lose(lost);
    }

    /// As a second process has it open: nothing is done to it.
    pub(super) fn elsewhere(&self) -> Self {
        let keys = self.keys.never_lost();
        let mood = Mood {
            own: EncryptedStore::new(self.memory.clone(), keys.clone(), APPLICATION),
            load: Treatment::Works,
            write: Treatment::Works,
            damaged: None,
            first: None,
            writes: 0,
        };
        Self {
            mood: Arc::new(Mutex::new(mood)),
            keys,
            ..self.clone()
        }
    }

    /// How many writes took effect, whoever made them.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn count<T>(&self, result: &Result<T, StoreError>) {
        let written = u64::from(result.is_ok());
        self.written.fetch_add(written, Ordering::Relaxed);
    }

    pub(super) fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// How many records were set aside.
    pub(super) fn aside(&self) -> usize {
        self.memory.aside().len()
    }

    pub(super) fn peek(&self) -> Result<Stored, StoreError> {
        at_once(self.other.load(&RECORD.into()))
    }

    fn current(&self) -> Option<(Slot, Blob)> {
        let slot = at_once(async { Ok(self.memory.list().await.unwrap_or_default()) });
        let slot = slot.ok()?.into_iter().next()?;
        Some((slot, self.blob(slot)?))
    }

    fn blob(&self, slot: Slot) -> Option<Blob> {
        let blob = at_once(async { Ok(self.memory.get(slot).await.ok().flatten()) });
        blob.ok().flatten()
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
        let mut record = Record::new(provider, accounts, network, now);
        record.expires_at = expires_at;
        self.write_elsewhere(|revision| {
            Box::pin(async move { self.other.save(&RECORD.into(), record, revision).await })
        });
    }

    /// Another process ends the session.
    pub(super) fn end(&self, now: Timestamp) {
        let tombstone = Tombstone::new(DisconnectReason::User, now);
        self.write_elsewhere(|revision| {
            Box::pin(async move { self.other.erase(&RECORD.into(), tombstone, revision).await })
        });
    }

    fn write_elsewhere<'a>(&'a self, write: impl FnOnce(Revision) -> StoreFuture<'a, Revision>) {
        let revision = self
            .peek()
            .map_or(Revision::NONE, |stored| stored.revision());
        // What cannot be read stays: the other process fares no better.
        self.count(&at_once(write(revision)));
    }

    /// Notes the first record, for [`replay`](Self::replay).
    fn note_first(&self) {
        let current = self.current();
        let mut mood = self.lock();
        if mood.first.is_none() {
            mood.first = current;
        }
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

    fn own(&self) -> EncryptedStore<Memory> {
        self.lock().own.clone()
    }
}

/// The result of what never waits.
fn at_once<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let mut call = std::pin::pin!(call);
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(StoreError::Unavailable {
            reason: "it waits".into(),
        }),
    }
}

impl Store for ScriptedStore {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async move {
            self.pass(false).await?;
            self.own().load(name).await
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
            let saved = self.own().save(name, record, expected).await;
            self.count(&saved);
            self.note_first();
            saved
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
            let erased = self.own().erase(name, tombstone, expected).await;
            self.count(&erased);
            erased
        })
    }

    fn set_aside<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Revision> {
        Box::pin(async move { self.own().set_aside(name).await })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        Box::pin(async move { self.own().list().await })
    }

    fn changes(&self) -> Option<Changes> {
        self.own().changes()
    }

    fn slot<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        Box::pin(async move { self.own().slot(name).await })
    }
}
