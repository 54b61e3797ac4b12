//! What every profile answers to requests that are wrong: statuses, ids, messages, pages.

use moorline_dev_wallet::Profile;
use serde_json::{Value, json};

use crate::client::{Client, Reply, Wire, logged_in, wallet};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const DAPP: &str = "/api/v0/dapp";

async fn posted(profile: Profile, body: &str) -> Reply {
    let wallet = wallet(profile).await;
    let mut wire = Wire::to(&wallet).await;
    wire.ask("POST", DAPP, &JSON, body).await.unwrap()
}

#[tokio::test]
async fn invalid_json() {
    for (profile, status, code) in [
        (Profile::Strict, 400, Some(-32700)),
        (Profile::G1, 400, None),
        (Profile::G2, 500, Some(-32603)),
    ] {
        let reply = posted(profile, "{\"jsonrpc\":").await;
        assert_eq!(reply.status, status, "{profile}");
        match code {
            Some(code) => {
                let answer = reply.json();
                assert_eq!(answer["error"]["code"], code, "{profile}");
                assert!(answer["error"]["message"].is_string(), "{profile}");
                assert_eq!(answer["id"], Value::Null);
            }
            None => assert!(reply.is_html(), "{profile}"),
        }
    }
}

#[tokio::test]
async fn requests_that_are_none() {
    let wrong = [
        r#"{"jsonrpc":"2.0","id":7,"method":"isConnected","params":null}"#,
        r#"{"id":7,"method":"isConnected"}"#,
        r#"{"jsonrpc":"2.0","id":7}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"isConnected","params":3}"#,
    ];
    for profile in Profile::ALL {
        for body in wrong {
            let reply = posted(profile, body).await;
            assert_eq!(reply.status, 400, "{profile} {body}");
            let answer = reply.json();
            assert_eq!(answer["error"]["code"], -32600, "{profile} {body}");
            let bare = answer["error"].get("message").is_none();
            assert_eq!(bare, profile == Profile::G1, "{profile} {body}");
            let id = if profile == Profile::Strict {
                json!(7)
            } else {
                Value::Null
            };
            assert_eq!(answer["id"], id, "{profile} {body}");
        }
    }
}

#[tokio::test]
async fn batches_and_notifications() {
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"isConnected"},
        {"jsonrpc":"2.0","method":"isConnected"},{"jsonrpc":"2.0","id":2,"method":"nope"}]"#;
    let notification = r#"{"jsonrpc":"2.0","method":"isConnected"}"#;
    for profile in [Profile::G1, Profile::G2] {
        let reply = posted(profile, batch).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (400, &json!(-32600))
        );
        let reply = posted(profile, notification).await;
        let answer = reply.json();
        assert_eq!((reply.status, &answer["id"]), (200, &Value::Null));
        assert_eq!(answer["result"]["isConnected"], false);
    }
    let reply = posted(Profile::Strict, batch).await;
    let answers = reply.json();
    assert_eq!(answers.as_array().unwrap().len(), 2, "{answers}");
    assert_eq!(answers[1]["error"]["code"], -32601);
    let reply = posted(Profile::Strict, notification).await;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
}

#[tokio::test]
async fn ids_are_echoed_as_they_were() {
    for profile in Profile::ALL {
        let reply = posted(
            profile,
            r#"{"jsonrpc":"2.0","id":"abc-1","method":"isConnected","params":[]}"#,
        )
        .await;
        assert_eq!(reply.json()["id"], "abc-1", "{profile}");
    }
}

#[tokio::test]
async fn unknown_methods() {
    for profile in Profile::ALL {
        let wallet = wallet(profile).await;
        let mut client = Client::on(&wallet).await;
        let reply = client.raw("nope", Value::Null).await;
        let answer = reply.json();
        assert_eq!(
            (reply.status, &answer["error"]["code"]),
            (404, &json!(-32601))
        );
        let g1 = profile == Profile::G1;
        assert_eq!(answer["error"].get("message").is_none(), g1);
        assert_eq!(answer["id"].is_null(), profile != Profile::Strict);
        // G1 closes the connection afterwards, without having said so.
        assert_eq!(reply.header("connection"), "");
        if g1 {
            assert_eq!(client.wire.rest().await, "");
        } else {
            client.call("isConnected", Value::Null).await;
        }
    }
}

