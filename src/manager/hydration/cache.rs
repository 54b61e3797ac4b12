//! What is kept for all sessions, and what is to be fetched. Never runs anything itself.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::DataError;
use super::event::{FetchCause, HydrationEvent, InvalidatedBy};
use super::fetch::{Erased, Fetch, Kit, Source};
use super::slot::{Data, Held, Phase, Run, Slot};
use super::version::Version;
use crate::clock::{Timestamp, millis};
use crate::manager::key::SessionKey;
use crate::provider::ProviderError;

/// Names a slot: the session's number, and the place of the fetcher in the kit.
pub(super) type At = (u64, usize);

/// A fetch to begin.
pub(super) struct Job {
    pub(super) at: At,
    pub(super) number: u64,
    pub(super) cause: FetchCause,
    pub(super) fetch: Arc<Fetch>,
}

/// What somebody who asks gets.
pub(super) enum Asked {
    Now(Held),
    Later(oneshot::Receiver<Result<Held, DataError>>),
}

pub(in crate::manager) struct Cache {
    pub(super) kit: Kit,
    pub(super) sessions: HashMap<u64, Data>,
    /// For each fetcher, the sessions in line.
    line: Vec<VecDeque<u64>>,
    /// For each fetcher, how many are under way.
    running: Vec<usize>,
    /// Which fetcher begins next, so that none keeps the others from beginning.
    next_line: usize,
    due: BTreeSet<(Instant, At)>,
    /// Values in the order of their use, where only so many are kept.
    used: BTreeMap<u64, At>,
    turn: u64,
    pub(super) told: Vec<(u64, Arc<SessionKey>, HydrationEvent)>,
    /// Dropped where nothing is locked: the application's own code may run then.
    pub(super) trash: Vec<Box<dyn Any + Send>>,
    random: fastrand::Rng,
    pub(super) bell: Arc<Notify>,
}

impl Cache {
    /// `None` if there is nothing to fetch.
    pub(in crate::manager) fn new(kit: Kit) -> Option<Box<Self>> {
        if kit.is_empty() {
            return None;
        }
        let fetches = kit.fetches.len();
        Some(Box::new(Self {
            kit,
            sessions: HashMap::new(),
            line: vec![VecDeque::new(); fetches],
            running: vec![0; fetches],
            next_line: 0,
            due: BTreeSet::new(),
            used: BTreeMap::new(),
            turn: 0,
            told: Vec::new(),
            trash: Vec::new(),
            random: fastrand::Rng::new(),
            bell: Arc::default(),
        }))
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.kit.fetches.iter().position(|it| &*it.name == name)
    }

    pub(super) fn fetch(&self, index: usize) -> Arc<Fetch> {
        self.kit.fetches[index].clone()
    }

    pub(super) fn slot(&mut self, (id, index): At) -> Option<&mut Slot> {
        self.sessions.get_mut(&id)?.slots.get_mut(index)
    }

    fn turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    pub(super) fn tell(&mut self, id: u64, event: HydrationEvent) {
        if let Some(data) = self.sessions.get(&id) {
            self.told.push((id, data.key.clone(), event));
        }
    }

