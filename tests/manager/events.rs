//! One stream for all.

use moorline::manager::{ManagerEventKind, ManagerItem};
use serde_json::{Value, json};

use crate::support::{builder, published, wallet};

#[tokio::test(start_paused = true)]
async fn events_of_all_sessions_are_numbered_without_gaps_and_say_whose_they_are() {
    let manager = builder().build().unwrap();
    let mut events = manager.events();
    let mut wallets = Vec::new();
    for account in ["a", "b"] {
        let (provider, control) = wallet(account);
        manager.login(provider).await.unwrap();
        wallets.push(control);
    }
    for turn in 0..10 {
        wallets[turn % 2].message("tick", json!(turn));
    }
    let events = published(&mut events);
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    // What comes before the account is known is told too.
    assert!(events[0].key.is_none() && events[0].session == 1);
    let ticks = events.iter().filter_map(|event| match &event.kind {
        ManagerEventKind::Session { event: inner } if inner.kind.name() == "provider:event" => {
            Some(event.key.as_ref().unwrap().account.to_string())
        }
        _ => None,
    });
    assert_eq!(ticks.collect::<Vec<_>>().concat(), "ababababab");
    let json = serde_json::to_value(&*events[0]).unwrap();
    assert_eq!(json["type"], "session:event");
    assert_eq!(json["event"]["type"], "session:connecting");
}

#[tokio::test(start_paused = true)]
async fn what_a_session_tells_of_its_end_comes_after_it_left() {
    let manager = builder().build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    let mut events = manager.events();
    manager.logout("a").await.unwrap();
    let told = published(&mut events);
    let names: Vec<_> = told
        .iter()
        .map(|event| match &event.kind {
            ManagerEventKind::Session { event } => format!("{:?}", event.kind),
            ManagerEventKind::LoggedOut { .. } => "out".into(),
            _ => "other".into(),
        })
        .collect();
    assert_eq!(names[..2], ["out", "other"]);
    assert!(names[2].contains("reason: User"), "{names:?}");
    assert!(names[3].contains("reason: Closed"), "{names:?}");
    assert_eq!(names.len(), 4);
    let last = told.last().unwrap();
    assert_eq!(
        (last.session, last.key.as_ref().unwrap().account.as_str()),
        (1, "a")
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_too_slow_is_told_how_much_was_missed() {
    let manager = builder().event_capacity(4).build().unwrap();
    let (provider, control) = wallet("a");
    manager.login(provider).await.unwrap();
    let mut events = manager.events();
    for _ in 0..10 {
        control.message("tick", Value::Null);
    }
    assert_eq!(events.next().await, Some(ManagerItem::Missed(6)));
    assert_eq!(published(&mut events).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_active_session_is_told_once() {
    let manager = builder().build().unwrap();
    let mut watch = manager.watch_active();
    let a = manager.login(wallet("a").0).await.unwrap();
    manager.login(wallet("b").0).await.unwrap();
    assert_eq!(
        watch.changed().await.unwrap().unwrap().account().as_str(),
        "b"
    );
    manager.switch_to("b").unwrap();
    manager.switch_to("a").unwrap();
    assert_eq!(watch.changed().await, Some(Some(a)));
    manager.switch_to("a").unwrap();
    let mut twice = std::pin::pin!(watch.changed());
    let waits = futures_util::poll!(twice.as_mut());
    assert!(waits.is_pending());
}
