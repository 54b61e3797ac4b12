//! Logging in and out, and who is active.

use std::time::Duration;

use moorline::manager::{ManagerError, NextActive};
use moorline::provider::{ErrorKind, ProviderError};
use moorline::{Identity, OperationError, Status};
use moorline_scripted::{Behaviour, On};
use serde_json::{Value, json};

use crate::support::{accounts, active, builder, own, settle, wallet};

#[tokio::test(start_paused = true)]
async fn of_three_parallel_logins_none_is_lost() {
    let manager = builder().build().unwrap();
    let logins = ["a", "b", "c"].map(|account| {
        let (provider, control) = wallet(account);
        control.on(On::Probe, Behaviour::answer().after(Duration::from_secs(2)));
        let manager = manager.clone();
        tokio::spawn(async move { manager.login(provider).await.unwrap() })
    });
    for (login, account) in logins.into_iter().zip(["a", "b", "c"]) {
        assert_eq!(login.await.unwrap().account().as_str(), account);
    }
    assert_eq!(accounts(&manager), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn parallel_logins_of_one_account_share_its_session() {
    let manager = builder().build().unwrap();
    let mut events = manager.events();
    let (wallets, logins): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| {
            let (provider, control) = wallet("a");
            let manager = manager.clone();
            let login = tokio::spawn(async move { manager.login(provider).await.unwrap() });
            (control, login)
        })
        .unzip();
    let mut sessions = Vec::new();
    for login in logins {
        sessions.push(login.await.unwrap());
    }
    assert!(sessions.iter().all(|session| *session == sessions[0]));
    assert_eq!(accounts(&manager), ["a"]);
    assert_eq!(own(&mut events), ["a in", "active - > a"]);
    sessions[2].request("sign", Value::Null).await.unwrap();
    settle().await;
    // The others dropped their links and ended nothing.
    let disconnects = wallets
        .iter()
        .flat_map(moorline_scripted::Control::calls)
        .filter(|call| {
            matches!(
                call.what,
                moorline_scripted::What::Close(moorline::provider::CloseMode::Disconnect)
            )
        });
    assert_eq!(disconnects.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_login_takes_the_place_of_a_session_that_is_over() {
    let manager = builder().build().unwrap();
    let first = manager.login(wallet("a").0).await.unwrap();
    first.session().disconnect().await;
    let mut events = manager.events();
    let again = manager.login(wallet("a").0).await.unwrap();
    assert_ne!(first, again);
    assert_eq!(again.session().status(), Status::Connected);
    assert_eq!(manager.active().unwrap(), again);
    assert_eq!(own(&mut events)[0], "a closed Replaced, a");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_fails_or_is_dropped_leaves_nothing() {
    let manager = builder().build().unwrap();
    let (provider, control) = wallet("a");
    control.on(
        On::Open,
        Behaviour::fail(ProviderError::from_code(4001, "no")),
    );
    let error = manager.login(provider).await.unwrap_err();
    assert!(matches!(error, ManagerError::Connect(_)), "{error}");
    let (provider, control) = wallet("b");
    control.on(On::Open, Behaviour::silence());
    let login = tokio::time::timeout(Duration::from_secs(1), manager.login(provider));
    login.await.unwrap_err();
    settle().await;
    assert_eq!(accounts(&manager), [""; 0]);
    assert_eq!(control.pending(), 0);
    assert_eq!(active(&manager), None);
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_stays_with_its_account_when_another_becomes_active() {
    let manager = builder().build().unwrap();
    let (provider, alices) = wallet("alice");
    let alice = manager.login(provider).await.unwrap();
    let (provider, bobs) = wallet("bob");
    let bob = manager.login(provider).await.unwrap();
    manager.switch_to("alice").unwrap();
    alices.on(
        On::Request,
        Behaviour::answer().after(Duration::from_secs(5)),
    );
    let signing = tokio::spawn(async move { alice.request("sign", json!(1)).await });
    settle().await;
    let now = manager.switch_to("bob").unwrap();
    assert_eq!(now, bob);
    assert_eq!(
        now.request("sign", json!(2)).await.unwrap()["account"],
        "bob"
    );
    assert_eq!(signing.await.unwrap().unwrap()["account"], "alice");
    assert_eq!((alices.executions("sign"), bobs.executions("sign")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_one_account_with_the_session_of_another() {
    let manager = builder().build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    manager.login(wallet("b").0).await.unwrap();
    let switcher = manager.clone();
    let switching = tokio::spawn(async move {
        for turn in 0..2000 {
            switcher.switch_to(["a", "b"][turn % 2]).unwrap();
        }
    });
    let mut watch = manager.watch_active();
    while !switching.is_finished() {
        for active in [manager.active().unwrap(), watch.current().unwrap()] {
            assert_eq!(*active.session().identity().unwrap(), active.identity());
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(active(&manager).as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn a_logout_of_the_active_says_who_is_next() {
    for (policy, next) in [(NextActive::None, "-"), (NextActive::MostRecent, "a")] {
        let manager = builder().next_active(policy).build().unwrap();
        for account in ["a", "b", "c"] {
            manager.login(wallet(account).0).await.unwrap();
        }
        manager.switch_to("a").unwrap();
        manager.switch_to("c").unwrap();
        let mut watch = manager.watch_active();
        watch.current();
        let mut events = manager.events();
        let report = manager.logout_active().await.unwrap();
        assert_eq!(report.key.account.as_str(), "c");
        assert_eq!(report.disconnect.wallet, Some(Ok(())));
        let told = [format!("c out, {next}"), format!("active c > {next}")];
        assert_eq!(own(&mut events), told);
        let seen = watch.changed().await.unwrap();
        let seen = seen.map(|it| it.account().to_string());
        assert_eq!(seen.as_deref().unwrap_or("-"), next);
        assert_eq!(accounts(&manager), ["a", "b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_of_another_leaves_the_active_alone() {
    let manager = builder().build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    manager.login(wallet("b").0).await.unwrap();
    let mut watch = manager.watch_active();
    watch.current();
    manager.logout("a").await.unwrap();
    assert_eq!(active(&manager).as_deref(), Some("b"));
    let changed = tokio::time::timeout(Duration::from_secs(1), watch.changed());
    changed.await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn whom_nobody_knows_is_an_error() {
    let manager = builder().build().unwrap();
    let none = manager.logout_active().await.unwrap_err();
    assert_eq!(none, ManagerError::NoActiveSession);
    let unknown = |error| matches!(error, ManagerError::NotFound { .. });
    assert!(unknown(manager.switch_to("nope").unwrap_err()));
    assert!(unknown(manager.logout("nope").await.unwrap_err()));
    assert!(unknown(manager.get("nope").unwrap_err()));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_only_watches_refuses_and_nobody_signs_for_it() {
    let manager = builder().build().unwrap();
    let (provider, alices) = wallet("alice");
    manager.login(provider).await.unwrap();
    let watched = Identity::new("bob", Some("canton:scripted".into()));
    let bob = manager.watch(watched.clone()).await.unwrap();
    assert!(bob.is_read_only());
    assert_eq!(manager.active().unwrap(), bob);
    let refused = |error| match error {
        OperationError::Provider(error) => assert_eq!(error.kind(), ErrorKind::ReadOnly),
        other => panic!("{other}"),
    };
    refused(bob.request("sign", Value::Null).await.unwrap_err());
    refused(
        bob.session()
            .request("sign", Value::Null)
            .await
            .unwrap_err(),
    );
    assert_eq!(alices.total_executions(), 0);
    // With a wallet it can sign, and is not made to watch again.
    let (provider, bobs) = wallet("bob");
    let signer = manager.login(provider).await.unwrap();
    assert!(!signer.is_read_only());
    assert_eq!(manager.watch(watched).await.unwrap(), signer);
    assert_eq!(accounts(&manager), ["alice", "bob"]);
    signer.request("sign", Value::Null).await.unwrap();
    assert_eq!(bobs.total_executions(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_of_two_wallets_is_asked_for_by_its_key() {
    let manager = builder().build().unwrap();
    let one = manager.login(wallet("a").0).await.unwrap();
    let other = moorline_scripted::ScriptedWallet::new()
        .kind("other")
        .accounts(["a"]);
    let two = manager.login(other.build().0).await.unwrap();
    assert_ne!(one, two);
    let error = manager.get("a").unwrap_err();
    assert!(matches!(error, ManagerError::Ambiguous { keys, .. } if keys.len() == 2));
    assert_eq!(manager.get(&**two.key()).unwrap(), two);
}

#[tokio::test(start_paused = true)]
async fn after_close_nothing_runs_and_nobody_joins() {
    let manager = builder().build().unwrap();
    let (provider, control) = wallet("a");
    let session = manager.login(provider).await.unwrap();
    let (provider, late) = wallet("b");
    late.on(On::Open, Behaviour::answer().after(Duration::from_secs(3)));
    let login = {
        let manager = manager.clone();
        tokio::spawn(async move { manager.login(provider).await })
    };
    settle().await;
    let mut events = manager.events();
    tokio::join!(manager.close(), manager.close());
    let closed = session.request("sign", Value::Null).await.unwrap_err();
    assert!(matches!(closed, OperationError::Closed { .. }), "{closed}");
    assert!(login.await.unwrap().is_err());
    assert_eq!(
        manager.login(wallet("c").0).await.unwrap_err(),
        ManagerError::Closed
    );
    while events.next().await.is_some() {}
    assert_eq!((control.pending(), late.pending()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn everything_stops_with_the_last_handle() {
    let manager = builder().build().unwrap();
    let (provider, control) = wallet("a");
    manager.login(provider).await.unwrap();
    let (mut events, mut watch) = (manager.events(), manager.watch_active());
    watch.current();
    let clone = manager.clone();
    drop(manager);
    assert_eq!(active(&clone).as_deref(), Some("a"));
    drop(clone);
    settle().await;
    while events.next().await.is_some() {}
    while let Some(active) = watch.changed().await {
        assert_eq!(active, None);
    }
    assert!(!control.message("late", Value::Null));
}
