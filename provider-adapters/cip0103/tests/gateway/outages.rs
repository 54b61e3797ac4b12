//! Restarts, logins elsewhere, identity providers and ledgers that are down: where the session
//! ends, and what a user sees on the way.

use std::time::Duration;

use moorline::session::EventStream;
use moorline::{DisconnectReason, EventKind, NetworkLink, Session};
use moorline_cip0103::auth::StaticToken;
use moorline_dev_wallet::{DevWallet, Profile, Sessions};

use crate::rig::{GENERATIONS, Rig, builder, has, names_until, next_event, session, soon};

/// A wallet, and a session whose credential cannot be renewed: nothing is made again behind the
/// test's back.
async fn plain(profile: Profile) -> (DevWallet, Session, EventStream) {
    let wallet = wallet(profile).await;
    let token = wallet.control().issue_token("carol").unwrap();
    let provider = builder(&wallet)
        .authenticator(StaticToken::new(token))
        .poll_interval(Duration::from_millis(50));
    let session = session(provider.build().unwrap());
    soon(session.connect()).await.unwrap();
    soon(wallet.control().until_streams(1)).await;
    let events = session.events();
    (wallet, session, events)
}

async fn wallet(profile: Profile) -> DevWallet {
    DevWallet::builder().profile(profile).start().await.unwrap()
}

#[tokio::test]
async fn a_restart_that_keeps_sessions_is_a_lost_link() {
    for profile in GENERATIONS {
        let (wallet, _session, mut events) = plain(profile).await;
        soon(
            wallet
                .control()
                .restart(Sessions::Kept, Duration::from_millis(100)),
        )
        .await;
        let names = names_until(&mut events, "session:connected").await;
        assert!(has(&names, "session:reconnecting"), "{profile}: {names:?}");
        assert!(!has(&names, "session:disconnected"), "{profile}: {names:?}");
        soon(wallet.control().until_streams(1)).await;
    }
}

#[tokio::test]
async fn a_restart_that_loses_sessions_ends_the_session() {
    for profile in GENERATIONS {
        let (wallet, _session, mut events) = plain(profile).await;
        soon(
            wallet
                .control()
                .restart(Sessions::Lost, Duration::from_millis(100)),
        )
        .await;
        assert_eq!(
            ended(&mut events).await,
            DisconnectReason::Revoked,
            "{profile}"
        );
    }
}

#[tokio::test]
async fn a_program_with_its_own_credentials_makes_a_lost_session_again() {
    for profile in GENERATIONS {
        let mut rig = Rig::new(profile).await;
        rig.control
            .restart(Sessions::Lost, Duration::from_millis(100))
            .await;
        let names = rig.until("session:connected").await;
        assert!(has(&names, "reauth:succeeded"), "{profile}: {names:?}");
    }
}

#[tokio::test]
async fn an_identity_provider_that_is_down_for_a_while_ends_nothing() {
    for profile in GENERATIONS {
        let (wallet, _session, mut events) = plain(profile).await;
        wallet.control().idp_down(true);
        names_until(&mut events, "session:reconnecting").await;
        for _ in 0..3 {
            names_until(&mut events, "reconnect:attempt").await;
        }
        wallet.control().idp_down(false);
        let names = names_until(&mut events, "session:connected").await;
        for bad in ["session:disconnected", "user:action-required"] {
            assert!(!has(&names, bad), "{profile}: {names:?}");
        }
    }
}

#[tokio::test]
async fn a_login_elsewhere_is_told_by_the_generation() {
    for profile in GENERATIONS {
        let (wallet, session, mut events) = plain(profile).await;
        assert_eq!(wallet.control().log_in_elsewhere(), 1);
        match profile {
            // One session for each token: ours is gone.
            Profile::G2 => assert_eq!(ended(&mut events).await, DisconnectReason::Revoked),
            // One for the user: it is ours as well.
            _ => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                assert!(session.snapshot().is_connected());
            }
        }
    }
}

#[tokio::test]
async fn a_session_that_is_revoked_without_a_word_is_noticed() {
    for profile in GENERATIONS {
        let (wallet, _session, mut events) = plain(profile).await;
        assert_eq!(wallet.control().revoke_sessions(), 1);
        assert_eq!(
            ended(&mut events).await,
            DisconnectReason::Revoked,
            "{profile}"
        );
    }
}

#[tokio::test]
async fn a_logout_at_the_wallet_ends_the_session() {
    for profile in GENERATIONS {
        let (wallet, _session, mut events) = plain(profile).await;
        wallet.control().end_session();
        assert_eq!(
            ended(&mut events).await,
            DisconnectReason::Revoked,
            "{profile}"
        );
    }
}

#[tokio::test]
async fn a_ledger_that_is_down_is_a_link_that_is_down() {
    for profile in GENERATIONS {
        let (wallet, session, mut events) = plain(profile).await;
        for (up, link) in [(false, NetworkLink::Down), (true, NetworkLink::Up)] {
            wallet.control().set_network_link(up);
            let told = next_event(&mut events, |kind| match kind {
                EventKind::NetworkLinkChanged { link } => Some(*link),
                _ => None,
            });
            assert_eq!(told.await, link, "{profile}");
        }
        assert!(session.snapshot().is_connected());
    }
}

#[tokio::test]
async fn a_ledger_that_is_down_at_login_does_not_spoil_the_next() {
    for profile in GENERATIONS {
        let wallet = wallet(profile).await;
        wallet.control().set_network_link(false);
        let session = session(builder(&wallet).build().unwrap());
        // The first generation keeps the session of a login that failed: it stands, cut off.
        match soon(session.connect()).await {
            Ok(snapshot) => assert_eq!(snapshot.network_link, NetworkLink::Down, "{profile}"),
            Err(_) => assert_eq!(profile, Profile::G2),
        }
        soon(session.disconnect()).await;
        wallet.control().set_network_link(true);
        soon(session.connect()).await.unwrap();
        assert!(session.snapshot().primary().is_some(), "{profile}");
    }
}

#[tokio::test]
async fn a_network_that_does_not_exist_fails_and_leaves_nothing_behind() {
    for profile in GENERATIONS {
        let wallet = wallet(profile).await;
        let wrong = builder(&wallet).network("canton:nowhere").build().unwrap();
        let right = wrong.another();
        drop(right);
        soon(session(wrong).connect()).await.unwrap_err();
        assert_eq!(wallet.control().user_sessions(), 0, "{profile}");
        soon(session(builder(&wallet).build().unwrap()).connect())
            .await
            .unwrap();
    }
}

async fn ended(events: &mut EventStream) -> DisconnectReason {
    next_event(events, |kind| match kind {
        EventKind::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
    .await
}
