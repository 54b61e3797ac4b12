//! A session that recovers fast, and its events.

use std::time::Duration;

use moorline::policy::{Backoff, QueuePolicy};
use moorline::provider::Provider;
use moorline::session::{EventItem, EventStream};
use moorline::{EventKind, Policy, Session};

/// Longer than anything takes; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it never happened")
}

/// A session that recovers fast and for ever.
pub(crate) fn session(provider: impl Provider) -> Session {
    let reconnect = Backoff {
        base: Duration::from_millis(5),
        cap: Duration::from_millis(50),
        max_attempts: None,
        ..Backoff::default()
    };
    let queue = QueuePolicy {
        capacity: 256,
        ..QueuePolicy::default()
    };
    let policy = Policy {
        reconnect,
        queue,
        ..Policy::default()
    };
    Session::builder(provider)
        .policy(policy)
        .event_capacity(4096)
        .build()
        .unwrap()
}

/// The next event that is wanted.
pub(crate) async fn next_event<T>(
    events: &mut EventStream,
    mut wanted: impl FnMut(&EventKind) -> Option<T>,
) -> T {
    let mut passed = Vec::new();
    let waiting = async {
        loop {
            match events.next().await.expect("the session is closed") {
                EventItem::Event(event) => {
                    passed.push(format!("{:?}", event.kind));
                    if let Some(found) = wanted(&event.kind) {
                        return found;
                    }
                }
                EventItem::Missed(missed) => panic!("{missed} events missed"),
            }
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("it never happened; what did: {passed:#?}"),
    }
}
