//! One ordered writer for the session's record: writes coalesce, failures are retried.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use statig::Outcome;

use super::context::Context;
use super::effect::{Effect, Need, Ticket, Write};
use super::session_end;
use super::state::State;
use super::timer::Timer;
use crate::clock::millis;
use crate::event::EventKind;
use crate::snapshot::DisconnectReason;
use crate::store::{Intent, Record, Tombstone};

/// First delay before a failed write is tried again; doubles up to [`RETRY_CAP`].
const RETRY_BASE: Duration = Duration::from_secs(1);
const RETRY_CAP: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Persist {
    /// Counts the states that were to be written.
    generation: u64,
    /// There only while there is something: never without a store, and rarely with one.
    work: Option<Box<Work>>,
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Work {
    /// What is to be written next; a later state replaces an earlier one.
    wanted: Option<Box<Write>>,
    /// The write under way, kept until it has succeeded.
    writing: Option<(Ticket, Box<Write>)>,
    /// Failures since the last success.
    failures: u32,
    /// What a restore has read, until the session stands: it need not be written again.
    restored: Option<Box<Record>>,
}

impl Persist {
    pub(super) fn is_waiting_for(&self, ticket: Ticket) -> bool {
        self.ticket() == Some(ticket)
    }

    /// The ticket of the write under way.
    fn ticket(&self) -> Option<Ticket> {
        let (ticket, _) = self.work.as_deref()?.writing.as_ref()?;
        Some(*ticket)
    }

    /// Changes what there is to do. Nothing is kept of nothing.
    fn change<T>(&mut self, change: impl FnOnce(&mut Work) -> T) -> T {
        let mut work = self.work.take().unwrap_or_default();
        let result = change(&mut work);
        if *work != Work::default() {
            self.work = Some(work);
        }
        result
    }

    /// Whether everything is written.
    pub(super) fn is_idle(&self) -> bool {
        let work = self.work.as_deref();
        work.is_none_or(|work| work.wanted.is_none() && work.writing.is_none())
    }

    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        let kind = |write: &Write| match write {
            Write::Save { fresh, .. } => (Some(*fresh), None),
            Write::Erase(tombstone) => (None, Some(tombstone.reason)),
        };
        let nothing = Work::default();
        let work = self.work.as_deref().unwrap_or(&nothing);
        work.wanted.as_deref().map(kind).hash(hasher);
        work.writing
            .as_ref()
            .map(|(_, write)| kind(write))
            .hash(hasher);
        work.failures.min(6).hash(hasher);
        work.restored.is_some().hash(hasher);
    }

    /// A restore begins with what was stored. Later states have higher generations.
    pub(super) fn continue_from(&mut self, record: &Record) {
        self.generation = self.generation.max(record.generation);
        self.change(|work| work.restored = Some(Box::new(record.clone())));
    }

    fn wanted(&self) -> Option<&Write> {
        self.work.as_deref()?.wanted.as_deref()
    }

    fn next_generation(&mut self) -> u64 {
        // What was read may be as high as a number can be.
        self.generation = self.generation.saturating_add(1);
        self.generation
    }
}

/// Has the present session written. `fresh` if it follows from the user's own `connect`.
pub(super) fn save(fresh: bool, cx: &mut Context<'_>) {
    save_if(fresh, Need::Always, cx);
}

/// Has the present session written unless another member of it has done so.
pub(super) fn save_what_was_told(need: Need, cx: &mut Context<'_>) {
    save_if(false, need, cx);
}

fn save_if(fresh: bool, need: Need, cx: &mut Context<'_>) {
    if !cx.core.setup.persistent || cx.core.intent == Intent::Disconnected {
        return;
    }
    // A fresh state that is not written yet stays fresh when it is replaced, and what had to be
    // written still has to be.
    let (fresh, need) = match cx.core.persist.wanted() {
        Some(Write::Save {
            fresh: fresh_before,
            need: before,
            ..
        }) => (
            fresh || *fresh_before,
            if *before == need { need } else { Need::Always },
        ),
        Some(Write::Erase(_)) => (fresh, Need::Always),
        None => (fresh, need),
    };
    let core = &mut *cx.core;
    let record = Record {
        provider: core.setup.provider.clone(),
        intent: core.intent,
        accounts: core.known.accounts.clone(),
        network: core.known.network.clone(),
        connected_at: core.connected_at.unwrap_or(cx.now.wall),
        expires_at: core.expiry.at(),
        generation: core.persist.next_generation(),
        // The store knows what it read there, and keeps it.
        about: None,
        provider_payload: None,
        extra: None,
    };
    let restored = core.persist.change(|work| work.restored.take());
    let unchanged = restored.is_some_and(|restored| restored.is_same_session(&record));
    let need = match need {
        _ if fresh => Need::Always,
        Need::Always if unchanged => Need::IfDifferent,
        need => need,
    };
    let write = Write::Save {
        record,
        fresh,
        need,
    };
    want(write, cx);
}

