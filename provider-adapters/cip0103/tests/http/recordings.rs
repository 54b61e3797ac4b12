//! What gateways are known to send, byte for byte, and what each of it means.

use std::sync::mpsc;
use std::time::Duration;

use moorline::provider::{
    ErrorKind, EventSink, OpenMode, OpenRequest, Provider, ProviderEvent, Request, Sent, Verdict,
};
use moorline::{Epoch, Identity, ProviderError};
use serde_json::{Value, json};

use crate::gate::{Gate, Reply};
use crate::rig::{builder, soon};

/// Serves a recorded answer to `signMessage`.
async fn answer(recorded: &str) -> Result<Value, ProviderError> {
    let (head, body) = recorded.split_once("\n\n").unwrap();
    let length = format!("content-length: {}\r\n\r\n", body.len());
    let bytes = format!("{}\r\n{length}{body}", head.replace('\n', "\r\n"));
    let gate = Gate::start().await;
    gate.once("signMessage", Reply::Bytes(vec![bytes.into_bytes()]));
    let provider = builder(&gate).build().unwrap();
    let params = json!({ "message": "m" });
    let request = Request::new("signMessage", params, Identity::new("ines", None).into());
    soon(provider.request(request)).await
}

macro_rules! refusals {
    ($($test:ident $file:literal $kind:ident $code:expr, $sent:ident;)*) => { $(
        #[tokio::test]
        async fn $test() {
            let recorded = include_str!(concat!("../fixtures/answers/", $file, ".http"));
            let error = answer(recorded).await.unwrap_err();
            let found = (error.kind(), error.code(), error.sent());
            assert_eq!(found, (ErrorKind::$kind, $code, Sent::$sent), "{error}");
            let invalid = error.kind() == ErrorKind::SessionGone;
            assert_eq!(error.verdict() == Verdict::Invalid, invalid);
            let shown = format!("{error} {error:?}");
            for secret in ["eyJ", "s3cret", "<pre>", "DOCTYPE"] {
                assert!(!shown.contains(secret), "{shown}");
            }
            assert!(error.message().len() < 300, "{error}");
        }
    )* };
}

refusals! {
    a_refusal_without_a_message "bare-4100" Unauthorized Some(4100), Answered;
    a_refusal_with_a_message "worded-4100" Unauthorized Some(4100), Answered;
    a_good_token_without_a_session "no-session-found" SessionGone Some(-32603), Answered;
    a_method_nobody_knows "unknown-method" Unsupported Some(-32601), Answered;
    a_request_that_is_none "invalid-request" InvalidRequest Some(-32600), Answered;
    an_event_called_like_a_method "event-as-method" Internal Some(-32603), Answered;
    an_error_that_is_a_string "error-as-string" SessionGone None, Answered;
    a_string_that_tells_little "unauthenticated-string" Unauthorized None, Answered;
    a_method_that_crashes_for_want_of_code "not-implemented-page" Unsupported None, Answered;
    a_page_with_a_stack_and_a_token "crash-page" Internal None, Answered;
    a_body_that_is_too_large "too-large" InvalidRequest None, Answered;
    too_many_requests "too-many" RateLimited None, Answered;
    a_ledger_that_refuses "ledger-refused" Internal Some(-32603), Answered;
    a_ledger_that_is_away "ledger-away" Internal Some(-32603), Answered;
    an_account_that_is_missing "no-primary" Internal Some(-32603), Answered;
    a_person_who_refuses "user-refused" UserRejected Some(4001), Answered;
    a_proxy_without_a_gateway "proxy-page" Unreachable None, Maybe;
    a_redirect "redirect" InvalidRequest None, Answered;
    a_text_that_is_no_json "plain-text" Malformed None, Answered;
    nothing_at_all "empty" Malformed None, Answered;
    neither_result_nor_error "neither" Malformed None, Answered;
}

#[tokio::test]
async fn what_the_gateway_says_about_trying_again_is_kept() {
    let error = answer(include_str!("../fixtures/answers/too-many.http"))
        .await
        .unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    let error = answer(include_str!("../fixtures/answers/ledger-refused.http"))
        .await
        .unwrap_err();
    assert_eq!(error.data().unwrap()["errorCategory"], 8);
    assert_eq!(error.message(), "no such template");
}

#[tokio::test]
async fn results_are_results_whatever_is_beside_them() {
    let result = answer(include_str!("../fixtures/answers/extra-fields.http")).await;
    assert_eq!(result.unwrap()["later"], json!([1, { "x": null }]));
    let result = answer(include_str!("../fixtures/answers/null-error.http")).await;
    assert_eq!(result.unwrap()["signature"], "c2ln");
    let result = answer(include_str!("../fixtures/answers/null-result.http")).await;
    assert_eq!(result, Ok(Value::Null));
}

/// Plays a recorded stream to a session that is connected on `canton:harbour` and submitted
/// `berth-7`; what it says, as text.
async fn stream(recorded: &str) -> Vec<String> {
    let gate = Gate::start().await;
    gate.stand().network = "canton:harbour".to_owned();
    let provider = builder(&gate).build().unwrap();
    let (sender, events) = mpsc::channel();
    let sink = EventSink::from_fn(Epoch::new(1), move |event| {
        sender.send(event).ok();
    });
    let open = OpenRequest::new(Epoch::new(1), OpenMode::Interactive);
    soon(provider.open(open, sink)).await.unwrap();
    gate.until_streams(1).await;
    soon(provider.probe()).await.unwrap();
    let params = json!({ "commands": [{}], "commandId": "berth-7" });
    let request = Request::new("prepareExecute", params, Identity::new("ines", None).into());
    soon(provider.request(request)).await.unwrap();
    while events.try_recv().is_ok() {}
    gate.raw(recorded.as_bytes().to_vec());
    gate.event("end", &json!([]));
    let mut said = Vec::new();
    soon(async {
        loop {
            match events.try_recv() {
                Ok(ProviderEvent::Message(message)) if &*message.name == "end" => return,
                Ok(ProviderEvent::Message(message)) => {
                    assert!(!message.payload.to_string().contains("eyJ"));
                    said.push(format!("{} {}", message.name, message.payload["status"]));
                }
                Ok(ProviderEvent::Malformed { what, .. }) => said.push(format!("malformed {what}")),
                Ok(other) => said.push(format!("{other:?}")),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    })
    .await;
    said
}

macro_rules! streams {
    ($($test:ident $file:literal [$($said:literal)*];)*) => { $(
        #[tokio::test]
        async fn $test() {
            let recorded = include_str!(concat!("../fixtures/streams/", $file, ".sse"));
            let expected: &[&str] = &[$($said),*];
            assert_eq!(stream(recorded).await, expected);
        }
    )* };
}

streams! {
    a_connect_that_changes_nothing "connect-pair" [];
    a_login_elsewhere_is_asked_about "login-elsewhere" ["Ready" "Recheck"];
    a_login_without_a_ledger_is_not_believed "login-without-ledger" ["Recheck"];
    a_disconnect_told_twice_is_asked_about "disconnect-twice" ["Recheck"];
    a_logout_at_the_wallet_is_asked_about "removed-session" ["Recheck"];
    accounts_are_listed_again "accounts" ["Recheck"];
    a_transaction_is_told_once_and_only_ours "transaction"
        ["txChanged \"pending\"" "txChanged \"executed\""];
    a_payload_without_its_array "bare-payload" ["txChanged \"failed\""];
    what_cannot_be_understood_is_reported "malformed"
        ["malformed statusChanged" "malformed statusChanged" "malformed txChanged" "Recheck"];
}
