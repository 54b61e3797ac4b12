//! The rules of behaviour as checks of single steps.

use std::hash::{DefaultHasher, Hash, Hasher};

use moorline::event::EventKind;
use moorline::machine::explore::{CallKind, Step, World};
use moorline::machine::{Effect, Input, Outbox, Setup};
use moorline::provider::{ProviderEvent, Sent, Verdict};
use moorline::store::Intent;
use moorline::{OperationError, Status};

use crate::ends;
use crate::explorer::Violation;

/// What the checks remember of the past.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Ledger {
    /// The user's last word, if it was a disconnect that nothing took back.
    user_disconnected: bool,
    closed: bool,
    connects: bool,
    restores: bool,
    disconnects: bool,
    verifies: bool,
    closes: bool,
    /// What could re-authenticate: the application's hook, the provider itself.
    pub(crate) hook: bool,
    own_means: bool,
}

impl Ledger {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            hook: setup.reauth_hook,
            own_means: setup.capabilities.reauthentication,
            ..Self::default()
        }
    }

    /// Whether anything could re-authenticate in this world.
    pub(crate) fn has_means(&self, world: &World) -> bool {
        self.own_means || (self.hook && !ends::is_restoring(world))
    }

    pub(crate) fn note(&mut self, _: &World, _: &World, step: &Step) {
        match &step.input {
            Input::Connect => {
                self.user_disconnected = false;
                self.connects = true;
            }
            Input::Restore => {
                self.user_disconnected = false;
                self.restores = true;
            }
            Input::Disconnect(_) => {
                // A closed session has no user any more.
                self.user_disconnected |= !self.closed;
                self.disconnects = true;
            }
            Input::Verify => self.verifies = true,
            Input::Close { .. } => {
                self.closed = true;
                self.closes = true;
            }
            _ => {}
        }
        for effect in &step.out.effects {
            match effect {
                Effect::SettleConnect(_) => self.connects = false,
                Effect::SettleRestore(_) => self.restores = false,
                Effect::SettleDisconnect(_) => self.disconnects = false,
                Effect::SettleVerify(_) => self.verifies = false,
                Effect::SettleClose => self.closes = false,
                _ => {}
            }
        }
    }

    pub(crate) fn nobody_waits(&self) -> bool {
        !(self.connects || self.restores || self.disconnects || self.verifies || self.closes)
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

pub(crate) type Check = Result<(), Violation>;

pub(crate) fn ensure(rule: u8, holds: bool, what: impl FnOnce() -> String) -> Check {
    if holds {
        Ok(())
    } else {
        Err(Violation::new(rule, what()))
    }
}

/// Checks one step: the world before, the world after, the past, and what happened.
pub(crate) fn check(before: &World, after: &World, ledger: &Ledger, step: &Step) -> Check {
    the_users_word_is_final(ledger, after, step)?;
    stale_means_dropped(before, after, step)?;
    one_recovery_at_a_time(after)?;
    nothing_after_close(ledger, step)?;
    no_detour(before, after, step)?;
    unknown_is_not_empty(before, after, step)?;
    ends::only_certainty_ends(ledger, before, after, step)?;
    reconciled_at_every_entry(before, after, step)?;
    operations_run_for_their_identity(after, step)?;
    operations_are_answered_once_and_in_order(step)?;
    expiry_is_absolute(before, after, step)?;
    events_are_numbered(before, step)
}

pub(crate) fn effects<'a>(
    out: &'a Outbox,
    which: impl Fn(&Effect) -> bool + 'a,
) -> impl Iterator<Item = &'a Effect> {
    out.effects.iter().filter(move |effect| which(effect))
}

/// Rule 1.
fn the_users_word_is_final(ledger: &Ledger, after: &World, step: &Step) -> Check {
    let just_said = matches!(step.input, Input::Disconnect(_)) && !ledger.closed;
    let taken_back = matches!(step.input, Input::Connect | Input::Restore);
    if !just_said && (!ledger.user_disconnected || taken_back) {
        return Ok(());
    }
    let status = after.machine.status();
    ensure(1, status.is_disconnected(), || {
        format!("{status} after a disconnect")
    })?;
    let opens = effects(&step.out, |effect| matches!(effect, Effect::Open { .. })).count();
    ensure(1, opens == 0, || {
        "a connection is opened after a disconnect".into()
    })?;
    let intent = after.machine.intent();
    ensure(1, intent == Intent::Disconnected, || {
        "the intent was not kept".into()
    })?;
    let has_store = before_was_connected(step);
    ensure(1, !has_store || persists_tombstone(after), || {
        "the disconnect is not on its way to the store".into()
    })
}

/// Whether this very step is the disconnect.
fn before_was_connected(step: &Step) -> bool {
    matches!(step.input, Input::Disconnect(_))
        && step
            .out
            .events
            .iter()
            .any(|event| matches!(event.kind, EventKind::Disconnected { .. }))
}

fn persists_tombstone(after: &World) -> bool {
    after
        .calls
        .iter()
        .any(|call| call.kind == CallKind::Persist && !call.cancelled)
        || after.machine.next_timeout().is_some()
}

