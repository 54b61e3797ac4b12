//! Operations: whom they run for, in which order, how often, and what their callers are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use moorline::policy::QueuePolicy;
use moorline::provider::{ErrorKind, ProviderError};
use moorline::session::OperationOptions;
use moorline::{Account, Identity, OperationError, Policy, Session, Status};
use moorline_scripted::{Behaviour, On};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{connected, names, policy, settle, unreachable, wallet};

fn submit(session: &Session, method: &'static str) -> JoinHandle<Result<Value, OperationError>> {
    let session = session.clone();
    tokio::spawn(async move { session.request(method, json!({})).await })
}

#[tokio::test(start_paused = true)]
async fn h24_held_operations_drain_one_after_the_other_in_order() {
    let (session, wallet) = connected().await;
    wallet.go_away(unreachable());
    wallet.on(
        On::Request,
        Behaviour::answer().after(Duration::from_millis(100)),
    );
    let mut tasks = Vec::new();
    for method in ["a", "b", "c", "d"] {
        tasks.push(submit(&session, method));
        settle().await;
    }
    wallet.come_back();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let requests: Vec<_> = wallet
        .calls()
        .into_iter()
        .filter(|call| call.what.is(&On::Request))
        .collect();
    let order: Vec<String> = requests.iter().map(|call| call.what.to_string()).collect();
    assert_eq!(order, ["request a", "request b", "request c", "request d"]);
    for (one, next) in requests.iter().zip(&requests[1..]) {
        let ended = one.ended.as_ref().map(|(_, at)| *at).unwrap();
        assert!(next.at >= ended, "two at once");
    }
}

