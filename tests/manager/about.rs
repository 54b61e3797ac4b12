//! When sessions were made and used, and by what.

use std::sync::Arc;
use std::time::Duration;

use moorline::manager::{LoginOptions, ManagerError};
use moorline::provider::ProviderPayload;
use moorline::store::{MemoryStore, Record, Revision, Store, Stored};
use moorline::{Account, Identity, Policy, Timestamp};
use serde_json::Value;

use crate::support::{clock, clock_after, name, settle, stored, wallet};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn kept(store: &MemoryStore, account: &str) -> Record {
    match store.peek(&name(account)) {
        Stored::Record { record, .. } => record,
        other => panic!("{account} is not stored: {other:?}"),
    }
}

fn revision(store: &MemoryStore, account: &str) -> u64 {
    store.peek(&name(account)).revision().number()
}

#[tokio::test(start_paused = true)]
async fn what_a_login_says_is_kept_over_a_restart_and_hidden_in_logs() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let options = LoginOptions::new()
        .label("Alice's laptop")
        .client_address("203.0.113.7")
        .client_agent("Browser/1");
    let shown = format!("{options:?}");
    let alice = manager.login_with(Arc::new(wallet("a").0), options).await;
    let alice = alice.unwrap();
    let begun = alice.about().created_at;
    tokio::time::sleep(MINUTE).await;
    alice.request("sign", Value::Null).await.unwrap();
    manager.close().await;

    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    let about = manager.get("a").unwrap().about();
    assert_eq!(about.created_at, begun);
    assert_eq!(about.last_active_at, begun.saturating_add(MINUTE));
    assert_eq!(about.updated_at, begun.saturating_add(MINUTE));
    assert_eq!(about.label.as_deref(), Some("Alice's laptop"));
    assert_eq!(about.client_address.as_deref(), Some("203.0.113.7"));
    assert_eq!(about.client_agent.as_deref(), Some("Browser/1"));
    let shown = format!("{shown} {about:?} {manager:?} {:?}", kept(&store, "a"));
    assert!(
        !shown.contains("203.0.113.7") && !shown.contains("Browser/1"),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_later_login_of_the_account_says_more_and_makes_it_no_younger() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let options = LoginOptions::new().label("one").client_agent("Browser/1");
    let first = manager.login_with(Arc::new(wallet("a").0), options).await;
    let created = first.unwrap().about().created_at;
    tokio::time::sleep(MINUTE).await;
    let options = LoginOptions::new().label("other").activate(false);
    let again = manager.login_with(Arc::new(wallet("a").0), options).await;
    let about = again.unwrap().about();
    assert_eq!(
        (about.created_at, about.label.as_deref()),
        (created, Some("other"))
    );
    assert_eq!(about.client_agent.as_deref(), Some("Browser/1"));
    settle().await;
    assert_eq!(
        kept(&store, "a").about.unwrap().label.as_deref(),
        Some("other")
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_is_called_something_else_whenever_the_application_says_so() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let options = LoginOptions::new().label("one").client_agent("Browser/1");
    let alice = manager.login_with(Arc::new(wallet("a").0), options).await;
    let alice = alice.unwrap();
    settle().await;
    alice.set_label("other");
    assert_eq!(alice.about().label.as_deref(), Some("other"));
    settle().await;
    let about = kept(&store, "a").about.unwrap();
    assert_eq!(about.label.as_deref(), Some("other"));
    assert_eq!(about.client_agent.as_deref(), Some("Browser/1"));
    // One that only watches, too, and closing waits for it.
    let watched = manager.watch(Identity::new("b", None)).await.unwrap();
    watched.set_label("theirs");
    manager.close().await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    let label = |account: &str| manager.get(account).unwrap().about().label;
    assert_eq!(label("a").as_deref(), Some("other"));
    assert_eq!(label("b").as_deref(), Some("theirs"));
}

#[tokio::test(start_paused = true)]
async fn a_session_is_fresh_by_when_it_was_made() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    let limit = 5 * MINUTE;
    tokio::time::sleep(limit - Duration::from_millis(1)).await;
    let alice = manager.get("a").unwrap();
    let fresh = alice.require_younger_than(limit).unwrap();
    // Neither use nor a login that finds it there makes it younger.
    fresh.request("sign", Value::Null).await.unwrap();
    manager.login(wallet("a").0).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let error = alice.require_younger_than(limit).unwrap_err();
    assert_eq!(error, ManagerError::NotFresh { age: limit, limit });
    // Nor does a restart.
    manager.close().await;
    let (builder, _) = stored(&store, |_, _| {});
    let manager = builder.clock(clock_after(limit)).build().unwrap();
    manager.restore().await.unwrap();
    let alice = manager.get("a").unwrap();
    alice.require_younger_than(limit).unwrap_err();
    // A new session does.
    manager.logout("a").await.unwrap();
    let again = manager.login(wallet("a").0).await.unwrap();
    again.require_younger_than(limit).unwrap();
}

