//! Requests: what goes out, what comes back, and what that is to the session.

use std::time::Duration;

use moorline::provider::{
    ErrorKind, EventSink, OpenMode, OpenRequest, Opened, Provider, Request, Sent,
};
use moorline::sync::Fence;
use moorline::{Epoch, EventKind, Identity, ProviderError};
use moorline_cip0103::auth::{ApiKey, StaticToken};
use moorline_cip0103::types::PrepareExecute;
use moorline_cip0103::{CallError, DappClient, HttpProvider, Outcome};
use serde_json::{Value, json};

use crate::gate::{Gate, Reply};
use crate::rig::{
    builder, connected, connecting, name, names_until, next_event, sent_to, session, soon,
};

async fn ask(gate: &Gate, method: &'static str) -> Result<Value, ProviderError> {
    let provider = builder(gate).build().unwrap();
    let identity = Identity::new("alice::1", None).into();
    soon(provider.request(Request::new(method, Value::Null, identity))).await
}

#[tokio::test]
async fn params_are_left_out_and_the_token_is_in_the_header() {
    let gate = Gate::start().await;
    ask(&gate, "status").await.unwrap();
    let seen = gate.stand().seen[0].clone();
    assert_eq!(seen.authorization.as_deref(), Some("Bearer good"));
    assert!(!seen.body.contains("params"), "{}", seen.body);
    assert_eq!(seen.target, "/api/v0/dapp");
}

#[tokio::test]
async fn the_token_is_in_the_address_only_if_asked_for() {
    let gate = Gate::start().await;
    let session = session(builder(&gate).token_in_url(true).build().unwrap());
    soon(session.connect()).await.unwrap();
    gate.until_streams(1).await;
    let seen = gate.stand().seen.clone();
    let stream = seen.iter().find(|it| it.method == "events").unwrap();
    assert_eq!(
        (stream.target.as_str(), stream.authorization.as_deref()),
        ("/api/v0/dapp/events?token=good", None)
    );
    session.close().await;
}

#[tokio::test]
async fn an_api_key_has_a_scheme_of_its_own() {
    let gate = Gate::start().await;
    gate.stand().tokens = vec!["ApiKey k1".to_owned()];
    let key = ApiKey::new("k1".to_owned().into());
    let provider = HttpProvider::builder(&gate.url())
        .authenticator(key)
        .build()
        .unwrap();
    soon(session(provider).connect()).await.unwrap();
}

#[tokio::test]
async fn the_stream_is_open_before_anything_is_asked_for() {
    let (gate, ..) = connected().await;
    let order: Vec<_> = gate
        .stand()
        .seen
        .iter()
        .map(|seen| seen.method.clone())
        .collect();
    let place = |method: &str| order.iter().position(|it| it == method).unwrap();
    assert!(place("events") < place("connect"), "{order:?}");
}

#[tokio::test]
async fn a_closed_keepalive_is_met_once_more_for_what_reads_and_never_for_what_writes() {
    let gate = Gate::start().await;
    gate.once("status", Reply::Close);
    ask(&gate, "status").await.unwrap();
    assert_eq!(gate.count("status"), 2);
    gate.once("signMessage", Reply::Close);
    let error = ask(&gate, "signMessage").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::Maybe)
    );
    assert_eq!(gate.count("signMessage"), 1);
    gate.once("status", Reply::Close);
    gate.once("status", Reply::Close);
    ask(&gate, "status").await.unwrap_err();
}

#[tokio::test]
async fn nobody_there_means_that_nothing_was_sent() {
    let gate = Gate::start().await;
    let url = gate.url();
    drop(gate);
    let provider = HttpProvider::new(&url).unwrap();
    let request = Request::new("signMessage", Value::Null, Identity::new("a", None).into());
    let error = soon(provider.request(request)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::No)
    );
}

