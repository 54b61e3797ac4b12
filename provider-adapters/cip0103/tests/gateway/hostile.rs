//! Answers and streams that no client should have to meet, and connections that close.

use std::time::Duration;

use moorline::provider::{ErrorKind, Sent};
use moorline_cip0103::{DappClient, StreamState};
use moorline_dev_wallet::{HttpFault, Place};

use crate::rig::{GENERATIONS, Rig, has, soon};

#[tokio::test]
async fn a_stream_that_is_dropped_comes_back_and_the_session_stays() {
    for profile in GENERATIONS {
        let mut rig = Rig::new(profile).await;
        for cut in [true, false] {
            let streams = if cut {
                rig.control.drop_streams()
            } else {
                rig.control.end_streams()
            };
            assert_eq!(streams, 1);
            let names = rig.until("gap:ended").await;
            assert!(has(&names, "gap:began"), "{profile}: {names:?}");
            assert!(!has(&names, "session:reconnecting"), "{profile}: {names:?}");
            soon(rig.control.until_streams(1)).await;
        }
        assert_eq!(rig.gateway.borrow().stream.state, StreamState::Open);
        assert!(rig.gateway.borrow().stream.problem.is_some());
    }
}

#[tokio::test]
async fn a_half_open_stream_is_replaced_and_marked() {
    for profile in GENERATIONS {
        let mut rig = Rig::with(
            profile,
            |wallet| wallet,
            |provider| provider.max_stream_age(Duration::from_millis(200)),
        )
        .await;
        rig.control.half_open_streams();
        rig.control.switch_party("bob").unwrap();
        let names = rig.until("gap:ended").await;
        assert!(has(&names, "party:changed"), "{profile}: {names:?}");
        assert!(!has(&names, "session:reconnecting"), "{profile}: {names:?}");
    }
}

#[tokio::test]
async fn too_many_requests_are_told_with_their_time_and_end_nothing() {
    for profile in GENERATIONS {
        let rig = Rig::new(profile).await;
        let retry_after = Some(Duration::from_secs(7));
        rig.control.misbehave_at(
            Place::Dapp,
            Some("listAccounts"),
            HttpFault::RateLimit { retry_after },
            Some(1),
        );
        let dapp = DappClient::new(rig.session.clone());
        let error = soon(dapp.list_accounts()).await.unwrap_err();
        let moorline_cip0103::CallError::Operation(error) = error else {
            panic!("{error:?}");
        };
        let cause = error.provider_error().unwrap();
        assert_eq!(
            (cause.kind(), cause.retry_after()),
            (ErrorKind::RateLimited, retry_after)
        );
        soon(dapp.list_accounts()).await.unwrap();
        assert!(rig.session.snapshot().is_connected());
    }
}

#[tokio::test]
async fn pages_and_other_nonsense_are_typed_errors() {
    let rig = Rig::new(GENERATIONS[0]).await;
    let dapp = DappClient::new(rig.session.clone());
    for (fault, kind) in [
        (HttpFault::Html { status: 500 }, ErrorKind::Internal),
        (HttpFault::Html { status: 502 }, ErrorKind::Unreachable),
        (HttpFault::BareError { code: -32603 }, ErrorKind::Internal),
        (
            HttpFault::Redirect {
                to: "http://127.0.0.1:1/".to_owned(),
            },
            ErrorKind::InvalidRequest,
        ),
        (
            HttpFault::Oversized {
                bytes: 20 * 1024 * 1024,
            },
            ErrorKind::Malformed,
        ),
        (HttpFault::Empty { status: 500 }, ErrorKind::Internal),
        (HttpFault::Empty { status: 200 }, ErrorKind::Malformed),
    ] {
        rig.control
            .misbehave_at(Place::Dapp, Some("signMessage"), fault.clone(), Some(1));
        let error = soon(dapp.sign_message("m")).await.unwrap_err();
        let moorline_cip0103::CallError::Operation(error) = error else {
            panic!("{fault:?}: {error:?}");
        };
        let cause = error.provider_error().unwrap();
        assert_eq!(cause.kind(), kind, "{fault:?}: {cause}");
    }
    let mut watch = rig.session.watch();
    soon(watch.wait_for(|snapshot| snapshot.is_connected()))
        .await
        .unwrap();
}

#[tokio::test]
async fn kept_connections_that_close_are_nobodys_business() {
    for profile in GENERATIONS {
        let rig = Rig::new(profile).await;
        let dapp = DappClient::new(rig.session.clone());
        for round in 0..20 {
            soon(dapp.status()).await.unwrap();
            if round % 2 == 0 {
                rig.control.close_idle();
            } else {
                rig.control.close_at_next_request();
            }
        }
        soon(dapp.status()).await.unwrap();
        assert!(rig.session.snapshot().is_connected());
    }
}

#[tokio::test]
async fn what_writes_is_not_sent_twice_when_its_connection_closes() {
    let rig = Rig::new(GENERATIONS[1]).await;
    let dapp = DappClient::new(rig.session.clone());
    soon(dapp.status()).await.unwrap();
    let before = rig.control.seen("signMessage");
    rig.control.close_at_next_request();
    match soon(
        dapp.clone()
            .with_approval_deadline(Duration::from_secs(5))
            .sign_message("m"),
    )
    .await
    {
        Ok(_) => assert_eq!(rig.control.seen("signMessage"), before + 1),
        Err(moorline_cip0103::CallError::Operation(error)) => {
            assert!(error.may_have_executed(), "{error:?}");
            assert_eq!(
                error.provider_error().map(|it| it.sent()),
                Some(Sent::Maybe)
            );
            assert!(rig.control.seen("signMessage") <= before + 1);
        }
        Err(other) => panic!("{other:?}"),
    }
}
