//! Logging in and out, and who is active: what goes wrong with NDK's session manager. Tests are
//! named after what was observed there, or after what its code does.

use std::time::Duration;

use moorline::manager::{ManagerError, ManagerEventKind, NextActive, SessionManager};
use moorline::provider::{CloseMode, ErrorKind, NetworkLink};
use moorline::store::{MemoryStore, Stored};
use moorline::{Identity, OperationError};
use moorline_scripted::{Behaviour, Control, On, What};
use serde_json::Value;

use crate::support::{
    KEY_A, KEY_B, PUBKEY_A, PUBKEY_B, PUBKEY_C, accounts, active, builder, name, now, published,
    settle, signer, stored,
};

const SECOND: Duration = Duration::from_secs(1);

async fn login(manager: &SessionManager, key: &str) -> Control {
    let (provider, control) = signer(key);
    manager.login(provider).await.unwrap();
    control
}

async fn watch(manager: &SessionManager, pubkey: &str) {
    let identity = Identity::new(pubkey, None);
    manager.watch(identity).await.unwrap();
}

async fn signs_as(manager: &SessionManager) -> String {
    let active = manager.active().unwrap();
    let signed = active.request("sign", Value::Null).await.unwrap();
    signed["account"].as_str().unwrap().to_owned()
}

/// In the store, it is lost where one manager writes what it saw before it waited.
#[tokio::test(start_paused = true)]
async fn three_concurrent_logins_make_three_sessions_and_store_them() {
    let store = MemoryStore::new();
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    let slow = |key| {
        let (provider, control) = signer(key);
        control.on(On::Probe, Behaviour::answer().after(SECOND));
        manager.login(provider)
    };
    let third = manager.watch(Identity::new(PUBKEY_C, None));
    let (a, b, c) = tokio::join!(slow(KEY_A), slow(KEY_B), third);
    assert!(!a.unwrap().is_read_only() && !b.unwrap().is_read_only());
    assert!(c.unwrap().is_read_only());
    assert_eq!(accounts(&manager), [PUBKEY_A, PUBKEY_B, PUBKEY_C]);
    manager.close().await;
    let manager = stored(store, |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 3);
}

#[tokio::test(start_paused = true)]
async fn rapid_switch_a_then_b_ends_with_b_and_mixes_nobody() {
    let manager = builder().build().unwrap();
    let a = login(&manager, KEY_A).await;
    login(&manager, KEY_B).await;
    // However slow its signer is.
    a.on(On::Probe, Behaviour::silence());
    let mut watch = manager.watch_active();
    manager.switch_to(PUBKEY_A).unwrap();
    let seen = watch.current().unwrap();
    assert_eq!(*seen.session().identity().unwrap(), seen.identity());
    manager.switch_to(PUBKEY_B).unwrap();
    settle().await;
    let seen = watch.current().unwrap();
    assert_eq!(seen.account().as_str(), PUBKEY_B);
    assert_eq!(*seen.session().identity().unwrap(), seen.identity());
    assert_eq!(signs_as(&manager).await, PUBKEY_B);
}

#[tokio::test(start_paused = true)]
async fn readonly_login_active_never_signs_with_the_previous_account() {
    let manager = builder().build().unwrap();
    let a = login(&manager, KEY_A).await;
    watch(&manager, PUBKEY_C).await;
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_C));
    let active = manager.active().unwrap();
    assert!(active.is_read_only());
    let error = active.request("sign", Value::Null).await.unwrap_err();
    let OperationError::Provider(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), ErrorKind::ReadOnly);
    assert_eq!(a.total_executions(), 0);
}

