use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::identity::Account;
use crate::snapshot::DisconnectReason;
use crate::store::{
    Changes, MemoryStore, Record, Revision, Slot, StoreError, StoreFuture, Stored, Tombstone,
};

/// Counts what is read, and may be away.
#[derive(Clone, Default)]
struct Watched {
    inner: MemoryStore,
    loads: Arc<AtomicUsize>,
    away: Arc<AtomicBool>,
    /// Whether the news breaks off.
    deaf: Arc<AtomicBool>,
}

impl Watched {
    fn loads(&self) -> usize {
        self.loads.load(Ordering::Relaxed)
    }
}

impl Store for Watched {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) {
            let reason = "away".into();
            return Box::pin(async { Err(StoreError::Unavailable { reason }) });
        }
        self.inner.load(name)
    }
    fn save<'a>(&'a self, n: &'a RecordName, r: Record, e: Revision) -> StoreFuture<'a, Revision> {
        self.inner.save(n, r, e)
    }
    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        self.inner.erase(name, tombstone, expected)
    }
    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        self.inner.list()
    }
    fn changes(&self) -> Option<Changes> {
        if self.deaf.load(Ordering::Relaxed) {
            return None;
        }
        self.inner.changes()
    }
    fn slot<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        self.inner.slot(name)
    }
}

type Heard = Arc<Mutex<Vec<Notice>>>;

fn join(bus: &StoreBus, name: &str) -> (StoreMember, Heard) {
    let member = bus.member(name);
    let heard = Heard::default();
    let log = heard.clone();
    member.subscribe(Box::new(move |notice| {
        log.lock().unwrap().push(notice);
        true
    }));
    (member, heard)
}

fn take(heard: &Heard) -> Vec<Notice> {
    std::mem::take(&mut *heard.lock().unwrap())
}

fn put(store: &Watched, name: &str, account: &str, revision: u64) {
    let record = Record::new(
        "test",
        vec![Account::primary(account)],
        None,
        Timestamp::EPOCH,
    );
    let revision = Revision::new(revision);
    store
        .inner
        .put(name.into(), Stored::Record { record, revision });
}

fn end(store: &Watched, name: &str, revision: u64) {
    let tombstone = Tombstone::new(DisconnectReason::User, Timestamp::EPOCH);
    let revision = Revision::new(revision);
    let stored = Stored::Tombstone {
        tombstone,
        revision,
    };
    store.inner.put(name.into(), stored);
}

fn party(account: &str) -> Notice {
    let account = account.into();
    Notice::PartyChanged { account }
}

async fn settle() {
    for _ in 0..256 {
        tokio::task::yield_now().await;
    }
}

fn bus() -> (StoreBus, Watched) {
    let store = Watched::default();
    let bus = StoreBus::new(Arc::new(store.clone())).unwrap();
    (bus, store)
}

#[tokio::test(start_paused = true)]
async fn each_hears_of_its_own_record_and_many_of_one_read_it_once() {
    let (bus, store) = bus();
    put(&store, "a", "alice", 1);
    put(&store, "b", "bob", 1);
    let members: Vec<_> = (0..100).map(|_| join(&bus, "a")).collect();
    let (_other, other) = join(&bus, "b");
    settle().await;
    // Not all of them arrive at once.
    let before = store.loads();
    assert!(before <= 4, "{before}");
    put(&store, "a", "carol", 2);
    settle().await;
    assert_eq!(store.loads(), before + 1);
    for (_, heard) in &members {
        assert_eq!(take(heard), [party("carol")]);
    }
    assert_eq!(take(&other), []);
    assert_eq!(bus.members(), 101);
}

