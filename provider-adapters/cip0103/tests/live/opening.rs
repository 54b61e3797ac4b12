//! Opening, probing, closing.

use moorline::provider::{
    CloseMode, ErrorKind, NetworkLink, OpenMode, Opened, Provider, ProviderEvent, Sent, Verdict,
};
use moorline_cip0103::WsProvider;
use moorline_dev_wallet::{Approval, DevWallet, Prompt};
use serde_json::{Value, json};

use crate::harness::{Rig, soon};

#[tokio::test]
async fn connect_probe_request_disconnect() {
    let mut rig = Rig::connected().await;
    let live = soon(rig.provider.probe()).await.unwrap();
    let parties: Vec<_> = live.accounts.iter().map(|it| it.id.to_string()).collect();
    let expected: Vec<_> = rig.wallet.accounts();
    let expected: Vec<_> = expected.iter().map(|it| it.party_id().to_owned()).collect();
    assert_eq!(parties, expected);
    assert!(live.accounts[0].primary && !live.accounts[1].primary);
    assert_eq!(live.network, Some("canton:local".into()));
    assert_eq!(live.link, NetworkLink::Up);
    assert!(live.expires_at.is_some(), "the token says when it ends");

    let signed = rig.call("signMessage", json!({ "message": "hi" })).await;
    assert!(signed.unwrap()["signature"].is_string());
    assert_eq!(rig.control.executions_of("hi"), 1);

    soon(rig.provider.close(CloseMode::Disconnect))
        .await
        .unwrap();
    assert!(!rig.control.has_session());
    soon(rig.control.until_connections(0)).await;
    let after = rig.call("status", Value::Null).await.unwrap_err();
    assert_eq!(
        (after.kind(), after.sent()),
        (ErrorKind::Unreachable, Sent::No)
    );
    while let Ok(event) = rig.events.try_recv() {
        // The wallet may confirm; the end of the link itself is not news to who ended it.
        assert!(
            !matches!(&event, ProviderEvent::Dropped(error) if error.kind() == ErrorKind::Unreachable),
            "{event:?}"
        );
    }
}

#[tokio::test]
async fn detaching_leaves_the_session_at_the_wallet() {
    let rig = Rig::connected().await;
    soon(rig.provider.close(CloseMode::Detach)).await.unwrap();
    soon(rig.control.until_connections(0)).await;
    assert!(rig.control.has_session());
    assert_eq!(rig.control.seen("disconnect"), 0);
}

#[tokio::test]
async fn a_silent_open_finds_the_session_and_never_calls_connect() {
    let mut rig = Rig::connected().await;
    let connects = rig.control.seen("connect");
    assert_eq!(rig.open(OpenMode::Silent).await, Ok(Opened::Established));
    assert_eq!(rig.control.seen("connect"), connects);
    // The earlier link is gone, without a word.
    soon(rig.control.until_connections(1)).await;
    assert!(rig.events.try_recv().is_err());
}

#[tokio::test]
async fn a_silent_open_without_a_session_is_a_definite_no() {
    let mut rig = Rig::new().await;
    let error = rig.open(OpenMode::Silent).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Invalid, "{error}");
    assert_eq!(rig.control.seen("connect"), 0);
    soon(rig.control.until_connections(0)).await;
}

#[tokio::test]
async fn a_wallet_that_answers_errors_is_no_reason_to_end_a_session() {
    let mut rig = Rig::connected().await;
    for (code, message) in [(4100, "unauthorized"), (-32603, "database is down")] {
        rig.control.reply_errors(code, message);
        let error = rig.open(OpenMode::Silent).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::Unknown, "{error}");
        assert_eq!(error.code(), Some(i64::from(code)));
    }
}

#[tokio::test]
async fn h41_a_list_that_fails_is_not_an_empty_one() {
    let rig = Rig::connected().await;
    rig.control.reply_errors_to("listAccounts", -32603, "busy");
    let error = soon(rig.provider.probe()).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Unknown);
    assert_eq!(error.message(), "busy");
}

