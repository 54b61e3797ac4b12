//! Submissions, and the ledger they end on.

use moorline_dev_wallet::{Approval, DevWallet};
use serde_json::{Value, json};

use crate::client::connected;

#[tokio::test]
async fn a_submission_is_pending_signed_executed() {
    let (_wallet, mut client) = connected(DevWallet::builder()).await;
    let submit = json!({ "commands": [{}], "commandId": "c" });
    let request =
        json!({ "jsonrpc": "2.0", "id": "x", "method": "prepareExecute", "params": submit });
    client.send(&request.to_string()).await;
    let pending = client.event("txChanged").await;
    assert_eq!(pending, json!({ "status": "pending", "commandId": "c" }));
    let signed = client.event("txChanged").await;
    assert_eq!(signed["status"], "signed");
    for field in ["signature", "signedBy", "party"] {
        assert!(signed["payload"][field].is_string(), "{field}");
    }
    let executed = client.event("txChanged").await;
    assert_eq!(executed["status"], "executed");
    assert!(executed["payload"]["updateId"].is_string());
    assert_eq!(executed["payload"]["completionOffset"], 1);
}

#[tokio::test]
async fn waiting_for_the_ledger_answers_what_is_on_it() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    let submit = json!({ "commands": [{}], "commandId": "c" });
    let done = client
        .call("prepareExecuteAndWait", submit.clone())
        .await
        .unwrap();
    assert_eq!(done["tx"]["commandId"], "c");
    assert_eq!(client.code("prepareExecuteAndWait", submit).await, -32003);
    assert_eq!(wallet.control().ledger_executions("c"), 1);

    let request = json!({
        "requestMethod": "post", "resource": "/v2/commands/completions",
        "body": { "beginExclusive": 0, "parties": [wallet.accounts()[0].party_id()] },
    });
    let completions = client.call("ledgerApi", request).await.unwrap();
    let completion = &completions[0]["completionResponse"]["Completion"]["value"];
    assert_eq!(completion["commandId"], "c");
    assert_eq!(completion["updateId"], done["tx"]["payload"]["updateId"]);
}

#[tokio::test]
async fn what_cannot_be_submitted_is_refused() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    for (params, code) in [
        (json!({}), -32602),
        (json!([]), -32602),
        (json!({ "commands": [] }), -32602),
        (json!({ "commands": "x" }), -32602),
        (json!({ "commands": [{}], "actAs": ["mallory::1"] }), 4100),
    ] {
        assert_eq!(
            client.code("prepareExecute", params.clone()).await,
            code,
            "{params}"
        );
    }
    wallet.control().set_network_link(false);
    let submit = json!({ "commands": [{}] });
    assert_eq!(client.code("prepareExecute", submit).await, 4901);
}

#[tokio::test]
async fn a_refused_submission_fails() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    wallet.control().set_approval(Approval::Reject);
    let submit = json!({ "commands": [{}], "commandId": "c" });
    assert_eq!(client.code("prepareExecuteAndWait", submit).await, 4001);
    assert_eq!(wallet.control().ledger_executions("c"), 0);
}

#[tokio::test]
async fn the_ledger_answers_a_few_resources_and_names_what_it_lacks() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    let get = |resource: &str| json!({ "requestMethod": "get", "resource": resource });
    let version = client.call("ledgerApi", get("/v2/version")).await.unwrap();
    assert!(version["version"].is_string());
    let end = client
        .call("ledgerApi", get("/v2/state/ledger-end"))
        .await
        .unwrap();
    assert_eq!(end["offset"], 0);
    let parties = client.call("ledgerApi", get("/v2/parties")).await.unwrap();
    assert_eq!(parties["partyDetails"].as_array().unwrap().len(), 2);
    let bob = wallet.accounts()[1].party_id().to_owned();
    let mut one = get("/v2/parties/{party}");
    one["path"] = json!({ "party": bob });
    let party = client.call("ledgerApi", one).await.unwrap();
    assert_eq!(party["partyDetails"][0]["party"], bob);
    assert_eq!(client.code("ledgerApi", get("/v2/none")).await, -32001);
    let put = json!({ "requestMethod": "put", "resource": "/v2/version" });
    assert_eq!(client.code("ledgerApi", put).await, -32004);
    let odd = json!({ "requestMethod": "GET", "resource": "/v2/version" });
    assert_eq!(client.code("ledgerApi", odd).await, -32602);
    assert_eq!(client.code("ledgerApi", Value::Null).await, -32602);
}