    /// When there is something to do by the clock.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    pub(super) fn set_due(&mut self, at: At, due: Option<Instant>) {
        let Some(slot) = self.slot(at) else { return };
        if let Some(before) = std::mem::replace(&mut slot.due, due) {
            self.due.remove(&(before, at));
        }
        if let Some(due) = due {
            self.due.insert((due, at));
        }
    }

    /// Puts into line what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some((due, at)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, at));
            let Some(slot) = self.slot(at) else { continue };
            slot.due = None;
            match slot.phase {
                Phase::Waiting => {
                    let cause = slot.cause;
                    self.enqueue(at, cause, false);
                }
                Phase::Idle | Phase::GaveUp => self.enqueue(at, FetchCause::Scheduled, false),
                Phase::Running(ref run) => {
                    let number = run.number;
                    self.overdue(at, number);
                }
                Phase::Queued => {}
            }
        }
    }

    /// Puts a slot into line, unless it is there or under way.
    pub(super) fn enqueue(&mut self, at: At, cause: FetchCause, first: bool) {
        let pushed = matches!(self.kit.fetches[at.1].source, Source::Pushed);
        let Some(slot) = self.slot(at) else { return };
        let queued = matches!(slot.phase, Phase::Queued);
        if pushed || slot.run().is_some() || (queued && !first) {
            return;
        }
        slot.wanted = true;
        if !queued {
            slot.cause = cause;
            slot.phase = Phase::Queued;
            self.set_due(at, None);
        }
        match first {
            true => self.line[at.1].push_front(at.0),
            false => self.line[at.1].push_back(at.0),
        }
        self.bell.notify_one();
    }

    /// Takes the next one out of line, if there is a place for it.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        let fetches = self.kit.fetches.len();
        for turn in 0..fetches {
            if self.running.iter().sum::<usize>() >= self.kit.at_once {
                return None;
            }
            let index = (self.next_line + turn) % fetches;
            let fetch = self.fetch(index);
            while self.running[index] < fetch.at_once {
                let Some(id) = self.line[index].pop_front() else {
                    break;
                };
                let at = (id, index);
                let slot = self.slot(at);
                // It may have left, or have been asked for twice.
                let Some(cause) = slot
                    .filter(|it| matches!(it.phase, Phase::Queued))
                    .map(|it| it.cause)
                else {
                    continue;
                };
                self.next_line = index + 1;
                let number = self.turn();
                return Some(Job {
                    at,
                    number,
                    cause,
                    fetch,
                });
            }
        }
        None
    }

    /// A job that was taken has begun.
    pub(super) fn began(&mut self, job: (At, u64), task: AbortHandle, now: Instant) {
        let (at, number) = job;
        let Some(slot) = self.slot(at) else { return };
        let cause = slot.cause;
        slot.phase = Phase::Running(Run {
            number,
            task,
            placed: true,
            open: false,
        });
        self.running[at.1] += 1;
        let fetch = self.fetch(at.1);
        if fetch.is_stream() {
            self.set_due(at, Some(after(now, fetch.deadline)));
        }
        let name = fetch.name.clone();
        self.tell(at.0, HydrationEvent::Started { name, cause });
    }

    /// Whether this run is the one that counts. Others are late: what they bring is dropped.
    fn counts(&mut self, at: At, number: u64) -> bool {
        let counts = self
            .slot(at)
            .and_then(|slot| slot.run())
            .is_some_and(|run| run.number == number);
        if !counts {
            tracing::trace!(
                session = at.0,
                number,
                "a late answer of a fetch is dropped"
            );
        }
        counts
    }

    fn release(&mut self, at: At) {
        if let Some(Slot {
            phase: Phase::Running(run),
            ..
        }) = self.slot(at)
            && std::mem::take(&mut run.placed)
        {
            self.running[at.1] -= 1;
            self.bell.notify_one();
        }
    }

    /// A run has brought a value. One that fetches once has ended with it.
    pub(super) fn brought(&mut self, at: At, number: u64, new: Erased, now: (Instant, Timestamp)) {
        if !self.counts(at, number) {
            self.trash.push(Box::new(new.value));
            return;
        }
        self.release(at);
        let fetch = self.fetch(at.1);
        let first = self.slot(at).is_some_and(|slot| !slot.is_open());
        if let Some(slot) = self.slot(at) {
            slot.failures = 0;
            slot.failing_since = None;
            match &mut slot.phase {
                Phase::Running(run) if fetch.is_stream() => run.open = true,
                phase => *phase = Phase::Idle,
            }
        }
        let due = fetch.refresh_every.filter(|_| !fetch.is_stream());
        self.set_due(at, due.map(|every| after(now.0, every)));
        if !self.offer(at, new, now) && first {
            let name = fetch.name.clone();
            self.tell(at.0, HydrationEvent::Unchanged { name });
        }
        if let Some(slot) = self.slot(at)
            && let Some(held) = slot.held.clone()
        {
            slot.answer(&Ok(held));
        }
        self.bound();
    }

    /// A run has failed.
    pub(super) fn failed(&mut self, at: At, number: u64, error: ProviderError, now: Instant) {
        if !self.counts(at, number) {
            return;
        }
        self.release(at);
        let fetch = self.fetch(at.1);
        let random = self.random.u64(..);
        let Some(data) = self.sessions.get_mut(&at.0) else {
            return;
        };
        let connected = data.link == super::slot::Link::Connected;
        let slot = &mut data.slots[at.1];
        slot.failures = slot.failures.saturating_add(1);
        let attempt = slot.failures;
        let since = *slot.failing_since.get_or_insert(now);
        if let Some(held) = &mut slot.held {
            held.stale = true;
        }
        let retry = &fetch.retry;
        let again = error.is_retryable()
            && connected
            && retry.max_attempts.is_none_or(|max| attempt <= max)
            && retry.max_elapsed.is_none_or(|max| now - since < max);
        let delay = retry.delay(attempt, random);
        let delay = delay.max(error.retry_after().unwrap_or_default());
        slot.phase = if again { Phase::Waiting } else { Phase::GaveUp };
        let name = fetch.name.clone();
        let answer = DataError::Failed {
            name: name.clone(),
            error: error.clone(),
        };
        slot.answer(&Err(answer));
        let due = again.then_some(delay).or(fetch.refresh_every);
        self.set_due(at, due.filter(|_| connected).map(|due| after(now, due)));
        self.tell(
            at.0,
            HydrationEvent::Failed {
                name,
                attempt,
                error,
                retry_in_ms: again.then(|| millis(delay)),
            },
        );
    }

    /// A subscription has said nothing within its deadline: it stays, and keeps nobody waiting.
    fn overdue(&mut self, at: At, number: u64) {
        if !self.counts(at, number) {
            return;
        }
        self.release(at);
        let name = self.fetch(at.1).name.clone();
        if let Some(slot) = self.slot(at) {
            slot.answer(&Err(DataError::Nothing { name }));
        }
    }

    /// Takes a value if it is to replace what is there.
    pub(super) fn offer(&mut self, at: At, new: Erased, now: (Instant, Timestamp)) -> bool {
        let turn = self.turn();
        let Some(slot) = self.slot(at) else {
            return false;
        };
        if let Some(held) = &mut slot.held
            && !replaces(new.version.as_ref(), held.version.as_ref())
        {
            // What is there was found to be the newest.
            (held.since, held.at, held.stale) = (now.0, now.1, false);
            self.trash.push(Box::new(new.value));
            return false;
        }
        let version = new.version.clone();
        let held = Held {
            value: new.value,
            version: new.version,
            at: now.1,
            since: now.0,
            stale: false,
            turn,
        };
        if let Some(before) = slot.held.replace(held) {
            self.used.remove(&before.turn);
            self.trash.push(Box::new(before));
        }
        if self.kit.max_values.is_some() {
            self.used.insert(turn, at);
        }
        let name = self.fetch(at.1).name.clone();
        self.tell(at.0, HydrationEvent::Updated { name, version });
        true
    }

    /// Somebody looks at a value.
    pub(super) fn touch(&mut self, at: At) {
        if self.kit.max_values.is_none() {
            return;
        }
        let turn = self.turn();
        if let Some(held) = self.slot(at).and_then(|slot| slot.held.as_mut()) {
            let before = std::mem::replace(&mut held.turn, turn);
            self.used.remove(&before);
            self.used.insert(turn, at);
        }
    }

    /// Drops the values that were not looked at for longest, while there are too many.
    pub(super) fn bound(&mut self) {
        let Some(max) = self.kit.max_values else {
            return;
        };
        while self.used.len() > max {
            let Some((_, at)) = self.used.pop_first() else {
                return;
            };
            self.stop(at);
            if let Some(slot) = self.slot(at) {
                // Until somebody asks.
                slot.wanted = false;
            }
            self.forget(at, Some(InvalidatedBy::Capacity));
        }
    }

    /// Drops a value.
    pub(super) fn forget(&mut self, at: At, cause: Option<InvalidatedBy>) {
        let Some(held) = self.slot(at).and_then(|slot| slot.held.take()) else {
            return;
        };
        self.used.remove(&held.turn);
        self.trash.push(Box::new(held));
        if let Some(cause) = cause {
            let name = self.fetch(at.1).name.clone();
            self.tell(at.0, HydrationEvent::Invalidated { name, cause });
        }
    }

    /// Stops what is under way or planned; who waits goes on waiting.
    pub(super) fn stop(&mut self, at: At) {
        self.release(at);
        self.set_due(at, None);
        if let Some(slot) = self.slot(at) {
            if let Phase::Running(run) = std::mem::take(&mut slot.phase) {
                run.task.abort();
            }
            slot.failures = 0;
            slot.failing_since = None;
        }
    }

    /// A session has left.
    pub(in crate::manager) fn leave(&mut self, id: u64) {
        for index in 0..self.kit.fetches.len() {
            self.stop((id, index));
            self.forget((id, index), None);
        }
        if let Some(mut data) = self.sessions.remove(&id) {
            for slot in &mut data.slots {
                slot.answer(&Err(DataError::Gone));
            }
        }
        self.bell.notify_one();
    }

    /// All sessions leave.
    pub(in crate::manager) fn leave_all(&mut self) {
        let ids: Vec<u64> = self.sessions.keys().copied().collect();
        for id in ids {
            self.leave(id);
        }
    }

    pub(super) fn delay_until(&self, now: Instant) -> Option<Duration> {
        Some(self.next_due()?.saturating_duration_since(now))
    }
}

/// That much later, or so far away that it makes no difference: an `Instant` has an end.
pub(super) fn after(at: Instant, wait: Duration) -> Instant {
    at + wait.min(Duration::from_secs(100 * 365 * 24 * 60 * 60))
}

fn replaces(new: Option<&Version>, held: Option<&Version>) -> bool {
    match (new, held) {
        (Some(new), Some(held)) => new.replaces(held),
        _ => true,
    }
}