#[tokio::test(start_paused = true)]
async fn those_who_leave_are_forgotten() {
    let (bus, store) = bus();
    let mut kept = Vec::new();
    for number in 0..1000 {
        let (member, _) = join(&bus, &format!("{number}"));
        if number % 100 == 0 {
            kept.push(member);
        }
        if number % 250 == 0 {
            settle().await;
        }
    }
    settle().await;
    assert_eq!(bus.members(), 10);
    drop(kept);
    settle().await;
    assert_eq!(bus.members(), 0);
    let loads = store.loads();
    put(&store, "100", "alice", 1);
    settle().await;
    assert_eq!(store.loads(), loads);
    // The task ends with the last of them.
    let (last, _) = join(&bus, "last");
    let core = Arc::downgrade(&bus.0.core);
    drop(bus);
    settle().await;
    assert!(core.upgrade().is_some());
    drop(last);
    settle().await;
    assert!(core.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn after_a_gap_everything_is_looked_at_again() {
    let (bus, store) = bus();
    let members: Vec<_> = (0..200).map(|n| (n, join(&bus, &format!("{n}")))).collect();
    for (number, _) in &members {
        put(&store, &format!("{number}"), "alice", 1);
    }
    settle().await;
    // More than a feed keeps, before anybody can listen.
    for revision in 2..=20 {
        for (number, _) in &members {
            put(&store, &format!("{number}"), "bob", revision);
        }
    }
    let before = store.loads();
    for _ in 0..16 {
        settle().await;
    }
    for (number, (_, heard)) in &members {
        assert_eq!(take(heard), [party("bob")], "{number}");
    }
    assert!(store.loads() - before <= 2 * 200, "{}", store.loads());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_asked_again_and_nothing_is_lost() {
    let (bus, store) = bus();
    put(&store, "a", "alice", 1);
    let (_member, heard) = join(&bus, "a");
    let others: Vec<_> = (0..50).map(|n| join(&bus, &format!("{n}"))).collect();
    settle().await;
    store.away.store(true, Ordering::Relaxed);
    end(&store, "a", 2);
    for (number, _) in others.iter().enumerate() {
        put(&store, &format!("{number}"), "alice", 1);
    }
    let before = store.loads();
    tokio::time::sleep(Duration::from_secs(60)).await;
    // What was under way, then 100 ms, 200 ms and so on to 30 s, one at a time.
    let asked = store.loads() - before;
    assert!(asked <= 32 + 11, "{asked}");
    assert_eq!(take(&heard), []);
    store.away.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(take(&heard), [Notice::Disconnected]);
    let before = store.loads();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(store.loads(), before, "and then is left in peace");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_moves_hears_of_the_new_place_alone() {
    let (bus, store) = bus();
    put(&store, "old", "alice", 7);
    end(&store, "new", 3);
    let (member, heard) = join(&bus, "old");
    settle().await;
    member.move_to("new");
    settle().await;
    assert_eq!(take(&heard), [], "what stands there is an earlier session");
    end(&store, "old", 8);
    settle().await;
    assert_eq!(take(&heard), []);
    // Lower than the revision it knew at the old place.
    put(&store, "new", "alice", 4);
    end(&store, "new", 5);
    settle().await;
    assert_eq!(take(&heard), [Notice::Disconnected]);
    member.take_away();
    put(&store, "new", "bob", 6);
    end(&store, "new", 7);
    settle().await;
    assert_eq!(take(&heard), []);
    assert_eq!(bus.members(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_while_a_member_is_on_its_way_is_not_missed() {
    let (bus, store) = bus();
    put(&store, "a", "alice", 1);
    let (member, heard) = join(&bus, "a");
    // As a session that restores: it has read before it is placed, and somebody writes then.
    member.own(Own::Loading);
    member.own(Own::Found(&store.inner.peek(&"a".into())));
    end(&store, "a", 2);
    settle().await;
    assert_eq!(take(&heard), [Notice::Disconnected]);
    assert_eq!(store.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restored_session_costs_no_look() {
    let (bus, store) = bus();
    put(&store, "a", "alice", 1);
    let (member, _) = join(&bus, "a");
    member.own(Own::Loading);
    settle().await;
    member.own(Own::Found(&store.inner.peek(&"a".into())));
    put(&store, "elsewhere", "bob", 1);
    settle().await;
    assert_eq!(store.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_panics_keeps_the_news_from_nobody() {
    let (bus, store) = bus();
    put(&store, "a", "alice", 1);
    let bad = bus.member("a");
    bad.subscribe(Box::new(|_| panic!("not today")));
    let (_good, heard) = join(&bus, "a");
    settle().await;
    put(&store, "a", "bob", 2);
    settle().await;
    assert_eq!(take(&heard), [party("bob")]);
}

#[tokio::test]
async fn a_store_that_cannot_tell_is_refused() {
    let store = Watched::default();
    store.deaf.store(true, Ordering::Relaxed);
    let refused = StoreBus::new(Arc::new(store)).unwrap_err();
    assert_eq!(refused, BuildError::NoChanges);
}

#[test]
fn a_bus_needs_a_runtime() {
    let refused = StoreBus::new(Arc::new(MemoryStore::new())).unwrap_err();
    assert_eq!(refused, BuildError::NoRuntime);
}
