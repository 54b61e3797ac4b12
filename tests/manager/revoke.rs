//! Sessions that are revoked, and everything that is cleared.

use std::sync::Arc;
use std::time::Duration;

use moorline::DisconnectReason;
use moorline::manager::{ManagerError, ManagerEventKind, RevokeOutcome, SessionManager};
use moorline::store::{MemoryStore, RecordName, Store, Stored};
use moorline_scripted::{Behaviour, On};

use crate::failing::Failing;
use crate::moody::{Mood, Moody};
use crate::support::{accounts, active, builder, name, own, published, settle, stored, wallet};

fn logged_out() -> RevokeOutcome {
    RevokeOutcome::LoggedOut {
        wallet_error: None,
        not_stored: None,
    }
}

fn is_erased(store: &MemoryStore, account: &str, reason: DisconnectReason) -> bool {
    let stored = store.peek(&name(account));
    matches!(stored, Stored::Tombstone { tombstone, .. } if tombstone.reason == reason)
}

/// A store with sessions of these accounts.
async fn filled(with: &[&str]) -> MemoryStore {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    for account in with {
        manager.login(wallet(account).0).await.unwrap();
    }
    manager.close().await;
    store
}

#[tokio::test(start_paused = true)]
async fn one_is_revoked_wherever_it_is_and_again_is_no_error() {
    let store = filled(&["here", "there"]).await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let (provider, control) = wallet("here");
    manager.login(provider).await.unwrap();
    let mut events = manager.events();
    assert_eq!(manager.revoke("here").await.unwrap().outcome, logged_out());
    let closed = |call: &moorline_scripted::Call| {
        call.what == moorline_scripted::What::Close(moorline::provider::CloseMode::Disconnect)
    };
    assert_eq!(
        control.calls().iter().filter(|call| closed(call)).count(),
        1
    );
    let there = manager.revoke("there").await.unwrap();
    assert_eq!(there.outcome, RevokeOutcome::Erased);
    assert_eq!(there.key.unwrap().account.as_str(), "there");
    for account in ["here", "there", "nobody"] {
        let again = manager.revoke(account).await.unwrap();
        assert_eq!(again.outcome, RevokeOutcome::AlreadyEnded);
    }
    assert!(is_erased(&store, "here", DisconnectReason::User));
    assert!(is_erased(&store, "there", DisconnectReason::User));
    let told: Vec<_> = published(&mut events)
        .iter()
        .filter_map(|event| match &event.kind {
            ManagerEventKind::Revoked { outcome, .. } => Some((
                event.key.as_ref().unwrap().account.to_string(),
                outcome.clone(),
            )),
            _ => None,
        })
        .collect();
    let expected = [("here", logged_out()), ("there", RevokeOutcome::Erased)];
    let expected = expected.map(|(account, outcome)| (account.to_owned(), outcome));
    assert_eq!(told, expected);
    // No process restores them.
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 0);
}

