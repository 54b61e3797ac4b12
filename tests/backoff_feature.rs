//! Schedules of the `backoff` crate in place of the built-in one.

#![cfg(feature = "backoff")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Stop;
use moorline::policy::{Backoff, Schedule};
use moorline::provider::{ErrorKind, ProviderError};
use moorline::{DisconnectReason, EventKind, Policy, Session, Status};
use moorline_scripted::{Behaviour, Control, On, ScriptedWallet};

/// 1, 3, 9 and then always 20 seconds.
fn tripling() -> ExponentialBackoff {
    ExponentialBackoff {
        current_interval: Duration::from_secs(1),
        initial_interval: Duration::from_secs(1),
        multiplier: 3.0,
        max_interval: Duration::from_secs(20),
        randomization_factor: 0.0,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    }
}

fn unreachable() -> ProviderError {
    ProviderError::new(ErrorKind::Unreachable, "connection refused")
}

async fn connected(schedule: impl Schedule + 'static, max_attempts: u32) -> (Session, Control) {
    let (provider, wallet) = ScriptedWallet::new().build();
    let policy = Policy {
        reconnect: Backoff {
            max_attempts: Some(max_attempts),
            ..Backoff::default()
        },
        ..Policy::default()
    };
    let session = Session::builder(provider)
        .policy(policy)
        .schedule(schedule)
        .build()
        .unwrap();
    session.connect().await.unwrap();
    (session, wallet)
}

/// Loses the link, lets `failures` attempts fail, and returns the delays of the attempts made.
async fn delays(session: &Session, wallet: &Control, failures: u32) -> Vec<u64> {
    let mut events = session.events();
    wallet.on(On::Open, Behaviour::fail(unreachable()).times(failures));
    wallet.drop_link(unreachable());
    let mut delays = Vec::new();
    loop {
        let item = events.next().await.expect("the session is open");
        match item.event().expect("no event is missed").kind {
            EventKind::ReconnectScheduled { delay_ms, .. } => delays.push(delay_ms),
            EventKind::Connected { .. } | EventKind::Disconnected { .. } => return delays,
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn delays_are_those_of_the_schedule_to_the_millisecond() {
    let (session, wallet) = connected(tripling(), 10).await;
    let begun = tokio::time::Instant::now();
    let delays = delays(&session, &wallet, 4).await;
    assert_eq!(delays, [1000, 3000, 9000, 20_000, 20_000]);
    assert_eq!(session.status(), Status::Connected);
    let waited = begun.elapsed();
    let least = Duration::from_secs(53);
    assert!(
        waited >= least && waited < least + Duration::from_millis(20),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_schedule_begins_anew_after_a_connection_that_held() {
    let (session, wallet) = connected(tripling(), 10).await;
    assert_eq!(delays(&session, &wallet, 1).await, [1000, 3000]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(delays(&session, &wallet, 1).await, [1000, 3000]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_did_not_hold_goes_on_where_the_schedule_stood() {
    let (session, wallet) = connected(tripling(), 10).await;
    assert_eq!(delays(&session, &wallet, 1).await, [1000, 3000]);
    assert_eq!(delays(&session, &wallet, 0).await, [9000]);
}

#[tokio::test(start_paused = true)]
async fn the_policys_limit_on_attempts_applies_beside_it() {
    let (session, wallet) = connected(tripling(), 2).await;
    assert_eq!(delays(&session, &wallet, 9).await, [1000, 3000]);
    let reason = DisconnectReason::GaveUp;
    assert_eq!(session.status(), Status::Disconnected { reason });
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_stops_gives_up() {
    let (session, wallet) = connected(Stop {}, 5).await;
    assert_eq!(delays(&session, &wallet, 0).await, [0_u64; 0]);
    let reason = DisconnectReason::GaveUp;
    assert_eq!(session.status(), Status::Disconnected { reason });
    assert_eq!(wallet.count(&On::Open), 1, "no attempt was made");
}