/// Rule 2.
fn stale_means_dropped(before: &World, after: &World, step: &Step) -> Check {
    let epoch = before.machine.epoch();
    let stale = match &step.input {
        Input::Provider(from, _) => *from != epoch,
        Input::Opened(ticket, _)
        | Input::Probed(ticket, _)
        | Input::Loaded(ticket, _)
        | Input::Reauthenticated(ticket, _)
        | Input::LinkClosed(ticket, _)
        | Input::Persisted(ticket, _) => before
            .calls
            .iter()
            .any(|call| call.ticket == *ticket && call.cancelled),
        _ => false,
    };
    // An expiry that has passed takes its effect with whatever comes next, stale or not.
    let expired = before
        .machine
        .snapshot()
        .expires_at
        .is_some_and(|at| at <= before.now.wall);
    if !stale || expired {
        return Ok(());
    }
    let nothing = step.out.effects.is_empty()
        && step.out.events.is_empty()
        && step.out.snapshot.is_none()
        && after.machine == before.machine;
    ensure(2, nothing, || {
        format!("{} of an older epoch had an effect", step.input.name())
    })
}

/// Rule 3.
fn one_recovery_at_a_time(after: &World) -> Check {
    let live = |which: fn(CallKind) -> bool| {
        after
            .calls
            .iter()
            .filter(|call| !call.cancelled && which(call.kind))
            .count()
    };
    let attempts = live(|kind| {
        matches!(
            kind,
            CallKind::Load | CallKind::Open(_) | CallKind::Probe | CallKind::Reauthenticate
        )
    });
    ensure(3, attempts <= 1, || {
        format!("{attempts} attempts under way at once")
    })?;
    let closes = live(|kind| matches!(kind, CallKind::Close(_)));
    ensure(3, closes <= 1, || {
        format!("{closes} closes under way at once")
    })?;
    let opens = live(|kind| matches!(kind, CallKind::Open(_)));
    ensure(3, opens == 0 || closes == 0, || {
        "opened while a close is under way".into()
    })?;
    let writes = live(|kind| kind == CallKind::Persist);
    ensure(3, writes <= 1, || {
        format!("{writes} writes under way at once")
    })
}

/// Rule 5.
fn nothing_after_close(ledger: &Ledger, step: &Step) -> Check {
    if !ledger.closed {
        return Ok(());
    }
    let started = effects(&step.out, |effect| {
        matches!(
            effect,
            Effect::Load(_)
                | Effect::Open { .. }
                | Effect::Probe(_)
                | Effect::Reauthenticate(..)
                | Effect::Invalidate(_)
                | Effect::Broadcast(_)
                | Effect::Dispatch(_)
        )
    })
    .count();
    ensure(5, started == 0, || {
        "something was started after close".into()
    })?;
    let operation_left = step.input.name() == "submit" && step.answered.is_empty();
    ensure(5, !operation_left, || {
        "an operation was taken in after close".into()
    })
}

/// Rule 6.
fn no_detour(before: &World, after: &World, step: &Step) -> Check {
    let Input::Provider(epoch, ProviderEvent::Dropped(error)) = &step.input else {
        return Ok(());
    };
    let connected = before.machine.status() == Status::Connected;
    if !connected || *epoch != before.machine.epoch() || error.verdict() != Verdict::Unknown {
        return Ok(());
    }
    let snapshot = after.machine.snapshot();
    let gave_up = step
        .out
        .events
        .iter()
        .any(|event| matches!(event.kind, EventKind::ReconnectGaveUp { .. }));
    let expired = step
        .out
        .events
        .iter()
        .any(|event| matches!(event.kind, EventKind::Expired { .. }));
    let reconnecting = matches!(snapshot.status, Status::Reconnecting { .. });
    ensure(6, reconnecting || gave_up || expired, || {
        format!("a drop led from connected to {}", snapshot.status)
    })?;
    let kept = before.machine.snapshot().accounts == snapshot.accounts && snapshot.stale;
    ensure(6, kept || expired, || {
        "a drop did not keep what is known, marked stale".into()
    })
}

/// Rule 7.
fn unknown_is_not_empty(before: &World, after: &World, step: &Step) -> Check {
    let snapshot = after.machine.snapshot();
    if snapshot.status == Status::Connected {
        ensure(7, !snapshot.accounts.is_empty(), || {
            "connected without an account".into()
        })?;
        ensure(7, !snapshot.stale, || {
            "connected with unconfirmed accounts".into()
        })?;
    }
    let unsaid = match &step.input {
        Input::Probed(_, Ok(live)) => live.accounts.is_empty(),
        Input::Probed(_, Err(error)) => error.verdict() == Verdict::Unknown,
        Input::Provider(_, ProviderEvent::Accounts(accounts)) => accounts.is_empty(),
        _ => false,
    };
    let known = &before.machine.snapshot().accounts;
    let ended = step.out.events.iter().any(|event| {
        matches!(
            event.kind,
            EventKind::Expired { .. } | EventKind::ReauthFailed { .. }
        )
    });
    ensure(7, !unsaid || ended || *known == snapshot.accounts, || {
        "a failed or empty answer overwrote what is known".into()
    })
}

