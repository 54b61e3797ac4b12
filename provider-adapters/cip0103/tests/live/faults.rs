//! Wallets that say what no wallet should.

use moorline::provider::{ErrorKind, OpenMode, Opened, Provider, ProviderEvent, Sent};
use moorline_cip0103::WsProvider;
use serde_json::{Value, json};

use crate::harness::{Rig, soon};

#[tokio::test]
async fn a_frame_that_is_garbage_ends_the_link_and_says_so() {
    let mut rig = Rig::connected().await;
    rig.control.send_raw("s3cret garbage");
    let error = rig.dropped().await;
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("cannot be read"), "{error}");
    assert!(!format!("{error:?} {error}").contains("s3cret"));
    assert_eq!(rig.open(OpenMode::Silent).await, Ok(Opened::Established));
}

#[tokio::test]
async fn bytes_that_are_no_text_end_the_link() {
    let mut rig = Rig::connected().await;
    rig.control.send_bytes(&[0xff, 0xfe, 0x00]);
    assert_eq!(rig.dropped().await.kind(), ErrorKind::Unreachable);
}

#[tokio::test]
async fn an_answer_to_a_request_nobody_made_ends_the_link() {
    let mut rig = Rig::connected().await;
    rig.control.unknown_id();
    assert_eq!(rig.dropped().await.kind(), ErrorKind::Unreachable);
    assert_eq!(rig.open(OpenMode::Silent).await, Ok(Opened::Established));
    soon(rig.provider.probe()).await.unwrap();
}

#[tokio::test]
async fn garbage_while_a_request_waits_answers_the_request() {
    let mut rig = Rig::connected().await;
    rig.control.hang(true);
    let control = rig.control.clone();
    let request = rig.request("signMessage", json!({ "message": "m" }));
    let (answer, ()) = soon(async {
        tokio::join!(rig.provider.request(request), async {
            control.until_seen("signMessage", 1).await;
            control.send_garbage();
        })
    })
    .await;
    assert_eq!(answer.unwrap_err().sent(), Sent::Maybe);
    // The session has heard of it before the caller did.
    let mut heard = std::iter::from_fn(|| rig.events.try_recv().ok());
    assert!(heard.any(|event| matches!(event, ProviderEvent::Dropped(_))));
}

#[tokio::test]
async fn h43_a_malformed_status_is_reported_and_nothing_breaks() {
    let mut rig = Rig::connected().await;
    let sent = rig.control.send_malformed_status();
    for _ in 0..sent {
        let event = rig.event().await;
        assert!(
            matches!(&event, ProviderEvent::Malformed { what, .. } if &**what == "statusChanged"),
            "{event:?}"
        );
    }
    rig.call("status", Value::Null).await.unwrap();
    assert_eq!(rig.control.connections(), 1);
}

#[tokio::test]
async fn errors_without_message_or_id_do_not_end_the_link() {
    let rig = Rig::connected().await;
    rig.control.hang(true);
    let control = rig.control.clone();
    let request = rig.request("signMessage", json!({ "message": "m" }));
    let (answer, ()) = soon(async {
        tokio::join!(rig.provider.request(request), async {
            control.until_seen("signMessage", 1).await;
            control.send_raw(r#"{"jsonrpc":"2.0","id":null,"error":{"code":4100}}"#);
        })
    })
    .await;
    let error = answer.unwrap_err();
    assert_eq!((error.code(), error.sent()), (Some(4100), Sent::Answered));
    assert_eq!(rig.control.connections(), 1);
}

#[tokio::test]
async fn a_storm_of_events_loses_none_and_keeps_their_order() {
    const STORM: usize = 20_000;
    let mut rig = Rig::connected().await;
    rig.control.event_storm(STORM);
    for number in 0..STORM {
        let event = rig.event().await;
        let ProviderEvent::Message(message) = &event else {
            panic!("{event:?}");
        };
        assert_eq!(message.payload["commandId"], format!("storm-{number}"));
    }
    rig.call("status", Value::Null).await.unwrap();
}

#[tokio::test]
async fn a_frozen_wallet_is_noticed_by_its_missing_pongs() {
    let mut rig = Rig::watchful().await;
    rig.control.freeze(true);
    let error = rig.dropped().await;
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.message().contains("inactive"), "{error}");
}

#[tokio::test]
async fn a_wallet_that_does_not_read_cannot_hold_a_request_for_ever() {
    let rig = Rig::watchful().await;
    rig.control.freeze(true);
    // More than the sockets' buffers take: the write itself is stuck.
    let message = json!({ "message": "x".repeat(9 * 1024 * 1024) });
    let error = rig.call("signMessage", message).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::Maybe)
    );
}

#[tokio::test]
async fn a_request_is_given_up_at_the_ceiling_and_the_link_stays() {
    let mut rig = Rig::new().await;
    rig.provider = WsProvider::builder(&rig.wallet.url())
        .request_ceiling(std::time::Duration::from_millis(50))
        .build()
        .unwrap();
    rig.open(OpenMode::Interactive).await.unwrap();
    rig.control.hang(true);
    let error = rig.call("status", Value::Null).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::TimedOut, Sent::Maybe)
    );
    assert_eq!(rig.control.connections(), 1);
}

#[tokio::test]
async fn a_silent_wallet_that_answers_pings_keeps_its_link() {
    let mut rig = Rig::watchful().await;
    rig.control.hang(true);
    let request = rig.request("status", Value::Null);
    // Longer than the inactivity limit: time itself is what is tested here.
    let limit = std::time::Duration::from_millis(600);
    assert!(
        tokio::time::timeout(limit, rig.provider.request(request))
            .await
            .is_err()
    );
    assert!(rig.events.try_recv().is_err());
    rig.control.hang(false);
    rig.call("status", Value::Null).await.unwrap();
}

#[tokio::test]
async fn a_logout_at_the_wallet_ends_the_session_for_certain() {
    let mut rig = Rig::connected().await;
    rig.control.end_session();
    assert_eq!(rig.dropped().await.kind(), ErrorKind::SessionGone);
    let error = soon(rig.provider.probe()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionGone);
}

#[tokio::test]
async fn an_expired_session_is_gone() {
    let rig = Rig::connected().await;
    rig.control.expire_session();
    let error = soon(rig.provider.probe()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionGone);
}

#[tokio::test]
async fn a_partial_list_of_accounts_has_the_session_look_again() {
    let mut rig = Rig::connected().await;
    rig.control.switch_party("bob").unwrap();
    assert_eq!(rig.event().await, ProviderEvent::Recheck);
}

#[tokio::test]
async fn tokens_are_in_no_event_and_no_error() {
    let mut rig = Rig::connected().await;
    let status = rig.call("status", Value::Null).await.unwrap();
    let token = status["session"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(token.len() > 40, "who asks gets it");
    rig.control.switch_network("canton:other");
    rig.control.notify(
        "txChanged",
        json!({ "deep": [{ "accessToken": token }], "t": token }),
    );
    rig.control.notify(&format!("odd {token}"), Value::Null);
    rig.control
        .reply_errors(-32603, &format!("bad token {token}"));
    let error = rig.call("status", Value::Null).await.unwrap_err();
    let mut said = format!("{error:?} {error} {:?}", rig.provider);
    while let Ok(event) = rig.events.try_recv() {
        said.push_str(&format!("{event:?}"));
    }
    assert!(
        said.contains("canton:other") && said.contains("txChanged"),
        "{said}"
    );
    assert!(!said.contains(&token), "{said}");
    assert!(!said.contains(&token[..20]), "{said}");
}
