//! The way back.

use std::time::Duration;

use moorline::policy::{Backoff, ReconnectBudget, Schedule};
use moorline::provider::{ErrorKind, ProviderError};
use moorline::session::Driver;
use moorline::{DisconnectReason, EventKind, Policy, ReconnectCause, Session, Status};
use moorline_scripted::{Behaviour, On, ScriptedWallet};

use crate::support::{connected, names, policy, published, settle, unreachable, wallet};

fn delays(events: &mut moorline::session::EventStream) -> Vec<u64> {
    published(events)
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::ReconnectScheduled { delay_ms, .. } => Some(delay_ms),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_wallets_retry_after_is_honoured_beyond_the_cap() {
    let (session, wallet) = connected().await;
    let mut events = session.events();
    let busy = ProviderError::new(ErrorKind::RateLimited, "too many requests")
        .with_code(-32005)
        .with_retry_after(Duration::from_secs(90));
    wallet.on(On::Open, Behaviour::fail(busy).times(1));
    wallet.drop_link(unreachable());
    tokio::time::sleep(Duration::from_secs(95)).await;
    assert_eq!(delays(&mut events), [500, 90_000]);
    assert_eq!(session.status(), Status::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_stops_at_once() {
    let (session, wallet) = connected().await;
    let mut events = session.events();
    wallet.on(
        On::Open,
        Behaviour::fail(ProviderError::from_code(4200, "no such method")),
    );
    wallet.drop_link(unreachable());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let reason = DisconnectReason::GaveUp;
    assert_eq!(session.status(), Status::Disconnected { reason });
    assert_eq!(delays(&mut events), [500]);
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_ends_the_wait() {
    let (session, wallet) = connected().await;
    wallet.drop_link(unreachable());
    settle().await;
    let cause = ReconnectCause::LinkLost;
    assert_eq!(session.status(), Status::Reconnecting { cause });
    let begun = tokio::time::Instant::now();
    wallet.push(moorline::ProviderEvent::Ready);
    settle().await;
    assert_eq!(session.status(), Status::Connected);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_success_that_does_not_hold_does_not_reset_the_count() {
    let (session, wallet) = connected().await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    let mut events = session.events();
    for _ in 0..3 {
        wallet.drop_link(unreachable());
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(session.status(), Status::Connected);
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    wallet.drop_link(unreachable());
    settle().await;
    assert_eq!(delays(&mut events), [500, 1000, 2000, 500]);
}

#[tokio::test(start_paused = true)]
async fn recovery_has_a_limit_on_time_too() {
    let (builder, wallet) = wallet();
    let reconnect = Backoff {
        max_attempts: None,
        max_elapsed: Some(Duration::from_secs(60)),
        ..policy().reconnect
    };
    let session = builder
        .policy(Policy {
            reconnect,
            ..policy()
        })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    wallet.go_away(unreachable());
    let begun = tokio::time::Instant::now();
    let mut watch = session.watch();
    watch
        .wait_for(|snapshot| snapshot.status.is_disconnected())
        .await
        .unwrap();
    assert!(
        begun.elapsed() <= Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        begun.elapsed() > Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn the_first_connect_is_retried_only_if_asked_for() {
    let (builder, wallet) = wallet();
    wallet.on(On::Open, Behaviour::fail(unreachable()).times(2));
    let retrying = Policy {
        retry_first_connect: true,
        ..policy()
    };
    let session = builder.policy(retrying).build().unwrap();
    let mut events = session.events();
    session.connect().await.unwrap();
    assert_eq!(wallet.count(&On::Open), 3);
    assert_eq!(
        names(&mut events),
        [
            "session:connecting",
            "reconnect:scheduled",
            "reconnect:attempt",
            "reconnect:scheduled",
            "reconnect:attempt",
            "reconnect:succeeded",
            "session:connected"
        ]
    );

    let (builder, wallet) = crate::support::wallet();
    wallet.on(On::Open, Behaviour::fail(unreachable()).times(1));
    let session = builder.build().unwrap();
    session.connect().await.unwrap_err();
    assert_eq!(wallet.count(&On::Open), 1);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_of_ones_own_replaces_the_delays() {
    struct Fixed;
    impl Schedule for Fixed {
        fn next_delay(&mut self, attempt: u32) -> Option<Duration> {
            (attempt <= 2).then(|| Duration::from_millis(77))
        }
    }
    let (builder, wallet) = wallet();
    let session = builder.schedule(Fixed).build().unwrap();
    session.connect().await.unwrap();
    let mut events = session.events();
    wallet.go_away(unreachable());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(delays(&mut events), [77, 77]);
    assert!(session.status().is_disconnected());
}

#[tokio::test(start_paused = true)]
async fn many_sessions_share_a_budget_of_attempts() {
    let budget = ReconnectBudget::per_second(10, 5);
    let driver = Driver::new().unwrap();
    let mut all = Vec::new();
    for _ in 0..100 {
        let (provider, wallet) = ScriptedWallet::new().build();
        let session = Session::builder(provider)
            .policy(policy())
            .budget(budget.clone())
            .driver(&driver)
            .build()
            .unwrap();
        session.connect().await.unwrap();
        all.push((session, wallet));
    }
    for (_, wallet) in &all {
        wallet.drop_link(unreachable());
    }
    tokio::time::sleep(Duration::from_millis(500 + 20)).await;
    let back = |all: &[(Session, moorline_scripted::Control)]| {
        all.iter()
            .filter(|(session, _)| session.status() == Status::Connected)
            .count()
    };
    assert_eq!(back(&all), 5, "the burst");
    for second in 1..=9 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(back(&all), 5 + 10 * second, "ten a second after that");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(back(&all), 100);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_be_reopened_silently_is_not_tried() {
    let capabilities = moorline::provider::Capabilities {
        silent_open: false,
        ..Default::default()
    };
    let (provider, wallet) = ScriptedWallet::new().capabilities(capabilities).build();
    let session = Session::builder(provider).build().unwrap();
    session.connect().await.unwrap();
    wallet.drop_link(unreachable());
    settle().await;
    let reason = DisconnectReason::GaveUp;
    assert_eq!(session.status(), Status::Disconnected { reason });
    assert_eq!(wallet.count(&On::Open), 1);
}
