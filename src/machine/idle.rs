//! Disconnected, and reading the record of a session to restore.

use statig::Outcome;

use super::attempt;
use super::context::Context;
use super::effect::{Effect, RestoreOutcome};
use super::expiry;
use super::input::Input;
use super::reauth;
use super::session_end::{EndOfSession, end_session};
use super::state::{Goal, State, StateEvent};
use super::timer::Timer;
use crate::event::EventKind;
use crate::provider::Verdict;
use crate::snapshot::{DisconnectReason, ReconnectCause};
use crate::store::{Intent, Record, StoreError, Stored};

pub(super) fn disconnected(
    reason: DisconnectReason,
    event: &StateEvent,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    match event {
        StateEvent::Input(Input::Restore) => {
            if !cx.core.setup.persistent {
                cx.effect(Effect::SettleRestore(RestoreOutcome::NothingStored));
                return Outcome::Handled;
            }
            let ticket = cx.core.ticket();
            cx.core.attempt = Some(ticket);
            cx.effect(Effect::Load(ticket));
            let deadline = cx.core.setup.policy.deadlines.storage;
            cx.start_timer(Timer::Attempt, deadline);
            Outcome::Transition(State::Loading { reason })
        }
        _ => Outcome::Super,
    }
}

pub(super) fn loading(
    reason: DisconnectReason,
    event: &StateEvent,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    match event {
        // Whoever restores while a restore is under way shares its result.
        StateEvent::Input(Input::Restore) => Outcome::Handled,
        StateEvent::Input(Input::Loaded(_, result)) => {
            cx.core.attempt = None;
            cx.stop_timer(Timer::Attempt);
            loaded(reason, result, cx)
        }
        StateEvent::Timer(Timer::Attempt) => {
            attempt::cancel(cx);
            let after = cx.core.setup.policy.deadlines.storage;
            let reason_text = format!("no answer within {} ms", after.as_millis());
            not_restored(
                reason,
                RestoreOutcome::StoreUnavailable {
                    reason: reason_text.into(),
                },
                cx,
            )
        }
        _ => Outcome::Super,
    }
}

fn loaded(
    reason: DisconnectReason,
    result: &Result<Stored, StoreError>,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    let outcome = match result {
        Ok(Stored::Record { record, .. }) => return record_loaded(reason, record, cx),
        Ok(Stored::Nothing) => RestoreOutcome::NothingStored,
        Ok(Stored::Tombstone { tombstone, .. }) => match tombstone.reason {
            DisconnectReason::Expired => RestoreOutcome::Expired,
            DisconnectReason::Revoked | DisconnectReason::ReauthFailed => {
                RestoreOutcome::NeedsReauth
            }
            _ => RestoreOutcome::UserDisconnected,
        },
        Err(StoreError::Unreadable { reason, .. }) => RestoreOutcome::Quarantined {
            reason: reason.clone(),
        },
        Err(error) => RestoreOutcome::StoreUnavailable {
            reason: error.to_string().into(),
        },
    };
    not_restored(reason, outcome, cx)
}

fn record_loaded(
    reason: DisconnectReason,
    record: &Record,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    let quarantined = |reason: String| RestoreOutcome::Quarantined {
        reason: reason.into(),
    };
    let provider = &cx.core.setup.provider;
    if record.provider != *provider {
        let why = format!(
            "it belongs to provider `{}`, this is `{provider}`",
            record.provider
        );
        return not_restored(reason, quarantined(why), cx);
    }
    if record.intent == Intent::Disconnected {
        return not_restored(reason, RestoreOutcome::UserDisconnected, cx);
    }
    if record.accounts.is_empty() {
        return not_restored(reason, quarantined("it names no account".into()), cx);
    }
    cx.core.intent = Intent::Connected;
    cx.core.persist.continue_from(record);
    cx.core
        .known
        .recall(record.accounts.clone(), record.network.clone());
    cx.core.connected_at = Some(record.connected_at);
    expiry::recall(record, cx);
    cx.core.changed = true;
    let goal = Goal::Recover(ReconnectCause::Restore);
    if cx.core.expiry.is_over(cx.now.wall) && !reauth::is_possible(goal, cx) {
        let expired_at = cx.core.expiry.at().unwrap_or(cx.now.wall);
        cx.publish(EventKind::Expired { expired_at });
        return end_session(EndOfSession::new(DisconnectReason::Expired), cx);
    }
    cx.core.retry.begin(cx.now.mono);
    cx.publish(EventKind::Reconnecting {
        cause: ReconnectCause::Restore,
        error: None,
    });
    attempt::start_open(goal, cx)
}

fn not_restored(
    reason: DisconnectReason,
    outcome: RestoreOutcome,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    if let RestoreOutcome::Quarantined { reason } = &outcome {
        let reason = reason.clone();
        cx.publish(EventKind::RecordQuarantined { reason });
    }
    cx.effect(Effect::SettleRestore(outcome));
    Outcome::Transition(State::Disconnected { reason })
}

/// `restore` where there is nothing to restore: connected, or on the way there.
pub(super) fn refuse_restore(cx: &mut Context<'_>) -> Outcome<State> {
    cx.effect(Effect::SettleRestore(RestoreOutcome::Superseded));
    Outcome::Handled
}

/// `verify` where there is no connection to verify.
pub(super) fn refuse_verify(cx: &mut Context<'_>) -> Outcome<State> {
    cx.effect(Effect::SettleVerify(Verdict::Unknown));
    Outcome::Handled
}

/// Takes back a restore that something else overtook.
pub(super) fn abandon_restore(cx: &mut Context<'_>) {
    cx.effect(Effect::SettleRestore(RestoreOutcome::Superseded));
}
