//! The scripted wallet by itself, without a session: what it is told it does, and what it saw it
//! says.

#![allow(clippy::unwrap_used, reason = "a test fails where it finds nothing")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::provider::{
    CloseMode, ErrorKind, EventSink, OpenMode, OpenRequest, Opened, Provider, ProviderError,
    ProviderEvent, ProviderPayload, Request, UserActionKind,
};
use moorline::{Account, Epoch, Identity, UserAction};
use moorline_scripted::{Behaviour, Control, Ending, On, ScriptedProvider, ScriptedWallet};
use serde_json::{Value, json};
use tokio::time::Instant;

type Heard = Arc<Mutex<Vec<(u32, ProviderEvent)>>>;

fn sink(epoch: u32, heard: &Heard) -> EventSink {
    let heard = heard.clone();
    EventSink::from_fn(Epoch::new(epoch), move |event| {
        heard.lock().unwrap().push((epoch, event));
    })
}

async fn open(
    wallet: &ScriptedProvider,
    epoch: u32,
    mode: OpenMode,
) -> Result<Opened, ProviderError> {
    let request = OpenRequest::new(Epoch::new(epoch), mode);
    wallet.open(request, sink(epoch, &Heard::default())).await
}

fn sign() -> Request {
    Request::new("sign", Value::Null, Arc::new(Identity::new("alice", None)))
}

fn unreachable() -> ProviderError {
    ProviderError::new(ErrorKind::Unreachable, "gone")
}

