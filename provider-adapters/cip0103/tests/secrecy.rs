//! H70: tokens are in no log, whatever its level and whoever writes it.

#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/scribe.rs"]
mod scribe;

use std::time::Duration;

use moorline::Session;
use moorline_cip0103::{DappClient, WsProvider};
use moorline_dev_wallet::DevWallet;
use secrecy::ExposeSecret;
use serde_json::json;

use self::scribe::Scribe;

#[tokio::test]
async fn h70_a_full_run_at_the_finest_level_shows_no_token() {
    let scribe = Scribe::default();
    tracing::subscriber::set_global_default(scribe.clone()).unwrap();
    let run = async {
        let wallet = DevWallet::builder().start().await.unwrap();
        let provider = WsProvider::new(&wallet.url()).unwrap();
        let session = Session::builder(provider).build().unwrap();
        session.connect().await.unwrap();
        let dapp = DappClient::new(session.clone());
        let status = dapp.status().await.unwrap();
        let token = status.session.unwrap().access_token.unwrap();
        dapp.get_active_network().await.unwrap();
        wallet.control().switch_network("canton:other");
        let payload = json!({ "accessToken": token.expose_secret() });
        wallet.control().notify("txChanged", payload);
        let refusal = format!("no: {}", token.expose_secret());
        wallet.control().reply_errors(-32603, &refusal);
        dapp.status().await.unwrap_err();
        wallet.control().reply_normally();
        wallet.control().cut_all().await;
        dapp.sign_message("m").await.ok();
        session.disconnect().await;
        session.close().await;
        token.expose_secret().to_owned()
    };
    let token = tokio::time::timeout(Duration::from_secs(20), run)
        .await
        .unwrap();
    let log = scribe.written();
    assert!(log.contains("rx: "), "the JSON-RPC client was heard: {log}");
    let signature = token.rsplit('.').next().unwrap();
    for secret in [token.as_str(), signature] {
        assert!(!log.contains(secret), "a token was logged");
    }
}
