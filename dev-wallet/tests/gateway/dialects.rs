//! Single deviations, mixed into the standard.

use moorline_dev_wallet::{DevWallet, Dialect, Profile};
use serde_json::{Value, json};

use crate::client::{Client, logged_in, wallet};

#[tokio::test]
async fn a_single_deviation_can_be_switched_on() {
    let mut dialect = Dialect::STRICT;
    assert!(dialect.set("html-errors", true));
    let wallet = DevWallet::builder().dialect(dialect).start().await.unwrap();
    assert_eq!(wallet.dialect().deviations().len(), 1);
    let mut client = Client::on(&wallet).await;
    assert!(client.post("/api/v0/dapp", "{").await.is_html());
    client.call("connect", Value::Null).await;
}

#[tokio::test]
async fn only_the_old_gateways_tell_secrets() {
    for profile in Profile::ALL {
        let wallet = wallet(profile).await;
        let mut client = Client::on(&wallet).await;
        let networks = client.user("listNetworks", Value::Null).await.to_string();
        assert_eq!(
            networks.contains("clientSecret"),
            profile == Profile::G1,
            "{profile}"
        );
        let idps = client.user("listIdps", Value::Null).await;
        assert_eq!(idps["idps"][0]["type"], "oauth");
        assert_eq!(idps["idps"][1]["type"], "self_signed");
    }
}

#[tokio::test]
async fn the_newer_gateways_need_an_origin() {
    let wallet = wallet(Profile::G2).await;
    let mut client = Client::on(&wallet).await;
    client.token = Some(crate::client::client_token(&wallet).await);
    let params = json!({ "networkId": "canton:local" });
    let reply = client.raw_at("/api/v0/user", "addSession", params).await;
    assert_eq!(reply.json()["error"]["message"], "Failed to add session");
}

#[tokio::test]
async fn the_user_api_knows_its_users_things_alone() {
    let wallet = wallet(Profile::G2).await;
    let mut mine = logged_in(&wallet).await;
    let control = wallet.control();
    let token = control.issue_token("somebody-else").unwrap();
    let mut other = Client::on(&wallet).await;
    other.token = Some(secrecy::ExposeSecret::expose_secret(&token).to_owned());
    let params = json!({ "networkId": "canton:local", "origin": "https://other.example" });
    other.user("addSession", params).await;
    mine.call("prepareExecute", crate::client::commands("mine"))
        .await;
    let list = mine.user("listTransactions", Value::Null).await;
    let id = &list["transactions"][0]["id"];
    assert!(id.is_string());
    let theirs = other.user("listTransactions", Value::Null).await;
    assert_eq!(theirs, json!({ "transactions": [] }));
    let reply = other
        .raw_at(
            "/api/v0/user",
            "getTransaction",
            json!({ "transactionId": id }),
        )
        .await;
    assert!(reply.json()["error"].is_object());
    assert_eq!(
        mine.user("listSessions", Value::Null).await["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn well_known_routes() {
    let wallet = wallet(Profile::G1).await;
    let mut wire = crate::client::Wire::to(&wallet).await;
    let config = wire
        .ask("GET", "/.well-known/wallet-gateway-config", &[], "")
        .await
        .unwrap();
    let expected = format!("http://{}/api/v0/user", wallet.address());
    assert_eq!(config.json(), json!({ "userPath": expected }));
    let version = wire
        .ask("GET", "/.well-known/wallet-gateway-version", &[], "")
        .await
        .unwrap();
    assert!(version.json()["version"].is_string());
    for path in ["/healthz", "/readyz"] {
        assert_eq!(wire.ask("GET", path, &[], "").await.unwrap().body, "OK");
    }
}

#[tokio::test]
async fn the_ledger_can_be_read_directly() {
    let wallet = wallet(Profile::G1).await;
    let mut client = logged_in(&wallet).await;
    let network = client.call("getActiveNetwork", Value::Null).await;
    let url = network["ledgerApi"].as_str().unwrap();
    let path = url.split_once(&wallet.address().to_string()).unwrap().1;
    let bearer = format!("Bearer {}", network["accessToken"].as_str().unwrap());
    let mut wire = crate::client::Wire::to(&wallet).await;
    let path = format!("{path}/v2/version");
    let headers = [("authorization", bearer.as_str())];
    let reply = wire.ask("GET", &path, &headers, "").await.unwrap();
    assert!(reply.json()["version"].is_string(), "{reply:?}");
    assert_eq!(reply.header("keep-alive"), "timeout=5");
    assert_eq!(wire.ask("GET", &path, &[], "").await.unwrap().status, 401);
    wallet.control().set_network_link(false);
    let reply = wire.ask("GET", &path, &headers, "").await.unwrap();
    assert_eq!(reply.status, 503);
}