#[tokio::test(start_paused = true)]
async fn all_others_are_revoked_and_this_one_stays() {
    let store = filled(&["a", "b", "c", "d"]).await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    for account in ["a", "b"] {
        manager.login(wallet(account).0).await.unwrap();
    }
    let error = manager.revoke_others("nobody").await.unwrap_err();
    assert!(matches!(error, ManagerError::NotFound { .. }));
    assert_eq!(accounts(&manager), ["a", "b"]);
    let report = manager.revoke_others("a").await.unwrap();
    let mut outcomes: Vec<_> = report
        .sessions
        .iter()
        .map(|it| {
            (
                it.key.as_ref().unwrap().account.to_string(),
                it.outcome.clone(),
            )
        })
        .collect();
    outcomes.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("b", logged_out()),
        ("c", RevokeOutcome::Erased),
        ("d", RevokeOutcome::Erased),
    ];
    assert_eq!(
        outcomes,
        expected.map(|(who, outcome)| (who.to_owned(), outcome))
    );
    assert_eq!(accounts(&manager), ["a"]);
    assert!(matches!(store.peek(&name("a")), Stored::Record { .. }));
    let report = manager.revoke_all().await.unwrap();
    assert_eq!((report.sessions.len(), report.active), (1, None));
    assert_eq!(manager.revoke_all().await.unwrap().sessions, []);
    assert_eq!(accounts(&manager), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_the_store_cannot_do_is_said_of_the_one_it_concerns() {
    let store = Failing::new(filled(&["a", "b"]).await);
    let manager = crate::support::stored_dyn(Arc::new(store.clone()), |_, _| {}).0;
    let manager = manager.build().unwrap();
    store.refuse_writes_to(&name("a"));
    let report = manager.revoke_all().await.unwrap();
    let of = |account: &str| {
        let found = report
            .sessions
            .iter()
            .find(|it| it.record == Some(name(account)));
        found.unwrap().outcome.clone()
    };
    assert!(matches!(of("a"), RevokeOutcome::Failed { .. }));
    assert_eq!(of("b"), RevokeOutcome::Erased);
}

#[tokio::test(start_paused = true)]
async fn stored_sessions_that_are_not_here_are_listed_a_page_at_a_time() {
    let names: Vec<String> = (0..25).map(|number| format!("{number:02}")).collect();
    let list: Vec<&str> = names.iter().map(String::as_str).collect();
    let store = filled(&list).await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("03").0).await.unwrap();
    manager.revoke("07").await.unwrap();
    let mut listed = manager.list_stored().await.unwrap();
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let page = listed.page(10).await;
        sizes.push(page.len());
        if page.is_empty() {
            break;
        }
        for session in page {
            let session = session.unwrap();
            assert_eq!(session.about.created_at, session.about.last_active_at);
            seen.push(session.key.unwrap().account.to_string());
        }
    }
    assert_eq!(sizes, [10, 10, 3, 0]);
    let expected = names
        .iter()
        .filter(|name| !["03", "07"].contains(&name.as_str()));
    assert!(seen.iter().eq(expected));
}

