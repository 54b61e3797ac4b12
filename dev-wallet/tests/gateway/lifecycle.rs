//! Sessions, streams, transactions: what the transcripts of gateways show, per profile.

use moorline_dev_wallet::{Approval, Profile};
use serde_json::{Value, json};

use crate::client::{Client, Events, builder, commands, logged_in, logged_in_from, soon, wallet};

const GATEWAYS: [Profile; 2] = [Profile::G1, Profile::G2];

#[tokio::test]
async fn the_standard_needs_no_login() {
    let wallet = wallet(Profile::Strict).await;
    let mut client = Client::on(&wallet).await;
    let status = client.call("status", Value::Null).await;
    assert_eq!(status["connection"]["isConnected"], false);
    let (status, error) = client.refused("listAccounts", Value::Null).await;
    assert_eq!((status, &error["code"]), (401, &json!(4100)));
    let mut events = client.events(&wallet).await;
    assert_eq!(events.headers["content-type"], "text/event-stream");
    let answer = client.call("connect", Value::Null).await;
    assert_eq!(
        answer,
        json!({ "isConnected": true, "isNetworkConnected": true })
    );
    events.expect("statusChanged").await;
    let connected = events.expect("connected").await;
    assert_eq!(connected["connection"]["isConnected"], true);
    client.call("connect", Value::Null).await;
    events.nothing_before(&wallet.control()).await;
    let accounts = client.call("listAccounts", Value::Null).await;
    assert!(accounts[0].get("rights").is_none());
    assert_eq!(
        client.call("getPrimaryAccount", Value::Null).await,
        accounts[0]
    );
    assert_eq!(client.call("disconnect", Value::Null).await, Value::Null);
    let ended = events.expect("statusChanged").await;
    assert_eq!(ended["connection"]["isConnected"], false);
}

#[tokio::test]
async fn one_session_for_websocket_and_http() {
    let wallet = wallet(Profile::Strict).await;
    let mut client = Client::on(&wallet).await;
    client.call("connect", Value::Null).await;
    assert!(wallet.control().has_session());
    let mut events = client.events(&wallet).await;
    wallet.control().switch_party("bob").unwrap();
    let changed = events.expect("accountsChanged").await;
    assert!(
        changed
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["hint"] == "bob" && it["primary"] == true)
    );
}

#[tokio::test]
async fn a_person_lets_the_program_in() {
    let wallet = builder(Profile::Strict)
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap();
    let mut client = Client::on(&wallet).await;
    let mut events = client.events(&wallet).await;
    let answer = client.call("connect", Value::Null).await;
    assert_eq!(answer["isConnected"], false);
    assert!(
        answer["userUrl"].as_str().unwrap().ends_with("/login/"),
        "{answer}"
    );
    wallet.control().approve();
    events.expect("statusChanged").await;
    events.expect("connected").await;
    assert_eq!(
        client.call("isConnected", Value::Null).await["isConnected"],
        true
    );
}

#[tokio::test]
async fn a_login_is_announced_and_connect_announces_again() {
    for profile in GATEWAYS {
        let wallet = wallet(profile).await;
        let mut client = logged_in(&wallet).await;
        let mut events = client.events(&wallet).await;
        let answer = client.call("connect", Value::Null).await;
        let base = format!("http://{}", wallet.address());
        assert_eq!(
            answer,
            json!({
                "isConnected": true, "reason": "OK", "isNetworkConnected": true,
                "networkReason": "OK", "userUrl": format!("{base}/login/"),
            })
        );
        let first = events.expect("statusChanged").await;
        assert_eq!(events.expect("connected").await, first);
        assert_eq!(first["connection"], answer);
        assert_eq!(first["session"]["accessToken"], json!(client.token));
        assert!(first["session"].get("id").is_none() && first.get("userUrl").is_none());
        let status = client.call("status", Value::Null).await;
        assert!(status["session"]["id"].is_string() && status["userUrl"].is_string());
        let accounts = client.call("listAccounts", Value::Null).await;
        assert_eq!(accounts[0]["rights"], json!(["CanActAs"]), "{profile}");
    }
}

#[tokio::test]
async fn strict_statuses_have_nothing_that_schemas_forbid() {
    let wallet = builder(Profile::Strict)
        .require_login(true)
        .start()
        .await
        .unwrap();
    let mut client = logged_in(&wallet).await;
    let status = client.call("status", Value::Null).await;
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    for (part, allowed) in [
        (
            &status,
            &["provider", "connection", "network", "session"][..],
        ),
        (
            &status["provider"],
            &["id", "version", "providerType", "url", "userUrl"],
        ),
        (&status["session"], &["accessToken", "userId"]),
        (
            &status["network"],
            &["networkId", "ledgerApi", "accessToken"],
        ),
    ] {
        for key in keys(part) {
            assert!(allowed.contains(&key.as_str()), "{key} in {part}");
        }
    }
}

