//! Rule 4: nothing is waited for without a deadline.

use std::time::Duration;

use moorline::provider::{ErrorKind, ProviderError};
use moorline::{ConnectError, DisconnectReason, OperationError, Policy, Status};
use moorline_scripted::{Behaviour, On};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{connected, names, policy, short_deadlines, wallet};

#[tokio::test(start_paused = true)]
async fn h08_a_wallet_that_never_answers_an_open_fails_the_connect() {
    let (builder, wallet) = wallet();
    let policy = Policy {
        deadlines: short_deadlines(),
        ..policy()
    };
    let session = builder.policy(policy).build().unwrap();
    wallet.on(On::Open, Behaviour::silence());
    let begun = Instant::now();
    let error = session.connect().await.unwrap_err();
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!(
        error.provider_error().map(|error| error.kind()),
        Some(ErrorKind::TimedOut)
    );
    let reason = DisconnectReason::ConnectFailed;
    assert_eq!(session.status(), Status::Disconnected { reason });
    assert_eq!(
        wallet.pending(),
        0,
        "the open that nobody waits for was not dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn h08_a_silent_probe_fails_the_connect() {
    let (builder, wallet) = wallet();
    let policy = Policy {
        deadlines: short_deadlines(),
        ..policy()
    };
    let session = builder.policy(policy).build().unwrap();
    wallet.on(On::Probe, Behaviour::silence());
    let begun = Instant::now();
    assert!(matches!(
        session.connect().await,
        Err(ConnectError::Provider(_))
    ));
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn h08_disconnect_is_immediate_locally_and_bounded_in_all() {
    let (session, wallet) = connected().await;
    wallet.on(On::Close, Behaviour::silence());
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.disconnect().await }
    });
    tokio::task::yield_now().await;
    let reason = DisconnectReason::User;
    assert_eq!(
        session.status(),
        Status::Disconnected { reason },
        "local state waits for nobody"
    );
    let begun = Instant::now();
    let report = waiting.await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    let answer = report.wallet.unwrap().unwrap_err();
    assert_eq!(answer.kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_request_has_a_deadline_and_says_that_it_may_have_run() {
    let (session, wallet) = connected().await;
    wallet.on(On::Request, Behaviour::silence());
    let begun = Instant::now();
    let options = moorline::session::OperationOptions::default().deadline(Duration::from_secs(7));
    let error = session
        .request_with("sign", json!({}), options)
        .await
        .unwrap_err();
    assert_eq!(begun.elapsed(), Duration::from_secs(7));
    assert!(
        matches!(error, OperationError::DeadlineExceeded { .. }),
        "{error}"
    );
    assert!(error.may_have_executed());
    assert_eq!(wallet.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_held_request_has_a_deadline_and_says_that_it_did_not_run() {
    let (session, wallet) = connected().await;
    wallet.go_away(crate::support::unreachable());
    let options = moorline::session::OperationOptions::default().deadline(Duration::from_secs(1));
    let error = session
        .request_with("sign", json!({}), options)
        .await
        .unwrap_err();
    assert!(
        matches!(error, OperationError::DeadlineExceeded { .. }),
        "{error}"
    );
    assert!(!error.may_have_executed());
    assert_eq!(session.held_operations(), 0);
}

#[tokio::test(start_paused = true)]
async fn re_authentication_has_a_deadline() {
    let (builder, _wallet) = wallet();
    let session = builder
        .policy(crate::support::expiring(Duration::from_secs(60)))
        .on_reauth(|_| std::future::pending())
        .build()
        .unwrap();
    session.connect().await.unwrap();
    let mut watch = session.watch();
    let begun = Instant::now();
    watch
        .wait_for(|snapshot| snapshot.status.is_disconnected())
        .await
        .unwrap();
    assert_eq!(begun.elapsed().as_secs(), 60 + 120);
    let reason = DisconnectReason::ReauthFailed;
    assert_eq!(session.status(), Status::Disconnected { reason });
}

#[tokio::test(start_paused = true)]
async fn h08_a_probe_after_a_long_request_has_all_of_its_time() {
    let (session, wallet) = connected().await;
    let cut = ProviderError::new(ErrorKind::Unreachable, "the answer was lost");
    let late = Behaviour::fail(cut).after(Duration::from_secs(120));
    wallet.on(On::Request, late);
    let slow = Behaviour::answer().after(Duration::from_secs(1));
    wallet.on(On::Probe, slow);
    let mut events = session.events();
    session.request("pay", json!({})).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(names(&mut events), [] as [&str; 0]);
    assert_eq!(session.status(), Status::Connected);
}