#[tokio::test]
async fn a_request_that_is_too_long_stays_here() {
    let gate = Gate::start().await;
    let provider = builder(&gate).max_request_size(2048).build().unwrap();
    let params = json!({ "message": "x".repeat(4000) });
    let request = Request::new("signMessage", params, Identity::new("a", None).into());
    let error = soon(provider.request(request)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::InvalidRequest, Sent::No)
    );
    assert_eq!(gate.count("signMessage"), 0);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let gate = Gate::start().await;
    let long = "x".repeat(100_000);
    gate.once(
        "status",
        Reply::Http(200, "content-type: application/json\r\n", long),
    );
    let provider = builder(&gate).max_response_size(50_000).build().unwrap();
    let request = Request::new("status", Value::Null, Identity::new("a", None).into());
    let error = soon(provider.request(request)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
}

#[tokio::test]
async fn a_login_is_asked_for_and_noticed() {
    let gate = Gate::start().await;
    gate.stand().session = false;
    let session = session(builder(&gate).build().unwrap());
    let mut events = session.events();
    let connecting = connecting(&session);
    let url = sent_to(&mut events).await;
    assert_eq!(url, "http://127.0.0.1:1/login/");
    gate.stand().session = true;
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn no_person_is_asked_while_the_identity_provider_is_down() {
    let gate = Gate::start().await;
    gate.stand().idp_up = false;
    let session = session(builder(&gate).build().unwrap());
    let mut events = session.events();
    let error = soon(session.connect()).await.unwrap_err();
    assert_eq!(
        error.provider_error().unwrap().kind(),
        ErrorKind::Unauthorized
    );
    let names = names_until(&mut events, "session:disconnected").await;
    assert!(
        !names.iter().any(|name| name == "user:action-required"),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_silent_return_to_a_session_that_ended_is_certain() {
    let gate = Gate::start().await;
    gate.stand().session = false;
    let provider = builder(&gate).build().unwrap();
    let open = |mode| {
        let sink = EventSink::from_fn(Epoch::new(1), |_| {});
        provider.open(OpenRequest::new(Epoch::new(1), mode), sink)
    };
    let error = soon(open(OpenMode::Silent)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionGone);
    gate.stand().idp_up = false;
    let error = soon(open(OpenMode::Silent)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    gate.stand().idp_up = true;
    gate.stand().session = true;
    assert_eq!(soon(open(OpenMode::Silent)).await, Ok(Opened::Established));
}

#[tokio::test]
async fn a_session_is_made_where_the_gateway_wants_one() {
    let gate = Gate::start().await;
    gate.stand().session = false;
    let session = session(builder(&gate).network("canton:mine").build().unwrap());
    let snapshot = soon(session.connect()).await.unwrap();
    assert_eq!(snapshot.network.as_ref().unwrap().as_str(), "canton:mine");
    let seen = gate.stand().seen.clone();
    let added: Vec<_> = seen.iter().filter(|it| it.method == "addSession").collect();
    assert_eq!(added.len(), 1);
    assert_eq!(added[0].target, "/api/v0/user");
    assert_eq!(
        added[0].params,
        Some(json!({ "networkId": "canton:mine", "origin": "moorline" }))
    );
    // There is one now: none is made again.
    soon(session.disconnect()).await;
    gate.stand().session = true;
    soon(session.connect()).await.unwrap();
    assert_eq!(gate.count("addSession"), 1);
}

#[tokio::test]
async fn approval_is_asked_for_and_bad_addresses_are_not_passed_on() {
    let (gate, session, mut events) = connected().await;
    let dapp = DappClient::new(session.clone());
    let request = PrepareExecute::new(json!([{ "CreateCommand": {} }])).with_command_id("c1");
    let transaction = soon(dapp.prepare_execute(request.clone())).await.unwrap();
    assert!(transaction.user_url().unwrap().contains("/approve/"));
    names_until(&mut events, "user:action-required").await;

    let evil =
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "userUrl": "http://evil.example/" } });
    gate.once("prepareExecute", Reply::Http(200, "", evil.to_string()));
    let transaction = soon(dapp.prepare_execute(request)).await.unwrap();
    assert_eq!(transaction.user_url(), None);
    let names = names_until(&mut events, "provider:malformed").await;
    assert_eq!(names, ["provider:malformed"]);
}

#[tokio::test]
async fn only_this_programs_own_transactions_are_shown_and_once_each() {
    let (gate, session, mut events) = connected().await;
    let dapp = DappClient::new(session.clone()).with_settling(false);
    let request = PrepareExecute::new(json!([{}])).with_command_id("mine");
    let waiting = tokio::spawn({
        let dapp = dapp.clone();
        async move {
            dapp.prepare_execute_and_wait(request, Duration::from_secs(20))
                .await
        }
    });
    gate.until_seen("prepareExecute", 1).await;
    for id in ["other", "mine"] {
        for status in ["pending", "pending", "signed", "executed", "pending"] {
            gate.event(
                "txChanged",
                &json!([{ "status": status, "commandId": id,
                "payload": { "updateId": "1220", "completionOffset": 7 } }]),
            );
        }
    }
    let outcome = soon(waiting).await.unwrap().unwrap();
    let executed = Outcome::Executed {
        update_id: Some("1220".to_owned()),
        completion_offset: Some(7),
    };
    assert_eq!(outcome, executed);
    gate.event("last", &json!({}));
    let mut heard = Vec::new();
    next_event(&mut events, |kind| {
        if let EventKind::Provider(message) = kind {
            heard.push(format!(
                "{} {}",
                message.payload["commandId"], message.payload["status"]
            ));
        }
        (name(kind) == "last").then_some(())
    })
    .await;
    heard.pop();
    assert_eq!(
        heard,
        [
            "\"mine\" \"pending\"",
            "\"mine\" \"signed\"",
            "\"mine\" \"executed\""
        ]
    );
}

#[tokio::test]
async fn signatures_come_both_ways() {
    let (gate, session, _events) = connected().await;
    let dapp = DappClient::new(session).with_approval_deadline(Duration::from_secs(20));
    assert_eq!(
        soon(dapp.sign_message("m")).await.unwrap().signature,
        "c2ln"
    );
    let pending = |id: &str| {
        let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": {
            "messageId": id, "userUrl": "https://wallet.example/approve" } });
        Reply::Http(200, "", answer.to_string())
    };
    let signed = |id: &str, status: &str, signature: Value| {
        let payload = json!([{ "status": status, "messageId": id, "signature": signature }]);
        gate.event("messageSignature", &payload);
    };
    gate.once("signMessage", pending("m1"));
    // Overtakes the answer.
    signed("m1", "signed", json!("early"));
    assert_eq!(
        soon(dapp.sign_message("m")).await.unwrap().signature,
        "early"
    );
    gate.once("signMessage", pending("m2"));
    let (answer, ()) = tokio::join!(soon(dapp.sign_message("m")), async {
        gate.until_seen("signMessage", 3).await;
        signed("other", "signed", json!("theirs"));
        signed("m2", "pending", Value::Null);
        signed("m2", "failed", Value::Null);
    });
    assert!(
        matches!(answer, Err(CallError::RejectedOrFailed { .. })),
        "{answer:?}"
    );
    gate.once("signMessage", pending("m3"));
    let impatient = dapp.with_approval_deadline(Duration::from_millis(30));
    let answer = soon(impatient.sign_message("m")).await;
    assert!(
        matches!(answer, Err(CallError::ApprovalTimeout { .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn credentials_do_not_travel_unprotected() {
    let token = || StaticToken::new("t".to_owned().into());
    let far = || HttpProvider::builder("http://gateway.example/").authenticator(token());
    assert!(matches!(
        far().build(),
        Err(moorline_cip0103::ConfigError::Insecure)
    ));
    far().allow_http(true).build().unwrap();
}

#[tokio::test]
async fn the_stream_and_every_call_show_the_fence() {
    let gate = Gate::start().await;
    let provider = builder(&gate).network("canton:one").build().unwrap();
    provider.fenced(&Fence::new("lease", 9));
    let session = session(provider);
    soon(session.connect()).await.unwrap();
    gate.until_streams(1).await;
    let seen = gate.stand().seen.clone();
    let shown: Vec<_> = seen
        .iter()
        .filter(|seen| seen.fence.as_deref() != Some("lease:9"))
        .map(|seen| &seen.method)
        .collect();
    // Where the user API is, everybody may know.
    let public: &[&str] = &["/.well-known/wallet-gateway-config"];
    assert!(
        shown.iter().all(|method| public.contains(&method.as_str())),
        "{shown:?}"
    );
    assert!(seen.iter().any(|seen| seen.method == "events"));
    assert!(seen.iter().any(|seen| seen.method == "status"));
}