fn endings(control: &Control) -> Vec<String> {
    control
        .calls()
        .iter()
        .map(|call| match call.ended {
            Some((ending, at)) => format!("{} {ending} {}ms", call.what, at.as_millis()),
            None => format!("{} pending", call.what),
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn sequences_are_played_one_after_the_other() {
    let (wallet, control) = ScriptedWallet::new()
        .on(
            On::Probe,
            Behaviour::fail(unreachable())
                .times(2)
                .then(Behaviour::no_accounts().times(1)),
        )
        .build();
    assert!(wallet.probe().await.is_err());
    assert!(wallet.probe().await.is_err());
    assert_eq!(wallet.probe().await.unwrap().accounts, []);
    assert_eq!(
        wallet.probe().await.unwrap().accounts,
        [Account::primary("alice")]
    );
    assert_eq!(control.count(&On::Probe), 4);
}

#[tokio::test(start_paused = true)]
async fn delays_are_virtual_and_dropped_calls_are_seen() {
    let (wallet, control) = ScriptedWallet::new().build();
    control.on(
        On::Probe,
        Behaviour::answer().after(Duration::from_secs(3600)),
    );
    let start = Instant::now();
    wallet.probe().await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(3600));
    control.on(On::Request, Behaviour::silence());
    let waited = tokio::time::timeout(Duration::from_secs(1), wallet.request(sign())).await;
    assert!(waited.is_err());
    assert_eq!(
        endings(&control),
        ["probe answered 3600000ms", "request sign dropped 3601000ms"]
    );
    assert!(control.calls()[1].was_dropped());
    // Silent or not, the wallet had it.
    assert_eq!((control.executions("sign"), control.pending()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_silence_can_be_answered_later() {
    let (wallet, control) = ScriptedWallet::new().build();
    control.on(On::method("sign"), Behaviour::silence());
    let answer = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(control.pending(), 1);
        assert!(control.answer(&On::Request));
        assert!(!control.answer(&On::Request));
    };
    let (value, ()) = tokio::join!(wallet.request(sign()), answer);
    assert_eq!(
        value.unwrap(),
        json!({ "method": "sign", "params": null, "account": "alice" })
    );
    let fail = async {
        tokio::task::yield_now().await;
        assert_eq!(control.fail_pending("cut"), 1);
    };
    let (value, ()) = tokio::join!(wallet.request(sign()), fail);
    assert_eq!(value.unwrap_err().message(), "cut");
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_older_than_a_change() {
    let (wallet, control) = ScriptedWallet::new().build();
    let late = Behaviour::answer().after(Duration::from_secs(1));
    control.on(On::Probe, late.clone().as_of_call().times(1).then(late));
    let change = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        control.set_accounts(vec![Account::primary("bob")]);
    };
    let (live, ()) = tokio::join!(wallet.probe(), change);
    assert_eq!(live.unwrap().accounts[0].id.as_str(), "alice");
    assert_eq!(wallet.probe().await.unwrap().accounts[0].id.as_str(), "bob");
}

#[tokio::test(start_paused = true)]
async fn a_person_is_waited_for() {
    let (wallet, control) = ScriptedWallet::new().build();
    let action = UserAction::new(UserActionKind::Login, "https://wallet.example");
    control.on(On::Open, Behaviour::user_action(action.clone()).times(1));
    let opened = open(&wallet, 1, OpenMode::Interactive).await.unwrap();
    assert_eq!(opened, Opened::UserActionRequired(action));
    let not_yet = wallet.probe().await.unwrap_err();
    assert_eq!(not_yet.kind(), ErrorKind::UserActionPending);
    control.approve();
    assert!(wallet.probe().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_ended_is_gone_until_a_person_opens_it_again() {
    let (wallet, _) = ScriptedWallet::new().build();
    open(&wallet, 1, OpenMode::Interactive).await.unwrap();
    wallet.close(CloseMode::Detach).await.unwrap();
    open(&wallet, 2, OpenMode::Silent).await.unwrap();
    wallet.close(CloseMode::Disconnect).await.unwrap();
    let gone = open(&wallet, 3, OpenMode::Silent).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::SessionGone);
    open(&wallet, 4, OpenMode::Interactive).await.unwrap();
    assert!(wallet.probe().await.is_ok());
    wallet.reauthenticate().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_speaks_through_the_latest_connection_or_an_old_one() {
    let (wallet, control) = ScriptedWallet::new().build();
    assert!(!control.push(ProviderEvent::Ready));
    let heard = Heard::default();
    for epoch in [1, 4] {
        let request = OpenRequest::new(Epoch::new(epoch), OpenMode::Silent);
        wallet.open(request, sink(epoch, &heard)).await.unwrap();
    }
    control.push(ProviderEvent::Ready);
    control.push_to(Epoch::new(1), ProviderEvent::Recheck);
    assert!(!control.push_to(Epoch::new(2), ProviderEvent::Recheck));
    control.storm(2, &ProviderEvent::Recheck);
    let heard: Vec<u32> = heard
        .lock()
        .unwrap()
        .iter()
        .map(|(epoch, _)| *epoch)
        .collect();
    assert_eq!(heard, [4, 1, 4, 4]);
    assert_eq!(control.epochs(), [Epoch::new(1), Epoch::new(4)]);
}

#[tokio::test(start_paused = true)]
async fn panics_come_when_they_are_asked_for() {
    let (wallet, control) = ScriptedWallet::new().build();
    let wallet = Arc::new(wallet);
    for behaviour in [Behaviour::panic("later"), Behaviour::panic_at_call("now")] {
        control.on(On::Probe, behaviour);
        let wallet = wallet.clone();
        let panicked = tokio::spawn(async move { wallet.probe().await.is_ok() }).await;
        assert!(panicked.unwrap_err().is_panic());
    }
    let ended: Vec<Ending> = control
        .calls()
        .iter()
        .map(|call| call.ended.unwrap().0)
        .collect();
    assert_eq!(ended, [Ending::Panicked, Ending::Panicked]);
    control.behave();
    assert!(wallet.probe().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_wallet_that_is_away_executes_nothing() {
    let (wallet, control) = ScriptedWallet::new().build();
    control.set_away(Some(unreachable()));
    assert!(wallet.request(sign()).await.is_err());
    assert!(open(&wallet, 1, OpenMode::Interactive).await.is_err());
    assert_eq!(control.total_executions(), 0);
    control.come_back();
    let lost = Behaviour::fail(unreachable()).executed(true);
    control.on(On::Request, lost);
    assert!(wallet.request(sign()).await.is_err());
    assert_eq!(control.total_executions(), 1);
}

fn token(token: &str) -> ProviderPayload {
    ProviderPayload::new("token", &token).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_told_and_its_changes_are_heard() {
    let (wallet, _) = ScriptedWallet::new().build();
    assert_eq!(wallet.payload().unwrap(), None);
    let (wallet, control) = ScriptedWallet::new().payload(token("one")).build();
    assert_eq!(wallet.payload().unwrap(), Some(token("one")));
    assert!(!control.change_payload(token("two")), "nobody listens yet");
    assert_eq!(wallet.payload().unwrap(), Some(token("two")));

    let heard = Heard::default();
    let request = OpenRequest::new(Epoch::new(1), OpenMode::Interactive);
    wallet.open(request, sink(1, &heard)).await.unwrap();
    assert!(control.change_payload(token("three")));
    assert_eq!(wallet.payload().unwrap(), Some(token("three")));
    control.set_payload_error(unreachable());
    assert_eq!(wallet.payload().unwrap_err().message(), "gone");
    control.set_payload(None);
    assert_eq!(wallet.payload().unwrap(), None);
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard, [(1, ProviderEvent::PayloadChanged)]);
}

/// Whoever hears of a change asks at once: a session that stores.
#[tokio::test(start_paused = true)]
async fn an_answer_can_bring_another_payload() {
    let renewed = Behaviour::answer().with_payload(token("two"));
    assert!(!renewed.is_arrangeable());
    let refused = Behaviour::fail(unreachable()).with_payload(token("lost"));
    let (wallet, _control) = ScriptedWallet::new()
        .payload(token("one"))
        .on(On::Reauthenticate, refused.then(renewed))
        .build();
    let wallet = Arc::new(wallet);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let (wallet, heard) = (wallet.clone(), heard.clone());
        EventSink::from_fn(Epoch::new(1), move |event| {
            assert_eq!(event, ProviderEvent::PayloadChanged);
            heard.lock().unwrap().push(wallet.payload().unwrap());
        })
    };
    let request = OpenRequest::new(Epoch::new(1), OpenMode::Interactive);
    wallet.open(request, sink).await.unwrap();
    wallet.reauthenticate().await.unwrap_err();
    assert_eq!(wallet.payload().unwrap(), Some(token("one")));
    wallet.reauthenticate().await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [Some(token("two"))]);
}
