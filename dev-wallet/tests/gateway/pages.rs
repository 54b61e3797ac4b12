//! The pages, without a browser; a browser's run is in `tests/browser`.

use moorline_dev_wallet::{Approval, DevWallet, Profile};
use serde_json::{Value, json};

use crate::client::{Client, Reply, Wire, builder, commands, logged_in, soon};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn wallet() -> DevWallet {
    builder(Profile::G2)
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap()
}

async fn get(wallet: &DevWallet, path: &str) -> Reply {
    Wire::to(wallet)
        .await
        .ask("GET", path, &[], "")
        .await
        .unwrap()
}

async fn post(wallet: &DevWallet, path: &str, form: &str, origin: Option<&str>) -> Reply {
    let mut headers = vec![FORM];
    headers.extend(origin.map(|it| ("origin", it)));
    Wire::to(wallet)
        .await
        .ask("POST", path, &headers, form)
        .await
        .unwrap()
}

#[tokio::test]
async fn somebody_logs_in() {
    let wallet = wallet().await;
    let page = get(&wallet, "/login/").await;
    assert!(page.body.contains("<label for=\"user\">"), "{}", page.body);
    let own = format!("http://{}", wallet.address());
    let form = "user=dev-user&network=canton%3Alocal&origin=https%3A%2F%2Fapp.example";
    let done = post(&wallet, "/login/", form, Some(&own)).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.body.contains("SPLICE_WALLET_IDP_AUTH_SUCCESS"));
    let token = done
        .body
        .split("token:\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let mut client = Client::on(&wallet).await;
    client.token = Some(token.to_owned());
    assert_eq!(
        client.call("isConnected", Value::Null).await["isConnected"],
        true
    );
    assert!(
        done.body.contains("\"https://app.example\""),
        "for nobody else"
    );
    let wrong = post(
        &wallet,
        "/login/",
        "user=nobody&network=canton%3Alocal",
        Some(&own),
    )
    .await;
    assert_eq!(wrong.status, 403);
    assert!(wrong.body.contains("role=\"alert\""));
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let wallet = wallet().await;
    for origin in ["http://evil.example", "null"] {
        let reply = post(&wallet, "/login/", "user=dev-user", Some(origin)).await;
        assert_eq!(reply.status, 403, "{origin}");
        let reply = post(&wallet, "/approve/", "id=x&decision=approve", Some(origin)).await;
        assert_eq!(reply.status, 403, "{origin}");
    }
    // A name that somebody else has pointed at this computer.
    let headers = [
        FORM,
        ("host", "evil.example"),
        ("origin", "http://evil.example"),
    ];
    let mut wire = Wire::to(&wallet).await;
    let reply = wire
        .ask("POST", "/login/", &headers, "user=dev-user")
        .await
        .unwrap();
    assert_eq!(reply.status, 403);
    assert_eq!(wallet.control().user_sessions(), 0);
}

#[tokio::test]
async fn somebody_decides_on_a_transaction() {
    let wallet = wallet().await;
    let mut client = logged_in(&wallet).await;
    let mut events = client.events(&wallet).await;
    for (decision, outcome) in [
        ("approve", &["signed", "executed"][..]),
        ("reject", &["failed"]),
    ] {
        let command = format!("<b>{decision}</b>");
        let answer = client.call("prepareExecute", commands(&command)).await;
        let url = answer["userUrl"].as_str().unwrap();
        let path = url.split_once(&wallet.address().to_string()).unwrap().1;
        let page = get(&wallet, path).await;
        assert!(
            page.body.contains(&format!("&lt;b&gt;{decision}")),
            "{}",
            page.body
        );
        assert!(!page.body.contains("<b>"));
        let id = path.split(['=', '&']).nth(1).unwrap();
        let form = format!("id={id}&decision={decision}");
        assert_eq!(post(&wallet, "/approve/", &form, None).await.status, 200);
        assert_eq!(events.tx().await, "pending");
        for status in outcome {
            assert_eq!(events.tx().await, *status);
        }
        assert_eq!(
            post(&wallet, "/approve/", &form, None).await.status,
            409,
            "decided already"
        );
    }
    assert_eq!(
        get(&wallet, "/approve/index.html?transactionId=none")
            .await
            .status,
        404
    );
    assert_eq!(wallet.control().pending().len(), 0);
}

#[tokio::test]
async fn what_a_person_reads_is_text() {
    let wallet = wallet().await;
    let mut client = logged_in(&wallet).await;
    let text = "<script>alert('x')</script>";
    let asked = client.call("signMessage", json!({ "message": text })).await;
    let url = asked["userUrl"].as_str().unwrap();
    let path = url.split_once(&wallet.address().to_string()).unwrap().1;
    let page = get(&wallet, path).await;
    assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script>alert"));
    soon(wallet.control().until_pending(1)).await;
    let login = get(&wallet, "/login/?origin=%22%3E%3Cscript%3E").await;
    assert!(!login.body.contains("<script>"), "{}", login.body);
    assert!(
        login
            .header("content-security-policy")
            .contains("script-src 'nonce-")
    );
}
