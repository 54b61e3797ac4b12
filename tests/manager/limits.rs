//! How many sessions there may be, and for how long they may be unused.

use std::time::Duration;

use moorline::manager::{IdleAction, ManagerError, WhenFull};
use moorline::store::{MemoryStore, Stored};
use moorline_scripted::{Behaviour, On};
use serde_json::Value;

use crate::support::{accounts, builder, name, own, settle, stored, wallet};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_login_too_many_is_refused_and_says_so() {
    let manager = builder().max_sessions(2, WhenFull::Refuse).build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    let b = manager.login(wallet("b").0).await.unwrap();
    let error = manager.login(wallet("c").0).await.unwrap_err();
    assert_eq!(error, ManagerError::Full { max_sessions: 2 });
    assert_eq!(accounts(&manager), ["a", "b"]);
    // One that is there already takes no room.
    assert_eq!(manager.login(wallet("b").0).await.unwrap(), b);
}

#[tokio::test(start_paused = true)]
async fn room_is_made_by_closing_the_one_unused_for_longest() {
    let store = MemoryStore::new();
    let (builder, _) = stored(&store, |_, _| {});
    let manager = builder
        .max_sessions(2, WhenFull::CloseLeastRecent)
        .build()
        .unwrap();
    let a = manager.login(wallet("a").0).await.unwrap();
    manager.login(wallet("b").0).await.unwrap();
    a.request("sign", Value::Null).await.unwrap();
    manager.switch_to_none();
    let mut events = manager.events();
    manager.login(wallet("c").0).await.unwrap();
    assert_eq!(accounts(&manager), ["a", "c"]);
    assert_eq!(own(&mut events)[0], "b closed Capacity, -");
    settle().await;
    assert!(matches!(store.peek(&name("b")), Stored::Record { .. }));
}

#[tokio::test(start_paused = true)]
async fn sessions_that_are_not_used_are_closed_or_detached() {
    for (action, stays) in [(IdleAction::Close, true), (IdleAction::Detach, false)] {
        let store = MemoryStore::new();
        let (builder, _) = stored(&store, |_, _| {});
        let manager = builder.idle_after(10 * MINUTE, action).build().unwrap();
        let (provider, control) = wallet("busy");
        let busy = manager.login(provider).await.unwrap();
        manager.login(wallet("idle").0).await.unwrap();
        manager.login(wallet("active").0).await.unwrap();
        let mut events = manager.events();
        tokio::time::sleep(9 * MINUTE).await;
        // One request ends after it would have been idle.
        control.on(
            On::Request,
            Behaviour::answer().after(Duration::from_secs(20)),
        );
        busy.request("sign", Value::Null).await.unwrap();
        tokio::time::sleep(2 * MINUTE).await;
        assert_eq!(own(&mut events), ["idle closed Idle, active"]);
        assert_eq!(accounts(&manager), ["active", "busy"]);
        let record = store.peek(&name("idle"));
        assert_eq!(matches!(record, Stored::Record { .. }), stays, "{record:?}");
        tokio::time::sleep(30 * MINUTE).await;
        assert_eq!(accounts(&manager), ["active"]);
    }
}

#[tokio::test(start_paused = true)]
async fn idleness_is_noticed_without_a_store_too() {
    let builder = builder().idle_after(MINUTE, IdleAction::Close);
    let manager = builder.build().unwrap();
    // Long after the manager had nothing to look after.
    tokio::time::sleep(5 * MINUTE).await;
    manager.login(wallet("a").0).await.unwrap();
    manager.switch_to_none();
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(accounts(&manager), [""; 0]);
}

/// As somebody writes who wants none closed.
#[tokio::test(start_paused = true)]
async fn a_time_without_end_closes_nobody_and_keeps_nothing_from_being_done() {
    let store = MemoryStore::new();
    let (builder, _) = stored(&store, |_, _| {});
    let builder = builder.idle_after(Duration::MAX, IdleAction::Close);
    let manager = builder.build().unwrap();
    tokio::time::sleep(MINUTE).await;
    manager.login(wallet("a").0).await.unwrap();
    manager.login(wallet("b").0).await.unwrap();
    tokio::time::sleep(600 * MINUTE).await;
    assert_eq!(accounts(&manager), ["a", "b"]);
    let (provider, control) = wallet("a");
    manager.logout("a").await.unwrap();
    manager.login(provider).await.unwrap();
    settle().await;
    assert!(matches!(store.peek(&name("a")), Stored::Record { .. }));
    // What is done beside still is.
    control.change_accounts(vec![moorline::Account::primary("c")]);
    settle().await;
    assert!(matches!(store.peek(&name("a")), Stored::Tombstone { .. }));
    assert!(matches!(store.peek(&name("c")), Stored::Record { .. }));
}
