//! Events by name, and connecting where they send a person somewhere.

use moorline::session::EventStream;
use moorline::{ConnectError, EventKind, Session};
use moorline_cip0103::STREAM_GAP;
use tokio::task::JoinHandle;

use super::session::next_event;

/// The names of the events up to one with this name, it included.
pub(crate) async fn names_until(events: &mut EventStream, last: &str) -> Vec<String> {
    let mut names = Vec::new();
    next_event(events, |kind| {
        let name = name(kind);
        names.push(name.clone());
        (name == last).then_some(())
    })
    .await;
    names
}

/// What an event is called. Gap marks are `gap:PHASE`, other events of the wallet their own name.
pub(crate) fn name(kind: &EventKind) -> String {
    match kind {
        EventKind::Provider(message) if &*message.name == STREAM_GAP => {
            format!("gap:{}", message.payload["phase"].as_str().unwrap())
        }
        EventKind::Provider(message) => message.name.to_string(),
        other => other.name().to_owned(),
    }
}

/// Where a person is sent next.
pub(crate) async fn sent_to(events: &mut EventStream) -> String {
    next_event(events, |kind| match kind {
        EventKind::UserActionRequired { action } => Some(action.url.to_string()),
        _ => None,
    })
    .await
}

/// Connects beside the test.
pub(crate) fn connecting(session: &Session) -> JoinHandle<Result<(), ConnectError>> {
    let session = session.clone();
    tokio::spawn(async move { session.connect().await.map(drop) })
}
