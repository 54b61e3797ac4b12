//! What is told: by a manager, by a store that says what changes, and by one that does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use moorline::clock::VirtualClock;
use moorline::manager::SessionKey;
use moorline::policy::Backoff;
use moorline::provider::ErrorKind;
use moorline::store::{
    Change, Changes, MemoryStore, Record, RecordName, Revision, Slot, Store, StoreFuture, Stored,
    Tombstone,
};
use moorline::{Account, DisconnectReason, Identity, Policy, ProviderError, SessionManager};
use moorline_scripted::ScriptedWallet;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

use super::super::{live, watch};
use super::*;
use crate::top::lines;

/// Takes in all that is told until nothing more is for a while.
pub(super) async fn settle(model: &mut Model, inputs: &mut Receiver<Vec<Input>>) {
    while let Ok(Some(batch)) = timeout(Duration::from_millis(400), inputs.recv()).await {
        batch.into_iter().for_each(|input| model.feed(input));
    }
}

#[tokio::test(start_paused = true)]
async fn a_manager_is_followed_through_a_life() {
    let clock = VirtualClock::starting_at(noon());
    let policy = Policy {
        reconnect: Backoff {
            base: Duration::from_secs(5),
            jitter: false,
            ..Backoff::default()
        },
        ..Policy::default()
    };
    let manager = SessionManager::builder()
        .clock(VirtualClock::starting_at(noon()))
        .policy(policy)
        .build()
        .unwrap();
    let (sender, mut inputs) = channel(4);
    let resync = Arc::new(Notify::new());
    let names = live::Names::default();
    tokio::spawn(live::follow(manager.clone(), names, sender, resync.clone()));
    let mut model = Model::new("test", true);
    let key = |account: &str| {
        let identity = Identity::new(account, None);
        RowId::Key(Arc::new(SessionKey::new(identity, "scripted")))
    };
    let now = || moorline::clock::Clock::wall(&clock);
    settle(&mut model, &mut inputs).await;
    assert_eq!(model.total(), 0);

    let wallet = ScriptedWallet::new().accounts(["alice"]).network(None);
    let (provider, control) = wallet.build();
    manager.login(provider).await.unwrap();
    settle(&mut model, &mut inputs).await;
    let row = model.row(&key("alice")).unwrap();
    assert_eq!(row.facts.phase, Phase::Connected);
    assert!(row.facts.active);
    assert_eq!(model.total(), 1, "nothing is left of the login under way");

    control.go_away(ProviderError::new(ErrorKind::Unreachable, "away"));
    let lost = now();
    settle(&mut model, &mut inputs).await;
    let row = model.row(&key("alice")).unwrap();
    assert_eq!(row.facts.phase, Phase::Reconnecting);
    let at = lost.saturating_add(Duration::from_secs(2));
    assert_eq!(row.note(at), "try 1 in 3.0s");
    listed(&mut model, at);
    assert!(model.counts_down(at));
    let told = lines::object(&model, at);
    assert_eq!(told["sessions"][0]["status"], "reconnecting");
    assert_eq!(told["sessions"][0]["attempt"], 1);
    assert_eq!(told["totals"]["reconnecting"], 1);

    // What is asked for meanwhile waits.
    let session = manager.active().unwrap();
    let held = tokio::spawn(async move {
        let params = serde_json::json!({ "message": "m" });
        session.request("signMessage", params).await
    });
    settle(&mut model, &mut inputs).await;
    assert_eq!(model.queue(), 1);

    control.come_back();
    tokio::time::sleep(Duration::from_secs(10)).await;
    held.await.unwrap().unwrap();
    settle(&mut model, &mut inputs).await;
    let row = model.row(&key("alice")).unwrap();
    assert_eq!((row.facts.phase, row.wait), (Phase::Connected, None));
    assert_eq!(model.queue(), 0);
    let events = row.events.len();

    // The wallet makes it somebody else's: the same row, with what happened to it.
    control.change_accounts(vec![Account::primary("bob")]);
    settle(&mut model, &mut inputs).await;
    assert!(model.row(&key("alice")).is_none());
    assert!(model.row(&key("bob")).unwrap().events.len() > events);

    // Everything told anew is the same.
    resync.notify_one();
    settle(&mut model, &mut inputs).await;
    assert_eq!(model.total(), 1);

    manager.logout_active().await.unwrap();
    settle(&mut model, &mut inputs).await;
    assert_eq!(model.total(), 0);
    // It leaves before its wallet has been told.
    let told: Vec<_> = model.recent().collect();
    let end = &told[told.len() - 4..];
    let end: Vec<_> = end.iter().map(|it| (it.name(), it.text())).collect();
    let expected = [
        ("account:logged-out", ""),
        ("active:changed", "none is active"),
        ("session:disconnected", "user"),
        ("session:disconnected", "closed"),
    ];
    assert_eq!(end, expected.map(|(name, text)| (name, text.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_login_that_waits_is_there_and_one_that_failed_goes() {
    let manager = SessionManager::builder()
        .policy(Policy {
            retry_first_connect: true,
            reconnect: Backoff {
                max_attempts: Some(2),
                ..Backoff::default()
            },
            ..Policy::default()
        })
        .build()
        .unwrap();
    let (sender, mut inputs) = channel(4);
    let follow = live::follow(
        manager.clone(),
        live::Names::default(),
        sender,
        Arc::default(),
    );
    tokio::spawn(follow);
    let mut model = Model::new("test", true);
    settle(&mut model, &mut inputs).await;
    let (provider, control) = ScriptedWallet::new().build();
    control.set_away(Some(ProviderError::new(ErrorKind::Unreachable, "away")));
    let news = {
        let providers: Vec<(String, Arc<dyn moorline::Provider>)> =
            vec![("ws://wallet".into(), Arc::new(provider))];
        let logging_in = live::log_in(&manager, providers);
        let mut logging_in = std::pin::pin!(logging_in);
        tokio::select! {
            _ = logging_in.as_mut() => panic!("it is tried again"),
            () = settle(&mut model, &mut inputs) => {}
        }
        assert_eq!(model.total(), 1);
        let (_, row) = model.rows().next().unwrap();
        assert!(row.wait.is_some());
        assert!(listed(&mut model, noon())[0].starts_with("(login"));
        logging_in.await
    };
    settle(&mut model, &mut inputs).await;
    news.into_iter().for_each(|input| model.feed(input));
    let (_, row) = model.rows().next().unwrap();
    assert_eq!(row.facts.phase, Phase::Disconnected);
    let last = model.recent().last().unwrap();
    assert_eq!(last.name(), "login:failed");
    assert!(last.text().starts_with("ws://wallet: "), "{}", last.text());
}

fn record(account: &str) -> Record {
    Record::new("cip0103", vec![Account::primary(account)], None, noon())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_tells_nothing_is_read_now_and_then() {
    let store = MemoryStore::new();
    let alice: RecordName = "alice".into();
    let far = Timestamp::MAX;
    let revision = store
        .save(&alice, record("alice"), Revision::NONE)
        .await
        .unwrap();
    let (sender, mut inputs) = channel(4);
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    let records = watch::Records::open(shared).await.unwrap();
    tokio::spawn(watch::follow(records, sender, Arc::default()));
    let mut model = Model::new("test", false);
    let look = Duration::from_millis(1500);
    let next = async |model: &mut Model, inputs: &mut Receiver<_>| {
        let batch: Vec<Input> = timeout(look, inputs.recv()).await.unwrap().unwrap();
        batch.into_iter().for_each(|input| model.feed(input));
    };
    next(&mut model, &mut inputs).await;
    assert_eq!(model.row(&id("alice")).unwrap().facts.phase, Phase::Stored);
    assert_eq!(model.recent().count(), 0, "it was there already");

    let revision = store
        .save(&alice, record("alice").expiring_at(far), revision)
        .await
        .unwrap();
    next(&mut model, &mut inputs).await;
    assert_eq!(model.recent().last().unwrap().name(), "record:written");
    assert_eq!(model.row(&id("alice")).unwrap().facts.expires_at, Some(far));

    store
        .save(&"bob".into(), record("bob"), Revision::NONE)
        .await
        .unwrap();
    next(&mut model, &mut inputs).await;
    assert_eq!(model.recent().last().unwrap().name(), "record:appeared");

    let end = Tombstone::new(DisconnectReason::User, noon());
    store.erase(&alice, end, revision).await.unwrap();
    next(&mut model, &mut inputs).await;
    let row = model.row(&id("alice")).unwrap();
    assert_eq!(
        (row.facts.phase, row.facts.why.as_str()),
        (Phase::Ended, "user")
    );
    assert!(
        timeout(5 * look, inputs.recv()).await.is_err(),
        "nothing new is not told"
    );
}

/// A store that says what changes, and counts how often it is read.
struct Telling {
    inner: MemoryStore,
    changes: Mutex<Option<UnboundedReceiver<Change>>>,
    lists: AtomicUsize,
    loads: AtomicUsize,
}

impl Telling {
    fn new() -> (Arc<Self>, UnboundedSender<Change>) {
        let (change, changes) = unbounded_channel();
        let store = Self {
            inner: MemoryStore::new(),
            changes: Mutex::new(Some(changes)),
            lists: AtomicUsize::new(0),
            loads: AtomicUsize::new(0),
        };
        (Arc::new(store), change)
    }

    /// How often it was read since the last time: as a whole, and one record.
    fn reads(&self) -> (usize, usize) {
        let reads = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        (reads(&self.lists), reads(&self.loads))
    }
}

/// Names of at most 32 letters stand under themselves.
fn slot(name: &RecordName) -> Slot {
    let letters = name.as_str().as_bytes();
    Slot::new(std::array::from_fn(|index| {
        letters.get(index).copied().unwrap_or_default()
    }))
}

impl Store for Telling {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.inner.load(name)
    }

    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        self.inner.save(name, record, expected)
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
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.inner.list()
    }

    fn slot<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        Box::pin(async move { Ok(Some(slot(name))) })
    }

    fn changes(&self) -> Option<Changes> {
        let mut changes = self.changes.try_lock().ok()?.take()?;
        let stream = futures_util::stream::poll_fn(move |cx| changes.poll_recv(cx));
        Some(Box::pin(stream))
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_tells_is_read_when_it_does() {
    let (store, change) = Telling::new();
    let (sender, mut inputs) = channel(4);
    let records = watch::Records::open(store.clone()).await.unwrap();
    tokio::spawn(watch::follow(records, sender, Arc::default()));
    let mut model = Model::new("test", false);
    change.send(Change::Resync).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    settle(&mut model, &mut inputs).await;
    assert!(store.reads().0 <= 2, "it is not read for nothing");

    store
        .save(&"bob".into(), record("bob"), Revision::NONE)
        .await
        .unwrap();
    assert!(
        timeout(Duration::from_secs(9), inputs.recv())
            .await
            .is_err()
    );
    change.send(Change::Resync).unwrap();
    let batch = timeout(Duration::from_millis(200), inputs.recv())
        .await
        .unwrap()
        .unwrap();
    batch.into_iter().for_each(|input| model.feed(input));
    assert_eq!(model.recent().last().unwrap().name(), "record:appeared");
    // One whose news ends is read now and then.
    drop(change);
    store
        .save(&"carol".into(), record("carol"), Revision::NONE)
        .await
        .unwrap();
    settle(&mut model, &mut inputs).await;
    let waited = timeout(Duration::from_secs(3), settle(&mut model, &mut inputs)).await;
    assert!(waited.is_ok());
    assert!(model.row(&id("carol")).is_some());
}

#[tokio::test(start_paused = true)]
async fn of_many_records_only_those_that_changed_are_read_again() {
    let (store, change) = Telling::new();
    let name = |number: usize| RecordName::from(format!("party{number:04}"));
    for number in 0..1000 {
        let name = name(number);
        let record = record(name.as_str());
        store.save(&name, record, Revision::NONE).await.unwrap();
    }
    change.send(Change::Resync).unwrap();
    let records = watch::Records::open(store.clone()).await.unwrap();
    let (sender, mut inputs) = channel(4);
    tokio::spawn(watch::follow(records, sender, Arc::default()));
    let mut model = Model::new("test", false);
    settle(&mut model, &mut inputs).await;
    assert_eq!(model.total(), 1000);
    assert_eq!(
        store.reads(),
        (1, 1000),
        "what was told before is read with it"
    );

    // One that was written, and told of twice; and one that was read already.
    let written = |number: usize, revision: u64| {
        let revision = Revision::new(revision);
        let slot = slot(&name(number));
        change.send(Change::Written { slot, revision }).unwrap();
    };
    let again = record("party0007").expiring_at(Timestamp::MAX);
    let saved = store.save(&name(7), again, Revision::new(1)).await.unwrap();
    written(7, saved.number());
    written(7, saved.number());
    written(8, 1);
    settle(&mut model, &mut inputs).await;
    assert_eq!(store.reads(), (0, 1));
    let told: Vec<_> = model.recent().map(Happening::name).collect();
    assert_eq!(told, ["record:written"]);
    let row = model.row(&id("party0007")).unwrap();
    assert_eq!(row.facts.expires_at, Some(Timestamp::MAX));

    // It ends.
    let end = Tombstone::new(DisconnectReason::User, noon());
    let ended = store.erase(&name(7), end, saved).await.unwrap();
    written(7, ended.number());
    settle(&mut model, &mut inputs).await;
    assert_eq!(store.reads(), (0, 1));
    let row = model.row(&id("party0007")).unwrap();
    assert_eq!(row.facts.phase, Phase::Ended);

    // One that nobody knows yet: all are read.
    let zoe = "zoe".into();
    let revision = store.save(&zoe, record("zoe"), Revision::NONE);
    let (slot, revision) = (slot(&zoe), revision.await.unwrap());
    change.send(Change::Written { slot, revision }).unwrap();
    settle(&mut model, &mut inputs).await;
    assert_eq!(store.reads(), (1, 1001));
    assert!(model.row(&id("zoe")).is_some());
}
