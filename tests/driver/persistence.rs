//! Rules 1, 7, 8, 11 and 13 as far as a store shows them.

use std::sync::Arc;
use std::time::Duration;

use moorline::clock::VirtualClock;
use moorline::machine::RestoreOutcome;
use moorline::store::{
    MemoryStore, Record, RecordName, Revision, Store, StoreError, StoreFuture, Stored, Tombstone,
};
use moorline::{Account, BuildError, DisconnectReason, ReconnectCause, Session, Status, Timestamp};
use moorline_scripted::{Behaviour, Control, On};
use serde_json::json;

use crate::moody::{Mood, Moody};
use crate::support::{expiring, names, settle, unreachable, wallet};

fn stored(store: &MemoryStore) -> Stored {
    store.peek(&RecordName::from("s"))
}

fn with(store: impl Store) -> (Session, Control) {
    let (builder, wallet) = wallet();
    (builder.store(store, "s").build().unwrap(), wallet)
}

#[tokio::test(start_paused = true)]
async fn h42_the_record_names_the_account_though_the_wallet_sent_no_event() {
    let store = MemoryStore::new();
    let (session, _wallet) = with(store.clone());
    session.connect().await.unwrap();
    settle().await;
    let Stored::Record { record, .. } = stored(&store) else {
        panic!("no record")
    };
    assert_eq!(record.identity().unwrap().account.as_str(), "alice");
}

#[tokio::test(start_paused = true)]
async fn h07_a_disconnect_survives_a_restart_though_the_wallet_did_not_answer() {
    let store = MemoryStore::new();
    let (session, wallet) = with(store.clone());
    session.connect().await.unwrap();
    wallet.on(On::Close, Behaviour::fail(unreachable()));
    let report = session.disconnect().await;
    assert!(report.wallet.unwrap().is_err());
    assert_eq!(report.not_persisted, None);
    let Stored::Tombstone { tombstone, .. } = stored(&store) else {
        panic!("not persisted")
    };
    assert_eq!(tombstone.reason, DisconnectReason::User);
    drop(session);

    let (session, wallet) = with(store);
    assert_eq!(session.restore().await, RestoreOutcome::UserDisconnected);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(wallet.calls().len(), 0);
    assert!(session.status().is_disconnected());
}

#[tokio::test(start_paused = true)]
async fn h60_a_slow_write_does_not_land_after_the_disconnect() {
    let store = Moody::default();
    let (session, _wallet) = with(store.clone());
    store.be(Mood::Slow);
    session.connect().await.unwrap();
    settle().await;
    let report = session.disconnect().await;
    assert_eq!(
        report.not_persisted, None,
        "bounded by the deadline, and in time"
    );
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(matches!(stored(&store.memory), Stored::Tombstone { .. }));
}