#[tokio::test]
async fn a_transaction_from_end_to_end() {
    for profile in Profile::ALL {
        let wallet = builder(profile)
            .approval(Approval::Manual)
            .require_login(true);
        let wallet = wallet.start().await.unwrap();
        let mut client = logged_in(&wallet).await;
        let mut events = client.events(&wallet).await;
        let answer = client.call("prepareExecute", commands("cmd-1")).await;
        let url = answer["userUrl"].as_str().unwrap();
        assert!(url.contains("/approve/index.html?transactionId="), "{url}");
        assert!(url.contains("&commandId=cmd-1&closeafteraction"), "{url}");
        let pending = events.expect("txChanged").await;
        assert_eq!(
            pending,
            json!({ "status": "pending", "commandId": "cmd-1" })
        );
        let id = url.split(['=', '&']).nth(1).unwrap();
        let transaction = client
            .user("getTransaction", json!({ "transactionId": id }))
            .await;
        assert_eq!(transaction["status"], "pending");
        let accounts = client.call("listAccounts", Value::Null).await;
        let party = &accounts[0]["partyId"];
        let params = json!({ "transactionId": id, "partyId": party });
        let signed = client.user("sign", params).await;
        assert_eq!(signed["status"], "signed");
        let params = json!({
            "transactionId": id, "partyId": party,
            "signature": signed["signature"], "signedBy": signed["signedBy"],
        });
        let executed = client.user("execute", params).await;
        assert!(executed["updateId"].is_string());
        match profile {
            Profile::G1 => {}
            Profile::G2 => {
                let signed = events.expect("txChanged").await;
                assert_eq!(signed["status"], "signed");
                assert!(
                    signed.get("payload").is_none() && signed["id"] == id,
                    "{signed}"
                );
            }
            _ => {
                let signed = events.expect("txChanged").await;
                assert_eq!(signed["payload"]["party"], *party);
            }
        }
        let done = events.expect("txChanged").await;
        assert_eq!(done["payload"], executed);
        let extra = done.get("preparedTransaction").is_some();
        assert_eq!(extra, profile != Profile::Strict, "{done}");
        assert!(wallet.control().pending().is_empty());
    }
}

#[tokio::test]
async fn a_rejected_transaction() {
    for profile in Profile::ALL {
        let wallet = builder(profile)
            .approval(Approval::Manual)
            .require_login(true);
        let wallet = wallet.start().await.unwrap();
        let control = wallet.control();
        let mut client = logged_in(&wallet).await;
        let mut events = client.events(&wallet).await;
        client.call("prepareExecute", commands("no")).await;
        assert_eq!(events.tx().await, "pending");
        soon(control.until_pending(1)).await;
        assert_eq!(control.reject(), 1);
        if profile == Profile::G1 {
            client.user("getUser", Value::Null).await;
            events.nothing_before(&control).await;
        } else {
            assert_eq!(events.tx().await, "failed");
        }
    }
}

#[tokio::test]
async fn a_transaction_that_cannot_be_prepared() {
    for profile in Profile::ALL {
        let wallet = builder(profile).require_login(true).start().await.unwrap();
        let control = wallet.control();
        let mut client = logged_in(&wallet).await;
        let mut events = client.events(&wallet).await;
        control.fail_prepare(true);
        client.raw("prepareExecute", commands("no")).await;
        assert_eq!(events.tx().await, "pending");
        if profile == Profile::Strict {
            assert_eq!(events.tx().await, "failed");
        } else {
            events.nothing_before(&control).await;
        }
    }
}

#[tokio::test]
async fn messages() {
    let strict = wallet(Profile::Strict).await;
    let mut client = Client::on(&strict).await;
    client.call("connect", Value::Null).await;
    let signed = client.call("signMessage", json!({ "message": "hi" })).await;
    assert!(signed["signature"].is_string());
    let g1 = wallet(Profile::G1).await;
    let reply = logged_in(&g1)
        .await
        .raw("signMessage", json!({ "message": "hi" }))
        .await;
    assert!(reply.status == 500 && reply.is_html());
    let g2 = builder(Profile::G2)
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap();
    let mut client = logged_in(&g2).await;
    let mut events = client.events(&g2).await;
    let asked = client.call("signMessage", json!({ "message": "hi" })).await;
    assert!(asked["userUrl"].is_string());
    let pending = events.expect("messageSignature").await;
    assert_eq!(
        pending,
        json!({ "status": "pending", "messageId": asked["messageId"] })
    );
    g2.control().approve();
    let done = events.expect("messageSignature").await;
    assert_eq!(
        (&done["status"], &done["signature"]),
        (&json!("signed"), &signed["signature"])
    );
}

