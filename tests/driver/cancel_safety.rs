//! Futures dropped half-way, method by method.

use std::time::Duration;

use moorline::machine::RestoreOutcome;
use moorline::provider::Verdict;
use moorline::store::{MemoryStore, RecordName, Stored};
use moorline::{DisconnectReason, Status};
use moorline_scripted::{Behaviour, On};
use serde_json::json;

use crate::support::{connected, poll_once, settle, unreachable, wallet};

#[tokio::test(start_paused = true)]
async fn a_dropped_connect_goes_on() {
    let (builder, wallet) = wallet();
    let session = builder.build().unwrap();
    wallet.on(On::Open, Behaviour::answer().after(Duration::from_secs(1)));
    {
        let mut connect = Box::pin(session.connect());
        assert!(poll_once(&mut connect).is_pending());
    }
    assert_eq!(session.status(), Status::Connecting);
    session.connect().await.unwrap();
    assert_eq!(
        wallet.count(&On::Open),
        1,
        "the second caller joined the first one's attempt"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_is_never_polled_does_nothing() {
    let (builder, wallet) = wallet();
    let session = builder.build().unwrap();
    drop(session.connect());
    settle().await;
    assert!(session.status().is_disconnected());
    assert_eq!(wallet.count(&On::Open), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_disconnect_holds_and_reaches_wallet_and_store() {
    let (builder, wallet) = wallet();
    let (store, name) = (MemoryStore::new(), RecordName::from("s"));
    let session = builder.store(store.clone(), name.clone()).build().unwrap();
    session.connect().await.unwrap();
    {
        let mut disconnect = Box::pin(session.disconnect());
        assert!(poll_once(&mut disconnect).is_pending());
    }
    let reason = DisconnectReason::User;
    assert_eq!(session.status(), Status::Disconnected { reason });
    settle().await;
    assert_eq!(wallet.count(&On::Close), 1);
    assert!(matches!(store.peek(&name), Stored::Tombstone { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_restore_goes_on() {
    let (builder, _) = wallet();
    let (store, name) = (MemoryStore::new(), RecordName::from("s"));
    let before = builder.store(store.clone(), name.clone()).build().unwrap();
    before.connect().await.unwrap();
    before.close().await;

    let (builder, wallet) = wallet();
    wallet.on(On::Open, Behaviour::answer().after(Duration::from_secs(1)));
    let session = builder.store(store, name).build().unwrap();
    {
        let mut restore = Box::pin(session.restore());
        assert!(poll_once(&mut restore).is_pending());
    }
    settle().await;
    assert_eq!(session.restore().await, RestoreOutcome::Restored);
    assert_eq!(wallet.count(&On::Open), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_verify_goes_on() {
    let (session, wallet) = connected().await;
    wallet.on(On::Probe, Behaviour::answer().after(Duration::from_secs(1)));
    {
        let mut verify = Box::pin(session.verify());
        assert!(poll_once(&mut verify).is_pending());
    }
    assert_eq!(session.verify().await, Verdict::Valid);
    assert_eq!(wallet.count(&On::Probe), 2, "one to connect, one to verify");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_close_goes_on() {
    let (session, wallet) = connected().await;
    {
        let mut close = Box::pin(session.close());
        assert!(poll_once(&mut close).is_pending());
    }
    settle().await;
    assert_eq!(wallet.count(&On::Close), 1);
    let reason = DisconnectReason::Closed;
    assert_eq!(session.status(), Status::Disconnected { reason });
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_leaves_the_queue() {
    let (session, wallet) = connected().await;
    wallet.go_away(unreachable());
    {
        let mut dropped = Box::pin(session.request("dropped", json!({})));
        assert!(poll_once(&mut dropped).is_pending());
        assert_eq!(session.held_operations(), 1);
    }
    assert_eq!(session.held_operations(), 0);
    let kept = tokio::spawn({
        let session = session.clone();
        async move { session.request("kept", json!({})).await }
    });
    settle().await;
    wallet.come_back();
    kept.await.unwrap().unwrap();
    assert_eq!(
        (wallet.executions("dropped"), wallet.executions("kept")),
        (0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_at_the_wallet_makes_room_for_the_next_in_the_queue() {
    let (session, wallet) = connected().await;
    wallet.go_away(unreachable());
    wallet.on(On::method("first"), Behaviour::silence());
    let first = tokio::spawn({
        let session = session.clone();
        async move { session.request("first", json!({})).await }
    });
    settle().await;
    let second = tokio::spawn({
        let session = session.clone();
        async move { session.request("second", json!({})).await }
    });
    settle().await;
    assert_eq!(session.held_operations(), 2);
    wallet.come_back();
    settle().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        session.held_operations(),
        1,
        "the second waits for the first"
    );
    first.abort();
    second.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_run_drops_what_it_runs() {
    let (session, wallet) = connected().await;
    wallet.on(On::Request, Behaviour::silence());
    {
        let mut run =
            Box::pin(session.run(|wallet| async move { wallet.request("one", json!({})).await }));
        assert!(poll_once(&mut run).is_pending());
        assert_eq!(wallet.pending(), 1);
    }
    assert_eq!(wallet.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_not_lost_with_a_dropped_next() {
    let (session, wallet) = connected().await;
    let mut events = session.events();
    {
        let mut next = Box::pin(events.next());
        assert!(poll_once(&mut next).is_pending());
        wallet.message("txChanged", json!(1));
    }
    assert_eq!(crate::support::names(&mut events), ["provider:event"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_detach_holds_and_tells_the_wallet_nothing() {
    let (session, wallet) = connected().await;
    {
        let mut detach = Box::pin(session.detach());
        assert!(poll_once(&mut detach).is_pending());
    }
    let reason = DisconnectReason::Detached;
    assert_eq!(session.status(), Status::Disconnected { reason });
    settle().await;
    let closes: Vec<String> = wallet
        .calls()
        .iter()
        .filter(|call| call.what.is(&On::Close))
        .map(|call| call.what.to_string())
        .collect();
    assert_eq!(closes, ["close detach"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_with_options_that_is_dropped_leaves_the_queue() {
    let (session, wallet) = connected().await;
    wallet.go_away(unreachable());
    let options = moorline::session::OperationOptions::default().repeatable(true);
    {
        let mut request = Box::pin(session.request_with("read", json!({}), options.clone()));
        let mut run = Box::pin(session.run_with(options, |wallet| async move {
            wallet.request("read", json!({})).await
        }));
        assert!(poll_once(&mut request).is_pending());
        assert!(poll_once(&mut run).is_pending());
        assert_eq!(session.held_operations(), 2);
    }
    assert_eq!(session.held_operations(), 0);
}