/// Has what is stored of the session written again, because what the store adds to it is another.
/// There is nothing to write before the session has stood, and after it has ended.
pub(super) fn save_again(cx: &mut Context<'_>) -> Outcome<State> {
    let core = &mut *cx.core;
    if core.connected_at.is_none() || core.known.accounts.is_empty() {
        return Outcome::Super;
    }
    core.persist.change(|work| work.restored = None);
    save(false, cx);
    Outcome::Handled
}

/// Has the record replaced by a tombstone.
pub(super) fn erase(reason: DisconnectReason, cx: &mut Context<'_>) {
    if !cx.core.setup.persistent {
        return;
    }
    cx.core.persist.change(|work| work.restored = None);
    let generation = cx.core.persist.next_generation();
    let tombstone = Tombstone {
        reason,
        at: cx.now.wall,
        generation,
    };
    want(Write::Erase(tombstone), cx);
}

fn want(write: Write, cx: &mut Context<'_>) {
    let wanted = Some(Box::new(write));
    cx.core.persist.change(|work| work.wanted = wanted);
    start(cx);
}

/// Starts the next write unless one is under way: one at a time keeps them in order.
fn start(cx: &mut Context<'_>) {
    if cx.core.persist.ticket().is_some() || cx.core.persist.wanted().is_none() {
        return;
    }
    let ticket = cx.core.ticket();
    let write = cx.core.persist.change(|work| {
        let write = work.wanted.take();
        work.writing = write.clone().map(|write| (ticket, write));
        write
    });
    let Some(write) = write else { return };
    cx.stop_timer(Timer::PersistRetry);
    cx.effect(Effect::Persist(ticket, *write));
    let deadline = cx.core.setup.policy.deadlines.storage;
    cx.start_timer(Timer::Persist, deadline);
}

pub(super) fn persisted(result: &Result<(), Arc<str>>, cx: &mut Context<'_>) -> Outcome<State> {
    match result {
        Ok(()) => {
            cx.stop_timer(Timer::Persist);
            let failures = cx.core.persist.change(|work| {
                work.writing = None;
                std::mem::take(&mut work.failures)
            });
            if failures > 0 {
                cx.publish(EventKind::PersistRecovered);
            }
            start(cx);
            session_end::settle_disconnect(cx);
        }
        Err(error) => failed(error.clone(), cx),
    }
    Outcome::Handled
}

pub(super) fn timed_out(cx: &mut Context<'_>) -> Outcome<State> {
    if let Some(ticket) = cx.core.persist.ticket() {
        cx.effect(Effect::Cancel(ticket));
        let after = cx.core.setup.policy.deadlines.storage;
        failed(
            format!("no answer within {} ms", after.as_millis()).into(),
            cx,
        );
    }
    Outcome::Handled
}

fn failed(error: Arc<str>, cx: &mut Context<'_>) {
    cx.stop_timer(Timer::Persist);
    let failures = cx.core.persist.change(|work| {
        let (_, write) = work.writing.take()?;
        // What is wanted by now is newer than what failed, and follows from as much.
        match work.wanted.as_deref_mut() {
            Some(wanted) => wanted.replace(&write),
            None => work.wanted = Some(write),
        }
        let before = work.failures;
        work.failures = before.saturating_add(1);
        Some(before)
    });
    let Some(failures) = failures else { return };
    let doublings = failures.min(6);
    let delay = (RETRY_BASE * 2_u32.pow(doublings)).min(RETRY_CAP);
    cx.start_timer(Timer::PersistRetry, delay);
    let retry_in_ms = millis(delay);
    cx.publish(EventKind::PersistFailed {
        error: error.clone(),
        retry_in_ms,
    });
    session_end::disconnect_not_persisted(error, cx);
}

pub(super) fn retry(cx: &mut Context<'_>) -> Outcome<State> {
    start(cx);
    Outcome::Handled
}

/// The session is closed: what is not written yet is tried once more, at once.
pub(super) fn flush(cx: &mut Context<'_>) {
    start(cx);
}

/// The session stops: nothing is written any more.
pub(super) fn abandon(cx: &mut Context<'_>) {
    let writing = cx.core.persist.change(|work| {
        work.wanted = None;
        work.writing.take()
    });
    if let Some((ticket, _)) = writing {
        cx.effect(Effect::Cancel(ticket));
    }
    cx.stop_timer(Timer::Persist);
    cx.stop_timer(Timer::PersistRetry);
}
