//! Re-authentication that cannot be done now, and what a hook's errors mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moorline::event::EventKind;
use moorline::machine::RestoreOutcome;
use moorline::policy::{Backoff, ReconnectBudget};
use moorline::provider::{Capabilities, ErrorKind, ProviderError};
use moorline::session::{HookError, SessionBuilder};
use moorline::store::MemoryStore;
use moorline::{
    ConnectError, DisconnectReason, OperationError, Policy, ReconnectCause, Session, Status,
};
use moorline_scripted::{Behaviour, Control, On, ScriptedWallet};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{builder, expiring, published, settle, unreachable, wallet};

const TTL: Duration = Duration::from_secs(60);

/// A wallet that re-authenticates by itself.
fn renewing() -> (SessionBuilder, Control) {
    let capabilities = Capabilities {
        reauthentication: true,
        ..Capabilities::default()
    };
    let (provider, wallet) = ScriptedWallet::new().capabilities(capabilities).build();
    (builder(provider).policy(expiring(TTL)), wallet)
}

fn disconnected(reason: DisconnectReason) -> Status {
    Status::Disconnected { reason }
}

fn reauthenticating() -> Status {
    let cause = ReconnectCause::Reauthentication;
    Status::Reconnecting { cause }
}

/// How a session ends whose hook fails once with this error, and how often the hook was called by
/// then.
async fn after(error: impl Fn() -> HookError + Send + Sync + 'static) -> (Status, u32) {
    let (builder, _wallet) = wallet();
    let calls = Arc::<AtomicU32>::default();
    let counted = calls.clone();
    let error = Arc::new(error);
    let session = builder
        .policy(expiring(TTL))
        .on_reauth(move |_| {
            let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
            let error = error.clone();
            async move { if first { Err(error()) } else { Ok(()) } }
        })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    tokio::time::sleep(TTL + Duration::from_secs(10)).await;
    (session.status(), calls.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn a_hook_is_called_again_where_it_says_that_this_can_help() {
    let away = |kind| move || ProviderError::new(kind, "away");
    for kind in [
        ErrorKind::Unreachable,
        ErrorKind::TimedOut,
        ErrorKind::Internal,
    ] {
        let again = (Status::Connected, 2);
        assert_eq!(after(move || away(kind)().into()).await, again, "{kind:?}");
        let by_wallet = move || OperationError::Provider(away(kind)()).into();
        assert_eq!(after(by_wallet).await, again, "{kind:?}");
        let by_connect = move || ConnectError::Provider(away(kind)()).into();
        assert_eq!(after(by_connect).await, again, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_else_a_hook_fails_with_is_its_no() {
    let no = (disconnected(DisconnectReason::ReauthFailed), 1);
    assert_eq!(after(|| "not now".into()).await, no);
    assert_eq!(after(|| std::io::Error::other("disk").into()).await, no);
    for kind in [
        ErrorKind::UserRejected,
        ErrorKind::Unauthorized,
        ErrorKind::Refused,
        ErrorKind::SessionGone,
    ] {
        let error = move || ProviderError::new(kind, "no");
        assert_eq!(after(move || error().into()).await, no, "{kind:?}");
        let by_wallet = move || OperationError::Provider(error()).into();
        assert_eq!(after(by_wallet).await, no, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_hooks_own_is_told_as_a_refusal_with_its_cause() {
    let (builder, _wallet) = wallet();
    let session = builder
        .policy(expiring(TTL))
        .on_reauth(|_| async { Err("the vault is sealed".into()) })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    tokio::time::sleep(TTL).await;
    settle().await;
    let error = session.snapshot().last_error.clone().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.message(), "the vault is sealed");
    assert!(!error.is_retryable());
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_meets_a_wallet_that_is_away_is_called_again() {
    let (builder, wallet) = wallet();
    let session = builder
        .policy(expiring(TTL))
        .on_reauth(|reauth| async move {
            reauth.wallet.request("login", json!({})).await?;
            Ok(())
        })
        .build()
        .unwrap();
    session.connect().await.unwrap();
    let away = Behaviour::fail(unreachable()).times(2);
    wallet.on(On::method("login"), away);
    tokio::time::sleep(TTL + Duration::from_secs(1)).await;
    assert_eq!(session.status(), reauthenticating());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(session.status(), Status::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_provider_says_nothing_of_the_session() {
    let (builder, wallet) = renewing();
    let session = builder.build().unwrap();
    session.connect().await.unwrap();
    let panics = Behaviour::panic("a bug").times(1);
    wallet.on(On::Reauthenticate, panics);
    tokio::time::sleep(TTL + Duration::from_secs(1)).await;
    assert_eq!(session.status(), Status::Connected);
    assert_eq!(wallet.count(&On::Reauthenticate), 2);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_waits_for_re_authentication_has_its_own_deadline() {
    let (builder, wallet) = renewing();
    let session = builder.build().unwrap();
    session.connect().await.unwrap();
    wallet.on(On::Reauthenticate, Behaviour::fail(unreachable()));
    tokio::time::sleep(TTL).await;
    let begun = Instant::now();
    let options = moorline::session::OperationOptions::default().deadline(Duration::from_secs(3));
    let held = session.request_with("sign", json!({}), options).await;
    let error = held.unwrap_err();
    let late = matches!(error, OperationError::DeadlineExceeded { .. });
    assert!(late && !error.may_have_executed(), "{error}");
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!(session.status(), reauthenticating());
    assert_eq!(wallet.executions("sign"), 0);
}

#[tokio::test(start_paused = true)]
async fn re_authentication_has_the_limit_on_time_too() {
    let (builder, wallet) = renewing();
    let policy = Policy {
        reconnect: Backoff {
            max_attempts: None,
            max_elapsed: Some(Duration::from_secs(20)),
            jitter: false,
            ..Backoff::default()
        },
        ..expiring(TTL)
    };
    let session = builder.policy(policy).build().unwrap();
    session.connect().await.unwrap();
    wallet.on(On::Reauthenticate, Behaviour::fail(unreachable()));
    let mut watch = session.watch();
    let begun = Instant::now();
    let ended = watch.wait_for(|snapshot| snapshot.status.is_disconnected());
    ended.await.unwrap();
    // 0.5, 1, 2, 4 and 8 s; the next would be due at 31.5 s.
    assert_eq!(begun.elapsed(), TTL + Duration::from_millis(15_500));
    assert_eq!(session.status(), disconnected(DisconnectReason::GaveUp));
}

#[tokio::test(start_paused = true)]
async fn closing_ends_the_wait() {
    let (builder, wallet) = renewing();
    let session = builder.build().unwrap();
    session.connect().await.unwrap();
    wallet.on(On::Reauthenticate, Behaviour::fail(unreachable()));
    tokio::time::sleep(TTL).await;
    settle().await;
    let waits = session.clone();
    let held = tokio::spawn(async move { waits.request("sign", json!({})).await });
    settle().await;
    session.close().await;
    let error = held.await.unwrap().unwrap_err();
    assert!(matches!(error, OperationError::Closed { .. }), "{error}");
    let asked = wallet.count(&On::Reauthenticate);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(wallet.count(&On::Reauthenticate), asked);
}

/// A session of the store, of a provider with means of its own and with a hook that must not be
/// called.
fn stored(store: &MemoryStore) -> (Session, Control) {
    let (builder, wallet) = renewing();
    let session = builder
        .store(store.clone(), "s")
        .on_reauth(|_| async { panic!("a restore brings up no prompt") })
        .build()
        .unwrap();
    (session, wallet)
}

#[tokio::test(start_paused = true)]
async fn h05_two_restores_share_one_re_authentication() {
    let store = MemoryStore::new();
    let (session, _wallet) = stored(&store);
    session.connect().await.unwrap();
    session.close().await;
    let (session, wallet) = stored(&store);
    let gone = ProviderError::new(ErrorKind::SessionGone, "no session");
    wallet.on(On::Open, Behaviour::fail(gone).times(1));
    wallet.on(On::Reauthenticate, Behaviour::fail(unreachable()).times(1));
    let restore = || {
        let session = session.clone();
        tokio::spawn(async move { session.restore().await })
    };
    let first = restore();
    settle().await;
    // The first has failed, and waits for its next try.
    let second = restore();
    settle().await;
    assert_eq!(session.status(), reauthenticating());
    assert!(!first.is_finished() && !second.is_finished());
    assert_eq!(first.await.unwrap(), RestoreOutcome::Restored);
    assert_eq!(second.await.unwrap(), RestoreOutcome::Restored);
    assert_eq!(wallet.count(&On::Reauthenticate), 2);
}

#[tokio::test(start_paused = true)]
async fn what_expires_together_does_not_come_back_as_a_stampede() {
    const SESSIONS: u32 = 40;
    let budget = ReconnectBudget::per_second(10, 1);
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let (builder, wallet) = renewing();
        let session = builder.budget(budget.clone()).build().unwrap();
        let away = Behaviour::fail(unreachable()).times(1);
        wallet.on(On::Reauthenticate, away);
        session.connect().await.unwrap();
        sessions.push((session.events(), session));
    }
    tokio::time::sleep(TTL + Duration::from_secs(10)).await;
    let mut attempts = Vec::new();
    for (events, session) in &mut sessions {
        assert_eq!(session.status(), Status::Connected);
        let all = published(events);
        let tries = all
            .iter()
            .filter(|event| matches!(event.kind, EventKind::ReconnectAttempt { .. }));
        attempts.extend(tries.map(|event| event.at.as_millis()));
    }
    attempts.sort_unstable();
    assert_eq!(attempts.len(), SESSIONS as usize);
    for (one, next) in attempts.iter().zip(attempts.iter().skip(1)) {
        assert!(next - one >= 98, "{one} and {next}");
    }
}
