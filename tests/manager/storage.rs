//! What a manager writes.

use std::time::Duration;

use moorline::manager::ManagerEventKind;
use moorline::provider::{ErrorKind, ProviderError};
use moorline::store::{MemoryStore, RecordName, Store, Stored};
use serde_json::Value;
use tokio::time::sleep;

use crate::moody::{Mood, Moody};
use crate::support::{
    accounts, active, name, payload, published, settle, stored, stored_dyn, wallet,
};

#[tokio::test(start_paused = true)]
async fn a_login_is_stored_at_once_with_what_its_provider_needs() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    settle().await;
    let Stored::Record { record, .. } = store.peek(&name("a")) else {
        panic!("not stored");
    };
    assert_eq!(record.provider_payload, Some(payload("a")));
    assert!(!format!("{record:?}").contains("s3cret"));
    // Without a farewell.
    drop(manager);
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    assert_eq!(active(&manager).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_cannot_say_what_it_needs_loses_nothing() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    manager.close().await;
    let builder = crate::support::builder().store(store.clone());
    let manager = builder
        .provider("keyed", |_| {
            let (provider, control) = wallet("a");
            control.set_payload_error(ProviderError::new(ErrorKind::Internal, "not ready"));
            control.set_expiry(moorline::Timestamp::parse("2027-01-01T00:00:00Z"));
            Ok(std::sync::Arc::new(provider))
        })
        .build()
        .unwrap();
    let mut events = manager.events();
    assert_eq!(manager.restore().await.unwrap().restored(), 1);
    settle().await;
    let failed = |event: &ManagerEventKind| matches!(event, ManagerEventKind::PayloadFailed { .. });
    assert!(
        published(&mut events)
            .iter()
            .any(|event| failed(&event.kind))
    );
    let Stored::Record { record, .. } = store.peek(&name("a")) else {
        panic!("not stored");
    };
    assert!(record.expires_at.is_some());
    assert_eq!(record.provider_payload, Some(payload("a")));
}

#[tokio::test(start_paused = true)]
async fn a_logout_is_not_undone_by_a_write_and_a_new_login_not_by_a_logout() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    settle().await;
    let leaving = manager.clone();
    let leaving = tokio::spawn(async move { leaving.logout("a").await.unwrap() });
    // Before the old one is through.
    while !accounts(&manager).is_empty() {
        tokio::task::yield_now().await;
    }
    let again = manager.login(wallet("a").0).await.unwrap();
    leaving.await.unwrap();
    settle().await;
    again.request("sign", Value::Null).await.unwrap();
    assert!(matches!(store.peek(&name("a")), Stored::Record { .. }));
    manager.logout("a").await.unwrap();
    settle().await;
    assert!(matches!(store.peek(&name("a")), Stored::Tombstone { .. }));
    manager.close().await;
    assert!(matches!(store.peek(&name("a")), Stored::Tombstone { .. }));
}

#[tokio::test(start_paused = true)]
async fn two_managers_of_one_store_lose_no_login() {
    let store = MemoryStore::new();
    let one = stored(&store, |_, _| {}).0.build().unwrap();
    let two = stored(&store, |_, _| {}).0.build().unwrap();
    let logins = (one.login(wallet("a").0), two.login(wallet("b").0));
    let (a, b) = tokio::join!(logins.0, logins.1);
    a.unwrap();
    b.unwrap();
    one.close().await;
    two.close().await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 2);
    assert_eq!(active(&manager).as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn managers_of_different_namespaces_do_not_meet() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {})
        .0
        .namespace("shop")
        .build()
        .unwrap();
    manager.login(wallet("a").0).await.unwrap();
    manager.close().await;
    let other = stored(&store, |_, _| {}).0.build().unwrap();
    assert_eq!(other.restore().await.unwrap().sessions, []);
    let own = store.load(&RecordName::from("shop/manager")).await.unwrap();
    assert!(matches!(own, Stored::Record { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_cannot_be_stored_is_written_as_soon_as_the_store_is_back() {
    for closes in [false, true] {
        let store = Moody::default();
        let shared = std::sync::Arc::new(store.clone());
        let manager = stored_dyn(shared, |_, _| {}).0.build().unwrap();
        manager.login(wallet("a").0).await.unwrap();
        settle().await;
        store.be(Mood::Away);
        let report = manager.logout("a").await.unwrap();
        assert!(report.disconnect.not_persisted.is_some());
        sleep(Duration::from_secs(60)).await;
        store.be(Mood::Well);
        // It is tried again, or at the last moment.
        match closes {
            false => sleep(Duration::from_secs(60)).await,
            true => manager.close().await,
        }
        let stored = store.memory.peek(&name("a"));
        assert!(
            matches!(stored, Stored::Tombstone { .. }),
            "{closes}: {stored:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_that_could_not_be_stored_does_not_end_a_later_login() {
    let store = Moody::default();
    let shared = std::sync::Arc::new(store.clone());
    let manager = stored_dyn(shared, |_, _| {}).0.build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    settle().await;
    store.be(Mood::Away);
    manager.logout("a").await.unwrap();
    let again = manager.login(wallet("a").0).await.unwrap();
    store.be(Mood::Well);
    sleep(Duration::from_secs(600)).await;
    assert!(again.snapshot().is_connected());
    assert!(matches!(
        store.memory.peek(&name("a")),
        Stored::Record { .. }
    ));
    manager.close().await;
    assert!(matches!(
        store.memory.peek(&name("a")),
        Stored::Record { .. }
    ));
}

/// The application has closed the session itself: that is not the end of what is stored.
#[tokio::test(start_paused = true)]
async fn a_logout_of_a_session_that_was_closed_is_stored_all_the_same() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    for account in ["a", "b"] {
        let managed = manager.login(wallet(account).0).await.unwrap();
        settle().await;
        managed.session().close().await;
    }
    manager.logout("a").await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert!(matches!(store.peek(&name("a")), Stored::Tombstone { .. }));
    manager.logout("b").await.unwrap();
    manager.close().await;
    assert!(matches!(store.peek(&name("b")), Stored::Tombstone { .. }));
}
