//! Every method of the dApp API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moorline_dev_wallet::{Approval, DevWallet, PendingKind, Prompt};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::client::{Client, asking, connected, soon};

#[tokio::test]
async fn without_a_session_only_the_status_is_told() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let mut client = Client::on(&wallet).await;
    let status = client.call("status", Value::Null).await.unwrap();
    assert_eq!(status["connection"]["isConnected"], false);
    assert_eq!(status["connection"]["reason"], "no session");
    assert!(status.get("session").is_none() && status.get("network").is_none());
    assert!(status["provider"]["id"].is_string());
    for method in ["getActiveNetwork", "listAccounts", "getPrimaryAccount"] {
        assert_eq!(client.code(method, Value::Null).await, 4100, "{method}");
    }
    let message = json!({ "message": "m" });
    assert_eq!(client.code("signMessage", message).await, 4100);
}

#[tokio::test]
async fn every_method_answers_in_the_form_of_the_api() {
    let (wallet, mut client) = connected(DevWallet::builder().accounts(["alice", "bob"])).await;
    let status = client.call("status", Value::Null).await.unwrap();
    assert_eq!(status["network"]["networkId"], "canton:local");
    assert_eq!(status["session"]["userId"], "dev-user");
    let token = status["session"]["accessToken"].as_str().unwrap();
    assert_eq!(token.split('.').count(), 3, "a JWT");
    let connection = client.call("isConnected", Value::Null).await.unwrap();
    assert_eq!(
        connection,
        json!({ "isConnected": true, "isNetworkConnected": true })
    );
    let accounts = client.call("listAccounts", Value::Null).await.unwrap();
    for field in [
        "primary",
        "partyId",
        "status",
        "hint",
        "publicKey",
        "namespace",
        "networkId",
        "signingProviderId",
    ] {
        assert!(accounts[1].get(field).is_some(), "{field}");
    }
    let primary = client.call("getPrimaryAccount", json!([])).await.unwrap();
    assert_eq!(primary["partyId"], wallet.accounts()[0].party_id());
    let network = client.call("getActiveNetwork", json!({})).await.unwrap();
    assert_eq!(network["networkId"], "canton:local");
    assert_eq!(
        client.call("disconnect", Value::Null).await,
        Ok(Value::Null)
    );
    assert!(!wallet.control().has_session());
}

#[tokio::test]
async fn a_signature_is_real() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    // By name, and in an array.
    for params in [
        json!({ "message": "hällo" }),
        json!([{ "message": "hällo" }]),
    ] {
        let signed = client.call("signMessage", params).await.unwrap();
        let signature = STANDARD
            .decode(signed["signature"].as_str().unwrap())
            .unwrap();
        let key = STANDARD.decode(wallet.accounts()[0].public_key()).unwrap();
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify("hällo".as_bytes(), &signature).unwrap();
    }
}

#[tokio::test]
async fn events_reach_every_connection() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    let mut other = Client::on(&wallet).await;
    soon(wallet.control().until_connections(2)).await;
    wallet.control().switch_party("bob").unwrap();
    for client in [&mut client, &mut other] {
        let changed = client.event("accountsChanged").await;
        let primary: Vec<_> = changed
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["primary"])
            .collect();
        assert_eq!(primary, [&json!(false), &json!(true)]);
    }
    wallet.control().switch_network("canton:other");
    let status = other.event("statusChanged").await;
    assert_eq!(status["network"]["networkId"], "canton:other");
    wallet.control().end_session();
    let ended = client.event("statusChanged").await;
    let ended = if ended["connection"]["isConnected"] == true {
        client.event("statusChanged").await
    } else {
        ended
    };
    assert_eq!(ended["connection"]["reason"], "removed session");
}

#[tokio::test]
async fn an_account_that_is_not_there_cannot_be_switched_to() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let error = wallet.control().switch_party("mallory").unwrap_err();
    assert_eq!(error.0, "mallory");
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let ttl = std::time::Duration::from_millis(1);
    let wallet = DevWallet::builder().session_ttl(ttl).start().await.unwrap();
    let mut client = Client::on(&wallet).await;
    client.call("connect", Value::Null).await.unwrap();
    // Every call takes longer than that; none is waited for by the clock.
    while wallet.control().has_session() {
        client.call("isConnected", Value::Null).await.unwrap();
    }
    let connection = client.call("isConnected", Value::Null).await.unwrap();
    assert_eq!(connection["reason"], "session expired");
}

#[tokio::test]
async fn a_person_may_refuse() {
    let wallet = DevWallet::builder()
        .approval(Approval::Reject)
        .start()
        .await
        .unwrap();
    let mut client = Client::on(&wallet).await;
    assert_eq!(client.code("connect", Value::Null).await, 4001);
}

#[tokio::test]
async fn a_person_may_take_their_time() {
    let builder = DevWallet::builder()
        .approval(Approval::Manual)
        .prompt(Prompt::Blocking);
    let wallet = builder.start().await.unwrap();
    let control = wallet.control();
    let mut client = Client::on(&wallet).await;
    let (answer, ()) = tokio::join!(client.call("connect", Value::Null), async {
        soon(control.until_pending(1)).await;
        assert_eq!(control.pending()[0].kind, PendingKind::Connect);
        assert_eq!(control.approve(), 1);
    });
    assert_eq!(answer.unwrap()["isConnected"], true);
}

#[tokio::test]
async fn asking_twice_for_a_login_asks_the_person_once() {
    let wallet = asking().await;
    let mut client = Client::on(&wallet).await;
    let first = client.call("connect", Value::Null).await.unwrap();
    let second = client.call("connect", Value::Null).await.unwrap();
    assert_eq!(first["userUrl"], second["userUrl"]);
    assert_eq!(wallet.control().pending().len(), 1);
    wallet.control().approve();
    let status = client.event("connected").await;
    assert_eq!(status["connection"]["isConnected"], true);
}
