//! Sessions that share a record and hear of each other by what is written there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use moorline::machine::RestoreOutcome;
use moorline::store::backend::{Files, Memory};
use moorline::store::{
    Changes, EncryptedStore, KeyFile, MemoryStore, Record, RecordName, Revision, Slot, Store,
    StoreFuture, Stored, Tombstone,
};
use moorline::sync::StoreBus;
use moorline::{Account, DisconnectReason, Session, Status};
use moorline_scripted::{Control, On};

use crate::folder::Folder;
use crate::support::{names, settle, wallet};

const NAME: &str = "s";
const REMOTE: Status = Status::Disconnected {
    reason: DisconnectReason::Remote,
};

/// What a store was asked by everybody.
#[derive(Clone)]
struct Counted {
    inner: Arc<dyn Store>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    loads: AtomicUsize,
    /// Those that took effect.
    writes: AtomicUsize,
    /// Whether news takes a second.
    late: AtomicBool,
}

impl Counted {
    fn new(inner: impl Store) -> Self {
        Self {
            inner: Arc::new(inner),
            counts: Arc::default(),
        }
    }

    /// Loads and writes since the last look.
    fn counts(&self) -> (usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        (take(&self.counts.loads), take(&self.counts.writes))
    }

    fn count_write(
        &self,
        written: Result<Revision, moorline::store::StoreError>,
    ) -> Result<Revision, moorline::store::StoreError> {
        self.counts
            .writes
            .fetch_add(usize::from(written.is_ok()), Ordering::Relaxed);
        written
    }
}

impl Store for Counted {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        self.counts.loads.fetch_add(1, Ordering::Relaxed);
        self.inner.load(name)
    }
    fn save<'a>(&'a self, n: &'a RecordName, r: Record, e: Revision) -> StoreFuture<'a, Revision> {
        Box::pin(async move { self.count_write(self.inner.save(n, r, e).await) })
    }
    fn erase<'a>(
        &'a self,
        n: &'a RecordName,
        t: Tombstone,
        e: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move { self.count_write(self.inner.erase(n, t, e).await) })
    }
    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        self.inner.list()
    }
    fn changes(&self) -> Option<Changes> {
        let changes = self.inner.changes()?;
        if !self.counts.late.load(Ordering::Relaxed) {
            return Some(changes);
        }
        Some(Box::pin(changes.then(async |change| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            change
        })))
    }
    fn slot<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        self.inner.slot(name)
    }
}

/// A process: its own bus on the store, its own way to the wallet.
fn process(store: &Counted) -> (Session, Control, StoreBus) {
    let bus = StoreBus::new(Arc::new(store.clone())).unwrap();
    let (builder, wallet) = wallet();
    (builder.shared(&bus, NAME).build().unwrap(), wallet, bus)
}

fn sealed(folder: &Folder) -> EncryptedStore<Memory> {
    let key = KeyFile::new(folder.join("key")).without_marks();
    EncryptedStore::new(Memory::new(), key, "test")
}