async fn all_is_gone(store: &MemoryStore) {
    for name in store.list().await.unwrap() {
        let stored = store.peek(&name);
        assert!(
            matches!(stored, Stored::Tombstone { .. }),
            "{name}: {stored:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_back_after_clear() {
    let store = filled(&["stored"]).await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let (provider, control) = wallet("a");
    manager.login(provider).await.unwrap();
    manager.login(wallet("b").0).await.unwrap();
    let (provider, late) = wallet("late");
    late.on(On::Open, Behaviour::answer().after(Duration::from_secs(3)));
    let login = {
        let manager = manager.clone();
        tokio::spawn(async move { manager.login(provider).await })
    };
    settle().await;
    // What is to be written when it is cleared is not.
    for session in manager.sessions() {
        session.save();
    }
    let mut events = manager.events();
    let report = manager.clear().await.unwrap();
    assert_eq!((report.removed, report.failed), (4, vec![]));
    assert_eq!(
        own(&mut events),
        ["active b > -", "a closed Cleared, -", "b closed Cleared, -"]
    );
    assert!(login.await.unwrap().is_err());
    assert_eq!((accounts(&manager), active(&manager)), (vec![], None));
    tokio::time::sleep(Duration::from_secs(600)).await;
    all_is_gone(&store).await;
    assert_eq!(control.pending(), 0);
    // The wallet keeps its session: it was not told.
    let told = control.calls().into_iter().filter(|call| {
        call.what == moorline_scripted::What::Close(moorline::provider::CloseMode::Disconnect)
    });
    assert_eq!(told.count(), 0);
    // It can be used again.
    manager.login(wallet("a").0).await.unwrap();
    settle().await;
    assert!(matches!(store.peek(&name("a")), Stored::Record { .. }));
    manager.close().await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_under_way_does_not_come_back_after_clear() {
    let memory = MemoryStore::new();
    let store = Failing::new(memory.clone());
    let (builder, _) = crate::support::stored_dyn(Arc::new(store.clone()), |_, _| {});
    let manager = builder.build().unwrap();
    // The first writes of a login hang, as on a slow disk, and end when nobody waits any more.
    store.slow_saves(Duration::from_secs(120));
    manager.login(wallet("a").0).await.unwrap();
    settle().await;
    assert_eq!(memory.peek(&name("a")), Stored::Nothing);
    manager.clear().await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    all_is_gone(&memory).await;
    manager.close().await;
    all_is_gone(&memory).await;
}

#[tokio::test(start_paused = true)]
async fn clearing_goes_on_when_nobody_waits_and_says_when_it_is_closed() {
    let store = filled(&["a"]).await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("b").0).await.unwrap();
    let mut clear = Box::pin(manager.clear());
    assert!(futures_util::poll!(clear.as_mut()).is_pending());
    drop(clear);
    assert_eq!(accounts(&manager), [""; 0]);
    settle().await;
    all_is_gone(&store).await;
    manager.close().await;
    assert_eq!(manager.clear().await.unwrap_err(), ManagerError::Closed);
}

/// What comes after the list of what is stored is not waited for, and cannot be dropped.
#[tokio::test(start_paused = true)]
async fn to_revoke_all_ends_those_that_are_here_though_nobody_waits() {
    let store = Moody::default();
    let (builder, _) = crate::support::stored_dyn(Arc::new(store.clone()), |_, _| {});
    let manager = builder.build().unwrap();
    let (provider, control) = wallet("a");
    manager.login(provider).await.unwrap();
    settle().await;
    store.be(Mood::Unlisted);
    let mut revoke = Box::pin(manager.revoke_all());
    assert!(futures_util::poll!(revoke.as_mut()).is_pending());
    drop(revoke);
    settle().await;
    ends_at_wallet(&manager, &control).await;
    assert!(is_erased(&store.memory, "a", DisconnectReason::User));
}

#[tokio::test(start_paused = true)]
async fn what_is_being_restored_does_not_come_back_after_clear() {
    let slow = Moody::of(filled(&["a", "b", "c"]).await);
    let store = slow.memory.clone();
    let (builder, wallets) =
        crate::support::stored_dyn(Arc::new(slow.clone()), |account, wallet| {
            if account == "c" {
                wallet.on(On::Open, Behaviour::silence());
            }
        });
    let builder = builder.restore_at_once(1, Duration::from_secs(600));
    let manager = builder.build().unwrap();
    let restoring = manager.clone();
    let restoring = tokio::spawn(async move { restoring.restore().await.unwrap() });
    settle().await;
    assert_eq!(accounts(&manager), ["c"]);
    slow.be(Mood::Slow);
    manager.clear().await.unwrap();
    slow.be(Mood::Well);
    let report = restoring.await.unwrap();
    assert_eq!(report.restored(), 0, "{report:?}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(accounts(&manager), [""; 0]);
    all_is_gone(&store).await;
    assert_eq!(wallets.get("c").pending(), 0);
    // And later again: nothing is in its way.
    manager.login(wallet("a").0).await.unwrap();
    manager.close().await;
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 1);
}

async fn ends_at_wallet(manager: &SessionManager, control: &moorline_scripted::Control) {
    settle().await;
    let told = control.calls().into_iter().any(|call| {
        call.what == moorline_scripted::What::Close(moorline::provider::CloseMode::Disconnect)
    });
    assert!(told && accounts(manager).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_logout_or_close_that_nobody_waits_for_goes_on() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let (provider, control) = wallet("a");
    manager.login(provider).await.unwrap();
    settle().await;
    let mut logout = Box::pin(manager.logout("a"));
    assert!(futures_util::poll!(logout.as_mut()).is_pending());
    drop(logout);
    ends_at_wallet(&manager, &control).await;
    assert!(is_erased(&store, "a", DisconnectReason::User));

    let (provider, control) = wallet("b");
    let b = manager.login(provider).await.unwrap();
    let mut events = manager.events();
    let mut close = Box::pin(manager.close());
    assert!(futures_util::poll!(close.as_mut()).is_pending());
    drop(close);
    settle().await;
    while events.next().await.is_some() {}
    b.request("sign", serde_json::Value::Null)
        .await
        .unwrap_err();
    assert_eq!(control.pending(), 0);
    let own = RecordName::from("moorline/manager");
    let Stored::Record { record, .. } = store.peek(&own) else {
        panic!("who was active was not stored");
    };
    assert_eq!(record.accounts[0].id.as_str(), name("b").as_str());
}

#[tokio::test(start_paused = true)]
async fn without_a_store_all_of_it_is_about_those_that_are_here() {
    let manager = builder().build().unwrap();
    for account in ["a", "b"] {
        manager.login(wallet(account).0).await.unwrap();
    }
    assert!(manager.list_stored().await.unwrap().next().await.is_none());
    assert_eq!(manager.revoke_others("b").await.unwrap().sessions.len(), 1);
    assert_eq!(
        manager.revoke("nobody").await.unwrap().outcome,
        RevokeOutcome::AlreadyEnded
    );
    assert_eq!(manager.clear().await.unwrap().removed, 0);
    assert_eq!(accounts(&manager), [""; 0]);
}
