//! `https`: the gateway behind something that speaks TLS, with HTTP/1.1 and with HTTP/2.

use std::time::Duration;

use moorline::EventKind;
use moorline::provider::{ErrorKind, Sent};
use moorline_cip0103::HttpProvider;
use moorline_cip0103::auth::ClientCredentials;
use moorline_dev_wallet::{DevWallet, Profile};

use crate::door::{Door, H2};
use crate::rig::{NETWORK, backend, next_event, session, soon};

const API: &str = "/api/v0/dapp";
const HTTP_1: &[u8] = b"http/1.1";

fn url(door: &Door) -> String {
    format!("https://localhost:{}{API}", door.port)
}

/// A session lives through a call, an event, and the loss of its stream. Answers which of the
/// connections spoke HTTP/2.
async fn lives_behind(offered: &[&[u8]], spoken: &[&[u8]]) -> Vec<bool> {
    let wallet = DevWallet::builder().profile(Profile::G2);
    let wallet = wallet.start().await.unwrap();
    let control = wallet.control();
    let door = Door::speaking(wallet.address(), offered).await;
    let provider = HttpProvider::builder(&url(&door))
        .tls_config(door.trust(spoken))
        .authenticator(backend(&wallet))
        .network(NETWORK)
        // The wallet does not know of the door: the address it names is its own.
        .user_api(format!("https://localhost:{}/api/v0/user", door.port))
        .stream_backoff(Duration::from_millis(5), Duration::from_millis(50))
        .build()
        .unwrap();
    let session = session(provider);
    soon(session.connect()).await.unwrap();
    soon(control.until_streams(1)).await;
    let mut events = session.events();

    control.switch_party("bob").unwrap();
    next_event(&mut events, |kind| {
        matches!(kind, EventKind::PartyChanged { .. }).then_some(())
    })
    .await;

    control.drop_streams();
    soon(control.until_streams(1)).await;
    control.switch_party("alice").unwrap();
    next_event(&mut events, |kind| {
        matches!(kind, EventKind::PartyChanged { .. }).then_some(())
    })
    .await;
    soon(session.disconnect()).await;
    door.spoken.borrow().clone()
}

#[tokio::test]
async fn a_session_lives_over_http_1_1_with_tls() {
    // Of those who offer nothing else, and of those who have more but are not asked for it.
    for (offered, spoken) in [(vec![], vec![HTTP_1]), (vec![H2, HTTP_1], vec![HTTP_1])] {
        let connections = lives_behind(&offered, &spoken).await;
        assert!(connections.len() > 1, "the stream takes one of its own");
        assert!(connections.iter().all(|h2| !h2), "{connections:?}");
    }
}

#[tokio::test]
async fn a_session_lives_over_http_2_on_one_connection() {
    let connections = lives_behind(&[H2, HTTP_1], &[H2, HTTP_1]).await;
    assert!(connections.iter().all(|h2| *h2), "{connections:?}");
    // The stream and the requests share it; whoever dialled at the same time may have made another.
    assert!(connections.len() <= 2, "{connections:?}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused() {
    let wallet = DevWallet::builder().profile(Profile::G2);
    let wallet = wallet.start().await.unwrap();
    let door = Door::speaking(wallet.address(), &[H2, HTTP_1]).await;
    let other = Door::to(wallet.address()).await;
    let builder = || HttpProvider::builder(&url(&door)).authenticator(backend(&wallet));
    // The operating system does not know it, nor does who knows another.
    for provider in [builder(), builder().tls_config(other.trust(&[]))] {
        let session = session(provider.build().unwrap());
        let error = soon(session.connect()).await.unwrap_err();
        let cause = error.provider_error().unwrap();
        assert_eq!(
            (cause.kind(), cause.sent()),
            (ErrorKind::Unreachable, Sent::No)
        );
        let said = cause.to_string();
        assert!(said.contains("certificate is not trusted"), "{said}");
        assert!(said.contains("localhost"), "{said}");
    }
    assert_eq!(wallet.control().seen("connect"), 0);
    assert!(door.spoken.borrow().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let door = Door::to(wallet.address()).await;
    let address = format!("https://127.0.0.1:{}{API}", door.port);
    let provider = HttpProvider::builder(&address).tls_config(door.trust(&[]));
    let session = session(provider.build().unwrap());
    let error = soon(session.connect()).await.unwrap_err();
    let said = error.provider_error().unwrap().to_string();
    assert!(said.contains("certificate is not trusted"), "{said}");
}

#[tokio::test]
async fn an_identity_provider_of_a_private_authority_is_trusted_if_it_is_named() {
    let wallet = || DevWallet::builder().profile(Profile::G2);
    // The door leads to an address; who begins there then knows of the door.
    let before = wallet().start().await.unwrap();
    let address = before.address();
    let door = Door::to(address).await;
    before.stop().await;
    let outside = format!("https://localhost:{}", door.port);
    let wallet = wallet().listen(address).public_url(outside.as_str());
    let wallet = wallet.start().await.unwrap();

    let login = || {
        let secret = "dev-secret".to_owned().into();
        ClientCredentials::new(&format!("{outside}/idp"), "moorline-backend", secret).unwrap()
    };
    let session_with = |credentials: ClientCredentials| {
        let provider = HttpProvider::builder(&url(&door)).tls_config(door.trust(&[]));
        let provider = provider.authenticator(credentials).network(NETWORK);
        session(provider.build().unwrap())
    };
    let trusting = session_with(login().tls_config(door.trust(&[])).unwrap());
    soon(trusting.connect()).await.unwrap();
    soon(trusting.disconnect()).await;

    // The operating system does not know it.
    let distrusting = session_with(login());
    let error = soon(distrusting.connect()).await.unwrap_err();
    let said = error.provider_error().unwrap().to_string();
    assert!(said.contains("identity provider"), "{said}");
    assert!(said.contains("certificate is not trusted"), "{said}");
    assert_eq!(wallet.control().user_sessions(), 0);
}
