//! H70: no secret appears in anything that is logged, told or shown, over a full life with a
//! wallet that hands out tokens and repeats them wherever it can.
//!
//! Alone in its program: it collects everything that is logged here, by whomever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/shown.rs"]
mod shown;

use std::collections::BTreeSet;
use std::time::Duration;

use moorline::policy::{Backoff, ExpiryPolicy};
use moorline::session::{EventItem, EventStream};
use moorline::store::{MemoryStore, RecordName, Store};
use moorline::{Policy, Session};
use moorline_cip0103::types::{LedgerApiRequest, PrepareExecute};
use moorline_cip0103::{DappClient, Outcome, WsProvider};
use moorline_dev_wallet::{Approval, Control, DevWallet};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::shown::{Log, Shown};

const PATIENCE: Duration = Duration::from_secs(20);
/// What the program shows the wallet in the handshake.
const CREDENTIAL: &str = "n0body-may-see-this-credential";
/// A password in the wallet's address.
const PASSWORD: &str = "n0body-may-see-this-password";

/// A token, and each part of it that says something.
fn parts(token: &str) -> impl Iterator<Item = String> {
    let whole = std::iter::once(token.to_owned());
    // The first part is the same for all tokens.
    let parts: Vec<String> = token.split('.').skip(1).map(str::to_owned).collect();
    whole.chain(parts)
}

/// The wallet's token now, from its own answer.
async fn token(session: &Session) -> String {
    let status = session.request("status", Value::Null).await.unwrap();
    let token = status["session"]["accessToken"].as_str().unwrap();
    assert!(token.starts_with("eyJ"), "a JWT");
    token.to_owned()
}

fn policy() -> Policy {
    Policy {
        reconnect: Backoff {
            base: Duration::from_millis(20),
            max_attempts: None,
            ..Backoff::default()
        },
        expiry: ExpiryPolicy {
            ttl: Some(Duration::from_secs(3)),
            warning: Some(Duration::from_secs(1)),
            ..ExpiryPolicy::default()
        },
        ..Policy::default()
    }
}

fn provider(wallet: &DevWallet) -> WsProvider {
    let url = format!("ws://user:{PASSWORD}@{}/", wallet.address());
    WsProvider::builder(&url)
        .authorization(format!("Bearer {CREDENTIAL}").into())
        .build()
        .unwrap()
}

/// Notes every event and every snapshot until the session is closed.
fn follow(session: &Session, shown: &Shown) -> JoinHandle<BTreeSet<&'static str>> {
    let (mut events, mut watch, shown) = (session.events(), session.watch(), shown.clone());
    tokio::spawn(async move {
        let mut names = BTreeSet::new();
        while let Some(item) = events.next().await {
            let EventItem::Event(event) = item else {
                panic!("events were missed")
            };
            names.insert(event.kind.name());
            shown.debug("event", &event);
            shown.add("event", serde_json::to_string(&event).unwrap());
            let snapshot = watch.borrow_and_update().clone();
            shown.snapshot(&snapshot);
        }
        names
    })
}

/// Passes over what has happened by now.
fn forget(events: &mut EventStream) {
    while events.try_next().is_some() {}
}

/// Reads events up to the next one of this name.
async fn until(events: &mut EventStream, name: &str) {
    let found = async {
        while let Some(item) = events.next().await {
            if item.event().is_some_and(|event| event.kind.name() == name) {
                return;
            }
        }
        panic!("the session was closed before {name}");
    };
    let found = timeout(PATIENCE, found).await;
    found.unwrap_or_else(|_| panic!("no {name} in time"));
}

/// Answers the latest request of a method in the wallet's place.
fn answer_for(wallet: &Control, method: &str, mut answer: Value) {
    let log = wallet.log();
    let request = log.iter().rev().find(|seen| seen.method == method).unwrap();
    answer["jsonrpc"] = json!("2.0");
    answer["id"] = request.id.clone();
    wallet.send_raw(&answer.to_string());
}