#[tokio::test]
async fn methods_of_the_other_api_and_events() {
    for (method, strict, gateways) in [
        ("prepareExecuteAndWait", (200, 4200), (404, -32601)),
        ("connected", (200, 4200), (500, -32603)),
        ("onStatusChanged", (200, 4200), (500, -32603)),
        ("txChanged", (200, 4200), (500, -32603)),
    ] {
        for profile in Profile::ALL {
            let wallet = wallet(profile).await;
            let mut client = Client::on(&wallet).await;
            let (status, error) = client.refused(method, Value::Null).await;
            let expected = if profile == Profile::Strict {
                strict
            } else {
                gateways
            };
            assert_eq!(
                (status, error["code"].as_i64().unwrap()),
                expected,
                "{profile} {method}"
            );
            if error["code"] == -32603 {
                assert_eq!(error["message"], "Only for events.");
                assert_eq!(error["data"], json!({}));
            }
        }
    }
    let wallet = wallet(Profile::G1).await;
    let mut client = Client::on(&wallet).await;
    let reply = client.raw("toString", Value::Null).await;
    assert!(reply.status == 500 && reply.is_html(), "{reply:?}");
}

#[tokio::test]
async fn wrong_content_types_paths_and_verbs() {
    for profile in Profile::ALL {
        let wallet = wallet(profile).await;
        let request = r#"{"jsonrpc":"2.0","id":1,"method":"isConnected"}"#;
        let mut wire = Wire::to(&wallet).await;
        let headers = [("content-type", "application/json; charset=utf-8")];
        let reply = wire
            .ask("POST", "/api/v0/dapp/", &headers, request)
            .await
            .unwrap();
        assert_eq!(reply.status, 200, "{profile}: a slash at the end");
        let headers = [("content-type", "text/plain")];
        let reply = wire.ask("POST", DAPP, &headers, request).await.unwrap();
        let g1 = profile == Profile::G1;
        assert_eq!(reply.status, if g1 { 500 } else { 415 }, "{profile}");
        assert_eq!(reply.is_html(), g1);
        let reply = wire.ask("GET", DAPP, &[], "").await.unwrap();
        let expected = match profile {
            Profile::G1 => 400,
            Profile::G2 => 404,
            _ => 405,
        };
        assert_eq!(reply.status, expected, "{profile}");
        let mut wire = Wire::to(&wallet).await;
        let reply = wire
            .ask("POST", "/api/v0/dapp/x", &JSON, request)
            .await
            .unwrap();
        assert_eq!(reply.status, if g1 { 500 } else { 404 }, "{profile}");
    }
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    for profile in Profile::ALL {
        let wallet = wallet(profile).await;
        let mut client = Client::on(&wallet).await;
        let params = json!({ "x": "y".repeat(2 * 1024 * 1024) });
        let reply = client.raw("status", params).await;
        assert_eq!(reply.status, 413, "{profile}");
        assert_eq!(reply.is_html(), profile == Profile::G1, "{profile}");
        // The connection is still good.
        client.call("status", Value::Null).await;
    }
}

#[tokio::test]
async fn without_a_login() {
    for profile in [Profile::G1, Profile::G2] {
        let wallet = wallet(profile).await;
        let mut client = Client::on(&wallet).await;
        let base = format!("http://{}", wallet.address());
        let login = json!(format!("{base}/login/"));
        for method in ["connect", "isConnected"] {
            let answer = client.call(method, Value::Null).await;
            let expected = json!({
                "isConnected": false, "isNetworkConnected": false,
                "networkReason": "Unauthenticated", "userUrl": login,
            });
            assert_eq!(answer, expected, "{profile}");
        }
        let status = client.call("status", Value::Null).await;
        assert_eq!(status["connection"]["reason"], "Unauthenticated");
        assert_eq!(status["provider"]["version"], "TODO");
        assert_eq!(status["provider"]["url"], json!(wallet.http_url()));
        assert!(status.get("session").is_none() && status.get("network").is_none());
        assert_eq!(client.call("disconnect", Value::Null).await, Value::Null);
        for method in [
            "getActiveNetwork",
            "listAccounts",
            "getPrimaryAccount",
            "prepareExecute",
        ] {
            let (status, error) = client.refused(method, json!({ "commands": {} })).await;
            assert_eq!(
                (status, &error["code"]),
                (401, &json!(4100)),
                "{profile} {method}"
            );
            assert_eq!(error.get("message").is_none(), profile == Profile::G1);
        }
        client.token = Some("garbage".into());
        assert_eq!(
            client.call("isConnected", Value::Null).await["isConnected"],
            false
        );
    }
}

