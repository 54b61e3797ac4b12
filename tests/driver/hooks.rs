//! Hooks that fail, panic, hang, and talk to the wallet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::event::{EventKind, Invalidation};
use moorline::provider::ErrorKind;
use moorline::session::HookError;
use moorline::{Account, DisconnectReason, Status};
use moorline_scripted::{Behaviour, On};
use serde_json::json;

use crate::support::{expiring, names, published, settle, wallet};

#[tokio::test(start_paused = true)]
async fn h11_a_panicking_re_authentication_ends_the_session_and_is_told() {
    let (builder, _wallet) = wallet();
    let session = builder
        .policy(expiring(Duration::from_secs(60)))
        .on_reauth(|_| async { panic!("the hook broke") })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    let mut events = session.events();
    tokio::time::sleep(Duration::from_secs(61)).await;
    let reason = DisconnectReason::ReauthFailed;
    assert_eq!(session.status(), Status::Disconnected { reason });
    let failed = published(&mut events)
        .into_iter()
        .find_map(|event| match &event.kind {
            EventKind::ReauthFailed { error } => Some(error.clone()),
            _ => None,
        });
    let failed = failed.expect("reauth:failed");
    assert_eq!(failed.kind(), ErrorKind::Panicked);
    assert!(failed.message().contains("the hook broke"), "{failed}");
    session.connect().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn h11_a_panicking_probe_is_a_failed_attempt() {
    let (builder, wallet) = wallet();
    let session = builder.build().unwrap();
    session.connect().await.unwrap();
    wallet.on(On::Probe, Behaviour::panic("wallet bug").times(1));
    wallet.on(On::Open, Behaviour::panic_at_call("wallet bug").times(1));
    wallet.drop_link(crate::support::unreachable());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(session.status(), Status::Connected);
    assert_eq!(
        wallet.count(&On::Open),
        4,
        "one to connect, one panicked, one unproved, one good"
    );
}

#[tokio::test(start_paused = true)]
async fn the_re_authentication_hook_talks_to_the_wallet_outside_the_queue() {
    let (builder, wallet) = wallet();
    let session = builder
        .policy(expiring(Duration::from_secs(60)))
        .on_reauth(|reauth| async move {
            reauth
                .wallet
                .request("login", json!({ "for": reauth.wallet.identity() }))
                .await?;
            Ok(())
        })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    wallet.on(
        On::method("login"),
        Behaviour::answer().after(Duration::from_secs(3)),
    );
    tokio::time::sleep(Duration::from_secs(61)).await;
    let held = tokio::spawn({
        let session = session.clone();
        async move { session.request("sign", json!({})).await }
    });
    settle().await;
    assert_eq!(session.held_operations(), 1);
    held.await.unwrap().unwrap();
    let executed = (wallet.executions("login"), wallet.executions("sign"));
    assert_eq!(executed, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_drops_the_re_authentication_hook_where_it_stands() {
    struct Noticed(Arc<AtomicUsize>);
    impl Drop for Noticed {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let (builder, _wallet) = wallet();
    let guard = dropped.clone();
    let session = builder
        .policy(expiring(Duration::from_secs(60)))
        .on_reauth(move |_| {
            let guard = Noticed(guard.clone());
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                Ok(())
            }
        })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    session.disconnect().await;
    settle().await;
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn h45_a_failing_invalidation_hook_is_told_and_stops_nothing() {
    let (builder, wallet) = wallet();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let calls = seen.clone();
    let session = builder
        .on_invalidate(move |what| {
            let mut calls = calls.lock().unwrap();
            calls.push(what);
            let count = calls.len();
            async move {
                match count {
                    1 => Err(HookError::from("cache is down")),
                    2 => panic!("cache broke"),
                    3 => std::future::pending().await,
                    _ => Ok(()),
                }
            }
        })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    let mut events = session.events();
    for who in ["bob", "alice", "bob", "alice"] {
        wallet.change_accounts(vec![Account::primary(who)]);
        settle().await;
    }
    tokio::time::sleep(Duration::from_secs(31)).await;
    let errors: Vec<String> = published(&mut events)
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::HookFailed { error, .. } => Some(error.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(
        errors,
        [
            "cache is down",
            "panicked: cache broke",
            "not done within 30000 ms"
        ]
    );
    assert_eq!(seen.lock().unwrap().len(), 4);
    let first = Invalidation::Party {
        previous: "alice".into(),
        current: "bob".into(),
    };
    assert_eq!(seen.lock().unwrap()[0], first);
    assert_eq!(session.status(), Status::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_provider_can_re_authenticate_by_itself() {
    let capabilities = moorline::provider::Capabilities {
        reauthentication: true,
        ..Default::default()
    };
    let (provider, wallet) = moorline_scripted::ScriptedWallet::new()
        .capabilities(capabilities)
        .build();
    let session = crate::support::builder(provider)
        .policy(expiring(Duration::from_secs(60)))
        .build()
        .unwrap();
    session.connect().await.unwrap();
    let mut events = session.events();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(wallet.count(&On::Reauthenticate), 1);
    assert_eq!(
        names(&mut events),
        [
            "session:expired",
            "session:reconnecting",
            "reauth:started",
            "reauth:succeeded",
            "session:connected"
        ]
    );
}
