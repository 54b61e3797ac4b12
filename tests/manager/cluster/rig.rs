//! Two processes played in one, and what they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moorline::manager::{ManagerEventKind, ManagerEvents, SessionKey, SessionManager, TakeOver};
use moorline::provider::{CloseMode, ErrorKind, Sent};
use moorline::store::backend::{Backend, BackendError, BackendFuture, Blob, Memory};
use moorline::store::{
    Changes, MemoryStore, Record, RecordName, Revision, Slot, Store, StoreError, StoreFuture,
    Stored, Tombstone,
};
use moorline::sync::lease::Leases;
use moorline::{Identity, OperationError};
use moorline_scripted::{Control, What};

use crate::support::{Wallets, name, own, published, settle, stored, wallet};

pub(crate) const TTL: Duration = Duration::from_secs(10);

/// What leases stand in, as one process reaches it.
#[derive(Clone)]
pub(crate) struct Wire {
    memory: Memory,
    cut: Arc<AtomicBool>,
}

impl Wire {
    fn check(&self) -> Result<(), BackendError> {
        match self.cut.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(BackendError::Unavailable {
                reason: "cut".into(),
            }),
        }
    }
}

impl Backend for Wire {
    fn describe(&self) -> String {
        "a wire".into()
    }
    fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>> {
        Box::pin(async move {
            self.check()?;
            self.memory.get(slot).await
        })
    }
    fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(async move {
            self.check()?;
            self.memory.put(slot, blob, expected).await
        })
    }
    fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>> {
        self.memory.set_aside(slot)
    }
    fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(async move {
            self.check()?;
            self.memory.remove(slot, expected).await
        })
    }
    fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
        Box::pin(async move {
            self.check()?;
            self.memory.list().await
        })
    }
}

/// A store, as long as it can be reached.
#[derive(Clone, Default)]
pub(crate) struct Reached {
    pub(crate) store: MemoryStore,
    pub(crate) away: Arc<AtomicBool>,
    /// It does not say where records stand.
    pub(crate) placeless: bool,
}

impl Reached {
    fn there(&self) -> Result<&MemoryStore, StoreError> {
        match self.away.load(Ordering::Relaxed) {
            false => Ok(&self.store),
            true => Err(StoreError::Unavailable {
                reason: "away".into(),
            }),
        }
    }
}

impl Store for Reached {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async move { self.there()?.load(name).await })
    }
    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move { self.there()?.save(name, record, expected).await })
    }
    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move { self.there()?.erase(name, tombstone, expected).await })
    }
    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        Box::pin(async move { self.there()?.list().await })
    }
    fn changes(&self) -> Option<Changes> {
        self.store.changes()
    }
    fn slot<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        match self.placeless {
            true => Box::pin(async { Ok(None) }),
            false => self.store.slot(name),
        }
    }
}

/// One process.
pub(crate) struct Process {
    pub(crate) manager: SessionManager,
    pub(crate) wallets: Wallets,
    pub(crate) leases: Leases,
    pub(crate) events: ManagerEvents,
    pub(crate) cut: Arc<AtomicBool>,
}

impl Process {
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::Relaxed);
    }

    pub(crate) fn own(&mut self) -> Vec<String> {
        own(&mut self.events)
    }

    /// The reports of taking over by now: whose, under which epoch, from whom.
    pub(crate) fn taken_over(&mut self) -> Vec<(String, u64, Option<String>)> {
        published(&mut self.events)
            .iter()
            .filter_map(|event| match &event.kind {
                ManagerEventKind::TakenOver { epoch, previous } => Some((
                    event.key.as_ref()?.account.to_string(),
                    *epoch,
                    previous.as_ref().map(|it| it.name.to_string()),
                )),
                _ => None,
            })
            .collect()
    }
}

/// A store, and where leases stand.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub(crate) store: MemoryStore,
    pub(crate) leases: Memory,
    pub(crate) away: Arc<AtomicBool>,
}

impl Shared {
    pub(crate) async fn process(&self, member: &str, take_over: TakeOver) -> Process {
        let cut = Arc::<AtomicBool>::default();
        let wire = Wire {
            memory: self.leases.clone(),
            cut: cut.clone(),
        };
        let leases = Leases::builder(wire).member(member).ttl(TTL).join();
        let leases = leases.await.unwrap();
        let (builder, wallets) = stored(&self.store, |_, _| {});
        let store = Reached {
            store: self.store.clone(),
            away: self.away.clone(),
            placeless: false,
        };
        let builder = builder.store(store).leases(leases.clone());
        let builder = builder.take_over(take_over);
        let manager = builder.build().unwrap();
        let events = manager.events();
        Process {
            manager,
            wallets,
            leases,
            events,
            cut,
        }
    }

    /// Two that take over by themselves, one of them with these sessions.
    pub(crate) async fn two(&self, with: &[&str]) -> (Process, Process, Vec<Control>) {
        let mut one = self.process("one", TakeOver::default()).await;
        let two = self.process("two", TakeOver::default()).await;
        let mut controls = Vec::new();
        for account in with {
            let (provider, control) = wallet(account);
            one.manager.login(provider).await.unwrap();
            controls.push(control);
        }
        settle().await;
        one.own();
        (one, two, controls)
    }

    pub(crate) fn revision(&self, account: &str) -> Revision {
        self.store.peek(&name(account)).revision()
    }
}

pub(crate) fn key(account: &str) -> SessionKey {
    SessionKey::new(
        Identity::new(account, Some("canton:scripted".into())),
        "scripted",
    )
}

pub(crate) fn lease_lost(error: OperationError) -> Sent {
    match error {
        OperationError::Provider(error) => {
            assert_eq!(error.kind(), ErrorKind::LeaseLost, "{error}");
            assert!(!error.is_retryable());
            error.sent()
        }
        other => panic!("{other}"),
    }
}

pub(crate) fn closes(control: &Control) -> Vec<CloseMode> {
    let calls = control.calls();
    calls
        .iter()
        .filter_map(|call| match call.what {
            What::Close(mode) => Some(mode),
            _ => None,
        })
        .collect()
}

pub(crate) fn epochs(control: &Control) -> Vec<Option<u64>> {
    let calls = control.calls();
    let epoch = |call: &moorline_scripted::Call| call.fence.as_ref().map(|fence| fence.epoch);
    calls.iter().map(epoch).collect()
}
