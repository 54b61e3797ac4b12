//! Many sessions come back.

use std::sync::Arc;
use std::time::Duration;

use moorline::manager::{ManagerEventKind, NextActive, RestoreReport, Restored};
use moorline::provider::{ErrorKind, ProviderError, ProviderPayload};
use moorline::session::RestoreOutcome;
use moorline::store::backend::Memory;
use moorline::store::{MemoryStore, PlaintextStore, Record, Revision, Store, Stored};
use moorline::{Account, Identity, Timestamp};
use moorline_scripted::{Behaviour, On, ScriptedWallet};
use serde_json::Value;

use crate::moody::{Mood, Moody};
use crate::support::{accounts, active, name, own, published, settle, stored, stored_dyn, wallet};
use crate::wire::Wire;

const SECOND: Duration = Duration::from_secs(1);

/// A store with these accounts in it, the last one used most recently, the first one active.
async fn filled(with: &[&str]) -> MemoryStore {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    for account in with {
        manager.login(wallet(account).0).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
    manager.close().await;
    store
}

fn outcome<'a>(report: &'a RestoreReport, account: &str) -> &'a Restored {
    let found = report.sessions.iter().find(|it| it.record == name(account));
    &found.unwrap().restored
}

fn restored() -> Restored {
    Restored::Session {
        outcome: RestoreOutcome::Restored,
    }
}

