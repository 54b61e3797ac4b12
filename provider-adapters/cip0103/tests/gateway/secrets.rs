//! H70: no token is in anything that is printed, logged, serialised or put into an error.

use std::fmt::Write;
use std::time::Duration;

use moorline::session::EventItem;
use moorline_cip0103::DappClient;
use moorline_cip0103::auth::StaticToken;
use moorline_dev_wallet::{DevWallet, HttpFault, Place, Profile};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::rig::{backend, builder, session, soon};
use crate::support::scribe::Scribe;

#[tokio::test]
async fn h70_a_full_run_shows_no_token() {
    // The development wallet prints nothing secret either, but it is not what is tested.
    let scribe = Scribe::deaf_to("moorline_dev_wallet");
    let logging = tracing::subscriber::set_default(scribe.clone());
    for profile in [Profile::G1, Profile::G2] {
        let wallet = DevWallet::builder().profile(profile).start().await.unwrap();
        let control = wallet.control();
        let token = control.issue_token("carol").unwrap();
        for in_url in [false, true] {
            let provider = builder(&wallet)
                .authenticator(StaticToken::new(token.clone()))
                .token_in_url(in_url)
                .build()
                .unwrap();
            let shown = format!("{provider:?} {:?}", provider.status());
            let mut gateway = provider.watch();
            let session = session(provider);
            let mut events = session.events();
            soon(session.connect()).await.unwrap();
            soon(control.until_streams(1)).await;
            let dapp = DappClient::new(session.clone());
            let secret = token.expose_secret().to_owned();
            let mut said = shown;
            let payload = json!([{ "deep": [{ "t": secret }], "accessToken": secret }]);
            control.stream_raw(&format!("event: custom\ndata: {payload}\n\n"));
            while !said.contains("custom") {
                if let Some(EventItem::Event(event)) = soon(events.next()).await {
                    said.push_str(&serde_json::to_string(&event).unwrap());
                }
            }
            let message = format!("no: {secret}");
            let fault = HttpFault::StringError { message };
            control.misbehave_at(Place::Dapp, Some("listAccounts"), fault, Some(1));
            let error = soon(dapp.list_accounts()).await.unwrap_err();
            write!(said, "{error} {error:?}").unwrap();
            control.drop_streams();
            control
                .restart(
                    moorline_dev_wallet::Sessions::Kept,
                    Duration::from_millis(50),
                )
                .await;
            soon(session.verify()).await;
            soon(session.disconnect()).await;
            write!(
                said,
                "{:?} {:?}",
                gateway.borrow_and_update().clone(),
                session.snapshot()
            )
            .unwrap();
            while let Some(item) = events.try_next() {
                if let EventItem::Event(event) = item {
                    said.push_str(&serde_json::to_string(&event).unwrap());
                    write!(said, "{event:?}").unwrap();
                }
            }
            session.close().await;
            assert!(said.contains("custom"), "{said}");
            check(&said, &secret);
        }
        let backend = backend(&wallet);
        check(&format!("{backend:?}"), "dev-secret");
        check(&scribe.written(), token.expose_secret());
    }
    drop(logging);
    assert!(scribe.written().contains("gateway"), "something was logged");
}

fn check(said: &str, secret: &str) {
    let signature = secret.rsplit('.').next().unwrap();
    for part in [secret, signature] {
        assert!(!said.contains(part), "a secret is shown");
    }
}