#[tokio::test(start_paused = true)]
async fn h24_a_concurrency_can_be_configured() {
    let (builder, wallet) = wallet();
    let queue = QueuePolicy {
        concurrency: 2,
        ..QueuePolicy::default()
    };
    let session = builder
        .policy(Policy { queue, ..policy() })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    wallet.go_away(unreachable());
    wallet.on(On::Request, Behaviour::silence());
    for method in ["a", "b", "c"] {
        submit(&session, method);
        settle().await;
    }
    wallet.come_back();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        (wallet.count(&On::Request), session.held_operations()),
        (2, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn h23_a_panicking_operation_is_its_callers_own_affair() {
    let (session, wallet) = connected().await;
    wallet.go_away(unreachable());
    let panicking = tokio::spawn({
        let session = session.clone();
        async move { session.run(|_| async { panic!("operation bug") }).await }
    });
    settle().await;
    let failing = tokio::spawn({
        let session = session.clone();
        async move { session.run(|_| async { Err::<(), _>("no funds") }).await }
    });
    settle().await;
    let good = submit(&session, "sign");
    settle().await;
    wallet.come_back();
    let panic: Result<Result<(), OperationError>, _> = panicking.await;
    assert!(panic.unwrap_err().is_panic());
    assert_eq!(failing.await.unwrap().unwrap(), Err("no funds"));
    good.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_cut_link_interrupts_what_the_wallet_has_and_it_runs_once() {
    let (session, wallet) = connected().await;
    wallet.on(On::Request, Behaviour::silence().executed(true));
    let request = submit(&session, "transfer");
    settle().await;
    wallet.drop_link(unreachable());
    let error = request.await.unwrap().unwrap_err();
    assert!(
        matches!(error, OperationError::Interrupted { .. }),
        "{error}"
    );
    assert!(error.may_have_executed());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(session.status(), Status::Connected);
    assert_eq!(wallet.executions("transfer"), 1, "never repeated by itself");
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_runs_again_after_the_link_is_back() {
    let (session, wallet) = connected().await;
    wallet.on(On::Request, Behaviour::silence().times(1));
    let read = tokio::spawn({
        let session = session.clone();
        let options = OperationOptions::default().repeatable(true);
        async move { session.request_with("read", json!({}), options).await }
    });
    settle().await;
    wallet.drop_link(unreachable());
    read.await.unwrap().unwrap();
    assert_eq!(wallet.count(&On::method("read")), 2);
}

#[tokio::test(start_paused = true)]
async fn a_broken_link_and_the_failure_of_its_call_hold_an_operation_once() {
    let (session, wallet) = connected().await;
    wallet.on(On::method("read"), Behaviour::silence().times(1));
    let mut events = session.events();
    let read = tokio::spawn({
        let session = session.clone();
        let options = OperationOptions::default().repeatable(true);
        async move { session.request_with("read", json!({}), options).await }
    });
    settle().await;
    // Both are there before the caller is polled again.
    wallet.drop_link(unreachable());
    assert_eq!(wallet.fail_pending("connection reset"), 1);
    read.await.unwrap().unwrap();
    settle().await;
    let queued = names(&mut events)
        .iter()
        .filter(|name| **name == "operation:queued")
        .count();
    assert_eq!(queued, 1);
    assert_eq!(wallet.count(&On::method("read")), 2);
}

#[tokio::test(start_paused = true)]
async fn a_link_failure_that_only_the_request_notices_is_checked_and_repeated() {
    let (session, wallet) = connected().await;
    let broken = ProviderError::new(ErrorKind::Unreachable, "connection reset");
    wallet.on(On::Request, Behaviour::fail(broken.clone()).times(1));
    let options = OperationOptions::default().repeatable(true);
    session
        .request_with("read", json!({}), options)
        .await
        .unwrap();
    assert_eq!(wallet.count(&On::method("read")), 2);
    assert_eq!(
        wallet.count(&On::Probe),
        2,
        "the link was checked before it was trusted again"
    );

    wallet.on(On::Request, Behaviour::fail(broken).times(1));
    let error = session.request("write", json!({})).await.unwrap_err();
    assert!(
        matches!(error, OperationError::Interrupted { .. }),
        "{error}"
    );
    assert_eq!(wallet.count(&On::method("write")), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_always_breaks_is_not_repeated_for_ever() {
    let (session, wallet) = connected().await;
    wallet.on(On::Request, Behaviour::fail(unreachable()));
    let options = OperationOptions::default().repeatable(true);
    let error = session
        .request_with("read", json!({}), options)
        .await
        .unwrap_err();
    assert!(matches!(error, OperationError::Provider(_)), "{error}");
    assert!(wallet.count(&On::method("read")) <= 6);
}

#[tokio::test(start_paused = true)]
async fn an_operation_for_an_identity_that_is_not_the_sessions_is_refused() {
    let (session, wallet) = connected().await;
    let bob = Identity::new("bob", session.snapshot().network.clone());
    let options = OperationOptions::default().for_identity(bob.clone());
    let error = session
        .request_with("sign", json!({}), options)
        .await
        .unwrap_err();
    let OperationError::IdentityChanged { submitted, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(**submitted, bob);
    assert_eq!(wallet.count(&On::Request), 0);
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_several_steps_stops_when_the_party_changes_between_them() {
    let (session, wallet) = connected().await;
    let control = wallet.clone();
    let result = session
        .run(|wallet| async move {
            wallet.request("one", json!({})).await?;
            control.change_accounts(vec![Account::primary("bob")]);
            settle().await;
            wallet.request("two", json!({})).await
        })
        .await
        .unwrap();
    assert!(
        matches!(result, Err(OperationError::IdentityChanged { .. })),
        "{result:?}"
    );
    assert_eq!((wallet.executions("one"), wallet.executions("two")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_dispatched_while_the_wallet_is_asked_what_changed() {
    let (session, wallet) = connected().await;
    wallet.set_accounts(vec![Account::primary("bob")]);
    wallet.on(On::Probe, Behaviour::answer().after(Duration::from_secs(1)));
    wallet.push(moorline::ProviderEvent::Recheck);
    let error = session.request("transfer", json!({})).await.unwrap_err();
    assert!(
        matches!(error, OperationError::IdentityChanged { .. }),
        "{error}"
    );
    assert_eq!(
        wallet.count(&On::Request),
        0,
        "acted for a party that nobody was sure of"
    );
}

#[tokio::test(start_paused = true)]
async fn h31_the_overflowing_operation_alone_is_refused() {
    let (builder, wallet) = wallet();
    let queue = QueuePolicy {
        capacity: 2,
        ..QueuePolicy::default()
    };
    let session = builder
        .policy(Policy { queue, ..policy() })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    wallet.go_away(unreachable());
    let held = [submit(&session, "a"), submit(&session, "b")];
    settle().await;
    let error = session.request("c", json!({})).await.unwrap_err();
    assert_eq!(error, OperationError::QueueFull { capacity: 2 });
    assert!(
        error
            .to_string()
            .starts_with("2 operations are held already")
    );
    wallet.come_back();
    for held in held {
        held.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_costs_nothing_once_answered() {
    let (session, wallet) = connected().await;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let (session, answered) = (session.clone(), answered.clone());
        tasks.spawn(async move {
            session.request("sign", json!({})).await.unwrap();
            answered.fetch_add(1, Ordering::Relaxed);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(answered.load(Ordering::Relaxed), 500);
    assert_eq!(wallet.executions("sign"), 500);
}
