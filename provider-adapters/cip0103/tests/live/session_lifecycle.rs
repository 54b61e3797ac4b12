//! A session on the adapter: what a program sees.

use moorline::provider::{NetworkLink, Sent};
use moorline::{ConnectError, EventKind, OperationError, Session, Status};
use moorline_dev_wallet::{Approval, DevWallet, Prompt};
use serde_json::json;

use crate::harness::{next_event, session_on, soon};

async fn connected() -> (DevWallet, Session) {
    let wallet = DevWallet::builder().start().await.unwrap();
    let session = session_on(&wallet.url());
    soon(session.connect()).await.unwrap();
    (wallet, session)
}

#[tokio::test]
async fn connect_request_disconnect() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let session = session_on(&wallet.url());
    let snapshot = soon(session.connect()).await.unwrap();
    let alice = wallet.accounts()[0].party_id().to_owned();
    assert_eq!(snapshot.primary().unwrap().id.as_str(), alice);
    assert_eq!(snapshot.network, Some("canton:local".into()));
    assert_eq!(snapshot.network_link, NetworkLink::Up);
    soon(session.request("signMessage", json!({ "message": "m" })))
        .await
        .unwrap();
    soon(session.disconnect()).await;
    assert!(!wallet.control().has_session());
    soon(wallet.control().until_connections(0)).await;
}

#[tokio::test]
async fn cut_mid_request_is_interrupted_once_and_executed_once() {
    let (wallet, session) = connected().await;
    let control = wallet.control();
    let mut events = session.events();
    control.set_approval(Approval::Manual);
    let (answer, _) = soon(async {
        tokio::join!(
            session.request("signMessage", json!({ "message": "m" })),
            async {
                control.until_pending(1).await;
                control.cut_all().await
            }
        )
    })
    .await;
    let error = answer.unwrap_err();
    assert!(
        matches!(error, OperationError::Interrupted { .. }),
        "{error:?}"
    );
    assert!(error.may_have_executed());
    control.set_approval(Approval::Auto);
    control.approve();
    next_event(&mut events, |kind| match kind {
        EventKind::Connected { .. } => Some(()),
        _ => None,
    })
    .await;
    soon(control.until_executed("signMessage", 1)).await;
    assert_eq!((control.seen_of("m"), control.executions_of("m")), (1, 1));
    assert!(session.snapshot().is_connected());
}

#[tokio::test]
async fn h03_a_login_is_announced_and_waited_for() {
    let wallet = DevWallet::builder()
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap();
    let control = wallet.control();
    let session = session_on(&wallet.url());
    let mut events = session.events();
    let connecting = session.clone();
    let connecting = tokio::spawn(async move { connecting.connect().await });
    let url = next_event(&mut events, |kind| match kind {
        EventKind::UserActionRequired { action } => Some(action.url.clone()),
        _ => None,
    })
    .await;
    assert!(url.starts_with("http://127.0.0.1"), "{url}");
    assert_eq!(session.status(), Status::Connecting);
    control.approve();
    let snapshot = soon(connecting).await.unwrap().unwrap();
    assert!(snapshot.is_connected() && !snapshot.accounts.is_empty());
}

