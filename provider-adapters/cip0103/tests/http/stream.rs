//! The event stream: lost, dead, torn, repeated, and what the session hears of it.

use std::time::Duration;

use moorline::{DisconnectReason, EventKind, NetworkLink, Status};
use serde_json::json;

use crate::gate::Reply;
use crate::rig::{connected, connected_with, name, names_until, next_event, soon};

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_and_the_session_stays() {
    let (gate, session, mut events) = connected().await;
    gate.cut_streams(false);
    let names = names_until(&mut events, "gap:ended").await;
    assert_eq!(names, ["gap:began", "gap:ended"]);
    assert!(session.snapshot().is_connected());
    gate.event("accountsChanged", &json!([[]]));
    gate.until_seen("listAccounts", 3).await;
}

#[tokio::test]
async fn what_changed_during_a_gap_is_found_out() {
    let (gate, session, mut events) = connected().await;
    {
        let mut stand = gate.stand();
        stand.accounts = vec!["bob::1".to_owned(), "alice::1".to_owned()];
        stand.network = "canton:two".to_owned();
        stand.ledger_up = false;
    }
    gate.cut_streams(false);
    let names = names_until(&mut events, "gap:ended").await;
    for change in [
        "party:changed",
        "network:changed",
        "accounts:changed",
        "network:link",
    ] {
        assert!(
            names.iter().any(|name| name == change),
            "{change}: {names:?}"
        );
    }
    let snapshot = session.snapshot();
    assert_eq!(snapshot.primary().unwrap().id.as_str(), "bob::1");
    assert_eq!(snapshot.network.as_ref().unwrap().as_str(), "canton:two");
}

#[tokio::test]
async fn a_dead_stream_is_replaced_by_its_age() {
    let (gate, session, mut events) =
        connected_with(|it| it.max_stream_age(Duration::from_millis(100))).await;
    gate.cut_streams(true);
    gate.stand().accounts = vec!["bob::1".to_owned()];
    let certain = next_event(&mut events, |kind| match kind {
        EventKind::Provider(message) if name(kind) == "gap:ended" => {
            message.payload["certain"].as_bool()
        }
        _ => None,
    })
    .await;
    assert!(!certain, "nobody knows whether anything was lost");
    assert_eq!(session.snapshot().primary().unwrap().id.as_str(), "bob::1");
    assert!(session.snapshot().is_connected());
}

