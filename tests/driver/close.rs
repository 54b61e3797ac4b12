//! Rule 5: nothing after close.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use moorline::store::{MemoryStore, RecordName, Stored};
use moorline::{ConnectError, DisconnectReason, OperationError, Status};
use moorline_scripted::{Behaviour, On};
use serde_json::json;

use crate::support::{connected, expiring, settle, unreachable, wallet};

#[tokio::test(start_paused = true)]
async fn h09_close_answers_everybody_and_stops_everything() {
    let (session, wallet) = connected().await;
    wallet.on(On::method("stuck"), Behaviour::silence());
    let spawn = |method: &'static str| {
        let session = session.clone();
        tokio::spawn(async move { session.request(method, json!({})).await })
    };
    let at_wallet = spawn("stuck");
    settle().await;
    wallet.on(On::Open, Behaviour::silence());
    wallet.drop_link(unreachable());
    let held = spawn("held");
    settle().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(wallet.pending(), 1, "an attempt is under way");
    session.close().await;

    let error = at_wallet.await.unwrap().unwrap_err();
    assert!(
        matches!(error, OperationError::Interrupted { .. }),
        "{error}"
    );
    let error = held.await.unwrap().unwrap_err();
    assert!(matches!(error, OperationError::Closed { .. }), "{error}");
    assert!(!error.may_have_executed());
    assert_eq!(wallet.pending(), 0, "the attempt was not stopped");
    let calls = wallet.calls().len();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(wallet.calls().len(), calls, "something ran after close");
}

#[tokio::test(start_paused = true)]
async fn h10_everything_after_close_says_closed_without_wallet_traffic() {
    let (session, wallet) = connected().await;
    session.close().await;
    let calls = wallet.calls().len();
    assert_eq!(session.connect().await.unwrap_err(), ConnectError::Closed);
    let error = session.request("sign", json!({})).await.unwrap_err();
    assert!(matches!(error, OperationError::Closed { .. }));
    let report = session.disconnect().await;
    assert!(
        report.not_persisted.is_some(),
        "a closed session cannot keep a promise"
    );
    session.restore().await;
    session.verify().await;
    session.close().await;
    assert_eq!(wallet.calls().len(), calls);
    assert!(session.events().next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn h09_dropping_the_last_handle_stops_everything() {
    let hooks = Arc::new(AtomicUsize::new(0));
    let (builder, wallet) = wallet();
    let store = MemoryStore::new();
    let counted = hooks.clone();
    let session = builder
        .policy(expiring(Duration::from_secs(60)))
        .store(store.clone(), "s")
        .on_reauth(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::pending()
        })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    let mut events = session.events();
    wallet.on(On::Probe, Behaviour::silence());
    let verify = tokio::spawn({
        let session = session.clone();
        async move { session.verify().await }
    });
    settle().await;
    verify.abort();
    settle().await;
    assert_eq!(wallet.pending(), 1);
    drop(session);
    settle().await;
    assert_eq!(wallet.pending(), 0, "the probe was not stopped");
    let calls = wallet.calls().len();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(wallet.calls().len(), calls);
    assert_eq!(hooks.load(Ordering::Relaxed), 0, "a hook ran after the end");
    let mut last = None;
    while let Some(item) = events.next().await {
        last = item.event().map(|event| event.kind.name());
    }
    assert_eq!(
        last,
        Some("session:disconnected"),
        "subscribers see the end"
    );
    assert!(matches!(
        store.peek(&RecordName::from("s")),
        Stored::Record { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_clone_keeps_the_session_alive() {
    let (session, wallet) = connected().await;
    let other = session.clone();
    drop(session);
    other.request("sign", json!({})).await.unwrap();
    assert_eq!(wallet.executions("sign"), 1);
    assert_eq!(other.status(), Status::Connected);
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_the_record_and_keeps_the_intent() {
    let (builder, _wallet) = wallet();
    let (store, name) = (MemoryStore::new(), RecordName::from("s"));
    let session = builder.store(store.clone(), name.clone()).build().unwrap();
    session.connect().await.unwrap();
    session.close().await;
    let Stored::Record { record, .. } = store.peek(&name) else {
        panic!("no record")
    };
    assert_eq!(record.intent, moorline::store::Intent::Connected);
    let reason = DisconnectReason::Closed;
    assert_eq!(session.status(), Status::Disconnected { reason });
}

#[tokio::test(start_paused = true)]
async fn close_does_not_wait_for_ever() {
    let (session, wallet) = connected().await;
    wallet.on(On::Close, Behaviour::silence());
    let begun = tokio::time::Instant::now();
    session.close().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert_eq!(wallet.pending(), 0);
}