/// Time for tasks, and for threads that read keys.
async fn pass() {
    for _ in 0..20 {
        settle().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn bob() -> Vec<Account> {
    vec![Account::primary("bob"), Account::new("alice")]
}

fn primary(session: &Session) -> String {
    let snapshot = session.snapshot();
    snapshot.primary().unwrap().id.to_string()
}

#[tokio::test(start_paused = true)]
async fn pl_8_a_disconnect_in_one_process_is_one_in_all() {
    let folder = Folder::new();
    for store in [
        Counted::new(MemoryStore::new()),
        Counted::new(sealed(&folder)),
    ] {
        let processes: Vec<_> = (0..3).map(|_| process(&store)).collect();
        for (session, ..) in &processes {
            session.connect().await.unwrap();
            pass().await;
        }
        store.counts();
        processes[0].0.disconnect().await;
        pass().await;
        for (session, wallet, _) in &processes[1..] {
            assert_eq!(session.status(), REMOTE);
            let calls = wallet.calls();
            let told = calls
                .iter()
                .any(|call| call.what.to_string() == "close disconnect");
            assert!(!told, "that was the first one's to do");
        }
        // One write, by one that does not know yet what the others wrote when they connected; each
        // of the others looks once, and once more before it would write.
        assert_eq!(store.counts(), (1 + 4, 1));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(store.counts(), (0, 0));
        // The user's later word counts, and is news to nobody who was told to stop.
        processes[1].0.connect().await.unwrap();
        pass().await;
        assert_eq!(
            processes[0].0.status(),
            Status::Disconnected {
                reason: DisconnectReason::User
            }
        );
        assert_eq!(processes[2].0.status(), REMOTE);
        assert_eq!(processes[1].0.status(), Status::Connected);
        let outcome = processes[2].0.restore().await;
        assert_eq!(outcome, RestoreOutcome::Restored);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_party_is_asked_for_by_each_and_written_by_one() {
    const PROCESSES: usize = 12;
    let folder = Folder::new();
    for store in [
        Counted::new(MemoryStore::new()),
        Counted::new(sealed(&folder)),
    ] {
        let processes: Vec<_> = (0..PROCESSES).map(|_| process(&store)).collect();
        for (session, ..) in &processes {
            session.connect().await.unwrap();
            pass().await;
        }
        let probes = |wallet: &Control| wallet.count(&On::Probe);
        assert!(processes.iter().all(|(_, wallet, _)| probes(wallet) == 1));
        store.counts();
        // All wallets say so when asked, but the last; only the first one says so by itself.
        for (_, wallet, _) in &processes[1..PROCESSES - 1] {
            wallet.set_accounts(bob());
        }
        let mut events = processes[1].0.events();
        processes[0].1.change_accounts(bob());
        pass().await;
        for (session, wallet, _) in &processes[1..PROCESSES - 1] {
            assert_eq!(primary(session), "bob");
            assert_eq!(probes(wallet), 2, "asked once");
        }
        let (last, wallet, _) = &processes[PROCESSES - 1];
        assert_eq!(primary(last), "alice", "not believed");
        assert_eq!(probes(wallet), 2, "asked once");
        assert_eq!(probes(&processes[0].1), 1, "its own news is none");
        assert_eq!(names(&mut events), ["accounts:changed", "party:changed"]);
        // Each of the others looks once; those that found a change look whether it is written. The
        // one that writes does not know what the others wrote when they connected: it looks, too.
        let (looks, checks) = (PROCESSES - 1, PROCESSES - 2);
        assert_eq!(store.counts(), (looks + checks + 1, 1));
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(store.counts(), (0, 0), "and then there is peace");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_all_wallets_tell_is_written_once_and_asked_for_by_nobody() {
    const PROCESSES: usize = 12;
    let store = Counted::new(MemoryStore::new());
    let processes: Vec<_> = (0..PROCESSES).map(|_| process(&store)).collect();
    for (session, ..) in &processes {
        session.connect().await.unwrap();
    }
    pass().await;
    store.counts();
    for (_, wallet, _) in &processes {
        wallet.change_accounts(bob());
    }
    pass().await;
    for (session, wallet, _) in &processes {
        assert_eq!(primary(session), "bob");
        assert_eq!(wallet.count(&On::Probe), 1, "nobody had to ask");
    }
    let (loads, writes) = store.counts();
    assert_eq!(writes, 1);
    assert!(loads <= 2 * (PROCESSES - 1), "{loads}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(store.counts(), (0, 0));
}

/// Two wallets that never agree must not keep their sessions writing.
#[tokio::test(start_paused = true)]
async fn wallets_that_disagree_make_no_loop() {
    let store = Counted::new(MemoryStore::new());
    let (one, wallet_one, _bus) = process(&store);
    let (two, wallet_two, _bus) = process(&store);
    one.connect().await.unwrap();
    two.connect().await.unwrap();
    pass().await;
    wallet_two.set_accounts(vec![Account::primary("carol")]);
    store.counts();
    wallet_one.change_accounts(bob());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // The first wrote Bob; the second asked, found Carol, wrote her over Bob and asked once more
    // for that; the first asked, found Bob, and leaves it at that.
    assert_eq!(
        (primary(&one), primary(&two)),
        ("bob".into(), "carol".into())
    );
    assert_eq!(wallet_one.count(&On::Probe), 2);
    assert_eq!(wallet_two.count(&On::Probe), 3);
    assert_eq!(store.counts().1, 2);
}

/// The second one writes before it has heard of the first one's change: nobody else would tell it.
#[tokio::test(start_paused = true)]
async fn who_writes_over_what_it_has_not_heard_of_asks_its_wallet() {
    let store = Counted::new(MemoryStore::new());
    store.counts.late.store(true, Ordering::Relaxed);
    let (one, wallet_one, _bus) = process(&store);
    let (two, wallet_two, _bus) = process(&store);
    one.connect().await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    two.connect().await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    wallet_two.set_accounts(bob());
    wallet_one.set_network(Some("other".into()));
    wallet_one.change_accounts(bob());
    settle().await;
    wallet_two.change_network("other".into());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    for session in [&one, &two] {
        let identity = session.snapshot().identity().unwrap();
        assert_eq!(identity.to_string(), "bob on other");
    }
    let stored = store.inner.load(&NAME.into()).await.unwrap();
    let Stored::Record { record, .. } = stored else {
        panic!("{stored:?}");
    };
    assert_eq!(record.identity().unwrap().to_string(), "bob on other");
}

#[tokio::test(start_paused = true)]
async fn pl_11_alone_nothing_is_read_or_asked_twice() {
    let store = Counted::new(MemoryStore::new());
    let (session, wallet, _bus) = process(&store);
    session.connect().await.unwrap();
    pass().await;
    store.counts();
    for party in ["bob", "carol", "alice"] {
        wallet.change_accounts(vec![Account::primary(party)]);
        pass().await;
    }
    assert_eq!(store.counts(), (0, 3), "its own writes are no news");
    assert_eq!(wallet.count(&On::Probe), 1);
    session.disconnect().await;
    session.connect().await.unwrap();
    pass().await;
    assert_eq!(session.status(), Status::Connected);
}

/// The news of a disconnect comes after the user has connected again.
#[tokio::test(start_paused = true)]
async fn late_news_of_its_own_disconnect_ends_nothing() {
    let store = Counted::new(MemoryStore::new());
    store.counts.late.store(true, Ordering::Relaxed);
    let (session, _wallet, bus) = process(&store);
    session.connect().await.unwrap();
    session.disconnect().await;
    session.connect().await.unwrap();
    session.disconnect().await;
    drop(session);
    let (builder, _wallet) = wallet();
    let session = builder.shared(&bus, NAME).build().unwrap();
    session.connect().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(session.status(), Status::Connected);
}

#[tokio::test]
async fn two_stores_on_one_folder_hear_of_each_other() {
    let folder = Folder::new();
    let open = || {
        let files = Files::open(folder.join("records")).unwrap();
        let keys = KeyFile::new(folder.join("key"));
        Counted::new(EncryptedStore::new(files, keys, "test"))
    };
    let (stores, until) = ([open(), open()], Duration::from_secs(20));
    let (one, _wallet_one, _bus) = process(&stores[0]);
    let (two, wallet_two, _bus) = process(&stores[1]);
    for session in [&one, &two] {
        let writes = || {
            stores
                .iter()
                .map(|it| it.counts.writes.load(Ordering::Relaxed))
                .sum::<usize>()
        };
        let before = writes();
        session.connect().await.unwrap();
        let written = async {
            while writes() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(until, written).await.unwrap();
    }
    wallet_two.set_accounts(bob());
    let mut seen = two.watch();
    _wallet_one.change_accounts(bob());
    let changed = seen.wait_for(|it| it.primary().is_some_and(|it| it.id.as_str() == "bob"));
    tokio::time::timeout(until, changed).await.unwrap().unwrap();
    one.disconnect().await;
    let ended = seen.wait_for(|it| it.status == REMOTE);
    tokio::time::timeout(until, ended).await.unwrap().unwrap();
}
