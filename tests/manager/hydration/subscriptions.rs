//! Fetchers that stay open.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::Stream;
use moorline::Account;
use moorline::manager::{DataError, DataName, Fetch, Version, Versioned};
use moorline::policy::Backoff;
use moorline::session::HookError;
use tokio::sync::mpsc;

use super::{MINUTE, SECOND, told};
use crate::support::{builder, settle, wallet};

const FOLLOWS: DataName<u32> = DataName::new("follows");

type Item = Result<Versioned<u32>, HookError>;

/// A source that is subscribed to by account.
#[derive(Clone, Default)]
struct Relay(Arc<Mutex<HashMap<String, Vec<mpsc::UnboundedSender<Item>>>>>);

struct Values(mpsc::UnboundedReceiver<Item>);

impl Stream for Values {
    type Item = Item;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.0.poll_recv(cx)
    }
}

impl Relay {
    fn follows(&self) -> Fetch {
        let relay = self.clone();
        Fetch::subscription(FOLLOWS, move |context| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let account = context.identity().account.to_string();
            let mut opened = relay.0.lock().unwrap();
            opened.entry(account).or_default().push(sender);
            Values(receiver)
        })
        .retry(Backoff {
            base: SECOND,
            jitter: false,
            ..Backoff::default()
        })
    }

    /// How often it was subscribed to, and how many of these are open.
    fn subscribers(&self, account: &str) -> (usize, usize) {
        let relay = self.0.lock().unwrap();
        let all = relay.get(account).map_or(&[][..], |it| it);
        (all.len(), all.iter().filter(|it| !it.is_closed()).count())
    }

    async fn say(&self, account: &str, item: Item) {
        if let Some(sender) = self.0.lock().unwrap().get(account).unwrap().last() {
            let _closed = sender.send(item);
        }
        settle().await;
    }

    fn hang_up(&self, account: &str) {
        self.0.lock().unwrap().get_mut(account).unwrap().clear();
    }
}

fn value(value: u32, at: u64, id: &str) -> Item {
    Ok(Versioned::new(value, Version::new(at, id)))
}

