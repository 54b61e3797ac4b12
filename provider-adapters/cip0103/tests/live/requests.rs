//! Requests, and what becomes of them when things go wrong.

use moorline::provider::{CloseMode, ErrorKind, Provider, Sent};
use moorline_cip0103::WsProvider;
use moorline_dev_wallet::Approval;
use serde_json::{Value, json};

use crate::harness::{Rig, soon};

#[tokio::test]
async fn cut_while_the_wallet_has_it_may_have_been_executed_and_was_seen_once() {
    let mut rig = Rig::connected().await;
    rig.control.set_approval(Approval::Manual);
    let control = rig.control.clone();
    let request = rig.request("signMessage", json!({ "message": "m" }));
    let (answer, cut) = soon(async {
        tokio::join!(rig.provider.request(request), async {
            control.until_pending(1).await;
            control.cut_all().await
        })
    })
    .await;
    assert_eq!(cut, 1);
    let error = answer.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::Maybe)
    );
    assert_eq!(rig.dropped().await.kind(), ErrorKind::Unreachable);
    assert_eq!(rig.control.seen_of("m"), 1);
    // The wallet has it, and executes it: nobody hears of that.
    rig.control.approve();
    soon(rig.control.until_executed("signMessage", 1)).await;
    assert_eq!(rig.control.executions_of("m"), 1);
}

#[tokio::test]
async fn what_is_submitted_after_the_link_broke_was_not_sent() {
    let mut rig = Rig::connected().await;
    rig.control.cut_all().await;
    rig.dropped().await;
    let error = rig
        .call("signMessage", json!({ "message": "late" }))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::No)
    );
    assert_eq!(rig.control.seen_of("late"), 0);
}

#[tokio::test]
async fn errors_keep_code_message_and_details() {
    let rig = Rig::connected().await;
    let submit = json!({ "commands": [{}], "commandId": "c" });
    rig.call("prepareExecuteAndWait", submit.clone())
        .await
        .unwrap();
    let error = rig.call("prepareExecuteAndWait", submit).await.unwrap_err();
    assert_eq!(error.code(), Some(-32003));
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Refused, Sent::Answered)
    );
    assert_eq!(error.message(), "the command was submitted before");
    assert_eq!(error.data().unwrap()["code"], "DUPLICATE_COMMAND");
    assert_eq!(rig.control.ledger_executions("c"), 1);
}

#[tokio::test]
async fn an_unknown_method_and_wrong_params_are_told_apart() {
    let rig = Rig::connected().await;
    let unknown = rig.call("makeCoffee", Value::Null).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unsupported);
    let wrong = rig
        .call("signMessage", json!({ "massage": "m" }))
        .await
        .unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn what_the_client_would_die_of_is_refused_before_it_is_sent() {
    let mut rig = Rig::connected().await;
    rig.provider = WsProvider::builder(&rig.wallet.url())
        .max_message_size(4096)
        .build()
        .unwrap();
    rig.open(moorline::provider::OpenMode::Silent)
        .await
        .unwrap();
    for params in [
        json!({ "message": "x".repeat(5000) }),
        json!("text"),
        json!(7),
    ] {
        let error = rig.call("signMessage", params).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.sent()),
            (ErrorKind::InvalidRequest, Sent::No)
        );
    }
    rig.call("signMessage", json!({ "message": "small" }))
        .await
        .unwrap();
    assert_eq!(rig.control.seen("signMessage"), 1);
}

#[tokio::test]
async fn submissions_name_the_party_they_are_for() {
    let rig = Rig::connected().await;
    let bob = rig.wallet.accounts()[1].party_id().to_owned();
    // The person has moved on to another party; the operation was meant for alice.
    rig.control.switch_party(&bob).unwrap();
    let submit = json!({ "commands": [{}], "commandId": "for-alice" });
    rig.call("prepareExecuteAndWait", submit).await.unwrap();
    let request = json!({ "requestMethod": "post", "resource": "/v2/commands/completions" });
    let completions = rig.call("ledgerApi", request).await.unwrap();
    let completion = &completions[0]["completionResponse"]["Completion"]["value"];
    assert_eq!(completion["actAs"], json!([rig.alice()]));
}

#[tokio::test]
async fn a_call_that_is_given_up_harms_no_other() {
    let rig = Rig::connected().await;
    rig.control.hang(true);
    let request = rig.request("signMessage", json!({ "message": "given up" }));
    tokio::select! {
        answer = rig.provider.request(request) => panic!("{answer:?}"),
        () = rig.control.until_seen("signMessage", 1) => {}
    }
    rig.control.hang(false);
    // Its late answer comes in between, and means nothing to anybody.
    soon(rig.control.until_executed("signMessage", 1)).await;
    for round in 0..10 {
        rig.call("signMessage", json!({ "message": format!("{round}") }))
            .await
            .unwrap();
    }
    assert_eq!(rig.control.connections(), 1);
}

#[tokio::test]
async fn concurrent_requests_get_their_own_answers() {
    let rig = Rig::connected().await;
    let calls = (0..200).map(|number| {
        let request = json!({ "requestMethod": "get", "resource": format!("/none/{number}") });
        rig.call("ledgerApi", request)
    });
    for (number, answer) in futures_util::future::join_all(calls)
        .await
        .into_iter()
        .enumerate()
    {
        let message = answer.unwrap_err().message().to_owned();
        assert_eq!(message, format!("resource not found: /none/{number}"));
    }
}

#[tokio::test]
async fn closing_answers_who_still_waits() {
    let rig = Rig::connected().await;
    rig.control.hang(true);
    let request = rig.request("signMessage", json!({ "message": "m" }));
    let (answer, closed) = soon(async {
        tokio::join!(rig.provider.request(request), async {
            rig.control.until_seen("signMessage", 1).await;
            rig.provider.close(CloseMode::Detach).await
        })
    })
    .await;
    assert_eq!(closed, Ok(()));
    let error = answer.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::Maybe)
    );
}