#[tokio::test]
async fn one_session_a_user_or_one_a_token() {
    let g1 = wallet(Profile::G1).await;
    let mut first = logged_in(&g1).await;
    let mut events = first.events(&g1).await;
    let mut second = logged_in(&g1).await;
    // The first program's stream is told the second one's token.
    let told = events.expect("statusChanged").await;
    assert_eq!(told["session"]["accessToken"], json!(second.token));
    events.expect("connected").await;
    assert_eq!(
        first.call("isConnected", Value::Null).await["isConnected"],
        true
    );
    second.call("disconnect", Value::Null).await;
    assert_eq!(
        first.call("isConnected", Value::Null).await["isConnected"],
        false
    );
    let ended = events.expect("statusChanged").await;
    assert_eq!(ended["connection"]["reason"], "disconnect");
    assert!(ended["provider"].get("version").is_none() && ended.get("session").is_none());
    // Disconnected twice, told twice; and the stream lives on.
    second.call("disconnect", Value::Null).await;
    events.expect("statusChanged").await;
    let third = logged_in(&g1).await;
    let told = events.expect("statusChanged").await;
    assert_eq!(told["session"]["accessToken"], json!(third.token));

    let g2 = wallet(Profile::G2).await;
    let mut first = logged_in_from(&g2, "https://one.example").await;
    let mut events = first.events(&g2).await;
    let mut other = logged_in_from(&g2, "https://two.example").await;
    other.call("prepareExecute", commands("other")).await;
    other.call("disconnect", Value::Null).await;
    events.nothing_before(&g2.control()).await;
    assert_eq!(
        first.call("isConnected", Value::Null).await["isConnected"],
        true
    );
    // The same origin again: the old token has no session any more, and nobody says so.
    logged_in_from(&g2, "https://one.example").await;
    assert_eq!(
        first.call("isConnected", Value::Null).await["isConnected"],
        false
    );
    events.nothing_before(&g2.control()).await;
}

#[tokio::test]
async fn a_logout_at_the_wallet() {
    for profile in Profile::ALL {
        let wallet = builder(profile).require_login(true).start().await.unwrap();
        let mut client = logged_in(&wallet).await;
        let mut events = client.events(&wallet).await;
        client.user("removeSession", Value::Null).await;
        let ended = events.expect("statusChanged").await;
        assert_eq!(ended["connection"]["isConnected"], false);
        if profile == Profile::Strict {
            assert_eq!(ended["connection"]["reason"], "removed session");
            assert!(ended.get("userUrl").is_none());
        } else {
            assert_eq!(ended["connection"]["networkReason"], "removed session");
            assert!(ended["userUrl"].is_string());
        }
        if profile == Profile::G1 {
            events.nothing_before(&wallet.control()).await;
        } else {
            events.ends().await;
        }
    }
}

#[tokio::test]
async fn expired_tokens() {
    for profile in Profile::ALL {
        let wallet = builder(profile).require_login(true).start().await.unwrap();
        let mut client = logged_in(&wallet).await;
        let mut events = client.events(&wallet).await;
        wallet.control().expire_session();
        assert_eq!(
            client.call("isConnected", Value::Null).await["isConnected"],
            false
        );
        let (status, error) = client.refused("listAccounts", Value::Null).await;
        assert_eq!((status, &error["code"]), (401, &json!(4100)), "{profile}");
        let reply = client.raw("disconnect", Value::Null).await;
        if profile == Profile::Strict {
            assert_eq!(reply.status, 401);
            events.ends().await;
            continue;
        }
        assert_eq!(reply.json()["result"], Value::Null);
        assert_eq!(
            wallet.control().user_sessions(),
            1,
            "the session is still there"
        );
        events.nothing_before(&wallet.control()).await;
        // A fresh token of the same user: G1 finds the session again, G2 does not.
        client.token = Some(crate::client::client_token(&wallet).await);
        let again = client.call("isConnected", Value::Null).await;
        assert_eq!(again["isConnected"], profile == Profile::G1, "{profile}");
    }
}

#[tokio::test]
async fn expired_tokens_that_were_signed_by_the_program() {
    let wallet = wallet(Profile::G1).await;
    let control = wallet.control();
    let network = "canton:local-self-signed";
    let token = control.self_signed_token("dave", network);
    let mut client = Client::on(&wallet).await;
    client.token = Some(secrecy::ExposeSecret::expose_secret(&token).to_owned());
    client
        .user("addSession", json!({ "networkId": network }))
        .await;
    control.expire_session();
    let connection = client.call("isConnected", Value::Null).await;
    assert_eq!(connection["isConnected"], true);
    assert!(
        connection["networkReason"]
            .as_str()
            .unwrap()
            .contains("came back expired")
    );
    client.call("listAccounts", Value::Null).await;
    let params = json!({ "requestMethod": "get", "resource": "/v2/version" });
    let (status, error) = client.refused("ledgerApi", params).await;
    assert_eq!((status, &error["code"]), (500, &json!(-32603)));
}

