//! Which value counts.

use std::sync::{Arc, Mutex};

use moorline::Account;
use moorline::manager::{DataError, DataName, Fetch, Version, Versioned};

use super::told;
use crate::support::{builder, settle, wallet};

const FOLLOWS: DataName<u32> = DataName::new("follows");

fn value(value: u32, at: u64, id: &str) -> Versioned<u32> {
    Versioned::new(value, Version::new(at, id))
}

#[tokio::test(start_paused = true)]
async fn an_older_one_never_replaces_a_newer_one_however_it_comes() {
    // What the source has, which lags behind sometimes.
    let source = Arc::new(Mutex::new(value(1, 100, "m")));
    let asked = source.clone();
    let fetch = Fetch::versioned(FOLLOWS, move |_| {
        let value = asked.lock().unwrap().clone();
        async move { Ok(value) }
    });
    let manager = builder().fetch(fetch).build().unwrap();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    settle().await;
    let mut events = manager.events();
    // What it has then, and what is shown: NIP-01 where both are from the same second.
    let turns = [
        (value(2, 99, "a"), 1),
        (value(3, 100, "n"), 1),
        (value(4, 101, "m"), 1),
        (value(5, 100, "l"), 5),
        (value(6, 101, "z"), 6),
        (value(7, 100, "a"), 6),
    ];
    for (has, expected) in turns.clone() {
        *source.lock().unwrap() = has;
        let fetched = alice.refresh(FOLLOWS).await.unwrap();
        assert_eq!(*fetched.value, expected);
    }
    let told = told(&mut events);
    let ends = told.iter().filter(|it| !it.contains("started"));
    let ends: Vec<_> = ends
        .map(|it| it.rsplit_once("follows ").unwrap().1)
        .collect();
    let (same, new) = ("unchanged", ["updated l", "updated z"]);
    assert_eq!(ends, [same, same, same, new[0], new[1], same]);
    // Pushed, in another order, it ends the same way.
    alice.invalidate("follows").unwrap();
    let others = turns.iter().filter(|(it, _)| it.value != 4);
    for (value, _) in others.rev() {
        alice.push(FOLLOWS, value.clone()).unwrap();
    }
    assert_eq!(*alice.data(FOLLOWS).unwrap().value, 6);
}

#[tokio::test(start_paused = true)]
async fn what_is_pushed_is_taken_if_it_is_newer_and_belongs_to_whom_it_was_pushed_for() {
    let manager = builder().fetch(Fetch::pushed(FOLLOWS)).build().unwrap();
    let (provider, control) = wallet("alice");
    let alice = manager.login(provider).await.unwrap();
    let mut events = manager.events();
    let nothing = alice.fetched(FOLLOWS).await.unwrap_err();
    assert!(matches!(nothing, DataError::Nothing { .. }), "{nothing}");
    assert!(alice.push(FOLLOWS, value(1, 10, "b")).unwrap());
    assert!(!alice.push(FOLLOWS, value(2, 9, "a")).unwrap());
    assert!(alice.push(FOLLOWS, value(3, 10, "a")).unwrap());
    assert_eq!(*alice.fetched(FOLLOWS).await.unwrap().value, 3);
    let expected = ["alice: follows updated b", "alice: follows updated a"];
    assert_eq!(told(&mut events), expected);
    control.change_accounts(vec![Account::primary("bob")]);
    let bob = manager.active().unwrap();
    assert!(bob.data(FOLLOWS).is_none());
    // Of another account an older one is as good as any.
    assert!(bob.push(FOLLOWS, value(4, 1, "z")).unwrap());
    manager.logout("bob").await.unwrap();
    assert_eq!(bob.push(FOLLOWS, 5).unwrap_err(), DataError::Gone);
}