#[tokio::test(start_paused = true)]
async fn a_subscription_goes_on_and_older_values_change_nothing() {
    let relay = Relay::default();
    let manager = builder()
        .fetch(relay.follows().ttl(MINUTE))
        .build()
        .unwrap();
    let mut events = manager.events();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    settle().await;
    relay.say("alice", value(1, 10, "a")).await;
    relay.say("alice", value(2, 9, "b")).await;
    relay.say("alice", value(1, 10, "a")).await;
    relay.say("alice", value(3, 11, "c")).await;
    let expected = [
        "alice: follows started Login",
        "alice: follows updated a",
        "alice: follows updated c",
    ];
    assert_eq!(told(&mut events), expected);
    // Fresh for as long as it is open.
    tokio::time::sleep(10 * MINUTE).await;
    let data = alice.fetched(FOLLOWS).await.unwrap();
    assert_eq!((*data.value, data.stale), (3, false));
    assert_eq!(relay.subscribers("alice"), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn it_is_closed_by_a_logout_a_disconnect_and_the_end_of_the_manager() {
    let relay = Relay::default();
    let manager = builder().fetch(relay.follows()).build().unwrap();
    for account in ["a", "b", "c", "d"] {
        manager.login(wallet(account).0).await.unwrap();
        settle().await;
        relay.say(account, value(1, 1, "x")).await;
    }
    let b = manager.get("b").unwrap();
    manager.logout("a").await.unwrap();
    b.session().disconnect().await;
    settle().await;
    assert_eq!(relay.subscribers("a"), (1, 0));
    assert_eq!(relay.subscribers("b"), (1, 0));
    assert_eq!(relay.subscribers("c"), (1, 1));
    // What it said last is still known, but not fresh.
    assert!(b.data(FOLLOWS).unwrap().stale);
    b.session().connect().await.unwrap();
    settle().await;
    assert_eq!(relay.subscribers("b"), (2, 1));
    manager.close().await;
    for account in ["b", "c", "d"] {
        assert_eq!(relay.subscribers(account).1, 0, "{account}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_moves_when_the_session_acts_for_somebody_else() {
    let relay = Relay::default();
    let manager = builder().fetch(relay.follows()).build().unwrap();
    let (provider, control) = wallet("alice");
    manager.login(provider).await.unwrap();
    settle().await;
    relay.say("alice", value(1, 10, "a")).await;
    control.change_accounts(vec![Account::primary("bob")]);
    let bob = manager.active().unwrap();
    assert!(bob.data(FOLLOWS).is_none());
    settle().await;
    assert_eq!(relay.subscribers("alice"), (1, 0));
    relay.say("alice", value(2, 20, "b")).await;
    assert!(bob.data(FOLLOWS).is_none());
    relay.say("bob", value(3, 5, "c")).await;
    assert_eq!(*bob.data(FOLLOWS).unwrap().value, 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_opened_again_when_it_ends_or_fails() {
    let relay = Relay::default();
    let manager = builder().fetch(relay.follows()).build().unwrap();
    let mut events = manager.events();
    let alice = manager.login(wallet("alice").0).await.unwrap();
    settle().await;
    relay.say("alice", value(1, 10, "a")).await;
    relay.hang_up("alice");
    settle().await;
    assert!(alice.data(FOLLOWS).unwrap().stale);
    tokio::time::sleep(SECOND + SECOND / 2).await;
    assert_eq!(relay.subscribers("alice"), (1, 1));
    relay.say("alice", Err("overloaded".into())).await;
    tokio::time::sleep(2 * SECOND + SECOND / 2).await;
    relay.say("alice", value(2, 11, "b")).await;
    relay.say("alice", Err("again".into())).await;
    let failures: Vec<String> = told(&mut events)
        .into_iter()
        .filter(|it| it.contains("failed"))
        .collect();
    let expected = [
        "alice: follows failed 1 Unreachable Some(1000)",
        "alice: follows failed 2 Internal Some(2000)",
        // What came in between has started the count anew.
        "alice: follows failed 1 Internal Some(1000)",
    ];
    assert_eq!(failures, expected);
}

#[tokio::test(start_paused = true)]
async fn it_takes_a_place_only_until_it_speaks_or_its_deadline_is_over() {
    let relay = Relay::default();
    let fetch = relay.follows().at_once(1).deadline(10 * SECOND);
    let manager = builder().fetch(fetch).build().unwrap();
    let a = manager.login(wallet("a").0).await.unwrap();
    let b = manager.login(wallet("b").0).await.unwrap();
    let c = manager.login(wallet("c").0).await.unwrap();
    settle().await;
    assert_eq!((relay.subscribers("a").1, relay.subscribers("b").1), (1, 0));
    let (first, ()) = tokio::join!(a.fetched(FOLLOWS), relay.say("a", value(1, 1, "x")));
    assert_eq!(*first.unwrap().value, 1);
    settle().await;
    assert_eq!((relay.subscribers("b").1, relay.subscribers("c").1), (1, 0));
    // B's has nothing to say, which is no failure.
    let nothing = b.fetched(FOLLOWS).await.unwrap_err();
    assert!(matches!(nothing, DataError::Nothing { .. }), "{nothing}");
    settle().await;
    assert_eq!((relay.subscribers("b").1, relay.subscribers("c").1), (1, 1));
    let nothing = b.fetched(FOLLOWS).await.unwrap_err();
    assert!(matches!(nothing, DataError::Nothing { .. }), "{nothing}");
    relay.say("b", value(2, 1, "x")).await;
    assert_eq!(*b.data(FOLLOWS).unwrap().value, 2);
    // Asked for again, it is opened anew.
    let again = tokio::spawn(async move { b.refresh(FOLLOWS).await });
    relay.say("c", value(3, 1, "x")).await;
    settle().await;
    assert_eq!(relay.subscribers("b"), (2, 1));
    relay.say("b", value(4, 2, "y")).await;
    assert_eq!(*again.await.unwrap().unwrap().value, 4);
    assert_eq!(*c.data(FOLLOWS).unwrap().value, 3);
}