#[tokio::test]
async fn the_ledger_is_down_at_the_login() {
    let wallet = wallet(Profile::G1).await;
    wallet.control().set_network_link(false);
    let mut client = Client::on(&wallet).await;
    client.token = Some(crate::client::client_token(&wallet).await);
    let params = json!({ "networkId": "canton:local" });
    let reply = client
        .raw_at("/api/v0/user", "addSession", params.clone())
        .await;
    assert_eq!(reply.status, 500);
    assert_eq!(reply.json()["error"]["message"], "Failed to add session");
    // And yet there is a session.
    let connection = client.call("isConnected", Value::Null).await;
    assert_eq!(connection["isConnected"], true);
    assert_eq!(
        connection["networkReason"],
        "Ledger unreachable: fetch failed"
    );
    // A user who was known logs in, and is told that they are not connected.
    wallet.control().set_network_link(true);
    client.user("addSession", params.clone()).await;
    let mut events = client.events(&wallet).await;
    wallet.control().set_network_link(false);
    client.user("addSession", params).await;
    events.expect("statusChanged").await;
    let connected = events.expect("connected").await;
    assert_eq!(connected["connection"]["isConnected"], false);
    assert_eq!(
        client.call("isConnected", Value::Null).await["isConnected"],
        true
    );
}

#[tokio::test]
async fn a_login_for_an_unknown_network() {
    let g1 = wallet(Profile::G1).await;
    let mut client = Client::on(&g1).await;
    client.token = Some(crate::client::client_token(&g1).await);
    let params = json!({ "networkId": "canton:nope", "origin": "x" });
    client
        .raw_at("/api/v0/user", "addSession", params.clone())
        .await;
    let (status, error) = client.refused("status", Value::Null).await;
    assert_eq!(
        (status, &error["message"]),
        (500, &json!("Network canton:nope not found"))
    );
    client.call("disconnect", Value::Null).await;
    client.call("status", Value::Null).await;

    let g2 = wallet(Profile::G2).await;
    let mut client = Client::on(&g2).await;
    client.token = Some(crate::client::client_token(&g2).await);
    let reply = client.raw_at("/api/v0/user", "addSession", params).await;
    assert_eq!(reply.json()["error"]["code"], -32603);
    assert_eq!(g2.control().user_sessions(), 0);
}

#[tokio::test]
async fn an_api_key_needs_neither_login_nor_approval() {
    let wallet = builder(Profile::G2)
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap();
    let mut client = Client::on(&wallet).await;
    client.key = Some("dev-api-key".into());
    assert_eq!(
        client.call("connect", Value::Null).await["isConnected"],
        true
    );
    let mut events = client.events(&wallet).await;
    client.call("prepareExecute", commands("key")).await;
    for status in ["pending", "signed", "executed"] {
        assert_eq!(events.tx().await, status);
    }
    client.key = Some("wrong".into());
    assert_eq!(
        client.call("isConnected", Value::Null).await["isConnected"],
        false
    );
}

#[tokio::test]
async fn a_token_in_the_address_is_good_too() {
    let wallet = wallet(Profile::G1).await;
    let client = logged_in(&wallet).await;
    let token = client.token.as_ref().unwrap();
    let events = Events::open(&wallet, &format!("/api/v0/dapp/events?token={token}"), None).await;
    assert!(events.is_ok());
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let wallet = builder(Profile::G1).keep_alive(std::time::Duration::from_millis(100));
    let wallet = wallet.start().await.unwrap();
    let mut client = Client::on(&wallet).await;
    client.call("isConnected", Value::Null).await;
    assert_eq!(client.wire.rest().await, "");
    soon(wallet.control().until_sockets(0)).await;
    // A stream is not idle, however quiet it is.
    let client = logged_in(&wallet).await;
    let mut events = client.events(&wallet).await;
    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    events.nothing_before(&wallet.control()).await;
}

#[tokio::test]
async fn a_stream_with_a_heartbeat_says_that_it_lives_between_events() {
    let interval = std::time::Duration::from_millis(5);
    let wallet = builder(Profile::Strict).heartbeat(interval);
    let wallet = wallet.start().await.unwrap();
    let mut client = Client::on(&wallet).await;
    let mut events = client.events(&wallet).await;
    for _ in 0..3 {
        assert_eq!(soon(events.comment()).await, "still here");
    }
    client.call("connect", Value::Null).await;
    events.expect("statusChanged").await;
    events.expect("connected").await;
}