/// Rule 8.
fn reconciled_at_every_entry(before: &World, after: &World, step: &Step) -> Check {
    let (was, is) = (before.machine.identity(), after.machine.identity());
    let (Some(was), Some(is)) = (was, is) else {
        return Ok(());
    };
    if was == is {
        return Ok(());
    }
    let said = step.out.events.iter().any(|event| match &event.kind {
        EventKind::PartyChanged { previous, current } => {
            *previous == was.account && *current == is.account
        }
        EventKind::NetworkChanged { previous, current } => {
            Some(previous) == was.network.as_ref() && Some(current) == is.network.as_ref()
        }
        _ => false,
    });
    ensure(8, said, || format!("from {was} to {is} without an event"))?;
    let invalidated =
        effects(&step.out, |effect| matches!(effect, Effect::Invalidate(_))).count() > 0;
    ensure(8, invalidated, || {
        format!("from {was} to {is} without an invalidation")
    })?;
    let rewritten = after
        .calls
        .iter()
        .any(|call| call.kind == CallKind::Persist);
    ensure(8, rewritten, || {
        format!("from {was} to {is} without a rewritten record")
    })
}

/// Rule 9.
fn operations_run_for_their_identity(after: &World, step: &Step) -> Check {
    for effect in &step.out.effects {
        let Effect::Dispatch(id) = effect else {
            continue;
        };
        let Some(operation) = after.operations.iter().find(|op| op.id == *id) else {
            continue;
        };
        let now = after.machine.identity();
        ensure(9, operation.submitted_for.as_ref() == now, || {
            format!(
                "submitted for {:?}, run for {now:?}",
                operation.submitted_for
            )
        })?;
        let again = operation.dispatched > 1 && !operation.repeatable;
        ensure(9, !again, || {
            "run twice though it must not be repeated".into()
        })?;
        let connected = after.machine.status() == Status::Connected;
        ensure(9, connected, || {
            format!("run while {}", after.machine.status())
        })?;
    }
    for operation in &step.answered {
        let Some(error) = &operation.rejected else {
            continue;
        };
        let had_it = operation.dispatched > 0;
        if had_it {
            ensure(9, error.may_have_executed(), || {
                format!("the wallet had it, and its caller is told: {error}")
            })?;
        }
        if let OperationError::Disconnected { sent, .. } = error
            && !had_it
        {
            ensure(9, *sent == Sent::No, || "held, and said to be sent".into())?;
        }
    }
    Ok(())
}

/// Rule 10.
fn operations_are_answered_once_and_in_order(step: &Step) -> Check {
    let mut decided = Vec::new();
    let mut last_released = 0;
    for effect in &step.out.effects {
        match effect {
            Effect::Reject(id, _) => {
                ensure(10, !decided.contains(id), || {
                    format!("{id:?} answered twice")
                })?;
                decided.push(*id);
            }
            Effect::Dispatch(id) => {
                ensure(10, !decided.contains(id), || {
                    format!("{id:?} run after its answer")
                })?;
                ensure(10, id.number > last_released, || {
                    "released out of order".into()
                })?;
                last_released = id.number;
            }
            _ => {}
        }
    }
    ensure(10, step.answered.len() >= decided.len(), || {
        "answered an unknown operation".into()
    })
}

/// Rule 11.
fn expiry_is_absolute(before: &World, after: &World, step: &Step) -> Check {
    let expires_at = after.machine.snapshot().expires_at;
    let dispatched = effects(&step.out, |effect| matches!(effect, Effect::Dispatch(_))).count();
    if let Some(at) = expires_at {
        ensure(11, dispatched == 0 || at > after.now.wall, || {
            "an expired session served an operation".into()
        })?;
    }
    let was = before.machine.snapshot().expires_at;
    let said = step.out.events.iter().any(|event| {
        matches!(
            event.kind,
            EventKind::Renewed { .. }
                | EventKind::ReauthSucceeded { .. }
                | EventKind::Disconnected { .. }
                | EventKind::Expired { .. }
        )
    });
    // A record brings its own.
    let recalled = matches!(step.input, Input::Loaded(..));
    let fresh = recalled || was.is_none() || before.machine.status() == Status::Connecting;
    let earlier = matches!((was, expires_at), (Some(was), Some(is)) if is < was);
    ensure(11, was == expires_at || said || fresh || earlier, || {
        format!(
            "expiry moved from {was:?} to {expires_at:?} by {}",
            step.input.name()
        )
    })
}

/// Rule 16, as far as the machine is concerned.
fn events_are_numbered(before: &World, step: &Step) -> Check {
    for (one, two) in step.out.events.iter().zip(step.out.events.iter().skip(1)) {
        ensure(16, two.seq == one.seq + 1, || {
            "a gap in the numbers of events".into()
        })?;
    }
    let shown = before.machine.snapshot().seq;
    let next = step.out.snapshot.as_ref().map(|snapshot| snapshot.seq);
    ensure(16, next.is_none_or(|next| next == shown + 1), || {
        "a gap between snapshots".into()
    })
}
