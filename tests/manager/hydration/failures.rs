//! Fetchers that fail, hang or panic.

use std::time::Duration;

use moorline::manager::{DataError, Fetch};
use moorline::policy::Backoff;
use moorline::provider::{ErrorKind, ProviderError};
use moorline_scripted::{Behaviour, On};

use super::{MINUTE, PROFILE, SECOND, Seen, fresh, profile, shown, stale, told};
use crate::support::{builder, published, settle, wallet};

fn steady(retries: u32) -> Backoff {
    Backoff {
        base: SECOND,
        cap: 4 * SECOND,
        jitter: false,
        max_attempts: Some(retries),
        ..Backoff::default()
    }
}

fn failing(kind: ErrorKind) -> Behaviour {
    Behaviour::fail(ProviderError::new(kind, "no"))
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_with_growing_delays_and_the_last_value_stays_stale() {
    let seen = Seen::default();
    let fetch = profile(&seen).retry(steady(3));
    let manager = builder().fetch(fetch).build().unwrap();
    let (provider, control) = wallet("a");
    let a = manager.login(provider).await.unwrap();
    settle().await;
    let mut events = manager.events();
    control.on(On::method("profile"), failing(ErrorKind::Internal));
    let error = a.refresh(PROFILE).await.unwrap_err();
    let DataError::Failed { name, error } = error else {
        panic!("{error}");
    };
    assert_eq!((&*name, error.kind()), ("profile", ErrorKind::Internal));
    assert_eq!(shown(&a), stale("a"));
    tokio::time::sleep(MINUTE).await;
    let expected = [
        "a: profile started Asked",
        "a: profile failed 1 Internal Some(1000)",
        "a: profile started Asked",
        "a: profile failed 2 Internal Some(2000)",
        "a: profile started Asked",
        "a: profile failed 3 Internal Some(4000)",
        "a: profile started Asked",
        "a: profile failed 4 Internal None",
    ];
    assert_eq!(told(&mut events), expected);
    // A look alone begins nothing any more.
    assert_eq!(shown(&a), stale("a"));
    settle().await;
    assert_eq!(seen.count(), 5);
    // Who asks does, and the count starts anew.
    control.on(
        On::method("profile"),
        failing(ErrorKind::Internal).then(Behaviour::answer()),
    );
    a.refresh(PROFILE).await.unwrap_err();
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(shown(&a), fresh("a"));
    assert_eq!(
        told(&mut events)[1],
        "a: profile failed 1 Internal Some(1000)"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_end_better_is_not_tried_again_and_a_retry_after_is_honoured() {
    let seen = Seen::default();
    let fetch = profile(&seen).retry(steady(3));
    let manager = builder().fetch(fetch).build().unwrap();
    let (provider, control) = wallet("a");
    control.on(
        On::method("profile"),
        Behaviour::fail(ProviderError::from_code(4200, "no such method")),
    );
    let mut events = manager.events();
    let a = manager.login(provider).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    let expected = [
        "a: profile started Login",
        "a: profile failed 1 Unsupported None",
    ];
    assert_eq!(told(&mut events), expected);
    let busy = ProviderError::new(ErrorKind::RateLimited, "busy").with_retry_after(10 * SECOND);
    control.on(
        On::method("profile"),
        Behaviour::fail(busy).then(Behaviour::answer()),
    );
    let error = a.refresh(PROFILE).await.unwrap_err();
    assert!(
        matches!(error, DataError::Failed { error, .. } if error.kind() == ErrorKind::RateLimited)
    );
    tokio::time::sleep(9 * SECOND).await;
    assert_eq!(shown(&a), None);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(shown(&a), fresh("a"));
}

#[tokio::test(start_paused = true)]
async fn one_that_never_answers_ends_at_its_deadline() {
    let seen = Seen::default();
    let fetch = profile(&seen).deadline(5 * SECOND).retry(steady(0));
    let manager = builder().fetch(fetch).build().unwrap();
    let (provider, control) = wallet("a");
    control.on(On::method("profile"), Behaviour::silence());
    let mut events = manager.events();
    let a = manager.login(provider).await.unwrap();
    let begun = tokio::time::Instant::now();
    a.fetched(PROFILE).await.unwrap_err();
    assert_eq!(begun.elapsed(), 5 * SECOND);
    let expected = "a: profile failed 1 TimedOut None";
    assert_eq!(told(&mut events)[1], expected);
    settle().await;
    assert_eq!(control.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_and_what_it_says_is_not_passed_on() {
    for at_once in [true, false] {
        let fetch = Fetch::new(PROFILE, move |_| {
            assert!(!at_once, "s3cret");
            async { panic!("s3cret") }
        });
        let manager = builder().fetch(fetch.retry(steady(0))).build().unwrap();
        let mut events = manager.events();
        let a = manager.login(wallet("a").0).await.unwrap();
        let error = a.fetched(PROFILE).await.unwrap_err();
        let all = format!("{error:?} {:?}", published(&mut events));
        assert!(all.contains("Panicked") && !all.contains("s3cret"), "{all}");
        // The others are not harmed.
        a.request("sign", serde_json::Value::Null).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_stops_what_is_under_way_and_what_was_to_be_tried_again() {
    let seen = Seen::default();
    let fetch = profile(&seen).retry(steady(9)).refresh_every(MINUTE);
    let manager = builder().fetch(fetch).build().unwrap();
    let (provider, slow) = wallet("slow");
    slow.on(On::method("profile"), Behaviour::silence());
    let (provider_of_failing, control) = wallet("failing");
    control.on(On::method("profile"), failing(ErrorKind::Internal));
    let waiting = manager.login(provider).await.unwrap();
    manager.login(provider_of_failing).await.unwrap();
    settle().await;
    assert_eq!((slow.pending(), seen.count()), (1, 2));
    let waits = waiting.clone();
    let waits = tokio::spawn(async move { waits.fetched(PROFILE).await });
    settle().await;
    manager.logout("slow").await.unwrap();
    manager.logout("failing").await.unwrap();
    assert_eq!(waits.await.unwrap().unwrap_err(), DataError::Gone);
    settle().await;
    assert_eq!(slow.pending(), 0);
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(seen.count(), 2);
    assert!(waiting.data(PROFILE).is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_once_the_manager_is_closed_or_gone() {
    for close in [true, false] {
        let seen = Seen::default();
        // Holds a handle of the session, as fetchers do.
        let fetch = profile(&seen).refresh_every(SECOND);
        let slow = Fetch::new::<(), _, _>("slow", |context| async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            drop(context);
            Ok(())
        });
        let manager = builder().fetch(fetch).fetch(slow).build().unwrap();
        let a = manager.login(wallet("a").0).await.unwrap();
        tokio::time::sleep(2 * SECOND).await;
        let before = seen.count();
        assert!(before >= 2);
        if close {
            manager.close().await;
            assert_eq!(a.fetched(PROFILE).await.unwrap_err(), DataError::Gone);
        }
        drop(manager);
        settle().await;
        tokio::time::sleep(MINUTE).await;
        assert_eq!(seen.count(), before);
        assert!(a.data(PROFILE).is_none());
        assert_eq!(a.refresh(PROFILE).await.unwrap_err(), DataError::Gone);
        // This test's own task alone is left.
        drop(a);
        settle().await;
        let alive = tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks();
        assert!(alive <= 1, "{alive} tasks are left");
    }
}

/// As somebody writes who means "never", or a server that has gone mad.
#[tokio::test(start_paused = true)]
async fn times_without_end_are_never() {
    let seen = Seen::default();
    let fetch = profile(&seen)
        .ttl(Duration::MAX)
        .refresh_every(Duration::MAX)
        .deadline(Duration::MAX);
    let manager = builder().fetch(fetch).build().unwrap();
    let (provider, control) = wallet("a");
    let a = manager.login(provider).await.unwrap();
    settle().await;
    assert_eq!(shown(&a), fresh("a"));
    let error = ProviderError::new(ErrorKind::RateLimited, "no").with_retry_after(Duration::MAX);
    control.on(On::method("profile"), Behaviour::fail(error));
    a.refresh(PROFILE).await.unwrap_err();
    control.drop_link(ProviderError::new(ErrorKind::Unreachable, "gone"));
    tokio::time::sleep(60 * MINUTE).await;
    assert_eq!(shown(&a), stale("a"));
    assert_eq!(
        seen.count(),
        3,
        "once at the login, once asked, once when it was back"
    );
}
