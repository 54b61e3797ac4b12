//! Everything that can go wrong on purpose.

use std::time::Duration;

use moorline_dev_wallet::{HttpFault, Place, Plan, Profile, Sessions};
use serde_json::{Value, json};

use crate::client::{Client, Events, builder, commands, logged_in, soon, wallet};

async fn misbehaving(fault: HttpFault) -> crate::client::Reply {
    let wallet = wallet(Profile::G2).await;
    wallet.control().misbehave_times(fault, 1);
    let mut client = Client::on(&wallet).await;
    let reply = client.raw("status", Value::Null).await;
    let mut again = Client::on(&wallet).await;
    again.call("status", Value::Null).await;
    reply
}

#[tokio::test]
async fn answers_that_are_wrong() {
    let retry_after = Some(Duration::from_millis(1500));
    let reply = misbehaving(HttpFault::RateLimit { retry_after }).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "2"));
    let reply = misbehaving(HttpFault::Html { status: 502 }).await;
    assert!(reply.status == 502 && reply.is_html());
    let reply = misbehaving(HttpFault::BareError { code: 4100 }).await;
    assert_eq!(reply.json()["error"], json!({ "code": 4100 }));
    let message = "No active session found".to_owned();
    let reply = misbehaving(HttpFault::StringError { message }).await;
    assert_eq!(reply.json(), json!({ "error": "No active session found" }));
    let to = "http://127.0.0.1:9/elsewhere".to_owned();
    let reply = misbehaving(HttpFault::Redirect { to: to.clone() }).await;
    assert_eq!((reply.status, reply.header("location")), (307, to.as_str()));
    let reply = misbehaving(HttpFault::Oversized { bytes: 3_000_000 }).await;
    assert!(reply.body.len() > 3_000_000);
    let value = "text/html".to_owned();
    let reply = misbehaving(HttpFault::ContentType { value }).await;
    assert!(reply.is_html() && reply.json()["result"].is_object());
    assert_eq!(misbehaving(HttpFault::Empty { status: 200 }).await.body, "");
    let reply = misbehaving(HttpFault::Garbage).await;
    assert!(serde_json::from_str::<Value>(&reply.body).is_err());
}

#[tokio::test]
async fn answers_that_do_not_come() {
    for (fault, executed) in [
        (HttpFault::CloseUnanswered, 0),
        (HttpFault::CloseExecuted, 1),
        (HttpFault::Truncated { bytes: 60 }, 1),
    ] {
        let wallet = wallet(Profile::Strict).await;
        let control = wallet.control();
        control.misbehave_at(Place::Dapp, Some("connect"), fault.clone(), Some(1));
        let mut client = Client::on(&wallet).await;
        client.call("status", Value::Null).await;
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"connect"}"#;
        let headers = [("content-type", "application/json")];
        let reply = client
            .wire
            .ask("POST", "/api/v0/dapp", &headers, body)
            .await;
        assert!(reply.is_err(), "{fault:?}: {reply:?}");
        assert_eq!(control.executions("connect"), executed, "{fault:?}");
    }
}