#[tokio::test(start_paused = true)]
async fn login_of_an_existing_account_is_the_same_session_and_counts_as_use() {
    let manager = builder().build().unwrap();
    let first = manager.login(signer(KEY_A).0).await.unwrap();
    let used = first.last_active();
    tokio::time::sleep(SECOND).await;
    let again = manager.login(signer(KEY_A).0).await.unwrap();
    assert_eq!(first, again);
    assert!(again.last_active() > used);
    assert_eq!(accounts(&manager), [PUBKEY_A]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_not_to_be_active_leaves_active_who_is() {
    let manager = builder().build().unwrap();
    login(&manager, KEY_A).await;
    let provider = std::sync::Arc::new(signer(KEY_B).0);
    manager.login_dyn(provider, false).await.unwrap();
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_A));
    assert_eq!(signs_as(&manager).await, PUBKEY_A);
}

#[tokio::test(start_paused = true)]
async fn logout_unknown_logout_none_and_switch_unknown_are_errors() {
    let manager = builder().build().unwrap();
    let none = manager.logout_active().await.unwrap_err();
    assert_eq!(none, ManagerError::NoActiveSession);
    login(&manager, KEY_A).await;
    let unknown = |error| matches!(error, ManagerError::NotFound { .. });
    assert!(unknown(manager.logout("nope").await.unwrap_err()));
    assert!(unknown(manager.switch_to("nope").unwrap_err()));
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_A));
    // Nobody is a choice, too, and stays one.
    manager.switch_to_none();
    let error = manager.active().unwrap_err();
    assert_eq!(error, ManagerError::NoActiveSession);
}

/// NDK takes the first one in the order of logins.
#[tokio::test(start_paused = true)]
async fn after_logout_active_the_next_is_by_policy_the_most_recent_or_nobody() {
    for (policy, next) in [
        (NextActive::MostRecent, Some(PUBKEY_B)),
        (NextActive::None, None),
    ] {
        let manager = builder().next_active(policy).build().unwrap();
        login(&manager, KEY_A).await;
        login(&manager, KEY_B).await;
        watch(&manager, PUBKEY_C).await;
        let report = manager.logout_active().await.unwrap();
        let reported = report.active.map(|key| key.account.to_string());
        assert_eq!(reported.as_deref(), next);
        assert_eq!(active(&manager).as_deref(), next);
    }
}

#[tokio::test(start_paused = true)]
async fn after_logout_a_a_session_that_watches_may_be_next_and_nobody_signs() {
    let policy = NextActive::MostRecent;
    let manager = builder().next_active(policy).build().unwrap();
    watch(&manager, PUBKEY_C).await;
    let a = login(&manager, KEY_A).await;
    manager.logout_active().await.unwrap();
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_C));
    let active = manager.active().unwrap();
    active.request("sign", Value::Null).await.unwrap_err();
    assert_eq!(a.total_executions(), 0);
}

/// NDK publishes an active account without a session twice.
#[tokio::test(start_paused = true)]
async fn logout_active_notifications_always_name_a_session_that_is_there() {
    let policy = NextActive::MostRecent;
    let manager = builder().next_active(policy).build().unwrap();
    login(&manager, KEY_A).await;
    login(&manager, KEY_B).await;
    let mut watching = manager.watch_active();
    watching.current();
    let mut events = manager.events();
    let seen = {
        let manager = manager.clone();
        tokio::spawn(async move {
            let now = watching.changed().await.unwrap().unwrap();
            let there = manager.get(now.account()).unwrap() == now;
            (now.account().to_string(), there)
        })
    };
    manager.logout_active().await.unwrap();
    assert_eq!(seen.await.unwrap(), (PUBKEY_A.to_owned(), true));
    for event in published(&mut events) {
        if let ManagerEventKind::LoggedOut { active } = &event.kind {
            let active = active.as_ref().unwrap();
            assert_eq!(active.account.as_str(), PUBKEY_A);
        }
    }
}

