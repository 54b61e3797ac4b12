//! The manager's own record.

use std::sync::Arc;
use std::time::Duration;

use moorline::manager::{ManagerEventKind, OWN_RECORD, Restored};
use moorline::store::{MemoryStore, Record, RecordName, Revision, Store, Stored};
use moorline::{Account, Timestamp};

use crate::failing::Failing;
use crate::support::{active, name, published, settle, stored, stored_dyn, wallet};

fn own() -> RecordName {
    "moorline/manager".into()
}

fn kept(store: &MemoryStore) -> Record {
    match store.peek(&own()) {
        Stored::Record { record, .. } => record,
        other => panic!("not stored: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn it_stays_small_and_is_not_written_for_each_login() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("active").0).await.unwrap();
    settle().await;
    for number in 0..200 {
        let provider = Arc::new(wallet(&format!("{number:03}")).0);
        manager.login_dyn(provider, false).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    manager.close().await;
    let record = kept(&store);
    assert_eq!(&*record.provider, OWN_RECORD);
    assert_eq!(record.accounts.len(), 33);
    let primary = record.accounts.iter().find(|account| account.primary);
    assert_eq!(primary.unwrap().id.as_str(), name("active").as_str());
    // Two seconds of logins.
    let writes = store.peek(&own()).revision().number();
    assert!(writes <= 5, "{writes}");
}

#[tokio::test(start_paused = true)]
async fn one_that_lists_every_session_is_read_as_before() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    for account in ["a", "b", "c"] {
        manager.login(wallet(account).0).await.unwrap();
    }
    manager.close().await;
    // As the version before wrote it: the sessions' records said nothing of use.
    let mut listed = Vec::new();
    for (account, minute) in [("a", 3), ("b", 1), ("c", 2)] {
        let Stored::Record {
            mut record,
            revision,
        } = store.peek(&name(account))
        else {
            panic!("{account} is not stored");
        };
        record.about = None;
        let stored = Stored::Record { record, revision };
        store.put(name(account), stored);
        let entry = Account::new(name(account).as_str());
        listed.push(entry.with_label(format!("2026-01-01T00:0{minute}:00.000Z")));
    }
    listed[1].primary = true;
    let record = Record::new(OWN_RECORD, listed, None, Timestamp::EPOCH);
    let revision = Revision::new(1000);
    store.put(own(), Stored::Record { record, revision });
    let (builder, _) = stored(&store, |_, _| {});
    let builder = builder.restore_at_once(1, Duration::from_secs(1));
    let manager = builder.build().unwrap();
    let report = manager.restore().await.unwrap();
    let order: Vec<_> = report.sessions.iter().map(|it| it.record.clone()).collect();
    assert_eq!(order, [name("b"), name("a"), name("c")]);
    assert_eq!(active(&manager).as_deref(), Some("b"));
    let last = manager.get("a").unwrap().last_active();
    assert_eq!(Some(last), Timestamp::parse("2026-01-01T00:03:00Z"));
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_read_is_told_and_kept_and_the_manager_works() {
    let store = Failing::new(MemoryStore::new());
    let manager = stored_dyn(Arc::new(store.clone()), |_, _| {})
        .0
        .build()
        .unwrap();
    manager.login(wallet("a").0).await.unwrap();
    manager.close().await;
    store.spoil(&own());
    let manager = stored_dyn(Arc::new(store.clone()), |_, _| {})
        .0
        .build()
        .unwrap();
    let mut events = manager.events();
    assert_eq!(manager.restore().await.unwrap().restored(), 1);
    assert_eq!(active(&manager), None);
    let told = published(&mut events).into_iter().any(|event| {
        matches!(&event.kind, ManagerEventKind::RecordUnreadable { record, .. } if *record == own())
    });
    assert!(told);
    manager.switch_to("a").unwrap();
    settle().await;
    assert_eq!(store.set_aside(), [own()]);
    manager.close().await;
    let manager = stored_dyn(Arc::new(store), |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    assert_eq!(active(&manager).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_record_cannot_be_read_is_reported_though_no_list_has_it() {
    let memory = MemoryStore::new();
    let store = Failing::new(memory.clone());
    let manager = stored_dyn(Arc::new(store.clone()), |_, _| {})
        .0
        .build()
        .unwrap();
    manager.login(wallet("a").0).await.unwrap();
    manager.close().await;
    store.spoil(&name("a"));
    let manager = stored_dyn(Arc::new(store), |_, _| {}).0.build().unwrap();
    let report = manager.restore().await.unwrap();
    assert_eq!(report.sessions[0].record, name("a"));
    assert!(matches!(
        report.sessions[0].restored,
        Restored::Unreadable { .. }
    ));
    assert!(matches!(
        memory.load(&name("a")).await.unwrap(),
        Stored::Record { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_written_is_told_and_tried_again() {
    let memory = MemoryStore::new();
    let store = Failing::new(memory.clone());
    store.refuse_writes_to(&own());
    let manager = stored_dyn(Arc::new(store.clone()), |_, _| {})
        .0
        .build()
        .unwrap();
    let mut events = manager.events();
    manager.login(wallet("a").0).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let delays: Vec<u64> = published(&mut events)
        .iter()
        .filter_map(|event| match &event.kind {
            ManagerEventKind::SaveFailed {
                record,
                retry_in_ms,
                ..
            } if *record == own() => Some(*retry_in_ms),
            _ => None,
        })
        .collect();
    assert_eq!(delays, [1000, 2000, 4000]);
    store.accept_writes();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(kept(&memory).accounts[0].id.as_str(), name("a").as_str());
}
