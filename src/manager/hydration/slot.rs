//! One name of one session: what is there, and what is being done about it.

use std::any::Any;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::DataError;
use super::event::FetchCause;
use super::fetch::Fetch;
use super::version::Version;
use crate::clock::Timestamp;
use crate::manager::key::SessionKey;

/// A value that is kept.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) value: Arc<dyn Any + Send + Sync>,
    pub(super) version: Option<Version>,
    /// When it was fetched, or last found to be the newest.
    pub(super) at: Timestamp,
    pub(super) since: Instant,
    pub(super) stale: bool,
    /// Its place in the order of use.
    pub(super) turn: u64,
}

/// A fetch that is under way.
pub(super) struct Run {
    pub(super) number: u64,
    pub(super) task: AbortHandle,
    /// Whether it counts among those that run at once.
    pub(super) placed: bool,
    /// Whether it is a subscription that has said something.
    pub(super) open: bool,
}

#[derive(Default)]
pub(super) enum Phase {
    /// Nothing is to be done.
    #[default]
    Idle,
    /// In line for a place.
    Queued,
    /// Being fetched.
    Running(Run),
    /// It failed, and is tried again when due.
    Waiting,
    /// It failed too often, or for good.
    GaveUp,
}

pub(super) type Waiter = oneshot::Sender<Result<Held, DataError>>;

pub(super) struct Slot {
    pub(super) held: Option<Held>,
    pub(super) phase: Phase,
    /// Why it is fetched.
    pub(super) cause: FetchCause,
    /// Failures in a row, and when the first one was.
    pub(super) failures: u32,
    pub(super) failing_since: Option<Instant>,
    /// When it is tried again or refreshed.
    pub(super) due: Option<Instant>,
    /// Whether it is fetched without being asked for.
    pub(super) wanted: bool,
    pub(super) waiters: Vec<Waiter>,
}

impl Slot {
    pub(super) fn new(fetch: &Fetch) -> Self {
        Self {
            held: None,
            phase: Phase::Idle,
            cause: FetchCause::Asked,
            failures: 0,
            failing_since: None,
            due: None,
            wanted: !fetch.on_demand,
            waiters: Vec::new(),
        }
    }

    pub(super) fn run(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Running(run) => Some(run),
            _ => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.run().is_some_and(|run| run.open)
    }

    /// Whether what is there is no longer fresh.
    pub(super) fn is_stale(&self, fetch: &Fetch, now: Instant) -> bool {
        let Some(held) = &self.held else {
            return false;
        };
        let old = |ttl| now.saturating_duration_since(held.since) >= ttl;
        held.stale || (!self.is_open() && fetch.ttl.is_some_and(old))
    }

    /// Whether there is something to fetch.
    pub(super) fn lacks(&self, fetch: &Fetch, now: Instant) -> bool {
        self.held.is_none() || self.is_stale(fetch, now)
    }

    /// As it is shown now.
    pub(super) fn shown(&self, fetch: &Fetch, now: Instant) -> Option<Held> {
        let stale = self.is_stale(fetch, now);
        let held = self.held.as_ref().filter(|_| fetch.serve_stale || !stale)?;
        Some(Held {
            stale,
            ..held.clone()
        })
    }

    pub(super) fn answer(&mut self, answer: &Result<Held, DataError>) {
        for waiter in self.waiters.drain(..) {
            // Who has stopped waiting needs no answer.
            let _unheard = waiter.send(answer.clone());
        }
    }
}

/// How a session stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::manager) enum Link {
    Connected,
    /// Nothing begins; what is under way goes on.
    Reconnecting,
    Down,
}

/// All names of one session.
pub(super) struct Data {
    pub(super) key: Arc<SessionKey>,
    pub(super) link: Link,
    /// Why everything is fetched when it is connected next.
    pub(super) next: FetchCause,
    pub(super) slots: Box<[Slot]>,
}
