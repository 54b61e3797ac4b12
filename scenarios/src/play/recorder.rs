//! Writes down what a session says while it lives.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline::Session;
use moorline::session::EventItem;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::pace::Pace;

/// How many events may come without time passing: more are a session that never comes to rest.
const BURST: usize = 100_000;

/// An event, and when it was heard.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// Which session object said it.
    pub(super) session: usize,
    pub(super) at: Duration,
    pub(super) kind: String,
    pub(super) json: Value,
}

/// Everything that was heard, and what no session should ever do.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    heard: Vec<Heard>,
    broken: Vec<String>,
    /// Events heard at the present time.
    burst: (Duration, usize),
}

impl Log {
    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.with(|inner| inner.heard.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.with(|inner| inner.heard.len())
    }

    pub(super) fn has(&self, kind: &str, from: usize) -> bool {
        self.with(|inner| {
            inner
                .heard
                .iter()
                .skip(from)
                .any(|heard| heard.kind == kind)
        })
    }

    /// Laws that were broken, whatever the scenario expects: events are numbered without gaps, and
    /// connected means that there is an account.
    pub(super) fn broken(&self) -> Vec<String> {
        self.with(|inner| inner.broken.clone())
    }
}

impl Inner {
    /// Whether events keep coming while time stands still.
    fn is_restless(&mut self, at: Duration) -> bool {
        if self.burst.0 != at {
            self.burst = (at, 0);
        }
        self.burst.1 += 1;
        self.burst.1 > BURST
    }
}

/// Listens to a session for as long as it lives.
pub(super) fn record(session: &Session, log: &Log, pace: &Pace, number: usize, origin: Instant) {
    let mut events = session.events();
    let (heard, pace) = (log.clone(), pace.clone());
    tokio::spawn(async move {
        let mut last = 0;
        while let Some(item) = events.next().await {
            let at = origin.elapsed();
            if heard.with(|inner| inner.is_restless(at)) {
                pace.give_up();
                return;
            }
            heard.with(|inner| hear(inner, item, &mut last, number, at));
        }
    });
    let mut snapshots = session.watch();
    let log = log.clone();
    tokio::spawn(async move {
        let mut last = snapshots.borrow().seq;
        while snapshots.changed().await.is_ok() {
            let snapshot = snapshots.borrow_and_update().clone();
            if snapshot.is_connected() && (snapshot.accounts.is_empty() || snapshot.stale) {
                let problem = format!(
                    "snapshot {} is connected without a confirmed account",
                    snapshot.seq
                );
                log.with(|inner| inner.broken.push(problem));
            }
            if snapshot.seq <= last {
                let problem = format!("snapshot {} came after {last}", snapshot.seq);
                log.with(|inner| inner.broken.push(problem));
            }
            last = snapshot.seq;
        }
    });
}

fn hear(inner: &mut Inner, item: EventItem, last: &mut u64, session: usize, at: Duration) {
    match item {
        EventItem::Event(event) => {
            if event.seq != *last + 1 {
                let problem = format!("event {} came after {last}", event.seq);
                inner.broken.push(problem);
            }
            *last = event.seq;
            inner.heard.push(Heard {
                session,
                at,
                kind: event.kind.name().into(),
                json: serde_json::to_value(&*event).unwrap_or_default(),
            });
        }
        EventItem::Missed(count) => {
            *last += count;
            inner.heard.push(Heard {
                session,
                at,
                kind: "(missed)".into(),
                json: json!({ "type": "(missed)", "count": count }),
            });
        }
    }
}