#[tokio::test]
async fn h48_a_wallet_cut_off_from_its_network_is_still_connected() {
    let mut rig = Rig::connected().await;
    rig.control.set_network_link(false);
    assert_eq!(rig.event().await, ProviderEvent::Ready);
    assert!(matches!(rig.event().await, ProviderEvent::Network(_)));
    assert_eq!(rig.event().await, ProviderEvent::Link(NetworkLink::Down));
    let live = soon(rig.provider.probe()).await.unwrap();
    assert_eq!(live.link, NetworkLink::Down);
}

#[tokio::test]
async fn a_rejected_connection_is_a_rejection() {
    let mut rig = Rig::with(DevWallet::builder().approval(Approval::Reject)).await;
    let error = rig.open(OpenMode::Interactive).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UserRejected);
    assert_eq!(error.code(), Some(4001));
    soon(rig.control.until_connections(0)).await;
}

#[tokio::test]
async fn a_login_is_asked_for_with_its_address_and_announced_when_done() {
    let mut rig = Rig::with(DevWallet::builder().approval(Approval::Manual)).await;
    let opened = rig.open(OpenMode::Interactive).await.unwrap();
    let Opened::UserActionRequired(action) = opened else {
        panic!("{opened:?}");
    };
    assert!(action.url.starts_with("http://127.0.0.1:"), "{action:?}");
    let error = soon(rig.provider.probe()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UserActionPending);
    assert_eq!(rig.control.approve(), 1);
    assert_eq!(rig.event().await, ProviderEvent::Ready);
    soon(rig.provider.probe()).await.unwrap();
}

#[tokio::test]
async fn a_login_that_is_refused_is_a_rejection() {
    let mut rig = Rig::with(DevWallet::builder().approval(Approval::Manual)).await;
    rig.open(OpenMode::Interactive).await.unwrap();
    rig.control.reject();
    assert!(matches!(rig.event().await, ProviderEvent::UserRejected(_)));
}

#[tokio::test]
async fn a_dropped_open_leaves_no_connection_behind() {
    let manual = DevWallet::builder()
        .approval(Approval::Manual)
        .prompt(Prompt::Blocking);
    let mut rig = Rig::with(manual).await;
    let control = rig.control.clone();
    tokio::select! {
        opened = rig.open(OpenMode::Interactive) => panic!("{opened:?}"),
        () = control.until_pending(1) => {}
    }
    soon(control.until_connections(0)).await;
}

#[tokio::test]
async fn a_dropped_provider_leaves_no_connection_behind() {
    let rig = Rig::connected().await;
    let control = rig.control.clone();
    drop(rig.provider);
    soon(control.until_connections(0)).await;
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let mut rig = Rig::new().await;
    rig.control.refuse(true).await;
    let error = rig.open(OpenMode::Interactive).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::No)
    );
    assert!(error.is_retryable());
    rig.control.refuse(false).await;
    assert_eq!(
        rig.open(OpenMode::Interactive).await,
        Ok(Opened::Established)
    );
}

#[tokio::test]
async fn a_wallet_that_takes_the_call_and_says_nothing_is_given_up() {
    let mut rig = Rig::new().await;
    rig.provider = WsProvider::builder(&rig.wallet.url())
        .connect_timeout(std::time::Duration::from_millis(50))
        .build()
        .unwrap();
    rig.control.freeze(true);
    let error = rig.open(OpenMode::Interactive).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::TimedOut, Sent::No)
    );
}

#[tokio::test]
async fn a_restart_on_the_same_port_is_found_again() {
    let mut rig = Rig::connected().await;
    let address = rig.wallet.address();
    let state = rig.wallet.stop().await;
    let wallet = DevWallet::builder().listen(address).state(state).start();
    rig.wallet = wallet.await.unwrap();
    loop {
        if let ProviderEvent::Dropped(error) = soon(rig.events.recv()).await.unwrap() {
            assert_eq!(error.verdict(), Verdict::Unknown);
            break;
        }
    }
    assert_eq!(rig.open(OpenMode::Silent).await, Ok(Opened::Established));
    soon(rig.provider.probe()).await.unwrap();
}