#[tokio::test(start_paused = true)]
async fn use_is_not_written_at_every_request() {
    let store = MemoryStore::new();
    let (builder, _) = stored(&store, |_, _| {});
    let manager = builder.unstored_use(5 * MINUTE).build().unwrap();
    let alice = manager.login(wallet("a").0).await.unwrap();
    settle().await;
    let before = revision(&store, "a");
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        alice.request("sign", Value::Null).await.unwrap();
    }
    assert_eq!(revision(&store, "a"), before);
    tokio::time::sleep(2 * MINUTE).await;
    alice.request("sign", Value::Null).await.unwrap();
    settle().await;
    assert_eq!(revision(&store, "a"), before + 1);
    let about = kept(&store, "a").about.unwrap();
    assert_eq!(about.last_active_at, alice.last_active());
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_changed_is_stored_again_in_one_write() {
    let store = MemoryStore::new();
    let (builder, wallets) = stored(&store, |_, _| {});
    let manager = builder.build().unwrap();
    let (provider, control) = wallet("a");
    let alice = manager.login(provider).await.unwrap();
    settle().await;
    let before = revision(&store, "a");
    let next = |secret: &str| {
        let content = serde_json::json!({ "account": "a", "secret": secret });
        ProviderPayload::new("keyed", &content).unwrap()
    };
    // As the provider says itself, many times.
    for turn in 0..100 {
        assert!(control.change_payload(next(&format!("s3cret-{turn}"))));
    }
    settle().await;
    assert_eq!(kept(&store, "a").provider_payload, Some(next("s3cret-99")));
    assert!(revision(&store, "a") <= before + 2);
    // And as the application does; closing waits for it.
    control.set_payload(Some(next("s3cret-last")));
    alice.save();
    manager.close().await;
    assert_eq!(
        kept(&store, "a").provider_payload,
        Some(next("s3cret-last"))
    );
    drop(wallets);
    // What is over is not written again.
    alice.save();
    let after = revision(&store, "a");
    settle().await;
    assert_eq!(revision(&store, "a"), after);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_logged_out_is_not_saved_again() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let alice = manager.login(wallet("a").0).await.unwrap();
    manager.logout("a").await.unwrap();
    alice.save();
    settle().await;
    assert!(matches!(store.peek(&name("a")), Stored::Tombstone { .. }));
}

/// Seven days, renewed once a day has passed.
fn sliding() -> Policy {
    let mut policy = Policy::default();
    policy.expiry.ttl = Some(7 * DAY);
    policy.expiry.update_age = Some(DAY);
    policy
}

#[tokio::test(start_paused = true)]
async fn use_renews_a_session_once_it_is_due() {
    let store = MemoryStore::new();
    let (builder, _) = stored(&store, |_, _| {});
    let manager = builder.policy(sliding()).build().unwrap();
    let alice = manager.login(wallet("a").0).await.unwrap();
    let begun = alice.about().created_at;
    let expires = |after| Some(begun.saturating_add(after));
    tokio::time::sleep(DAY - Duration::from_millis(1)).await;
    alice.request("sign", Value::Null).await.unwrap();
    assert_eq!(alice.snapshot().expires_at, expires(7 * DAY));
    tokio::time::sleep(Duration::from_millis(1)).await;
    alice.request("sign", Value::Null).await.unwrap();
    assert_eq!(alice.snapshot().expires_at, expires(8 * DAY));
    settle().await;
    assert_eq!(kept(&store, "a").expires_at, expires(8 * DAY));
    assert_eq!(kept(&store, "a").about.unwrap().created_at, begun);
}

#[tokio::test(start_paused = true)]
async fn a_session_made_for_a_shorter_life_is_not_promoted_by_use() {
    let store = MemoryStore::new();
    let (builder, _) = stored(&store, |_, _| {});
    let manager = builder.policy(sliding()).build().unwrap();
    let options = LoginOptions::new().lifetime(DAY);
    let alice = manager.login_with(Arc::new(wallet("a").0), options).await;
    let alice = alice.unwrap();
    let ends = Some(alice.about().created_at.saturating_add(DAY));
    tokio::time::sleep(DAY / 2).await;
    alice.request("sign", Value::Null).await.unwrap();
    assert_eq!(alice.snapshot().expires_at, ends);
    manager.close().await;
    // Restored under the same policy, whose formula would call it due at once; nor does a wallet
    // whose credentials last longer lengthen it.
    let (builder, _) = stored(&store, |_, wallet| {
        wallet.set_expiry(Timestamp::parse("2027-01-01T00:00:00Z"));
    });
    let builder = builder.clock(clock_after(DAY / 2));
    let manager = builder.policy(sliding()).build().unwrap();
    manager.restore().await.unwrap();
    let alice = manager.get("a").unwrap();
    alice.request("sign", Value::Null).await.unwrap();
    assert_eq!(alice.snapshot().expires_at, ends);
    tokio::time::sleep(DAY / 2).await;
    alice.request("sign", Value::Null).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn records_of_before_say_when_they_were_connected() {
    let store = MemoryStore::new();
    let at = Timestamp::parse("2025-12-24T00:00:00Z").unwrap();
    let record = Record::new("read-only", vec![Account::primary("a")], None, at);
    let place = "moorline/session/read-only/-/a".into();
    store.save(&place, record, Revision::NONE).await.unwrap();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    let about = manager.get("a").unwrap().about();
    assert_eq!((about.created_at, about.last_active_at), (at, at));
    assert!(clock_is_later(about.created_at));
}

fn clock_is_later(than: Timestamp) -> bool {
    moorline::clock::Clock::wall(&clock()) > than
}