/// NDK tells its subscribers 11 times of three logins and three logouts.
#[tokio::test(start_paused = true)]
async fn event_count_nothing_is_told_twice() {
    let policy = NextActive::MostRecent;
    let manager = builder().next_active(policy).build().unwrap();
    let mut events = manager.events();
    let mut watching = manager.watch_active();
    login(&manager, KEY_A).await;
    login(&manager, KEY_B).await;
    watch(&manager, PUBKEY_C).await;
    for _ in 0..3 {
        manager.switch_to(PUBKEY_C).unwrap();
    }
    watch(&manager, PUBKEY_C).await;
    for _ in 0..3 {
        manager.logout_active().await.unwrap();
    }
    let (mut own, mut last) = (0, None);
    for event in published(&mut events) {
        match &event.kind {
            ManagerEventKind::LoggedIn { .. } | ManagerEventKind::LoggedOut { .. } => own += 1,
            ManagerEventKind::ActiveChanged { previous, current } => {
                own += 1;
                assert_ne!(previous, current);
                assert_eq!(*previous, last);
                last.clone_from(current);
            }
            _ => {}
        }
    }
    // A login or a logout, and who is active then.
    assert_eq!(own, 12);
    watching.current();
    manager.switch_to_none();
    let told = tokio::time::timeout(SECOND, watching.changed()).await;
    told.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn logout_subscription_nothing_runs_on_after_a_logout() {
    let manager = builder().build().unwrap();
    let control = login(&manager, KEY_A).await;
    let session = manager.get(PUBKEY_A).unwrap();
    let mut heard = manager.events();
    manager.logout_active().await.unwrap();
    published(&mut heard);
    // It was ended at the signer, once.
    let closed = control
        .calls()
        .into_iter()
        .filter_map(|call| match call.what {
            What::Close(mode) => Some(mode),
            _ => None,
        });
    assert_eq!(closed.collect::<Vec<_>>(), [CloseMode::Disconnect]);
    // Nobody listens to it any more.
    control.change_link(NetworkLink::Down);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(published(&mut heard), []);
    session.request("sign", Value::Null).await.unwrap_err();
    assert_eq!((control.total_executions(), control.pending()), (0, 0));
}

/// The mark of what NDK Mobile has stored outlives the logout.
#[tokio::test(start_paused = true)]
async fn logout_then_login_of_the_same_account_in_one_run_is_stored_again() {
    let store = MemoryStore::new();
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    let record = name("private-key", PUBKEY_A);
    for _ in 0..3 {
        login(&manager, KEY_A).await;
        settle().await;
        assert!(matches!(store.peek(&record), Stored::Record { .. }));
        manager.logout(PUBKEY_A).await.unwrap();
        settle().await;
        assert!(matches!(store.peek(&record), Stored::Tombstone { .. }));
    }
    login(&manager, KEY_A).await;
    manager.close().await;
    let manager = stored(store, |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    // Who is active, too.
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_A));
    assert_eq!(signs_as(&manager).await, PUBKEY_A);
}

/// One way NDK Mobile writes is in milliseconds, and such a session is the most recent for ever.
#[tokio::test(start_paused = true)]
async fn last_active_is_of_one_unit_however_it_is_touched() {
    let policy = NextActive::MostRecent;
    let manager = builder().next_active(policy).build().unwrap();
    login(&manager, KEY_A).await;
    login(&manager, KEY_B).await;
    watch(&manager, PUBKEY_C).await;
    // Used by a request, by a switch, and later still by a request again.
    tokio::time::sleep(SECOND).await;
    let a = manager.get(PUBKEY_A).unwrap();
    a.request("sign", Value::Null).await.unwrap();
    tokio::time::sleep(SECOND).await;
    manager.switch_to(PUBKEY_C).unwrap();
    tokio::time::sleep(SECOND).await;
    let b = manager.get(PUBKEY_B).unwrap();
    b.request("sign", Value::Null).await.unwrap();
    let times = [PUBKEY_A, PUBKEY_C, PUBKEY_B].map(|it| manager.get(it).unwrap().last_active());
    let after = |seconds| now().saturating_add(seconds * SECOND);
    assert_eq!(times, [after(1), after(2), after(3)]);
    manager.logout_active().await.unwrap();
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_B));
}