#[tokio::test(start_paused = true)]
async fn h66_a_failed_write_is_told_and_retried_and_stops_nothing() {
    let store = Moody::default();
    let (session, _wallet) = with(store.clone());
    store.be(Mood::Full);
    let mut events = session.events();
    session.connect().await.unwrap();
    settle().await;
    assert!(names(&mut events).contains(&"persist:failed"));
    session.request("sign", json!({})).await.unwrap();
    store.be(Mood::Well);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(names(&mut events).contains(&"persist:recovered"));
    assert!(matches!(stored(&store.memory), Stored::Record { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_that_cannot_be_stored_says_so_and_is_stored_later() {
    let store = Moody::default();
    let (session, _wallet) = with(store.clone());
    session.connect().await.unwrap();
    settle().await;
    store.be(Mood::Full);
    let report = session.disconnect().await;
    assert!(report.not_persisted.unwrap().contains("disk full"));
    store.be(Mood::Well);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(matches!(stored(&store.memory), Stored::Tombstone { .. }));
}

#[tokio::test(start_paused = true)]
async fn writes_coalesce_to_the_latest_state() {
    let store = Moody::default();
    let (session, wallet) = with(store.clone());
    session.connect().await.unwrap();
    settle().await;
    store.be(Mood::Slow);
    for n in 0..20 {
        wallet.change_accounts(vec![Account::primary(format!("party-{n}"))]);
        settle().await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let Stored::Record { record, revision } = stored(&store.memory) else {
        panic!("no record")
    };
    assert_eq!(record.accounts[0].id.as_str(), "party-19");
    assert_eq!(
        revision,
        Revision::new(3),
        "the first, the one under way, and the last"
    );
}

#[tokio::test(start_paused = true)]
async fn h40_a_restore_reconciles_what_was_stored_with_what_is() {
    let store = MemoryStore::new();
    let (session, _) = with(store.clone());
    session.connect().await.unwrap();
    session.close().await;

    let (session, wallet) = with(store.clone());
    wallet.set_accounts(vec![Account::primary("bob")]);
    wallet.on(On::Open, Behaviour::answer().after(Duration::from_secs(1)));
    let mut events = session.events();
    let restoring = tokio::spawn({
        let session = session.clone();
        async move { session.restore().await }
    });
    settle().await;
    let snapshot = session.snapshot();
    let cause = ReconnectCause::Restore;
    assert_eq!(snapshot.status, Status::Reconnecting { cause });
    assert!(snapshot.stale);
    assert_eq!(
        snapshot.primary().unwrap().id.as_str(),
        "alice",
        "shown as last known"
    );
    assert_eq!(restoring.await.unwrap(), RestoreOutcome::Restored);
    assert!(names(&mut events).contains(&"party:changed"));
    settle().await;
    let Stored::Record { record, .. } = stored(&store) else {
        panic!("no record")
    };
    assert_eq!(record.identity().unwrap().account.as_str(), "bob");
}

#[tokio::test(start_paused = true)]
async fn a_session_restored_at_build_needs_no_call_and_shares_its_outcome() {
    let store = MemoryStore::new();
    let (session, _wallet) = with(store.clone());
    session.connect().await.unwrap();
    session.close().await;

    let (builder, wallet) = wallet();
    let builder = builder.store(store, "s").restore_at_build();
    let session = builder.build().unwrap();
    assert_eq!(session.restore().await, RestoreOutcome::Restored);
    assert_eq!(wallet.calls().len(), 2, "one open, one probe");

    let (builder, _wallet) = crate::support::wallet();
    let refused = builder.restore_at_build().build().unwrap_err();
    assert_eq!(refused, BuildError::NoStore);
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_changes_nothing_writes_nothing_and_still_notices_an_end() {
    let store = MemoryStore::new();
    let (session, _wallet) = with(store.clone());
    session.connect().await.unwrap();
    session.close().await;
    let before = stored(&store);

    let (session, _wallet) = with(store.clone());
    assert_eq!(session.restore().await, RestoreOutcome::Restored);
    settle().await;
    assert_eq!(stored(&store), before);
    session.close().await;

    // Another process ends the session while this one is being restored.
    let (session, wallet) = with(store.clone());
    wallet.on(On::Open, Behaviour::answer().after(Duration::from_secs(1)));
    let restoring = tokio::spawn({
        let session = session.clone();
        async move { session.restore().await }
    });
    settle().await;
    let tombstone = Tombstone::new(DisconnectReason::User, Timestamp::from_millis(1));
    let revision = before.revision();
    store.erase(&"s".into(), tombstone, revision).await.unwrap();
    restoring.await.unwrap();
    settle().await;
    let reason = DisconnectReason::Remote;
    assert_eq!(session.status(), Status::Disconnected { reason });
    assert!(matches!(stored(&store), Stored::Tombstone { .. }));
}

#[tokio::test(start_paused = true)]
async fn h27_a_restart_does_not_extend_the_expiry() {
    let store = MemoryStore::new();
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let clock: Arc<VirtualClock> = Arc::new(VirtualClock::starting_at(start));
    let build = || {
        let (builder, wallet) = wallet();
        let session = builder
            .policy(expiring(Duration::from_secs(3600)))
            .store(store.clone(), "s")
            .clock_dyn(clock.clone())
            .build()
            .unwrap();
        (session, wallet)
    };
    let (session, _wallet) = build();
    session.connect().await.unwrap();
    let expires_at = session.expires_at();
    assert_eq!(
        expires_at,
        Some(start.saturating_add(Duration::from_secs(3600)))
    );
    session.close().await;
    tokio::time::sleep(Duration::from_secs(1800)).await;

    let (session, _wallet) = build();
    assert_eq!(session.restore().await, RestoreOutcome::Restored);
    assert_eq!(session.expires_at(), expires_at);
    assert_eq!(session.expires_in(), Some(Duration::from_secs(1800)));
    session.close().await;
    clock.jump_forward(Duration::from_secs(1801));

    let (session, wallet) = build();
    assert_eq!(session.restore().await, RestoreOutcome::Expired);
    assert_eq!(wallet.calls().len(), 0);
    assert!(session.is_expired() || session.expires_at().is_none());
    settle().await;
    assert!(matches!(stored(&store), Stored::Tombstone { .. }));
}

#[tokio::test(start_paused = true)]
async fn h68_two_sessions_on_one_record_lose_no_update() {
    let store = MemoryStore::new();
    let (one, wallet_one) = with(store.clone());
    let (two, _wallet_two) = with(store.clone());
    one.connect().await.unwrap();
    settle().await;
    two.connect().await.unwrap();
    settle().await;
    wallet_one.change_accounts(vec![Account::primary("bob")]);
    settle().await;
    let Stored::Record { record, revision } = stored(&store) else {
        panic!("no record")
    };
    assert_eq!(
        (record.accounts[0].id.as_str(), revision),
        ("bob", Revision::new(3))
    );
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_that_another_process_wrote_is_not_overwritten() {
    let store = MemoryStore::new();
    let (one, wallet) = with(store.clone());
    let (two, _wallet_two) = with(store.clone());
    one.connect().await.unwrap();
    settle().await;
    two.disconnect().await;
    wallet.change_accounts(vec![Account::primary("bob")]);
    settle().await;
    let reason = DisconnectReason::Remote;
    assert_eq!(one.status(), Status::Disconnected { reason });
    assert!(
        matches!(stored(&store), Stored::Tombstone { .. }),
        "a session rose from the dead"
    );
    one.connect().await.unwrap();
    settle().await;
    assert!(
        matches!(stored(&store), Stored::Record { .. }),
        "the user's later word counts"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_record_is_reported_and_left_alone() {
    struct Torn;
    impl Store for Torn {
        fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
            let error = StoreError::Unreadable {
                name: name.clone(),
                reason: "torn".into(),
            };
            Box::pin(async { Err(error) })
        }
        fn save<'a>(
            &'a self,
            _: &'a RecordName,
            _: Record,
            _: Revision,
        ) -> StoreFuture<'a, Revision> {
            panic!("written over what could not be read")
        }
        fn erase<'a>(
            &'a self,
            _: &'a RecordName,
            _: Tombstone,
            _: Revision,
        ) -> StoreFuture<'a, Revision> {
            panic!("erased what could not be read")
        }
        fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
            Box::pin(async { Ok(vec!["s".into()]) })
        }
    }
    let (session, wallet) = with(Torn);
    let outcome = session.restore().await;
    assert_eq!(
        outcome,
        RestoreOutcome::Quarantined {
            reason: "torn".into()
        }
    );
    assert_eq!(wallet.calls().len(), 0);
}

/// The word of the user that a connect is stays the user's word when its write fails and a later
/// state is written in its place.
#[tokio::test(start_paused = true)]
async fn a_login_whose_first_write_fails_is_not_ended_by_the_logout_before_it() {
    let store = Moody::default();
    let (session, _wallet) = with(store.clone());
    session.connect().await.unwrap();
    session.disconnect().await;
    session.close().await;

    let (session, wallet) = with(store.clone());
    store.be(Mood::Slow);
    session.connect().await.unwrap();
    settle().await;
    // While the write is under way, which is going to fail.
    wallet.change_accounts(vec![Account::primary("alice"), Account::new("carol")]);
    settle().await;
    store.be(Mood::Full);
    tokio::time::sleep(Duration::from_secs(10)).await;
    store.be(Mood::Well);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(session.status(), Status::Connected);
    let Stored::Record { record, .. } = stored(&store.memory) else {
        panic!("not stored");
    };
    assert_eq!(record.accounts[1].id.as_str(), "carol");
}
