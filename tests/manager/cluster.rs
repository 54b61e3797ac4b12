//! Managers that share a store: two processes played in one.

mod adverse;
mod rig;

use std::sync::Arc;
use std::time::Duration;

use moorline::manager::{
    CloseReason, ManagerError, ManagerEventKind, Restored, SessionManager, TakeOver,
};
use moorline::provider::{CloseMode, Sent};
use moorline::store::backend::Memory;
use moorline::store::{MemoryStore, Stored};
use moorline::sync::lease::Leases;
use moorline::{Account, BuildError, DisconnectReason};
use moorline_scripted::{Behaviour, On, What};
use serde_json::{Value, json};

use self::rig::{Process, Shared, TTL, closes, epochs, key, lease_lost};
use crate::failing::Failing;
use crate::moody::Mood;
use crate::support::{accounts, name, settle, wallet};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_session_is_held_by_one_process_and_the_other_says_by_which() {
    let shared = Shared::default();
    let (one, two, _) = shared.two(&["alice"]).await;

    let report = two.manager.restore().await.unwrap();
    let holder = one.leases.member();
    assert_eq!(
        report.sessions[0].restored,
        Restored::HeldElsewhere {
            holder: holder.clone()
        }
    );
    assert!(matches!(
        two.manager.get("alice"),
        Err(ManagerError::NotFound { .. })
    ));
    for who in ["alice".into(), moorline::manager::Who::from(key("alice"))] {
        let found = two.manager.holder(who).await.unwrap();
        assert_eq!(found, Some(holder.clone()));
    }
    assert_eq!(
        one.manager.holder("alice").await.unwrap(),
        Some(holder.clone())
    );
    assert!(matches!(
        two.manager.holder("bob").await,
        Err(ManagerError::NotFound { .. })
    ));
    let claimed = two.manager.claim("alice").await;
    assert_eq!(
        claimed.unwrap_err(),
        ManagerError::HeldElsewhere {
            key: Arc::new(key("alice")),
            holder: holder.clone()
        }
    );

    // A login there is closed without ending anything.
    let (provider, control) = wallet("alice");
    let refused = two.manager.login(provider).await.unwrap_err();
    assert_eq!(
        refused,
        ManagerError::HeldElsewhere {
            key: Arc::new(key("alice")),
            holder
        }
    );
    settle().await;
    assert!(!closes(&control).contains(&CloseMode::Disconnect));
    assert!(accounts(&two.manager).is_empty());
    let alice = one.manager.get("alice").unwrap();
    alice.request("ping", Value::Null).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_racing_logins_in_two_processes_one_wins() {
    for _ in 0..16 {
        let shared = Shared::default();
        let (one, two, _) = shared.two(&[]).await;
        let logins = (
            one.manager.login(wallet("alice").0),
            two.manager.login(wallet("alice").0),
        );
        let (first, second) = futures_util::future::join(logins.0, logins.1).await;
        let refused = match (first, second) {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
            other => panic!("{other:?}"),
        };
        assert!(matches!(refused, ManagerError::HeldElsewhere { .. }));
        let held = accounts(&one.manager).len() + accounts(&two.manager).len();
        assert_eq!(held, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_stops_before_another_takes_over() {
    let shared = Shared::default();
    let (mut one, mut two, controls) = shared.two(&["alice"]).await;
    let alice = one.manager.get("alice").unwrap();
    alice.request("ping", Value::Null).await.unwrap();
    let before = shared.revision("alice");
    controls[0].on(On::method("slow"), Behaviour::silence());
    let slow = {
        let alice = alice.clone();
        tokio::spawn(async move { alice.request("slow", Value::Null).await })
    };
    settle().await;

    one.cut(true);
    let begun = tokio::time::Instant::now();
    while !one.own().iter().any(|it| it == "alice closed LeaseLost, -") {
        assert!(two.taken_over().is_empty(), "taken over while it acted");
        assert!(begun.elapsed() <= TTL, "it goes on");
        tokio::time::sleep(SECOND / 10).await;
    }
    // Cut with the lease: the wallet may have it.
    assert_eq!(lease_lost(slow.await.unwrap().unwrap_err()), Sent::Maybe);
    let asked = controls[0].calls().len();
    let refused = alice.request("ping", Value::Null).await.unwrap_err();
    assert!(!refused.may_have_executed(), "{refused}");
    assert!(accounts(&one.manager).is_empty());
    assert!(!closes(&controls[0]).contains(&CloseMode::Disconnect));
    assert_eq!(shared.revision("alice"), before, "the loser has written");

    // The ttl and its margin from the last renewal that was seen, and the delay of the spread.
    while two.taken_over() != [("alice".to_owned(), 2, Some("one".to_owned()))] {
        assert!(begun.elapsed() < 3 * TTL, "nobody takes over");
        tokio::time::sleep(SECOND / 10).await;
    }
    settle().await;
    let taken = two.manager.get("alice").unwrap();
    assert!(taken.snapshot().is_connected());
    taken.request("ping", Value::Null).await.unwrap();
    let control = two.wallets.get("alice");
    assert!(epochs(&control).iter().all(|epoch| *epoch == Some(2)));
    let loser = controls[0].calls().split_off(asked);
    assert!(
        loser
            .iter()
            .all(|call| matches!(call.what, What::Close(CloseMode::Detach))),
        "{loser:?}"
    );

    // Back again, it holds nothing, and finds nothing to take over.
    one.cut(false);
    tokio::time::sleep(3 * TTL).await;
    assert!(accounts(&one.manager).is_empty());
    assert_eq!(accounts(&two.manager), ["alice"]);
    let holder = one.manager.holder("alice").await.unwrap();
    assert_eq!(holder, Some(two.leases.member()));
}

#[tokio::test(start_paused = true)]
async fn those_who_are_left_share_what_nobody_holds() {
    let shared = Shared::default();
    let names: Vec<String> = (0..60).map(|number| format!("user-{number:02}")).collect();
    let with: Vec<&str> = names.iter().map(String::as_str).collect();
    let (one, two, _) = shared.two(&with).await;
    let three = shared.process("three", TakeOver::default()).await;
    let idle = shared.process("four", TakeOver::OnDemand).await;
    // A process that ends tells so, and is not waited for.
    let Process {
        manager, leases, ..
    } = one;
    let begun = tokio::time::Instant::now();
    drop(manager);
    leases.leave().await;
    while accounts(&two.manager).len() + accounts(&three.manager).len() < names.len() {
        assert!(begun.elapsed() < TTL, "it takes too long");
        tokio::time::sleep(SECOND / 10).await;
    }
    let (some, others) = (accounts(&two.manager), accounts(&three.manager));
    let mut all = [some.clone(), others.clone()].concat();
    all.sort();
    assert_eq!(all, names);
    assert!(
        some.len() > 10 && others.len() > 10,
        "{} {}",
        some.len(),
        others.len()
    );
    assert!(accounts(&idle.manager).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_manager_held_can_be_claimed_at_once() {
    let shared = Shared::default();
    let one = shared.process("one", TakeOver::OnDemand).await;
    let mut two = shared.process("two", TakeOver::OnDemand).await;
    let (provider, control) = wallet("alice");
    one.manager.login(provider).await.unwrap();
    // The account was not known yet: the first calls are under no fence.
    assert_eq!(epochs(&control).first(), Some(&None));
    one.manager.close().await;
    assert!(!closes(&control).contains(&CloseMode::Disconnect));

    let alice = two.manager.claim("alice").await.unwrap();
    alice.request("ping", Value::Null).await.unwrap();
    assert_eq!(two.taken_over(), [], "it was asked for");
    assert!(
        epochs(&two.wallets.get("alice"))
            .iter()
            .all(|it| *it == Some(2))
    );
    assert_eq!(two.manager.claim("alice").await.unwrap(), alice);
    tokio::time::sleep(3 * TTL).await;
    assert!(alice.snapshot().is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_anywhere_is_one_everywhere() {
    let shared = Shared::default();
    let (mut one, mut two, controls) = shared.two(&["alice", "bob"]).await;
    let report = two.manager.logout(key("alice")).await.unwrap();
    assert_eq!(*report.key, key("alice"));
    settle().await;

    assert_eq!(accounts(&one.manager), ["bob"]);
    assert_eq!(one.own(), ["alice out, bob"]);
    assert_eq!(two.own(), ["alice out, -"]);
    // Who holds it tells the wallet; the end that was written stands.
    assert_eq!(closes(&controls[0]), [CloseMode::Disconnect]);
    assert!(closes(&controls[1]).is_empty());
    match shared.store.memory.peek(&name("alice")) {
        Stored::Tombstone { tombstone, .. } => assert_eq!(tombstone.reason, DisconnectReason::User),
        other => panic!("{other:?}"),
    }
    for process in [&one, &two] {
        let report = process.manager.restore().await.unwrap();
        assert!(
            !accounts(&process.manager).contains(&"alice".to_owned()),
            "{report:?}"
        );
    }
    let again = two.manager.logout(key("alice")).await;
    assert!(matches!(again, Err(ManagerError::NotFound { .. })));
    // And it can be begun anew, anywhere: the end of the earlier one does not count for it.
    two.manager.login(wallet("alice").0).await.unwrap();
    tokio::time::sleep(3 * TTL).await;
    assert_eq!(accounts(&two.manager), ["alice"]);
    assert_eq!(accounts(&one.manager), ["bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_that_cannot_be_stored_is_written_later() {
    let shared = Shared::default();
    let (one, two, _) = shared.two(&["alice"]).await;
    shared.store.be(Mood::Away);
    let report = one.manager.logout("alice").await.unwrap();
    assert!(report.disconnect.not_persisted.is_some());
    tokio::time::sleep(3 * TTL).await;
    shared.store.be(Mood::Well);
    tokio::time::sleep(3 * TTL).await;
    assert!(matches!(
        shared.store.memory.peek(&name("alice")),
        Stored::Tombstone { .. }
    ));
    assert!(accounts(&one.manager).is_empty() && accounts(&two.manager).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_by_itself_stays_where_it_is() {
    let shared = Shared::default();
    let (one, _two, controls) = shared.two(&["alice"]).await;
    controls[0].revoke();
    tokio::time::sleep(TTL).await;
    let alice = one.manager.get("alice").unwrap();
    assert!(!alice.snapshot().is_connected());
    assert!(matches!(
        shared.store.memory.peek(&name("alice")),
        Stored::Tombstone { .. }
    ));
    alice.session().connect().await.unwrap();
    tokio::time::sleep(TTL).await;
    assert!(one.manager.get("alice").unwrap().snapshot().is_connected());
}

#[tokio::test(start_paused = true)]
async fn the_lease_follows_the_account() {
    let shared = Shared::default();
    let (one, two, controls) = shared.two(&["alice"]).await;
    let alice = one.manager.get("alice").unwrap();
    alice.request("ping", Value::Null).await.unwrap();
    let first = controls[0].calls().last().unwrap().fence.clone().unwrap();
    controls[0].change_accounts(vec![Account::primary("bob")]);
    settle().await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(accounts(&one.manager), ["bob"]);
    let bob = one.manager.get("bob").unwrap();
    bob.request("ping", Value::Null).await.unwrap();
    let last = controls[0].calls().last().unwrap().fence.clone().unwrap();
    assert_ne!(last.lease, first.lease);
    assert_eq!(
        two.manager.holder("bob").await.unwrap(),
        Some(one.leases.member())
    );
    // Nobody has alice's any more: somebody may log in as her.
    two.manager.login(wallet("alice").0).await.unwrap();

    // To an account that is held elsewhere no session moves.
    controls[0].change_accounts(vec![Account::primary("alice")]);
    settle().await;
    tokio::time::sleep(SECOND).await;
    assert!(accounts(&one.manager).is_empty());
    assert_eq!(accounts(&two.manager), ["alice"]);
    assert_eq!(controls[0].executions("ping"), 2);
    let alice = two.manager.get("alice").unwrap();
    alice.request("ping", Value::Null).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_right_goes_with_the_session() {
    let shared = Shared::default();
    let one = shared.process("one", TakeOver::OnDemand).await;
    let two = shared.process("two", TakeOver::OnDemand).await;
    for account in ["alice", "bob", "carol"] {
        one.manager.login(wallet(account).0).await.unwrap();
    }
    one.manager.logout("alice").await.unwrap();
    assert!(matches!(
        two.manager.claim("alice").await,
        Err(ManagerError::NotFound { .. })
    ));
    two.manager.login(wallet("alice").0).await.unwrap();
    // A second login for the same account makes way for the one that is there, with its lease.
    one.manager.login(wallet("bob").0).await.unwrap();
    settle().await;
    let holder = two.manager.holder("bob").await.unwrap();
    assert_eq!(holder, Some(one.leases.member()));
    let bob = one.manager.get("bob").unwrap();
    bob.request("ping", Value::Null).await.unwrap();
    let report = one.manager.restore().await.unwrap();
    let names: Vec<_> = report.sessions.iter().map(|it| it.record.clone()).collect();
    assert_eq!(names, [name("alice")], "{report:?}");
    assert!(matches!(
        two.manager.restore().await.unwrap().sessions[..],
        [_, _, ..]
    ));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_say_where_is_refused() {
    let leases = Leases::builder(Memory::new()).join().await.unwrap();
    let none = SessionManager::builder().leases(leases.clone()).build();
    assert_eq!(none.unwrap_err(), BuildError::NoStore);
    let builder = SessionManager::builder().leases(leases);
    let store = Failing::new(MemoryStore::new());
    let manager = builder.store(store).build().unwrap();
    let refused = manager.login(wallet("alice").0).await.unwrap_err();
    assert!(
        refused.to_string().contains("where its records stand"),
        "{refused}"
    );
}

#[test]
fn how_it_travels() {
    let member = moorline::sync::lease::Member::new(
        moorline::sync::lease::MemberId::new([7; 16]),
        "host-1:8080",
    );
    let restored = Restored::HeldElsewhere {
        holder: member.clone(),
    };
    assert_eq!(
        serde_json::to_value(restored).unwrap(),
        json!({ "restored": "held-elsewhere", "holder": "host-1:8080" })
    );
    let taken = ManagerEventKind::TakenOver {
        epoch: 3,
        previous: Some(member),
    };
    assert_eq!(
        serde_json::to_value(taken).unwrap(),
        json!({ "type": "session:taken-over", "epoch": 3, "previous": "host-1:8080" })
    );
    assert_eq!(
        serde_json::to_value(CloseReason::LeaseLost).unwrap(),
        "lease-lost"
    );
}
