//! What comes at the wrong moment, or lasts for ever.

use std::sync::Arc;
use std::time::Duration;

use moorline::Policy;
use moorline::clock::{Clock, VirtualClock};
use moorline::manager::{
    ManagerError, ManagerEventKind, ManagerItem, SessionManagerBuilder, TakeOver,
};
use moorline::policy::Backoff;
use moorline::provider::{ErrorKind, ProviderError};
use moorline::store::Stored;
use moorline::{Account, Timestamp};
use moorline_scripted::Control;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::rig::{Shared, TTL, key};
use crate::moody::Mood;
use crate::support::{accounts, name, settle, wallet};

const SECOND: Duration = Duration::from_secs(1);

/// Goes on trying for ever.
fn tireless(builder: SessionManagerBuilder) -> SessionManagerBuilder {
    let reconnect = Backoff {
        max_attempts: None,
        ..Backoff::default()
    };
    builder.policy(Policy {
        reconnect,
        ..Policy::default()
    })
}

fn without_alice(account: &str, wallet: &Control) {
    if account == "alice" {
        let error = ProviderError::new(ErrorKind::Unreachable, "gone for good");
        wallet.set_away(Some(error));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_reached_does_not_keep_others_from_being_taken_over() {
    let shared = Shared::default();
    let one = shared.process("one", TakeOver::OnDemand).await;
    let other = shared.process("other", TakeOver::OnDemand).await;
    let two = shared
        .process_with("two", TakeOver::default(), without_alice, tireless)
        .await;
    one.manager.login(wallet("alice").0).await.unwrap();
    other.manager.login(wallet("bob").0).await.unwrap();
    settle().await;

    one.leases.leave().await;
    sleep(3 * TTL).await;
    assert_eq!(accounts(&two.manager), ["alice"]);
    assert!(!two.manager.get("alice").unwrap().snapshot().is_connected());
    other.leases.leave().await;
    sleep(60 * TTL).await;
    assert_eq!(accounts(&two.manager), ["alice", "bob"]);
    assert!(two.manager.get("bob").unwrap().snapshot().is_connected());
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_over_or_claimed_ends_with_its_manager() {
    for claims in [false, true] {
        let shared = Shared::default();
        let one = shared.process("one", TakeOver::OnDemand).await;
        let take_over = match claims {
            true => TakeOver::OnDemand,
            false => TakeOver::default(),
        };
        let two = shared
            .process_with("two", take_over, without_alice, tireless)
            .await;
        one.manager.login(wallet("alice").0).await.unwrap();
        settle().await;
        one.manager.close().await;
        one.leases.leave().await;
        if claims {
            let claim = timeout(TTL, two.manager.claim(key("alice"))).await;
            assert!(claim.is_err(), "the wallet is away: {claim:?}");
        }
        sleep(3 * TTL).await;
        assert_eq!(accounts(&two.manager), ["alice"]);
        let alice = two.wallets.get("alice");
        drop(two.manager);
        settle().await;
        let before = alice.calls().len();
        sleep(60 * TTL).await;
        assert_eq!(alice.calls().len(), before, "claims: {claims}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_a_session_that_is_over_does_not_keep_its_lease() {
    let shared = Shared::default();
    let (one, two, _) = shared.two(&["alice"]).await;
    // Ended elsewhere.
    let kept = one.manager.get("alice").unwrap();
    two.manager.logout(key("alice")).await.unwrap();
    settle().await;
    assert!(accounts(&one.manager).is_empty());
    two.manager.login(wallet("alice").0).await.unwrap();
    drop(kept);

    // Replaced by another, which is logged out.
    let (provider, control) = wallet("bob");
    let kept = one.manager.login(provider).await.unwrap();
    control.revoke();
    settle().await;
    let again = one.manager.login(wallet("bob").0).await.unwrap();
    assert_ne!(kept, again);
    settle().await;
    one.manager.logout("bob").await.unwrap();
    settle().await;
    two.manager.login(wallet("bob").0).await.unwrap();
    drop((kept, again));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_moves_on_while_it_moves_gets_the_lease_of_where_it_ends() {
    for wait in [0, 1, 1_000, 1_999, 2_000, 2_001, 3_000, 5_000] {
        let shared = Shared::default();
        let (one, two, controls) = shared.two(&["alice"]).await;
        shared.store.be(Mood::Slow);
        controls[0].change_accounts(vec![Account::primary("bob")]);
        sleep(Duration::from_millis(wait)).await;
        controls[0].change_accounts(vec![Account::primary("carol")]);
        sleep(30 * SECOND).await;
        shared.store.be(Mood::Well);
        assert_eq!(accounts(&one.manager), ["carol"]);
        let refused = two.manager.login(wallet("carol").0).await;
        let refused = refused.expect_err("two act for carol");
        assert!(
            matches!(refused, ManagerError::HeldElsewhere { .. }),
            "{refused}"
        );
        let carol = one.manager.get("carol").unwrap();
        carol.request("ping", Value::Null).await.unwrap();
        // Of those who were left, nobody holds any.
        for account in ["alice", "bob"] {
            let login = two.manager.login(wallet(account).0).await;
            login.unwrap_or_else(|error| panic!("{wait}: {account}: {error}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_store_that_does_not_answer_is_answered() {
    let shared = Shared::default();
    let (_one, two, _) = shared.two(&["alice"]).await;
    shared.store.be(Mood::Silent);
    let long = 600 * SECOND;
    let (manager, alice) = (&two.manager, key("alice"));
    let holder = timeout(long, manager.holder("alice")).await;
    holder.expect("holder by account").unwrap_err();
    let holder = timeout(long, manager.holder(alice.clone())).await;
    holder.expect("holder by key").unwrap_err();
    let claim = timeout(long, manager.claim("alice")).await;
    claim.expect("claim by account").unwrap_err();
    let claim = timeout(long, manager.claim(alice.clone())).await;
    claim.expect("claim by key").unwrap_err();
    let logout = timeout(long, manager.logout("alice")).await;
    logout.expect("logout by account").unwrap_err();
    let logout = timeout(long, manager.logout(alice)).await;
    logout.expect("logout by key").unwrap_err();
    let login = timeout(long, manager.login(wallet("bob").0)).await;
    login.expect("login").unwrap_err();
    shared.store.be(Mood::Well);
    manager.login(wallet("bob").0).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_the_last_step_of_a_take_over_is_asked_again() {
    let shared = Shared::default();
    let (one, two, _) = shared.two(&["alice"]).await;
    let (mut events, store) = (two.manager.events(), shared.store.clone());
    tokio::spawn(async move {
        while let Some(item) = events.next().await {
            if let ManagerItem::Event(event) = item
                && matches!(event.kind, ManagerEventKind::LoggedIn { .. })
            {
                // It has joined, and is about to be read.
                store.be(Mood::Away);
                sleep(SECOND).await;
                return store.be(Mood::Well);
            }
        }
    });
    one.leases.leave().await;
    sleep(3 * TTL).await;
    let alice = two.manager.get("alice").unwrap();
    assert!(alice.snapshot().is_connected());
}

struct Set(Arc<VirtualClock>);

impl Clock for Set {
    fn wall(&self) -> Timestamp {
        self.0.wall()
    }
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_is_written_later_though_the_clock_was_set_back() {
    let shared = Shared::default();
    let clock = Arc::new(crate::support::clock());
    let set = Set(clock.clone());
    let one = shared.process_with(
        "one",
        TakeOver::default(),
        |_, _| {},
        |builder| builder.clock(set),
    );
    let one = one.await;
    one.manager.login(wallet("alice").0).await.unwrap();
    settle().await;
    clock.jump_back(600 * SECOND);
    shared.store.be(Mood::Away);
    let report = one.manager.logout("alice").await.unwrap();
    assert!(report.disconnect.not_persisted.is_some());
    sleep(TTL).await;
    shared.store.be(Mood::Well);
    sleep(3 * TTL).await;
    let stored = shared.store.memory.peek(&name("alice"));
    assert!(matches!(stored, Stored::Tombstone { .. }), "{stored:?}");
}