#[tokio::test]
async fn a_login_that_is_refused_fails_the_connect() {
    let wallet = DevWallet::builder()
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap();
    let control = wallet.control();
    let session = session_on(&wallet.url());
    let (answer, _) = soon(async {
        tokio::join!(session.connect(), async {
            control.until_pending(1).await;
            control.reject()
        })
    })
    .await;
    assert!(
        matches!(answer, Err(ConnectError::Rejected(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn h02_disconnect_while_connecting() {
    let wallet = DevWallet::builder()
        .approval(Approval::Manual)
        .prompt(Prompt::Blocking)
        .start()
        .await
        .unwrap();
    let control = wallet.control();
    let session = session_on(&wallet.url());
    let (answer, _) = soon(async {
        tokio::join!(session.connect(), async {
            control.until_pending(1).await;
            session.disconnect().await
        })
    })
    .await;
    assert!(
        matches!(answer, Err(ConnectError::Cancelled(_))),
        "{answer:?}"
    );
    // The person says yes too late.
    control.approve();
    soon(control.until_connections(0)).await;
    assert!(session.status().is_disconnected());
}

#[tokio::test]
async fn h08_disconnect_is_immediate_with_a_wallet_that_says_nothing() {
    let (wallet, session) = connected().await;
    wallet.control().hang(true);
    let hanging = session.clone();
    let disconnecting = tokio::spawn(async move { hanging.disconnect().await });
    soon(wallet.control().until_seen("disconnect", 1)).await;
    assert!(session.status().is_disconnected());
    soon(disconnecting).await.unwrap();
    soon(wallet.control().until_connections(0)).await;
}

#[tokio::test]
async fn a_party_switched_at_the_wallet_reaches_the_program() {
    let (wallet, session) = connected().await;
    let mut events = session.events();
    wallet.control().switch_party("bob").unwrap();
    let (previous, current) = next_event(&mut events, |kind| match kind {
        EventKind::PartyChanged { previous, current } => {
            Some((previous.to_string(), current.to_string()))
        }
        _ => None,
    })
    .await;
    let [alice, bob] = &wallet.accounts()[..] else {
        panic!("two accounts");
    };
    assert_eq!((&*previous, &*current), (alice.party_id(), bob.party_id()));
    let list = session.snapshot().accounts.len();
    assert_eq!(list, 2, "a partial list was not taken for the whole");
}

#[tokio::test]
async fn a_network_switched_at_the_wallet_reaches_the_program() {
    let (wallet, session) = connected().await;
    let mut events = session.events();
    wallet.control().switch_network("canton:other");
    next_event(&mut events, |kind| match kind {
        EventKind::NetworkChanged { current, .. } => {
            assert_eq!(current.as_str(), "canton:other");
            Some(())
        }
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn a_restart_of_the_wallet_is_survived() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let (url, address) = (wallet.url(), wallet.address());
    let session = session_on(&url);
    soon(session.connect()).await.unwrap();
    let mut events = session.events();
    let state = wallet.stop().await;
    next_event(&mut events, |kind| {
        matches!(kind, EventKind::Reconnecting { .. }).then_some(())
    })
    .await;
    // Held while the wallet is away, run once when it is back.
    let held = session.clone();
    let held =
        tokio::spawn(async move { held.request("signMessage", json!({ "message": "h" })).await });
    next_event(&mut events, |kind| {
        matches!(kind, EventKind::OperationQueued { .. }).then_some(())
    })
    .await;
    let builder = DevWallet::builder().listen(address).state(state);
    let wallet = builder.start().await.unwrap();
    soon(held).await.unwrap().unwrap();
    assert_eq!(wallet.control().executions_of("h"), 1);
    assert_eq!(
        wallet.control().seen("connect"),
        1,
        "no prompt on the way back"
    );
}

#[tokio::test]
async fn a_logout_at_the_wallet_ends_the_session() {
    let (wallet, session) = connected().await;
    let mut events = session.events();
    wallet.control().end_session();
    next_event(&mut events, |kind| {
        matches!(kind, EventKind::Disconnected { .. }).then_some(())
    })
    .await;
    let error = session
        .request("signMessage", json!({ "message": "m" }))
        .await;
    let error = error.unwrap_err();
    assert!(!error.may_have_executed(), "{error:?}");
    assert_eq!(wallet.control().seen_of("m"), 0);
}

#[tokio::test]
async fn a_repeatable_request_runs_again_after_a_cut() {
    let (wallet, session) = connected().await;
    let control = wallet.control();
    control.set_approval(Approval::Manual);
    let options = moorline::session::OperationOptions::default().repeatable(true);
    let (answer, ()) = soon(async {
        tokio::join!(
            session.request_with("signMessage", json!({ "message": "again" }), options),
            async {
                control.until_pending(1).await;
                control.set_approval(Approval::Auto);
                control.cut_all().await;
            }
        )
    })
    .await;
    answer.unwrap();
    assert_eq!(control.seen_of("again"), 2);
}

#[tokio::test]
async fn a_deadline_tells_that_the_wallet_may_have_it() {
    let (wallet, session) = connected().await;
    wallet.control().hang(true);
    let options = moorline::session::OperationOptions::default()
        .deadline(std::time::Duration::from_millis(100));
    let answer = soon(session.request_with("status", json!(null), options)).await;
    assert!(
        matches!(
            answer,
            Err(OperationError::DeadlineExceeded {
                sent: Sent::Maybe,
                ..
            })
        ),
        "{answer:?}"
    );
}

#[tokio::test]
async fn who_tries_again_at_once_after_a_cut_is_held_not_failed() {
    let (wallet, session) = connected().await;
    let control = wallet.control();
    for round in 0..20 {
        control.hang(true);
        let first = json!({ "message": format!("first {round}") });
        let (answer, ()) = soon(async {
            tokio::join!(session.request("signMessage", first), async {
                control.until_seen("signMessage", 2 * round + 1).await;
                control.cut_all().await;
            })
        })
        .await;
        assert!(
            matches!(answer, Err(OperationError::Interrupted { .. })),
            "{answer:?}"
        );
        control.hang(false);
        let second = json!({ "message": format!("second {round}") });
        soon(session.request("signMessage", second)).await.unwrap();
    }
}

#[tokio::test]
async fn h08_a_wallet_that_never_answers_connect_is_given_up() {
    let wallet = DevWallet::builder().start().await.unwrap();
    wallet.control().hang(true);
    let mut policy = moorline::Policy::default();
    policy.deadlines.connect = std::time::Duration::from_millis(100);
    let provider = moorline_cip0103::WsProvider::new(&wallet.url()).unwrap();
    let session = Session::builder(provider).policy(policy).build().unwrap();
    let error = soon(session.connect()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Provider(_)), "{error:?}");
    assert!(session.status().is_disconnected());
    // The socket of the attempt is gone, too.
    soon(wallet.control().until_connections(0)).await;
}
