//! The admin endpoint.

use moorline_dev_wallet::{Act, Approval, DevWallet, Profile};
use serde_json::{Value, json};

use crate::client::{Reply, Wire, builder, commands, logged_in, wallet};

async fn act(wallet: &DevWallet, name: &str, body: Value) -> Reply {
    let mut wire = Wire::to(wallet).await;
    let headers = [("content-type", "application/json")];
    let path = format!("/admin/{name}");
    wire.ask("POST", &path, &headers, &body.to_string())
        .await
        .unwrap()
}

async fn get(wallet: &DevWallet, path: &str) -> Value {
    let mut wire = Wire::to(wallet).await;
    wire.ask("GET", path, &[], "").await.unwrap().json()
}

#[tokio::test]
async fn acts_change_the_wallet_and_are_remembered() {
    let wallet = builder(Profile::G2)
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap();
    let mut client = logged_in(&wallet).await;
    let mut events = client.events(&wallet).await;
    client.call("prepareExecute", commands("adm")).await;
    assert_eq!(events.tx().await, "pending");
    let state = get(&wallet, "/admin/state").await;
    assert_eq!(state["waiting"][0]["kind"], "submit", "{state}");
    let number = &state["waiting"][0]["number"];
    let done = act(&wallet, "approve", json!({ "number": number })).await;
    assert_eq!(
        done.json(),
        json!({ "ok": true, "result": { "decided": 1 } })
    );
    assert_eq!(events.tx().await, "signed");
    assert_eq!(events.tx().await, "executed");
    act(
        &wallet,
        "misbehave",
        json!({ "fault": "html", "status": 502, "times": 1 }),
    )
    .await;
    assert_eq!(client.raw("status", Value::Null).await.status, 502);
    assert_eq!(
        act(&wallet, "half-open-streams", json!({})).await.json()["result"]["streams"],
        1
    );
    assert_eq!(
        act(&wallet, "set-idp", json!({ "up": false })).await.status,
        200
    );
    assert_eq!(get(&wallet, "/admin/state").await["idpUp"], false);
    let log = get(&wallet, "/admin/log").await;
    let happened: Vec<String> = log["happenings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            format!(
                "{} {}",
                it["kind"].as_str().unwrap(),
                it["what"].as_str().unwrap()
            )
        })
        .collect();
    for expected in [
        "request prepareExecute",
        "event txChanged",
        "act approve-one",
        "fault status",
    ] {
        assert!(
            happened.iter().any(|it| it == expected),
            "{expected}: {happened:?}"
        );
    }
    let last = log["happenings"].as_array().unwrap().last().unwrap()["number"].clone();
    let later = get(&wallet, &format!("/admin/log?since={last}")).await;
    assert_eq!(later["happenings"], json!([]));
    // Nothing that is shown is a token.
    let token = client.token.unwrap();
    let state = get(&wallet, "/admin/state").await.to_string();
    assert!(!log.to_string().contains(&token) && !state.contains(&token));
}

#[tokio::test]
async fn mistakes_are_explained() {
    let wallet = wallet(Profile::Strict).await;
    let reply = act(&wallet, "cut-al", json!({})).await;
    assert_eq!(reply.status, 404);
    assert!(
        reply.body.contains("did you mean `cut-all`?"),
        "{}",
        reply.body
    );
    assert_eq!(act(&wallet, "lose-events", json!({})).await.status, 400);
    assert_eq!(act(&wallet, "cut-all", json!({ "x": 1 })).await.status, 400);
    assert_eq!(
        act(&wallet, "switch-party", json!({ "account": "zoe" }))
            .await
            .status,
        409
    );
    assert_eq!(
        act(&wallet, "set-approval", json!({ "approval": "maybe" }))
            .await
            .status,
        409
    );
    let acts = get(&wallet, "/admin").await;
    assert_eq!(acts["acts"].as_array().unwrap().len(), Act::NAMES.len());
}

#[tokio::test]
async fn who_cuts_everybody_off_goes_on() {
    let wallet = wallet(Profile::Strict).await;
    let mut wire = Wire::to(&wallet).await;
    let mut other = Wire::to(&wallet).await;
    other.ask("GET", "/healthz", &[], "").await.unwrap();
    for what in ["cut-all", "restart"] {
        let done = wire.ask("POST", &format!("/admin/{what}"), &[], "{}").await;
        assert_eq!(done.unwrap().status, 200, "{what}");
        let cut = other.ask("GET", "/healthz", &[], "").await;
        assert!(cut.is_err(), "{cut:?}");
        other = Wire::to(&wallet).await;
    }
    // While nobody else is let in, too.
    let closed = wire
        .ask("POST", "/admin/refuse", &[], r#"{"on":true}"#)
        .await;
    assert_eq!(closed.unwrap().status, 200);
    assert!(
        tokio::net::TcpStream::connect(wallet.address())
            .await
            .is_err()
    );
    let open = wire
        .ask("POST", "/admin/refuse", &[], r#"{"on":false}"#)
        .await;
    assert_eq!(open.unwrap().status, 200);
    Wire::to(&wallet).await;
}

#[tokio::test]
async fn pages_and_strangers_are_kept_out() {
    let wallet = wallet(Profile::Strict).await;
    for headers in [
        [("origin", "http://evil.example")],
        [("host", "evil.example")],
    ] {
        let mut wire = Wire::to(&wallet).await;
        let reply = wire
            .ask("POST", "/admin/cut-all", &headers, "")
            .await
            .unwrap();
        assert_eq!(reply.status, 403, "{headers:?}");
    }
    let closed = builder(Profile::Strict).admin(false).start().await.unwrap();
    assert!(closed.admin_url().is_none());
    assert_eq!(act(&closed, "cut-all", json!({})).await.status, 404);
}
