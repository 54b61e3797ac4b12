//! Fences over HTTP: the highest epoch of a lease counts, call by call.

use moorline_dev_wallet::{DevWallet, Profile};
use serde_json::{Value, json};

use crate::client::{Reply, Wire, wallet};

const STATUS: &str = r#"{"jsonrpc":"2.0","id":1,"method":"status"}"#;

async fn post(wallet: &DevWallet, fence: Option<&str>) -> Reply {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(fence.map(|fence| ("moorline-fence", fence)));
    let mut wire = Wire::to(wallet).await;
    let path = "/api/v0/dapp";
    wire.ask("POST", path, &headers, STATUS).await.unwrap()
}

async fn admin(wallet: &DevWallet, method: &str, path: &str, body: &str) -> Value {
    let mut wire = Wire::to(wallet).await;
    let headers = [("content-type", "application/json")];
    wire.ask(method, path, &headers, body).await.unwrap().json()
}

#[tokio::test]
async fn a_late_call_is_counted_and_refused_for_good() {
    let wallet = wallet(Profile::Strict).await;
    let control = wallet.control();
    assert!(post(&wallet, Some("a:1")).await.json()["error"].is_null());
    assert!(post(&wallet, Some("a:3")).await.json()["error"].is_null());
    // Another lease is another matter, and so is who shows none.
    assert!(post(&wallet, Some("b:2")).await.json()["error"].is_null());
    assert!(post(&wallet, None).await.json()["error"].is_null());
    assert_eq!(control.fences().late_acts, 0);

    let executed = control.executions("status");
    let refused = post(&wallet, Some("a:2")).await.json();
    assert_eq!(refused["error"]["code"], -32003, "{refused}");
    assert_eq!(refused["id"], 1);
    assert_eq!(control.executions("status"), executed, "it was executed");
    let seen = control.fences();
    assert_eq!((seen.late_acts, seen.executed_late), (1, 0));
    let leases: Vec<_> = seen.leases.iter().collect();
    assert_eq!(
        (&*leases[0].lease, leases[0].epoch, leases[0].late_acts),
        ("a", 3, 1)
    );
    assert_eq!(
        (&*leases[1].lease, leases[1].epoch, leases[1].late_acts),
        ("b", 2, 0)
    );
}

#[tokio::test]
async fn late_calls_are_let_through_on_request_and_counted() {
    let wallet = wallet(Profile::Strict).await;
    post(&wallet, Some("a:2")).await;
    admin(
        &wallet,
        "POST",
        "/admin/refuse-late-acts",
        r#"{"on":false}"#,
    )
    .await;
    assert!(post(&wallet, Some("a:1")).await.json()["error"].is_null());
    let seen = admin(&wallet, "GET", "/admin/fences", "").await;
    let expected = json!({
        "lateActs": 1,
        "executedLate": 1,
        "refusing": false,
        "leases": [{ "lease": "a", "epoch": 2, "lateActs": 1 }],
    });
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn opening_a_stream_shows_an_epoch_and_is_no_act() {
    let wallet = wallet(Profile::Strict).await;
    let mut wire = Wire::to(&wallet).await;
    for fence in ["a:5", "a:4"] {
        let headers = [("accept", "text/event-stream"), ("moorline-fence", fence)];
        let mut wire = Wire::to(&wallet).await;
        wire.send("GET", "/api/v0/dapp/events", &headers, "")
            .await
            .unwrap();
        assert_eq!(wire.head().await.unwrap().0, 200);
    }
    assert_eq!(wallet.control().fences().late_acts, 0);
    let headers = [
        ("content-type", "application/json"),
        ("moorline-fence", "a:4"),
    ];
    let late = wire
        .ask("POST", "/api/v0/dapp", &headers, STATUS)
        .await
        .unwrap();
    assert_eq!(late.json()["error"]["code"], -32003);
}

#[tokio::test]
async fn what_is_no_fence_is_refused() {
    let wallet = wallet(Profile::Strict).await;
    let refused = post(&wallet, Some("nonsense")).await.json();
    assert_eq!(refused["error"]["code"], -32600, "{refused}");
    assert_eq!(wallet.control().fences().leases, []);
}
