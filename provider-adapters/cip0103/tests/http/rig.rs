//! What every test needs: a gateway, a session on it, and its events.

use std::time::Duration;

use moorline::policy::Backoff;
use moorline::session::{EventItem, EventStream};
use moorline::{EventKind, Policy, Session};
use moorline_cip0103::auth::StaticToken;
use moorline_cip0103::{HttpProvider, HttpProviderBuilder};

use crate::gate::Gate;

/// Longer than anything takes; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it never happened")
}

/// A provider that is quick to come back.
pub(crate) fn builder(gate: &Gate) -> HttpProviderBuilder {
    HttpProvider::builder(&gate.url())
        .authenticator(StaticToken::new("good".to_owned().into()))
        .stream_backoff(Duration::from_millis(5), Duration::from_millis(50))
}

/// A session that recovers fast and for ever.
pub(crate) fn session(provider: HttpProvider) -> Session {
    let reconnect = Backoff {
        base: Duration::from_millis(5),
        cap: Duration::from_millis(50),
        max_attempts: None,
        ..Backoff::default()
    };
    let policy = Policy {
        reconnect,
        ..Policy::default()
    };
    Session::builder(provider)
        .policy(policy)
        .event_capacity(4096)
        .build()
        .unwrap()
}

/// A gateway, and a session that is connected to it with its stream open.
pub(crate) async fn connected() -> (Gate, Session, EventStream) {
    connected_with(|builder| builder).await
}

pub(crate) async fn connected_with(
    options: impl FnOnce(HttpProviderBuilder) -> HttpProviderBuilder,
) -> (Gate, Session, EventStream) {
    let gate = Gate::start().await;
    let session = session(options(builder(&gate)).build().unwrap());
    soon(session.connect()).await.unwrap();
    gate.until_streams(1).await;
    let events = session.events();
    (gate, session, events)
}

/// The next event that is wanted; what comes before goes into `passed`.
pub(crate) async fn next_event<T>(
    events: &mut EventStream,
    mut wanted: impl FnMut(&EventKind) -> Option<T>,
) -> T {
    soon(async {
        loop {
            match events.next().await.expect("the session is closed") {
                EventItem::Event(event) => {
                    if let Some(found) = wanted(&event.kind) {
                        return found;
                    }
                }
                EventItem::Missed(missed) => panic!("{missed} events missed"),
            }
        }
    })
    .await
}

/// The names of the events up to one with this name, it included. Gap marks are `gap:PHASE`, other
/// events of the wallet their own name.
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

pub(crate) fn name(kind: &EventKind) -> String {
    match kind {
        EventKind::Provider(message) if &*message.name == moorline_cip0103::STREAM_GAP => {
            format!("gap:{}", message.payload["phase"].as_str().unwrap())
        }
        EventKind::Provider(message) => message.name.to_string(),
        other => other.name().to_owned(),
    }
}
