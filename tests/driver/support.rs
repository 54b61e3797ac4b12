//! What the tests of the driver share.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use moorline::clock::VirtualClock;
use moorline::policy::{Backoff, Deadlines, ExpiryPolicy};
use moorline::provider::{ErrorKind, ProviderError};
use moorline::session::{EventItem, EventStream, SessionBuilder};
use moorline::{Event, Policy, Provider, Session, Timestamp};
use moorline_scripted::{Control, ScriptedWallet};

/// A policy without jitter, so that delays can be told beforehand.
pub(crate) fn policy() -> Policy {
    Policy {
        reconnect: Backoff {
            jitter: false,
            ..Backoff::default()
        },
        ..Policy::default()
    }
}

pub(crate) fn expiring(ttl: Duration) -> Policy {
    Policy {
        expiry: ExpiryPolicy {
            ttl: Some(ttl),
            warning: None,
            ..ExpiryPolicy::default()
        },
        ..policy()
    }
}

pub(crate) fn short_deadlines() -> Deadlines {
    Deadlines {
        connect: Duration::from_secs(3),
        probe: Duration::from_secs(2),
        disconnect: Duration::from_secs(1),
        operation: Duration::from_secs(10),
        ..Deadlines::default()
    }
}

/// A session builder around a scripted wallet with Alice and Bob, Alice being primary.
pub(crate) fn wallet() -> (SessionBuilder, Control) {
    let (provider, wallet) = ScriptedWallet::new().accounts(["alice", "bob"]).build();
    (builder(provider), wallet)
}

/// A builder with a wall clock that follows the paused one.
pub(crate) fn builder(provider: impl Provider) -> SessionBuilder {
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    Session::builder(provider)
        .policy(policy())
        .clock(VirtualClock::starting_at(start))
}

/// A session that is connected.
pub(crate) async fn connected() -> (Session, Control) {
    let (builder, wallet) = wallet();
    let session = builder.build().unwrap();
    session.connect().await.unwrap();
    (session, wallet)
}

pub(crate) fn unreachable() -> ProviderError {
    ProviderError::new(ErrorKind::Unreachable, "connection refused")
}

/// Lets everything that can run without time passing run.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What has been published by now.
pub(crate) fn published(events: &mut EventStream) -> Vec<Arc<Event>> {
    std::iter::from_fn(|| events.try_next())
        .map(|item| match item {
            EventItem::Event(event) => event,
            EventItem::Missed(missed) => panic!("missed {missed} events"),
        })
        .collect()
}

/// The names of what has been published by now.
pub(crate) fn names(events: &mut EventStream) -> Vec<&'static str> {
    published(events)
        .iter()
        .map(|event| event.kind.name())
        .collect()
}