#[tokio::test]
async fn h70_no_secret_of_the_address_is_logged() {
    let log = Log::collect();
    let wallet = DevWallet::builder().start().await.unwrap();
    let secret = "n0body-may-see-this-query";
    let provider = WsProvider::new(&format!("{}/?token={secret}", wallet.url())).unwrap();
    let session = Session::builder(provider).build().unwrap();
    session.connect().await.unwrap();
    session.close().await;
    let logged = log.text();
    let leak = logged.lines().find(|line| line.contains(secret));
    assert_eq!(leak, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h70_no_secret_is_shown_anywhere() {
    timeout(Duration::from_secs(120), a_full_life())
        .await
        .expect("nothing hangs");
}

async fn a_full_life() {
    let log = Log::collect();
    let shown = Shown::default();
    let mut secrets: BTreeSet<String> = [CREDENTIAL, PASSWORD].map(str::to_owned).into();
    let wallet = DevWallet::builder()
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap();
    let control = wallet.control();
    let provider = provider(&wallet);
    shown.debug("provider", &provider);
    let store = MemoryStore::new();
    let session = Session::builder(provider)
        .policy(policy())
        .store(store.clone(), "secrets")
        .event_capacity(10_000)
        .on_reauth(|reauth| async move {
            // A fresh token, in the wallet's own words.
            reauth.wallet.request("connect", Value::Null).await?;
            reauth.wallet.request("status", Value::Null).await?;
            Ok(())
        })
        .build()
        .unwrap();
    let following = follow(&session, &shown);
    let mut events = session.events();

    // Rejected, then let in by a person.
    control.set_approval(Approval::Reject);
    let rejected = session.connect().await.unwrap_err();
    shown.error("connect", &rejected);
    control.set_approval(Approval::Manual);
    let connecting = tokio::spawn({
        let session = session.clone();
        async move { session.connect().await }
    });
    timeout(PATIENCE, control.until_pending(1)).await.unwrap();
    control.approve();
    connecting.await.unwrap().unwrap();
    control.set_approval(Approval::Auto);
    let first = token(&session).await;
    secrets.extend(parts(&first));

    // Every typed call, answers with tokens included.
    let dapp = DappClient::new(session.clone());
    shown.debug("client", &dapp);
    shown.debug("status", &dapp.status().await.unwrap());
    shown.debug("network", &dapp.get_active_network().await.unwrap());
    shown.debug("accounts", &dapp.list_accounts().await.unwrap());
    shown.debug("signed", &dapp.sign_message("hello").await.unwrap());
    let commands = json!([{ "CreateCommand": { "templateId": "#a:B:C", "createArguments": {} } }]);
    let request = PrepareExecute::new(commands).with_command_id("secrets-1");
    let outcome = dapp
        .prepare_execute_and_wait(request.clone(), PATIENCE)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Executed { .. }), "{outcome:?}");
    let twice = dapp.prepare_execute(request).await.unwrap_err();
    shown.error("prepareExecute", &twice);
    let ledger = LedgerApiRequest::get("/v2/nothing-here");
    shown.error("ledgerApi", &dapp.ledger_api(&ledger).await.unwrap_err());

    // The wallet repeats the token wherever it can.
    control.switch_network("canton:elsewhere");
    control.set_network_link(false);
    control.set_network_link(true);
    let chatty = json!({ "accessToken": first, "note": format!("Bearer {first}."), "deep": [{ "jwt": first }] });
    control.notify("somethingElse", chatty.clone());
    control.notify(&format!("event-of-{first}"), json!({}));
    control.notify(
        "txChanged",
        json!({ "status": "failed", "commandId": first, "payload": chatty }),
    );
    for connection in [json!(first), json!({ "isConnected": first })] {
        control.notify("statusChanged", json!({ "connection": connection }));
    }
    control.reply_errors_to("signMessage", -32603, &format!("bad token {first}"));
    shown.error("signMessage", &dapp.sign_message("a").await.unwrap_err());
    control.reply_normally();

    // An error with data, and an answer that is none.
    let odd = [
        json!({ "error": { "code": -32000, "message": format!("`{first}` is no token"), "data": chatty } }),
        json!({ "error": format!("bare {first}") }),
        json!({ "result": { "signature": { "accessToken": first } } }),
        json!({ "result": [first] }),
    ];
    for (number, answer) in odd.into_iter().enumerate() {
        // A person takes their time; meanwhile something answers in the wallet's place.
        control.set_approval(Approval::Manual);
        let dapp = dapp.clone();
        let call = tokio::spawn(async move { dapp.sign_message("odd").await });
        timeout(PATIENCE, control.until_pending(1)).await.unwrap();
        answer_for(&control, "signMessage", answer);
        let error = timeout(PATIENCE, call).await.unwrap().unwrap().unwrap_err();
        shown.error(&format!("odd answer {number}"), &error);
        // What the person says comes too late.
        control.set_approval(Approval::Auto);
        forget(&mut events);
        control.cut_all().await;
        control.approve();
        until(&mut events, "session:connected").await;
    }

    // Frames that cannot be read.
    forget(&mut events);
    control.send_raw(&format!("{{\"accessToken\":\"{first}\""));
    until(&mut events, "session:reconnecting").await;
    until(&mut events, "session:connected").await;
    control.send_raw(
        &json!({ "jsonrpc": "2.0", "id": 999_999, "result": { "accessToken": first } }).to_string(),
    );
    until(&mut events, "session:reconnecting").await;

    // Out of reach for a while, and a request under way is interrupted.
    until(&mut events, "session:connected").await;
    control.set_approval(Approval::Manual);
    let under_way = tokio::spawn({
        let dapp = dapp.clone();
        async move { dapp.sign_message("interrupted").await }
    });
    timeout(PATIENCE, control.until_pending(1)).await.unwrap();
    control.refuse(true).await;
    control.cut_all().await;
    control.reject();
    control.set_approval(Approval::Auto);
    let interrupted = under_way.await.unwrap().unwrap_err();
    assert!(interrupted.may_have_executed(), "{interrupted}");
    shown.error("interrupted", &interrupted);
    until(&mut events, "reconnect:attempt").await;
    control.refuse(false).await;
    until(&mut events, "session:connected").await;

    // Expired here, ended there: re-authenticated with fresh tokens.
    until(&mut events, "reauth:succeeded").await;
    forget(&mut events);
    control.end_session();
    until(&mut events, "reauth:succeeded").await;
    let second = token(&session).await;
    assert_ne!(first, second);
    secrets.extend(parts(&second));

    // What is kept, and the end.
    let name = RecordName::new("secrets");
    shown.debug("record", &store.load(&name).await.unwrap());
    shown.debug("session", &session);
    shown.snapshot(&session.snapshot());
    shown.debug("report", &session.disconnect().await);
    shown.debug("record", &store.load(&name).await.unwrap());
    wallet.stop().await;
    shown.error(
        "connect",
        &timeout(PATIENCE, session.connect())
            .await
            .unwrap()
            .unwrap_err(),
    );
    session.close().await;
    let names = following.await.unwrap();
    for name in [
        "user:action-required",
        "session:connected",
        "network:changed",
        "provider:malformed",
        "reconnect:scheduled",
        "session:expired",
        "reauth:succeeded",
        "session:disconnected",
    ] {
        assert!(names.contains(name), "{name} is missing in {names:?}");
    }

    // Line by line, so that a leak says where it is.
    let logged = log.text();
    assert!(logged.contains("moorline.job"), "logging is collected");
    for line in logged.lines() {
        shown.add("log", line);
    }
    let leaks = shown.leaks(&secrets);
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );

    // The check can fail: a planted leak is found, in a log and in an event.
    for secret in &secrets {
        tracing::trace!(target: "planted", value = %secret);
        let planted = Shown::default();
        planted.add("log", log.text());
        assert_eq!(planted.leaks(&secrets).len(), 1);
    }
    let planted = Shown::default();
    planted.debug(
        "message",
        &moorline::provider::Message::new("x", json!([second])),
    );
    assert_eq!(planted.leaks(&secrets).len(), 1);
}
