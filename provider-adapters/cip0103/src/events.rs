//! What a wallet's notifications mean for a session. Knows nothing of transports.

use std::sync::Arc;

use moorline::NetworkId;
use moorline::provider::{ErrorKind, Message, NetworkLink, ProviderError, ProviderEvent};
use serde_json::Value;

use crate::reading;
use crate::redact::{scrub, scrub_text};
use crate::types::StatusEvent;

/// The accounts changed; the payload may name only those that did.
pub(crate) const ACCOUNTS_CHANGED: &str = "accountsChanged";
/// The connection or the network changed.
pub(crate) const STATUS_CHANGED: &str = "statusChanged";
/// A transaction got further.
pub(crate) const TX_CHANGED: &str = "txChanged";
/// A login finished.
pub(crate) const CONNECTED: &str = "connected";
/// A signature got further (newer gateways).
pub(crate) const MESSAGE_SIGNATURE: &str = "messageSignature";
/// Events of the gateway may have been lost: a mark of the adapter's own, among the events that are
/// passed through.
///
/// Its payload: `phase`, `"began"` or `"ended"`; `reason`, for people; with `"ended"`, `certain`,
/// whether the stream was down for sure or only may have been dead, and `forMs`, how long. Accounts,
/// network and session were asked again when it ended; what became of transactions meanwhile is not
/// known.
pub const STREAM_GAP: &str = "streamGap";

/// What a notification called `name` with these `params` says; in order.
///
/// The payload may be the params themselves or their only element: both are in use.
pub(crate) fn read(name: &str, params: Option<Value>) -> Vec<ProviderEvent> {
    match name {
        // "MUST at least include all accounts that changed": a part is not the whole.
        ACCOUNTS_CHANGED => vec![ProviderEvent::Recheck],
        CONNECTED => vec![ProviderEvent::Ready],
        STATUS_CHANGED => status_changed(params),
        _ => {
            let mut payload = payload(params).unwrap_or(Value::Null);
            scrub(&mut payload);
            vec![ProviderEvent::Message(Message::new(
                scrub_text(name),
                payload,
            ))]
        }
    }
}

fn status_changed(params: Option<Value>) -> Vec<ProviderEvent> {
    let status = match status(STATUS_CHANGED, params) {
        Ok(status) => status,
        Err(malformed) => return vec![malformed],
    };
    if !status.connection.is_connected {
        return vec![not_connected(&status)];
    }
    let mut events = vec![ProviderEvent::Ready];
    if let Some(network) = &status.network {
        events.push(ProviderEvent::Network(NetworkId::new(
            network.network_id.as_str(),
        )));
    }
    match reading::link(&status.connection) {
        NetworkLink::Unknown => {}
        link => events.push(ProviderEvent::Link(link)),
    }
    if let Some(at) = reading::expiry(&status) {
        events.push(ProviderEvent::Expires(at));
    }
    events
}

/// The payload of `statusChanged` or `connected`, or the report that it is none.
pub(crate) fn status(name: &str, params: Option<Value>) -> Result<StatusEvent, ProviderEvent> {
    let Some(payload) = payload(params) else {
        return Err(malformed(name, "it carries no payload"));
    };
    if !payload.is_object() {
        return Err(malformed(name, "its payload is no object"));
    }
    if payload.get("connection").is_none() {
        return Err(malformed(name, "its payload has no `connection`"));
    }
    serde_json::from_value(payload).map_err(|problem| malformed(name, &problem.to_string()))
}

fn not_connected(status: &StatusEvent) -> ProviderEvent {
    let error = reading::not_connected(&status.connection);
    match error.kind() {
        ErrorKind::UserRejected => ProviderEvent::UserRejected(error),
        ErrorKind::SessionGone => ProviderEvent::Dropped(error),
        // Ambiguous: the link is brought up again, which finds out.
        _ => ProviderEvent::Dropped(ProviderError::new(ErrorKind::Unreachable, error.message())),
    }
}

/// A notification that cannot be understood. Reported; changes nothing.
pub(crate) fn malformed(what: &str, problem: &str) -> ProviderEvent {
    ProviderEvent::Malformed {
        what: Arc::from(scrub_text(what)),
        problem: Arc::from(scrub_text(problem)),
    }
}