#[tokio::test]
async fn a_session_that_is_removed_ends_for_certain() {
    let (gate, session, mut events) = connected().await;
    gate.stand().session = false;
    gate.cut_streams(false);
    let reason = next_event(&mut events, |kind| match kind {
        EventKind::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, DisconnectReason::Revoked);
    assert!(session.snapshot().status.is_disconnected());
}

#[tokio::test]
async fn a_logout_by_event_is_verified_and_ends_the_session() {
    let (gate, _session, mut events) = connected().await;
    gate.stand().session = false;
    let said = json!([{ "connection": { "isConnected": false, "reason": "disconnect",
        "isNetworkConnected": false, "networkReason": "removed session" } }]);
    gate.event("statusChanged", &said);
    let names = names_until(&mut events, "session:disconnected").await;
    assert!(
        !names.iter().any(|name| name == "session:reconnecting"),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_logout_that_is_not_true_ends_nothing() {
    let (gate, session, mut events) = connected().await;
    let probes = gate.count("status");
    // What a login on a gateway whose ledger is down sends, and what concerns other tokens.
    for name in ["connected", "statusChanged"] {
        let said = json!([{ "connection": { "isConnected": false, "reason": "disconnect" } }]);
        gate.event(name, &said);
    }
    gate.until_seen("status", probes + 1).await;
    gate.event("statusChanged", &json!(["nonsense"]));
    let names = names_until(&mut events, "provider:malformed").await;
    assert_eq!(names, ["provider:malformed"]);
    assert!(session.snapshot().is_connected());
}

#[tokio::test]
async fn a_status_that_says_nothing_new_costs_nothing() {
    let (gate, _session, mut events) = connected().await;
    let probes = gate.count("status");
    let status = json!([gate.stand().status(true)]);
    for _ in 0..5 {
        gate.event("statusChanged", &status);
        gate.event("connected", &status);
    }
    gate.event("somethingElse", &json!([{ "accessToken": "s3cret" }]));
    let names = names_until(&mut events, "somethingElse").await;
    assert_eq!(names, ["somethingElse"]);
    assert_eq!(gate.count("status"), probes);
}

#[tokio::test]
async fn an_event_that_is_too_long_ends_the_stream_not_the_session() {
    let (gate, session, mut events) = connected_with(|it| it.max_event_size(2048)).await;
    gate.raw(format!("data: {}", "x".repeat(4000)).into_bytes());
    let names = names_until(&mut events, "gap:ended").await;
    assert_eq!(names, ["gap:began", "gap:ended"]);
    assert!(session.snapshot().is_connected());
}

#[tokio::test]
async fn torn_and_glued_chunks_are_events_all_the_same() {
    let (gate, _session, mut events) = connected().await;
    let text = "event: née\r\ndata: [{\"☕\":1}]\r\n\r\nevent: two\ndata: {\"n\":2}\n\n".as_bytes();
    for piece in text.chunks(3) {
        gate.raw(piece.to_vec());
    }
    gate.raw([text, text].concat());
    let mut names = Vec::new();
    for _ in 0..6 {
        names.push(next_event(&mut events, |kind| Some(name(kind))).await);
    }
    assert_eq!(names, ["née", "two", "née", "two", "née", "two"]);
}

#[tokio::test]
async fn a_gateway_that_goes_away_is_a_lost_link_and_comes_back() {
    let (gate, session, mut events) = connected().await;
    gate.go_away();
    names_until(&mut events, "session:reconnecting").await;
    assert!(matches!(
        session.snapshot().status,
        Status::Reconnecting { .. }
    ));
    gate.come_back();
    names_until(&mut events, "session:connected").await;
    gate.until_streams(1).await;
}

#[tokio::test]
async fn a_gateway_that_comes_back_without_its_sessions_ends_the_session() {
    let (gate, _session, mut events) = connected().await;
    gate.go_away();
    names_until(&mut events, "session:reconnecting").await;
    gate.stand().session = false;
    gate.come_back();
    let reason = next_event(&mut events, |kind| match kind {
        EventKind::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, DisconnectReason::Revoked);
}

#[tokio::test]
async fn an_identity_provider_that_is_down_ends_no_session() {
    let (gate, session, mut events) =
        connected_with(|it| it.poll_interval(Duration::from_millis(20))).await;
    gate.stand().idp_up = false;
    names_until(&mut events, "session:reconnecting").await;
    let tries = gate.count("status");
    gate.until_seen("status", tries + 3).await;
    assert!(matches!(
        session.snapshot().status,
        Status::Reconnecting { .. }
    ));
    gate.stand().idp_up = true;
    let names = names_until(&mut events, "session:connected").await;
    assert!(
        !names.iter().any(|name| name == "session:disconnected"),
        "{names:?}"
    );
}

#[tokio::test]
async fn the_poll_notices_what_no_event_told() {
    let (gate, session, mut events) =
        connected_with(|it| it.poll_interval(Duration::from_millis(20))).await;
    gate.stand().ledger_up = false;
    let link = next_event(&mut events, |kind| match kind {
        EventKind::NetworkLinkChanged { link } => Some(*link),
        _ => None,
    })
    .await;
    assert_eq!(link, NetworkLink::Down);
    gate.stand().session = false;
    names_until(&mut events, "session:disconnected").await;
    assert!(session.snapshot().status.is_disconnected());
}

#[tokio::test]
async fn a_stream_that_is_refused_leaves_a_degraded_session_that_works() {
    let (gate, session, mut events) = connected().await;
    for _ in 0..5 {
        gate.once(
            "events",
            Reply::Http(500, "content-type: text/html\r\n", "<h1>oops</h1>".into()),
        );
    }
    gate.cut_streams(false);
    names_until(&mut events, "gap:began").await;
    soon(session.request("signMessage", json!({ "message": "m" })))
        .await
        .unwrap();
    names_until(&mut events, "gap:ended").await;
    assert!(gate.count("events") >= 7);
}

#[tokio::test]
async fn a_stream_waits_as_long_as_the_gateway_asks() {
    let (gate, session, mut events) = connected().await;
    let busy = "content-type: text/html\r\nretry-after: 1\r\n";
    gate.once("events", Reply::Http(429, busy, "Too many requests".into()));
    let cut = tokio::time::Instant::now();
    gate.cut_streams(false);
    names_until(&mut events, "gap:ended").await;
    assert!(
        cut.elapsed() >= Duration::from_secs(1),
        "{:?}",
        cut.elapsed()
    );
    assert!(session.snapshot().is_connected());
}
