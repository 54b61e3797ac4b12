//! Rule 16: every change is an event, every event is true, and no subscriber blocks anybody.

use std::time::Duration;

use moorline::provider::UserActionKind;
use moorline::session::EventItem;
use moorline::{Account, ProviderEvent, UserAction};
use serde_json::json;

use crate::support::{connected, names, published, settle, unreachable, wallet};

#[tokio::test(start_paused = true)]
async fn h49_a_slow_subscriber_blocks_nobody_and_is_told_what_it_missed() {
    let (builder, wallet) = wallet();
    let session = builder.event_capacity(8).build().unwrap();
    session.connect().await.unwrap();
    let mut slow = session.events();
    for n in 0..100 {
        wallet.message("tick", json!(n));
    }
    assert_eq!(slow.try_next(), Some(EventItem::Missed(92)));
    let rest = published(&mut slow);
    assert_eq!(rest.len(), 8);
    let seqs: Vec<u64> = rest.iter().map(|event| event.seq).collect();
    let last = *seqs.last().unwrap();
    assert_eq!(
        seqs,
        (last - 7..=last).collect::<Vec<_>>(),
        "the newest are there, in order"
    );
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_an_operation_waits_for_is_told_and_a_stray_login_is_not() {
    let (session, wallet) = connected().await;
    let mut events = session.events();
    for kind in [UserActionKind::Login, UserActionKind::Approve] {
        let action = UserAction::new(kind, "https://wallet.example/approve");
        wallet.push(ProviderEvent::UserActionRequired(action));
    }
    assert_eq!(names(&mut events), ["user:action-required"]);
    assert!(session.snapshot().is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_subscribers_hear_everything_in_order() {
    let (session, wallet) = connected().await;
    let mut listeners = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let mut events = session.events();
        listeners.spawn(async move {
            let mut seqs = Vec::new();
            while let Some(item) = events.next().await {
                match item {
                    EventItem::Event(event) => seqs.push(event.seq),
                    EventItem::Missed(missed) => panic!("missed {missed}"),
                }
            }
            seqs
        });
    }
    settle().await;
    for n in 0..50 {
        wallet.message("tick", json!(n));
        tokio::task::yield_now().await;
    }
    session.close().await;
    let mut heard = None;
    while let Some(seqs) = listeners.join_next().await {
        let seqs = seqs.unwrap();
        assert_eq!(seqs.len(), 51, "fifty messages and the end");
        assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap");
        assert_eq!(heard.get_or_insert_with(|| seqs.clone()), &seqs);
    }
}

#[tokio::test(start_paused = true)]
async fn events_follow_the_snapshot_they_speak_of() {
    let (session, wallet) = connected().await;
    let mut events = session.events();
    wallet.change_accounts(vec![Account::primary("bob")]);
    settle().await;
    while let Some(EventItem::Event(event)) = events.try_next() {
        if let moorline::EventKind::PartyChanged { current, .. } = &event.kind {
            assert_eq!(
                session.snapshot().primary().map(|account| &account.id),
                Some(current)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn h50_a_snapshot_that_was_handed_out_does_not_change() {
    let (session, wallet) = connected().await;
    let before = session.snapshot();
    let copy = moorline::Snapshot::clone(&before);
    wallet.change_accounts(vec![Account::primary("bob")]);
    settle().await;
    assert_eq!(*before, copy);
    assert_ne!(session.snapshot().seq, before.seq);
    assert!(
        std::sync::Arc::ptr_eq(&session.snapshot(), &session.snapshot()),
        "shared"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_sees_the_latest_state_and_the_end() {
    let (session, wallet) = connected().await;
    let mut watch = session.watch();
    wallet.go_away(unreachable());
    watch
        .wait_for(|snapshot| !snapshot.is_connected())
        .await
        .unwrap();
    wallet.come_back();
    watch
        .wait_for(|snapshot| snapshot.is_connected())
        .await
        .unwrap();
    session.close().await;
    while watch.changed().await.is_ok() {}
    assert!(watch.borrow().status.is_disconnected());
}

#[tokio::test(start_paused = true)]
async fn events_in_json_have_a_number_an_epoch_a_time_and_a_type() {
    let (builder, wallet) = wallet();
    let clock = moorline::clock::VirtualClock::starting_at(
        moorline::Timestamp::parse("2026-03-10T12:00:00Z").unwrap(),
    );
    let session = builder.clock(clock).build().unwrap();
    let mut events = session.events();
    session.connect().await.unwrap();
    wallet.go_away(unreachable());
    settle().await;
    let json: Vec<serde_json::Value> = published(&mut events)
        .iter()
        .map(|event| serde_json::to_value(&**event).unwrap())
        .collect();
    assert_eq!(
        json[0],
        json!({ "seq": 1, "epoch": 1, "at": "2026-03-10T12:00:00.000Z", "type": "session:connecting" })
    );
    let scheduled = json.last().unwrap();
    assert_eq!(scheduled["type"], "reconnect:scheduled");
    assert_eq!(
        (&scheduled["attempt"], &scheduled["delayMs"]),
        (&json!(1), &json!(500))
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_subscriber_hears_what_comes_after() {
    let (session, wallet) = connected().await;
    wallet.message("before", json!(1));
    let mut events = session.events();
    wallet.message("after", json!(2));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(names(&mut events), ["provider:event"]);
}