#[tokio::test]
async fn a_token_without_a_session_is_told_apart_by_the_stream() {
    for profile in [Profile::G1, Profile::G2] {
        let wallet = wallet(profile).await;
        let mut client = Client::on(&wallet).await;
        let token = crate::client::client_token(&wallet).await;
        let events = "/api/v0/dapp/events";
        for (authorization, why) in [
            (None, "Unauthenticated"),
            (Some("Bearer garbage".to_owned()), "Unauthenticated"),
            (Some(format!("Bearer {token}")), "No session"),
        ] {
            let refused =
                crate::client::Events::open(&wallet, events, authorization.as_deref()).await;
            let Err(reply) = refused else {
                panic!("a stream without a session")
            };
            assert_eq!((reply.status, reply.json()), (401, json!({ "error": why })));
        }
        client.token = Some(token);
        let (status, error) = client.refused("listAccounts", Value::Null).await;
        assert_eq!((status, &error["code"]), (500, &json!(-32603)));
        assert_eq!(error["message"], "No session found");
        let reply = client
            .raw_at("/api/v0/user", "listWallets", json!({}))
            .await;
        assert_eq!(reply.status, 401);
        if profile == Profile::G1 {
            assert_eq!(reply.json(), json!({ "error": "No active session found" }));
        } else {
            assert_eq!(reply.json()["error"]["code"], 4100);
        }
    }
}

#[tokio::test]
async fn strict_checks_params() {
    let wallet = wallet(Profile::Strict).await;
    let mut client = Client::on(&wallet).await;
    client.call("connect", Value::Null).await;
    for params in [
        json!({}),
        json!({ "commands": [] }),
        json!({ "commands": "x" }),
        json!({ "commands": [{}], "unknown": 1 }),
        json!({ "commands": [{}], "actAs": "x" }),
    ] {
        let (status, error) = client.refused("prepareExecute", params.clone()).await;
        assert_eq!((status, &error["code"]), (400, &json!(-32602)), "{params}");
    }
    let (_, error) = client.refused("signMessage", json!({ "message": 3 })).await;
    assert_eq!(error["code"], -32602);
}

#[tokio::test]
async fn what_the_ledger_refuses() {
    let strict = wallet(Profile::Strict).await;
    let mut client = Client::on(&strict).await;
    client.call("connect", Value::Null).await;
    let g1 = wallet(Profile::G1).await;
    let mut gateway = logged_in(&g1).await;
    for (client, wallet, code) in [(&mut client, &strict, -32003), (&mut gateway, &g1, -32603)] {
        wallet.control().fail_prepare(true);
        let (_, error) = client
            .refused("prepareExecute", crate::client::commands("c"))
            .await;
        assert_eq!(error["code"], code);
        assert_eq!(error["data"]["code"], "INVALID_ARGUMENT");
    }
    let (status, error) = gateway
        .refused(
            "ledgerApi",
            json!({ "requestMethod": "delete", "resource": "/v2/x" }),
        )
        .await;
    assert_eq!(
        (status, &error["message"]),
        (500, &json!("Unsupported request method: delete"))
    );
}

#[tokio::test]
async fn the_limit_of_requests() {
    for (profile, html) in [(Profile::Strict, false), (Profile::G1, true)] {
        let wallet = crate::client::builder(profile)
            .rate_limit(3)
            .start()
            .await
            .unwrap();
        let mut client = Client::on(&wallet).await;
        for _ in 0..3 {
            client.call("isConnected", Value::Null).await;
        }
        let reply = client.raw("isConnected", Value::Null).await;
        assert_eq!(reply.status, 429);
        let after: u64 = reply.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&after), "{after}");
        assert_eq!(reply.is_html(), html);
        if html {
            assert!(reply.body.starts_with("Too many requests"));
        } else {
            assert_eq!(reply.json()["error"]["code"], -32005);
        }
    }
}