#[tokio::test]
async fn streams_that_cannot_be_opened() {
    let wallet = wallet(Profile::Strict).await;
    let fault = HttpFault::Html { status: 503 };
    wallet
        .control()
        .misbehave_at(Place::Events, None, fault, Some(1));
    let Err(reply) = Events::open(&wallet, "/api/v0/dapp/events", None).await else {
        panic!("a stream");
    };
    assert_eq!(reply.status, 503);
    assert!(
        Events::open(&wallet, "/api/v0/dapp/events", None)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn streams_that_break_end_or_fall_silent() {
    let wallet = wallet(Profile::Strict).await;
    let control = wallet.control();
    let client = Client::on(&wallet).await;
    let mut broken = client.events(&wallet).await;
    assert_eq!(control.drop_streams(), 1);
    assert!(broken.next().await.is_err());
    soon(control.until_streams(0)).await;
    let mut ended = client.events(&wallet).await;
    assert_eq!(control.end_streams(), 1);
    ended.ends().await;
    soon(control.until_streams(0)).await;
    let mut silent = client.events(&wallet).await;
    assert_eq!(control.half_open_streams(), 1);
    let mut alive = client.events(&wallet).await;
    control.notify(
        "txChanged",
        json!({ "status": "pending", "commandId": "x" }),
    );
    assert_eq!(alive.tx().await, "pending");
    let nothing = tokio::time::timeout(Duration::from_millis(100), silent.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    drop(silent);
    soon(control.until_streams(1)).await;
}

#[tokio::test]
async fn events_that_are_lost_doubled_and_overtaken() {
    let wallet = wallet(Profile::Strict).await;
    let control = wallet.control();
    let mut events = Client::on(&wallet).await.events(&wallet).await;
    let send = |id: &str| control.notify("txChanged", json!({ "status": id, "commandId": "c" }));
    control.lose_events(1);
    send("lost");
    send("kept");
    assert_eq!(events.tx().await, "kept");
    control.duplicate_events(1);
    send("twice");
    assert_eq!(
        (events.tx().await, events.tx().await),
        ("twice".into(), "twice".into())
    );
    control.reorder_events(1);
    send("first");
    send("second");
    assert_eq!(
        (events.tx().await, events.tx().await),
        ("second".into(), "first".into())
    );
}

#[tokio::test]
async fn events_that_come_in_pieces_and_late() {
    let wallet = wallet(Profile::Strict).await;
    let control = wallet.control();
    let mut events = Client::on(&wallet).await.events(&wallet).await;
    control.split_events(1);
    control.split_writes(1);
    control.notify(
        "txChanged",
        json!({ "status": "pending", "commandId": "ä" }),
    );
    assert_eq!(events.tx().await.as_str(), "pending");
    assert!(events.chunks > 40, "{}", events.chunks);
    control.split_events(0);
    control.slow_events(Duration::from_millis(80));
    let begun = std::time::Instant::now();
    control.notify("txChanged", json!({ "status": "late", "commandId": "c" }));
    assert_eq!(events.tx().await, "late");
    assert!(begun.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn restarts() {
    for sessions in [Sessions::Kept, Sessions::Lost] {
        let wallet = wallet(Profile::G1).await;
        let control = wallet.control();
        let client = logged_in(&wallet).await;
        let mut events = client.events(&wallet).await;
        soon(control.restart(sessions, Duration::ZERO)).await;
        assert!(events.next().await.is_err());
        let mut again = Client::on(&wallet).await;
        again.token = client.token;
        let kept = again.call("isConnected", Value::Null).await["isConnected"] == true;
        assert_eq!(kept, sessions == Sessions::Kept);
    }
}

#[tokio::test]
async fn the_race_at_the_end_of_a_kept_connection() {
    let wallet = wallet(Profile::Strict).await;
    let control = wallet.control();
    let mut client = Client::on(&wallet).await;
    client.call("status", Value::Null).await;
    assert_eq!(control.close_idle(), 1);
    assert_eq!(client.wire.rest().await, "");
    let mut client = Client::on(&wallet).await;
    client.call("status", Value::Null).await;
    assert_eq!(control.close_at_next_request(), 1);
    let before = control.seen("status");
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"status"}"#;
    let headers = [("content-type", "application/json")];
    let reply = client
        .wire
        .ask("POST", "/api/v0/dapp", &headers, body)
        .await;
    assert!(reply.is_err(), "{reply:?}");
    assert_eq!(control.seen("status"), before);
}

#[tokio::test]
async fn the_identity_provider_is_down() {
    for profile in [Profile::G1, Profile::G2] {
        let wallet = wallet(profile).await;
        let control = wallet.control();
        let mut client = logged_in(&wallet).await;
        control.idp_down(true);
        assert_eq!(
            client.call("isConnected", Value::Null).await["isConnected"],
            false
        );
        assert_eq!(client.refused("listAccounts", Value::Null).await.0, 401);
        control.idp_down(false);
        assert_eq!(
            client.call("isConnected", Value::Null).await["isConnected"],
            true
        );
        control.change_idp_key();
        assert_eq!(
            client.call("isConnected", Value::Null).await["isConnected"],
            false
        );
    }
}

#[tokio::test]
async fn a_second_login_elsewhere_and_sessions_revoked() {
    for (profile, still) in [(Profile::G1, true), (Profile::G2, false)] {
        let wallet = wallet(profile).await;
        let mut client = logged_in(&wallet).await;
        assert_eq!(wallet.control().log_in_elsewhere(), 1);
        let connection = client.call("isConnected", Value::Null).await;
        assert_eq!(connection["isConnected"], still, "{profile}");
        assert_eq!(wallet.control().revoke_sessions(), 1);
        assert_eq!(
            client.call("isConnected", Value::Null).await["isConnected"],
            false
        );
    }
}

#[tokio::test]
async fn frozen_and_hanging() {
    let wallet = wallet(Profile::Strict).await;
    let control = wallet.control();
    let mut client = Client::on(&wallet).await;
    control.hang(true);
    let asked = tokio::time::timeout(Duration::from_millis(80), client.raw("status", Value::Null));
    assert!(asked.await.is_err());
    control.hang(false);
    assert_eq!(soon(client.wire.reply()).await.unwrap().status, 200);
    control.freeze(true);
    let asked = tokio::time::timeout(Duration::from_millis(80), client.raw("status", Value::Null));
    assert!(asked.await.is_err());
    control.freeze(false);
    assert_eq!(client.wire.rest().await, "", "what was frozen ends");
    Client::on(&wallet).await.call("status", Value::Null).await;
}

#[tokio::test]
async fn an_hour_passes_in_a_moment() {
    let wallet = builder(Profile::G2)
        .time_scale(36_000.0)
        .start()
        .await
        .unwrap();
    let mut client = logged_in(&wallet).await;
    assert_eq!(
        client.call("isConnected", Value::Null).await["isConnected"],
        true
    );
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(
        client.call("isConnected", Value::Null).await["isConnected"],
        false
    );
}

#[tokio::test]
async fn faults_from_a_plan() {
    let plan = "[[step]]\nwhen = { request = 2, method = \"status\" }\ndo = \"misbehave\"\n\
                fault = \"rate-limit\"\nretry-after = \"3s\"\ntimes = 1\n\
                [[step]]\nwhen = { event = 2, name = \"txChanged\" }\ndo = \"lose-events\"\ncount = 1\n\
                [[step]]\nwhen = { after = \"1h\" }\ndo = \"set-ledger\"\nup = false\n";
    let plan = Plan::from_toml(plan, "plan.toml").unwrap();
    let wallet = builder(Profile::Strict).plan(plan).time_scale(36_000.0);
    let wallet = wallet.session_ttl(None).start().await.unwrap();
    let mut client = Client::on(&wallet).await;
    client.call("status", Value::Null).await;
    client.call("connect", Value::Null).await;
    let reply = client.raw("status", Value::Null).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "3"));
    client.call("status", Value::Null).await;
    let mut events = client.events(&wallet).await;
    client.call("prepareExecute", commands("p")).await;
    assert_eq!(events.tx().await, "pending");
    // `signed` was lost.
    assert_eq!(events.tx().await, "executed");
    soon(async {
        while client.call("isConnected", Value::Null).await["isNetworkConnected"] == true {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let happened = wallet.control().happenings(0);
    let acts: Vec<_> = happened.iter().filter(|it| it.kind == "act").collect();
    assert_eq!(acts.len(), 3, "{acts:?}");
}

#[tokio::test]
async fn hundreds_of_streams_hear_and_break_together() {
    let wallet = wallet(Profile::Strict).await;
    let control = wallet.control();
    let mut streams = Vec::new();
    for _ in 0..300 {
        let stream = Events::open(&wallet, "/api/v0/dapp/events", None).await;
        streams.push(stream.unwrap_or_else(|reply| panic!("no stream: {reply:?}")));
    }
    control.notify(
        "txChanged",
        json!({ "status": "pending", "commandId": "c" }),
    );
    for stream in &mut streams {
        assert_eq!(stream.tx().await, "pending");
    }
    assert_eq!(control.drop_streams(), 300);
    for stream in &mut streams {
        assert!(stream.next().await.is_err());
    }
    soon(control.until_streams(0)).await;
}