/// The payload of a notification: its params, or the only element of an array around it.
pub(crate) fn payload(params: Option<Value>) -> Option<Value> {
    match params {
        Some(Value::Array(mut items)) if items.len() < 2 => items.pop(),
        Some(Value::Null) | None => None,
        Some(params) => Some(params),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline::Timestamp;
    use serde_json::json;

    fn status(payload: Value) -> Vec<ProviderEvent> {
        read(STATUS_CHANGED, Some(payload))
    }

    #[test]
    fn h43_a_malformed_status_is_reported_and_nothing_else() {
        for params in [
            None,
            Some(Value::Null),
            Some(json!([])),
            Some(json!({})),
            Some(json!([{}])),
            Some(json!([[{}]])),
            Some(json!("logged out")),
            Some(json!([false])),
            Some(json!({ "connection": null })),
            Some(json!({ "connection": true })),
            Some(json!({ "connection": {} })),
            Some(json!({ "connection": { "isConnected": "no" } })),
            Some(json!({ "connection": { "isConnected": true }, "network": { "networkId": 7 } })),
            Some(json!([1, 2])),
        ] {
            let events = read(STATUS_CHANGED, params.clone());
            assert!(
                matches!(&*events, [ProviderEvent::Malformed { what, .. }] if &**what == STATUS_CHANGED),
                "{params:?}: {events:?}"
            );
        }
    }

    #[test]
    fn the_payload_may_come_bare_or_wrapped() {
        let payload = json!({ "connection": { "isConnected": true } });
        assert_eq!(status(payload.clone()), [ProviderEvent::Ready]);
        assert_eq!(status(json!([payload])), [ProviderEvent::Ready]);
    }

    #[test]
    fn a_status_says_all_it_knows() {
        // {"exp": 1767225600}
        let token = "e30.eyJleHAiOjE3NjcyMjU2MDB9.sig";
        let events = status(json!({
            "connection": { "isConnected": true, "isNetworkConnected": false },
            "network": { "networkId": "canton:b" },
            "session": { "accessToken": token, "userId": "u" },
        }));
        assert_eq!(
            events,
            [
                ProviderEvent::Ready,
                ProviderEvent::Network("canton:b".into()),
                ProviderEvent::Link(NetworkLink::Down),
                ProviderEvent::Expires(Timestamp::from_millis(1_767_225_600_000)),
            ]
        );
    }

    #[test]
    fn a_logout_ends_the_session_and_a_doubt_does_not() {
        let dropped = |said: Value| match &*status(json!({ "connection": said })) {
            [ProviderEvent::Dropped(error)] => error.kind(),
            other => panic!("{other:?}"),
        };
        let logout = json!({ "isConnected": false, "reason": "logged out" });
        assert_eq!(dropped(logout), ErrorKind::SessionGone);
        let doubt = json!({ "isConnected": false, "reason": "Unauthenticated" });
        assert_eq!(dropped(doubt), ErrorKind::Unreachable);
    }

    #[test]
    fn a_refusal_by_event_is_a_refusal() {
        let said = json!({ "connection": { "isConnected": false, "reason": "rejected by user" } });
        assert!(matches!(&*status(said), [ProviderEvent::UserRejected(_)]));
    }

    #[test]
    fn a_partial_list_of_accounts_is_never_taken_for_the_whole() {
        let params = Some(json!([[{ "partyId": "alice::1", "primary": true }]]));
        assert_eq!(read(ACCOUNTS_CHANGED, params), [ProviderEvent::Recheck]);
    }

    #[test]
    fn connected_is_never_believed() {
        let params = Some(json!([{ "connection": { "isConnected": false } }]));
        assert_eq!(read(CONNECTED, params), [ProviderEvent::Ready]);
    }

    #[test]
    fn everything_else_passes_without_its_secrets() {
        let params = Some(json!([{ "status": "executed", "commandId": "c", "token": "s3cret" }]));
        let events = read("txChanged", params);
        let [ProviderEvent::Message(message)] = &*events else {
            panic!("{events:?}");
        };
        assert_eq!(&*message.name, "txChanged");
        assert_eq!(message.payload["commandId"], "c");
        assert_eq!(message.payload["token"], "[redacted]");
    }
}