#[tokio::test(start_paused = true)]
async fn the_active_one_comes_first_then_the_most_recent_and_can_be_used_at_once() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    for account in ["a", "b", "c"] {
        manager.login(wallet(account).0).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
    let b = manager.login(wallet("b").0).await.unwrap();
    let used = b.last_active();
    drop(b);
    manager.close().await;

    let (builder, wallets) = stored(&store, |_, wallet| {
        wallet.on(On::Probe, Behaviour::answer().after(SECOND));
    });
    let manager = builder.restore_at_once(1, 10 * SECOND).build().unwrap();
    let mut events = manager.events();
    let restoring = {
        let manager = manager.clone();
        tokio::spawn(async move { manager.restore().await.unwrap() })
    };
    tokio::time::sleep(SECOND + SECOND / 2).await;
    // One is back, another on its way, the last not begun.
    assert_eq!(accounts(&manager), ["b", "c"]);
    let b = manager.active().unwrap();
    assert_eq!(b.account().as_str(), "b");
    assert_eq!(b.last_active(), used);
    b.request("sign", Value::Null).await.unwrap();
    assert_eq!(wallets.get("b").executions("sign"), 1);
    let report = restoring.await.unwrap();
    assert_eq!(report.restored(), 3);
    let order: Vec<_> = report.sessions.iter().map(|it| it.record.clone()).collect();
    assert_eq!(order, [name("b"), name("c"), name("a")]);
    let progress: Vec<_> = published(&mut events)
        .iter()
        .filter_map(|event| match &event.kind {
            ManagerEventKind::RestoreProgress { done, total, .. } => Some((*done, *total)),
            _ => None,
        })
        .collect();
    assert_eq!(progress, [(1, 3), (2, 3), (3, 3)]);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_touches_no_other() {
    let store = filled(&["a", "b", "c", "d"]).await;
    let (builder, _) = stored(&store, |account, wallet| match account {
        "b" => wallet.set_revoked(true),
        "c" => {
            let error = ProviderError::new(ErrorKind::Unreachable, "no extension");
            wallet.set_away(Some(error));
        }
        "d" => wallet.on(On::Open, Behaviour::panic("wallet code")),
        _ => {}
    });
    let manager = builder.restore_at_once(1, SECOND).build().unwrap();
    let restoring = {
        let manager = manager.clone();
        tokio::spawn(async move { manager.restore().await.unwrap() })
    };
    // Whatever the others wait for, this one is back.
    tokio::time::sleep(10 * SECOND).await;
    assert!(manager.get("a").unwrap().snapshot().is_connected());
    restoring.abort();
    assert_eq!(accounts(&manager), ["a", "b", "c", "d"]);
    assert_eq!(active(&manager).as_deref(), Some("d"));
    assert!(!manager.get("b").unwrap().snapshot().is_connected());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_or_unreadable_payload_is_reported_and_never_erased() {
    let store = filled(&["a"]).await;
    let strange = r#"{"type":"nip99","payload":"s3cret", "later":1.0}"#;
    let broken = r#"{"type":"keyed","payload":"s3cret"}"#;
    let mut before = Vec::new();
    for (account, payload) in [("strange", strange), ("broken", broken)] {
        let network = Some("canton:scripted".into());
        let accounts = vec![Account::primary(account)];
        let record = Record::new("scripted", accounts, network, Timestamp::EPOCH)
            .with_payload(Some(ProviderPayload::from_json(payload).unwrap()));
        store
            .save(&name(account), record, Revision::NONE)
            .await
            .unwrap();
        before.push((name(account), store.peek(&name(account))));
    }
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let mut events = manager.events();
    let report = manager.restore().await.unwrap();
    assert_eq!(*outcome(&report, "a"), restored());
    let unknown = Restored::UnknownProvider {
        kind: "nip99".into(),
    };
    assert_eq!(*outcome(&report, "strange"), unknown);
    assert!(matches!(
        outcome(&report, "broken"),
        Restored::ProviderFailed { .. }
    ));
    manager.login(wallet("b").0).await.unwrap();
    manager.close().await;
    for (name, stored) in before {
        assert_eq!(store.peek(&name), stored);
    }
    let told = format!("{:?} {report:?}", published(&mut events));
    assert!(!told.contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn a_wallet_that_acts_for_somebody_else_by_now_keeps_one_session_and_its_time() {
    let store = filled(&["a"]).await;
    let (builder, _) = stored(&store, |_, wallet| {
        wallet.set_accounts(vec![Account::primary("z")]);
    });
    let manager = builder.build().unwrap();
    let mut events = manager.events();
    manager.restore().await.unwrap();
    assert_eq!(accounts(&manager), ["z"]);
    assert_eq!(active(&manager).as_deref(), Some("z"));
    assert!(own(&mut events).contains(&"a is z".to_owned()));
    settle().await;
    assert!(matches!(store.peek(&name("a")), Stored::Tombstone { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_login_during_the_restore_counts_more() {
    let store = filled(&["a", "b"]).await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let a = manager.login(wallet("a").0).await.unwrap();
    let report = manager.restore().await.unwrap();
    assert_eq!(report.restored(), 1);
    assert_eq!(manager.get("a").unwrap(), a);
    assert_eq!(active(&manager).as_deref(), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn an_active_one_that_is_gone_leaves_nobody_or_the_most_recent() {
    for (policy, next) in [
        (NextActive::None, None),
        (NextActive::MostRecent, Some("b")),
    ] {
        let store = filled(&["a", "b", "c"]).await;
        let revision = store.peek(&name("c")).revision();
        let tombstone =
            moorline::store::Tombstone::new(moorline::DisconnectReason::User, Timestamp::EPOCH);
        store.erase(&name("c"), tombstone, revision).await.unwrap();
        let manager = stored(&store, |_, _| {})
            .0
            .next_active(policy)
            .build()
            .unwrap();
        let report = manager.restore().await.unwrap();
        assert_eq!(*outcome(&report, "c"), Restored::Ended);
        assert_eq!(report.restored(), 2);
        assert_eq!(active(&manager).as_deref(), next);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_only_watches_comes_back_as_such() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.watch(Identity::new("a", None)).await.unwrap();
    manager.close().await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    assert!(manager.active().unwrap().is_read_only());
}

#[tokio::test(start_paused = true)]
async fn without_a_store_there_is_nothing_to_restore() {
    let manager = crate::support::builder().build().unwrap();
    manager.restore().await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_restore_with_a_limit_says_what_is_not_done_and_goes_on() {
    let store = filled(&["a", "b", "c"]).await;
    let (builder, _) = stored(&store, |account, wallet| {
        if account == "b" {
            let error = ProviderError::new(ErrorKind::Unreachable, "gone for good");
            wallet.set_away(Some(error));
        }
    });
    let builder = builder.restore_at_once(1, 60 * SECOND);
    let manager = builder.restore_within(10 * SECOND).build().unwrap();
    let begun = tokio::time::Instant::now();
    let report = manager.restore().await.unwrap();
    assert_eq!(begun.elapsed(), 10 * SECOND);
    assert_eq!(*outcome(&report, "c"), restored());
    assert_eq!(*outcome(&report, "b"), Restored::Unfinished);
    // Not even begun: b was used more recently, and is waited for.
    assert_eq!(*outcome(&report, "a"), Restored::Unfinished);
    assert_eq!(accounts(&manager), ["b", "c"]);
    let mut events = manager.events();
    tokio::time::sleep(60 * SECOND).await;
    assert!(manager.get("a").unwrap().snapshot().is_connected());
    let done = published(&mut events)
        .into_iter()
        .filter_map(|event| match &event.kind {
            ManagerEventKind::RestoreProgress { done, .. } => Some(*done),
            _ => None,
        });
    assert_eq!(done.collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_restore_ends_with_its_manager() {
    let store = filled(&["a", "b"]).await;
    let (builder, _) = stored(&store, |_, wallet| {
        let error = ProviderError::new(ErrorKind::Unreachable, "gone for good");
        wallet.set_away(Some(error));
    });
    let builder = builder.restore_at_once(1, 600 * SECOND);
    let manager = builder.restore_within(SECOND).build().unwrap();
    manager.restore().await.unwrap();
    let mut events = manager.events();
    manager.close().await;
    while events.next().await.is_some() {}
    let before = store.peek(&name("a"));
    tokio::time::sleep(600 * SECOND).await;
    assert_eq!(store.peek(&name("a")), before);
}

#[tokio::test(start_paused = true)]
async fn many_come_back_in_the_order_of_their_own_records() {
    let names: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    for account in &names {
        manager.login(wallet(account).0).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
    // The first ones are used last, by requests alone: the manager's record knows nothing of it.
    for account in ["002", "001"] {
        let session = manager.get(account).unwrap();
        session.request("sign", Value::Null).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
    manager.close().await;
    let (builder, _) = stored(&store, |_, _| {});
    let manager = builder.restore_at_once(1, SECOND).build().unwrap();
    let report = manager.restore().await.unwrap();
    let order: Vec<_> = report.sessions.iter().map(|it| it.record.clone()).collect();
    let mut expected = vec![name("099"), name("001"), name("002")];
    expected.extend((3..99).rev().map(|number| name(&format!("{number:03}"))));
    expected.push(name("000"));
    assert_eq!(order, expected);
}

/// How long a list takes follows from how many there are, and how far away they stand.
#[tokio::test(start_paused = true)]
async fn many_come_back_from_a_store_that_is_far_away() {
    let wire = Wire::new(&Memory::new());
    let store = Arc::new(PlaintextStore::new(wire.clone()));
    for number in 0..2_000 {
        let account = format!("user-{number}");
        let accounts = vec![Account::primary(account.clone())];
        let network = Some("canton:scripted".into());
        let record = Record::new("scripted", accounts, network, Timestamp::EPOCH);
        store
            .save(&name(&account), record, Revision::NONE)
            .await
            .unwrap();
    }
    // One after the other, a list of them takes forty seconds; a call may take five seconds.
    wire.delay(Duration::from_millis(20));
    let builder = crate::support::builder().store_dyn(store.clone());
    let builder = builder.provider("scripted", |record| {
        let account = record.accounts[0].id.clone();
        Ok(Arc::new(
            ScriptedWallet::new().accounts([account.as_str()]).build().0,
        ))
    });
    let manager = builder.restore_at_once(256, SECOND).build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 2_000);
    // One that does not answer at all is not waited for that long.
    wire.cut(true);
    let begun = tokio::time::Instant::now();
    manager.restore().await.unwrap_err();
    assert!(begun.elapsed() <= 10 * SECOND, "{:?}", begun.elapsed());
}

/// The restore has planned it, and reads it while its end is on the way to the store.
#[tokio::test(start_paused = true)]
async fn a_logout_during_the_restore_is_final_however_slow_the_store_is() {
    let store = Moody::of(filled(&["a", "b"]).await);
    let (builder, _) = stored_dyn(Arc::new(store.clone()), |account, wallet| {
        if account == "b" {
            wallet.on(On::Open, Behaviour::silence());
        }
    });
    // One at a time, the one used last first: "a" waits for its turn.
    let builder = builder.restore_at_once(1, 600 * SECOND);
    let manager = builder.build().unwrap();
    manager.switch_to_none();
    let restoring = manager.clone();
    let restoring = tokio::spawn(async move { restoring.restore().await.unwrap() });
    settle().await;
    manager.login(wallet("a").0).await.unwrap();
    settle().await;
    store.be(Mood::Slow);
    let leaving = manager.clone();
    let leaving = tokio::spawn(async move { leaving.logout("a").await.unwrap() });
    settle().await;
    // Its turn comes now.
    manager.logout("b").await.unwrap();
    let report = restoring.await.unwrap();
    leaving.await.unwrap();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(accounts(&manager), [""; 0], "{report:?}");
    assert!(matches!(
        store.memory.peek(&name("a")),
        Stored::Tombstone { .. }
    ));
}
