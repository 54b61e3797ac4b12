//! The wallet makes a session act for somebody else.

use moorline::store::{MemoryStore, Stored};
use moorline::{Account, DisconnectReason, OperationError};
use serde_json::{Value, json};

use crate::support::{accounts, active, builder, name, own, settle, stored, wallet};

#[tokio::test(start_paused = true)]
async fn a_party_switch_re_keys_the_session_and_moves_its_record() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let (provider, control) = wallet("alice");
    let alice = manager.login(provider).await.unwrap();
    settle().await;
    let mut events = manager.events();
    control.change_accounts(vec![Account::primary("bob"), Account::new("alice")]);
    // In the same step.
    assert_eq!(accounts(&manager), ["bob"]);
    assert_eq!(active(&manager).as_deref(), Some("bob"));
    settle().await;
    assert_eq!(own(&mut events), ["alice is bob", "active alice > bob"]);
    let error = alice.request("sign", Value::Null).await.unwrap_err();
    assert!(
        matches!(error, OperationError::IdentityChanged { .. }),
        "{error}"
    );
    let bob = manager.active().unwrap();
    assert_eq!(
        bob.request("sign", json!(1)).await.unwrap()["account"],
        "bob"
    );
    assert!(matches!(store.peek(&name("bob")), Stored::Record { .. }));
    let Stored::Tombstone { tombstone, .. } = store.peek(&name("alice")) else {
        panic!("alice is still stored");
    };
    assert_eq!(tombstone.reason, DisconnectReason::Detached);
}

#[tokio::test(start_paused = true)]
async fn a_party_switch_to_an_account_that_was_logged_out_is_stored() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("bob").0).await.unwrap();
    manager.logout("bob").await.unwrap();
    let (provider, control) = wallet("alice");
    manager.login(provider).await.unwrap();
    settle().await;
    control.change_accounts(vec![Account::primary("bob")]);
    settle().await;
    assert!(matches!(store.peek(&name("bob")), Stored::Record { .. }));
    assert!(manager.active().unwrap().snapshot().is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_login_of_the_account_that_was_left_does_not_keep_the_other_from_being_stored() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    let (provider, control) = wallet("alice");
    manager.login(provider).await.unwrap();
    control.change_accounts(vec![Account::primary("bob")]);
    settle().await;
    manager.login(wallet("alice").0).await.unwrap();
    // What Bob's session does is still written: its end first of all.
    let report = manager.logout("bob").await.unwrap();
    assert_eq!(report.disconnect.not_persisted, None);
    assert!(matches!(store.peek(&name("bob")), Stored::Tombstone { .. }));
    assert!(matches!(store.peek(&name("alice")), Stored::Record { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_party_switch_to_an_account_that_is_there_never_makes_two() {
    let manager = builder().build().unwrap();
    let bob = manager.login(wallet("bob").0).await.unwrap();
    let (provider, control) = wallet("alice");
    let alice = manager.login(provider).await.unwrap();
    let mut events = manager.events();
    control.change_accounts(vec![Account::primary("bob")]);
    assert_eq!(manager.sessions(), std::slice::from_ref(&bob));
    assert_eq!(manager.active().unwrap(), bob);
    let told = ["alice closed Merged, bob", "active alice > bob"];
    assert_eq!(own(&mut events), told);
    settle().await;
    alice.request("sign", Value::Null).await.unwrap_err();
    bob.request("sign", Value::Null).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_network_is_another_key() {
    let manager = builder().build().unwrap();
    let (provider, control) = wallet("alice");
    let before = manager.login(provider).await.unwrap();
    control.change_network("canton:other".into());
    let after = manager.get("alice").unwrap();
    assert_ne!(before.key(), after.key());
    assert_eq!(after.key().network, Some("canton:other".into()));
    assert_eq!(accounts(&manager).len(), 1);
}
