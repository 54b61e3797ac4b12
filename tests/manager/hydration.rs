//! Named data about accounts: when it is fetched, for whom it is shown, and what stops it.

mod failures;
mod limits;
mod subscriptions;
mod versions;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::Account;
use moorline::manager::{
    DataError, DataName, Fetch, FetchCause, HydrationEvent, IdleAction, ManagedSession,
    ManagerEventKind, ManagerEvents,
};
use moorline::provider::{ErrorKind, ProviderError};
use moorline::store::MemoryStore;
use moorline_scripted::{Behaviour, On};
use serde_json::Value;

use crate::support::{accounts, builder, published, settle, stored, wallet};

const PROFILE: DataName<String> = DataName::new("profile");
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Who was fetched for, and why.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, FetchCause)>>>);

impl Seen {
    fn causes(&self) -> Vec<FetchCause> {
        self.0.lock().unwrap().iter().map(|it| it.1).collect()
    }
    fn accounts(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        seen.iter().map(|it| it.0.clone()).collect()
    }
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Asks the wallet whose profile it has.
fn profile(seen: &Seen) -> Fetch {
    let seen = seen.clone();
    Fetch::new(PROFILE, move |context| {
        let account = context.identity().account.to_string();
        seen.0.lock().unwrap().push((account, context.cause));
        async move {
            let answer = context.session.request("profile", Value::Null).await?;
            Ok(answer["account"].as_str().unwrap_or("?").to_owned())
        }
    })
}

fn shown(session: &ManagedSession) -> Option<(String, bool)> {
    let data = session.data(PROFILE)?;
    Some((data.value.to_string(), data.stale))
}

fn fresh(account: &str) -> Option<(String, bool)> {
    Some((account.into(), false))
}

fn stale(account: &str) -> Option<(String, bool)> {
    Some((account.into(), true))
}

/// What was told of data by now, in short.
fn told(events: &mut ManagerEvents) -> Vec<String> {
    let of = |event: &HydrationEvent| match event {
        HydrationEvent::Started { name, cause } => format!("{name} started {cause:?}"),
        HydrationEvent::Updated { name, version } => match version {
            Some(version) => format!("{name} updated {}", version.id),
            None => format!("{name} updated"),
        },
        HydrationEvent::Unchanged { name } => format!("{name} unchanged"),
        HydrationEvent::Failed {
            name,
            attempt,
            error,
            retry_in_ms,
        } => format!("{name} failed {attempt} {:?} {retry_in_ms:?}", error.kind()),
        HydrationEvent::Invalidated { name, cause } => format!("{name} invalidated {cause:?}"),
        other => format!("{other:?}"),
    };
    published(events)
        .iter()
        .filter_map(|event| {
            let who = event.key.as_ref().map(|key| key.account.to_string());
            match &event.kind {
                ManagerEventKind::Hydration(event) => Some(format!("{}: {}", who?, of(event))),
                ManagerEventKind::Rekeyed { previous } => {
                    Some(format!("{} is {}", previous.account, who?))
                }
                _ => None,
            }
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_login_fetches_for_its_account_and_tells() {
    let seen = Seen::default();
    let manager = builder().fetch(profile(&seen)).build().unwrap();
    let mut events = manager.events();
    let (provider, alices) = wallet("alice");
    let alice = manager.login(provider).await.unwrap();
    let bob = manager.login(wallet("bob").0).await.unwrap();
    settle().await;
    assert_eq!(shown(&alice), fresh("alice"));
    assert_eq!(shown(&bob), fresh("bob"));
    assert_eq!(*alice.fetched(PROFILE).await.unwrap().value, "alice");
    assert_eq!(seen.causes(), [FetchCause::Login; 2]);
    assert_eq!(alices.executions("profile"), 1);
    let all = published(&mut events);
    let json: Vec<Value> = all
        .iter()
        .map(|event| serde_json::to_value(&**event).unwrap())
        .filter(|event| event["type"].as_str().unwrap().starts_with("hydration:"))
        .collect();
    assert_eq!(json.len(), 4);
    let started = json
        .iter()
        .find(|it| it["type"] == "hydration:started")
        .unwrap();
    assert_eq!(started["name"], "profile");
    assert_eq!(started["cause"], "login");
    assert_eq!(started["key"]["account"], "alice");
    // What was fetched is in no event.
    let updated = json
        .iter()
        .find(|it| it["type"] == "hydration:updated")
        .unwrap();
    let members = updated.as_object().unwrap().keys().cloned();
    let expected = ["at", "key", "name", "seq", "session", "type"];
    assert_eq!(members.collect::<Vec<_>>(), expected);
    // A second login of the same account changes nothing.
    manager.login(wallet("alice").0).await.unwrap();
    settle().await;
    assert_eq!(seen.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restored_session_is_fetched_for_once_it_is_connected() {
    let store = MemoryStore::new();
    let manager = stored(&store, |_, _| {}).0.build().unwrap();
    manager.login(wallet("a").0).await.unwrap();
    manager.close().await;
    let seen = Seen::default();
    let (builder, _) = stored(&store, |_, control| {
        control.on(On::Probe, Behaviour::answer().after(5 * SECOND));
    });
    let manager = builder.fetch(profile(&seen)).build().unwrap();
    let restoring = manager.clone();
    let restoring = tokio::spawn(async move { restoring.restore().await.unwrap() });
    tokio::time::sleep(SECOND).await;
    assert_eq!(accounts(&manager), ["a"]);
    let early = manager.active().unwrap().fetched(PROFILE).await;
    assert!(matches!(early, Err(DataError::NotConnected { .. })));
    assert_eq!(seen.count(), 0);
    restoring.await.unwrap();
    settle().await;
    assert_eq!(seen.causes(), [FetchCause::Restored]);
    assert_eq!(shown(&manager.active().unwrap()), fresh("a"));
}

#[tokio::test(start_paused = true)]
async fn another_party_never_sees_what_was_there_and_late_answers_are_dropped() {
    let seen = Seen::default();
    let manager = builder().fetch(profile(&seen)).build().unwrap();
    let (provider, control) = wallet("alice");
    let alice = manager.login(provider).await.unwrap();
    settle().await;
    // A second fetch for Alice, which will answer too late.
    control.on(On::method("profile"), Behaviour::silence());
    let waiting = alice.clone();
    let waiting = tokio::spawn(async move { waiting.refresh(PROFILE).await });
    settle().await;
    let mut events = manager.events();
    control.change_accounts(vec![Account::primary("bob")]);
    // In the same step.
    let bob = manager.get("bob").unwrap();
    assert_eq!((shown(&alice), shown(&bob)), (None, None));
    assert_eq!(
        waiting.await.unwrap().unwrap_err(),
        DataError::IdentityChanged
    );
    settle().await;
    control.answer(&On::method("profile"));
    settle().await;
    let expected = [
        "alice: profile invalidated Party",
        "alice is bob",
        "bob: profile started IdentityChanged",
        "bob: profile updated",
    ];
    assert_eq!(told(&mut events), expected);
    assert_eq!((shown(&alice), shown(&bob)), (None, fresh("bob")));
    let old = alice.fetched(PROFILE).await.unwrap_err();
    assert_eq!(old, DataError::IdentityChanged);
    let pushed = alice.push(PROFILE, "alice".to_owned()).unwrap_err();
    assert_eq!(pushed, DataError::IdentityChanged);
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_ignores_its_identity_cannot_bring_it_to_another() {
    // Slow, and blind to what the session does meanwhile.
    let blind = Fetch::new("profile", |context| async move {
        let account = context.identity().account.to_string();
        tokio::time::sleep(10 * SECOND).await;
        Ok(account)
    });
    let manager = builder().fetch(blind).build().unwrap();
    let (provider, control) = wallet("alice");
    manager.login(provider).await.unwrap();
    tokio::time::sleep(9 * SECOND).await;
    control.change_accounts(vec![Account::primary("bob")]);
    let bob = manager.active().unwrap();
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(shown(&bob), None);
    tokio::time::sleep(6 * SECOND).await;
    assert_eq!(shown(&bob), fresh("bob"));
}

#[tokio::test(start_paused = true)]
async fn another_network_is_another_identity() {
    let seen = Seen::default();
    let manager = builder().fetch(profile(&seen)).build().unwrap();
    let (provider, control) = wallet("alice");
    let before = manager.login(provider).await.unwrap();
    settle().await;
    let mut events = manager.events();
    control.change_network("canton:other".into());
    let after = manager.active().unwrap();
    assert_eq!((shown(&before), shown(&after)), (None, None));
    settle().await;
    assert_eq!(shown(&after), fresh("alice"));
    let told = told(&mut events);
    assert_eq!(told[0], "alice: profile invalidated Network");
    assert_eq!(
        seen.causes(),
        [FetchCause::Login, FetchCause::IdentityChanged]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_fresh_is_shown_as_such_and_fetched_when_somebody_looks() {
    let seen = Seen::default();
    let fetch = profile(&seen).ttl(MINUTE);
    let manager = builder().fetch(fetch).build().unwrap();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    tokio::time::sleep(MINUTE - SECOND).await;
    assert_eq!(shown(&alice), fresh("alice"));
    // Nobody looks: nothing is fetched.
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(seen.count(), 1);
    assert_eq!(shown(&alice), stale("alice"));
    assert_eq!(shown(&alice), stale("alice"));
    settle().await;
    assert_eq!(shown(&alice), fresh("alice"));
    assert_eq!(seen.causes(), [FetchCause::Login, FetchCause::Expired]);
    // Who wants it fresh waits for it.
    tokio::time::sleep(2 * MINUTE).await;
    assert!(!alice.fetched(PROFILE).await.unwrap().stale);
    assert_eq!(seen.causes()[2], FetchCause::Asked);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_fresh_is_not_shown_where_that_is_not_wanted() {
    let seen = Seen::default();
    let fetch = profile(&seen).ttl(MINUTE).serve_stale(false);
    let manager = builder().fetch(fetch).build().unwrap();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(shown(&alice), None);
    settle().await;
    assert_eq!(shown(&alice), fresh("alice"));
}

#[tokio::test(start_paused = true)]
async fn by_the_clock_only_while_connected_and_without_being_use_of_the_session() {
    let seen = Seen::default();
    let fetch = profile(&seen).refresh_every(MINUTE);
    let manager = builder()
        .fetch(fetch)
        .idle_after(10 * MINUTE, IdleAction::Close)
        .build()
        .unwrap();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    let bob = manager.login(wallet("bob").0).await.unwrap();
    manager.switch_to_none();
    tokio::time::sleep(SECOND).await;
    bob.session().disconnect().await;
    let used = alice.last_active();
    tokio::time::sleep(3 * MINUTE).await;
    let of = |account: &str| seen.accounts().iter().filter(|it| *it == account).count();
    assert_eq!((of("alice"), of("bob")), (4, 1));
    assert_eq!(seen.causes()[2], FetchCause::Scheduled);
    assert_eq!(alice.last_active(), used);
    // Neither keeps it from being idle.
    tokio::time::sleep(8 * MINUTE).await;
    assert_eq!(accounts(&manager), [""; 0]);
    let fetched = seen.count();
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(seen.count(), fetched);
}

#[tokio::test(start_paused = true)]
async fn on_demand_nothing_is_fetched_until_somebody_asks() {
    let seen = Seen::default();
    let fetch = profile(&seen).on_demand();
    let manager = builder().fetch(fetch).build().unwrap();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    assert_eq!(seen.count(), 0);
    assert_eq!(shown(&alice), None);
    settle().await;
    assert_eq!(shown(&alice), fresh("alice"));
    assert_eq!(seen.causes(), [FetchCause::Asked]);
}

#[tokio::test(start_paused = true)]
async fn what_is_invalidated_is_gone_and_so_is_what_was_on_its_way() {
    let seen = Seen::default();
    let manager = builder().fetch(profile(&seen)).build().unwrap();
    let (provider, control) = wallet("alice");
    let alice = manager.login(provider).await.unwrap();
    settle().await;
    let outdated = Behaviour::value(serde_json::json!({ "account": "outdated" }));
    control.on(
        On::method("profile"),
        outdated.after(5 * SECOND).then(Behaviour::answer()),
    );
    let waiting = alice.clone();
    let waiting = tokio::spawn(async move { waiting.refresh(PROFILE).await });
    settle().await;
    let mut events = manager.events();
    alice.invalidate("profile").unwrap();
    assert_eq!(shown(&alice), None);
    // Who waited gets what was fetched after it.
    assert_eq!(*waiting.await.unwrap().unwrap().value, "alice");
    tokio::time::sleep(MINUTE).await;
    assert_eq!(shown(&alice), fresh("alice"));
    let expected = [
        "alice: profile invalidated Asked",
        "alice: profile started Asked",
        "alice: profile updated",
    ];
    assert_eq!(told(&mut events), expected);
}

#[tokio::test(start_paused = true)]
async fn connected_again_only_what_is_missing_or_no_longer_fresh_is_fetched() {
    let seen = Seen::default();
    let fetch = profile(&seen).ttl(MINUTE);
    let manager = builder().fetch(fetch).build().unwrap();
    let (provider, control) = wallet("alice");
    let alice = manager.login(provider).await.unwrap();
    settle().await;
    let lost = || ProviderError::new(ErrorKind::Unreachable, "gone");
    control.go_away(lost());
    settle().await;
    assert_eq!(shown(&alice), fresh("alice"));
    control.come_back();
    tokio::time::sleep(SECOND).await;
    assert_eq!(seen.count(), 1);
    control.go_away(lost());
    tokio::time::sleep(2 * SECOND).await;
    tokio::time::advance(MINUTE).await;
    // Not fetched while the session is not connected.
    assert_eq!(shown(&alice), stale("alice"));
    assert_eq!(seen.count(), 1);
    control.come_back();
    tokio::time::sleep(SECOND).await;
    if !alice.snapshot().is_connected() {
        alice.session().connect().await.unwrap();
        settle().await;
    }
    assert_eq!(shown(&alice), fresh("alice"));
    assert_eq!(seen.causes(), [FetchCause::Login, FetchCause::Reconnected]);
}

#[tokio::test(start_paused = true)]
async fn names_and_types_that_nobody_registered_are_errors() {
    let manager = builder().fetch(profile(&Seen::default())).build().unwrap();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    settle().await;
    let unknown = alice.fetched::<String>("profil").await.unwrap_err();
    assert!(
        matches!(&unknown, DataError::Unknown { name } if &**name == "profil"),
        "{unknown}"
    );
    let wrong = alice.fetched::<u8>("profile").await.unwrap_err();
    assert!(matches!(wrong, DataError::WrongType { .. }), "{wrong}");
    assert!(alice.data::<u8>("profile").is_none());
    alice.invalidate("profil").unwrap_err();
    let manager = builder().build().unwrap();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    assert!(alice.data(PROFILE).is_none());
    let none = alice.fetched(PROFILE).await.unwrap_err();
    assert!(matches!(none, DataError::Unknown { .. }), "{none}");
}
