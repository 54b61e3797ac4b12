//! On the way to connected: opening, waiting for a person, verifying.

use statig::Outcome;

use super::context::Context;
use super::effect::Effect;
use super::expiry;
use super::input::Input;
use super::recovery;
use super::session_end::{self, EndOfSession, end_session};
use super::state::{Goal, State, StateEvent};
use super::timer::Timer;
use super::{idle, linked, operations, persist, reauth, reconcile};
use crate::error::ConnectError;
use crate::event::EventKind;
use crate::provider::{ErrorKind, Live, Opened, ProviderError, ProviderEvent, UserAction, Verdict};
use crate::snapshot::DisconnectReason;
use crate::store::Intent;

/// How often a probe is repeated because something changed while it was under way.
const REPROBES: u8 = 2;

/// The user's `connect`, wherever the session is (but connected or closed): the latest intent
/// wins over a recovery that is under way.
pub(super) fn connect(cx: &mut Context<'_>) -> Outcome<State> {
    cancel(cx);
    stop_waiting(cx);
    idle::abandon_restore(cx);
    cx.core.intent = Intent::Connected;
    cx.core.reauthenticated = false;
    cx.core.retry.begin(cx.now.mono);
    let next = start_open(Goal::Connect, cx);
    cx.publish(EventKind::Connecting);
    next
}

/// Begins the next epoch with an attempt to open it.
pub(super) fn start_open(goal: Goal, cx: &mut Context<'_>) -> Outcome<State> {
    cx.core.epoch = cx.core.epoch.next();
    cx.core.link_open = false;
    if cx.core.closing.is_some() {
        // The wallet must not take the end of the old connection for the end of the new one.
        cx.core.open_after_close = true;
    } else {
        open_now(goal, cx);
    }
    Outcome::Transition(State::Opening { goal })
}

/// Has the present epoch opened.
fn open_now(goal: Goal, cx: &mut Context<'_>) {
    cx.core.open_after_close = false;
    cx.core.probe_again = false;
    let ticket = cx.core.ticket();
    cx.core.attempt = Some(ticket);
    let last_known = cx.core.known.identity().cloned();
    cx.effect(Effect::Open {
        ticket,
        mode: goal.open_mode(),
        last_known,
    });
    let deadline = cx.core.setup.policy.deadlines.connect;
    cx.start_timer(Timer::Attempt, deadline);
}

/// Asks the wallet for the truth.
pub(super) fn start_probe(cx: &mut Context<'_>) {
    let ticket = cx.core.ticket();
    cx.core.attempt = Some(ticket);
    cx.core.probe_again = false;
    cx.effect(Effect::Probe(ticket));
    let deadline = cx.core.setup.policy.deadlines.probe;
    cx.start_timer(Timer::Attempt, deadline);
}

/// The first probe after something happened: it may be repeated a few times.
pub(super) fn start_first_probe(cx: &mut Context<'_>) {
    cx.core.reprobes = REPROBES;
    start_probe(cx);
}

/// Something changed while a probe is under way: its answer may be older than the change.
pub(super) fn note_change(cx: &mut Context<'_>) {
    cx.core.probe_again = true;
}

/// Whether the probe that just ended must be repeated; it then was.
pub(super) fn repeated_probe(cx: &mut Context<'_>) -> bool {
    let repeat = cx.core.probe_again && cx.core.reprobes > 0;
    if repeat {
        cx.core.reprobes -= 1;
        start_probe(cx);
    }
    repeat
}

/// Stops what is waited for; its answer is stale from now on.
pub(super) fn cancel(cx: &mut Context<'_>) {
    if let Some(ticket) = cx.core.attempt.take() {
        cx.effect(Effect::Cancel(ticket));
    }
    cx.core.open_after_close = false;
    cx.stop_timer(Timer::Attempt);
}

/// Stops waiting for a person and for the next attempt.
pub(super) fn stop_waiting(cx: &mut Context<'_>) {
    for timer in [Timer::UserAction, Timer::UserActionPoll, Timer::Backoff] {
        cx.stop_timer(timer);
    }
}

/// A deadline passed: stops what was waited for and says so.
pub(super) fn time_out(
    what: &str,
    after: std::time::Duration,
    cx: &mut Context<'_>,
) -> ProviderError {
    cancel(cx);
    ProviderError::new(
        ErrorKind::TimedOut,
        format!(
            "the wallet did not answer {what} within {} ms",
            after.as_millis()
        ),
    )
}

pub(super) fn opening(goal: Goal, event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        StateEvent::Input(Input::Opened(_, result)) => {
            cx.core.attempt = None;
            cx.stop_timer(Timer::Attempt);
            match result {
                Ok(Opened::Established) => established_link(goal, cx),
                Ok(Opened::UserActionRequired(action)) => user_action_required(goal, action, cx),
                Err(error) => failed(goal, error.clone(), cx),
            }
        }
        StateEvent::Timer(Timer::Attempt) => {
            let error = time_out("an open", cx.core.setup.policy.deadlines.connect, cx);
            failed(goal, error, cx)
        }
        StateEvent::Input(Input::LinkClosed(_, result)) => {
            let waiting = cx.core.open_after_close;
            let outcome = session_end::link_closed(result.clone(), cx);
            if waiting && cx.core.closing.is_none() {
                open_now(goal, cx);
            }
            outcome
        }
        StateEvent::Timer(Timer::CloseLink) => {
            let waiting = cx.core.open_after_close;
            let outcome = session_end::close_timed_out(cx);
            if waiting && cx.core.closing.is_none() {
                open_now(goal, cx);
            }
            outcome
        }
        // What the wallet says now may overtake its answer to the open: if that turns out to want
        // a person, the person may be done already.
        StateEvent::Input(Input::Provider(
            _,
            ProviderEvent::Ready
            | ProviderEvent::Recheck
            | ProviderEvent::Accounts(_)
            | ProviderEvent::Network(_),
        )) => {
            note_change(cx);
            Outcome::Handled
        }
        // The wallet asks for a person before it has answered the open.
        StateEvent::Input(Input::Provider(_, ProviderEvent::UserActionRequired(action)))
            if goal == Goal::Connect && !cx.core.open_after_close =>
        {
            cx.publish(EventKind::UserActionRequired {
                action: action.clone(),
            });
            let deadline = cx.core.setup.policy.deadlines.user_action;
            cx.start_timer(Timer::Attempt, deadline);
            Outcome::Handled
        }
        _ => Outcome::Super,
    }
}

/// The connection is open.
fn established_link(goal: Goal, cx: &mut Context<'_>) -> Outcome<State> {
    cx.core.link_open = true;
    // A session that expired while the link was down is not probed but re-authenticated.
    if matches!(goal, Goal::Recover(_)) && expiry::is_over(cx) {
        return expiry::expire(goal, cx);
    }
    start_first_probe(cx);
    Outcome::Transition(State::Verifying { goal })
}

fn user_action_required(goal: Goal, action: &UserAction, cx: &mut Context<'_>) -> Outcome<State> {
    cx.core.link_open = true;
    match goal {
        Goal::Connect => {
            cx.publish(EventKind::UserActionRequired {
                action: action.clone(),
            });
            let deadline = cx.core.setup.policy.deadlines.user_action;
            cx.start_timer(Timer::UserAction, deadline);
            start_poll(cx);
            if cx.core.probe_again {
                start_first_probe(cx);
            }
            Outcome::Transition(State::AwaitingUser)
        }
        // Silence was asked for, and the wallet wants a person: the session needs a new login.
        Goal::Recover(_) | Goal::Reauth(_) => failed(
            goal,
            ProviderError::new(
                ErrorKind::SessionGone,
                "the wallet wants a person before it goes on; call connect",
            )
            .answered(),
            cx,
        ),
    }
}

fn start_poll(cx: &mut Context<'_>) {
    let poll = cx.core.setup.policy.deadlines.user_action_poll;
    cx.start_timer(Timer::UserActionPoll, poll);
}

pub(super) fn awaiting_user(event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    let probing = cx.core.attempt.is_some();
    match event {
        StateEvent::Input(Input::Provider(_, event)) => match event {
            ProviderEvent::Ready
            | ProviderEvent::Recheck
            | ProviderEvent::Accounts(_)
            | ProviderEvent::Network(_) => {
                if probing {
                    note_change(cx);
                } else {
                    start_first_probe(cx);
                }
                Outcome::Handled
            }
            ProviderEvent::UserActionRequired(action) => {
                cx.publish(EventKind::UserActionRequired {
                    action: action.clone(),
                });
                Outcome::Handled
            }
            _ => Outcome::Super,
        },
        StateEvent::Timer(Timer::UserActionPoll) => {
            if !probing {
                start_first_probe(cx);
            }
            start_poll(cx);
            Outcome::Handled
        }
        StateEvent::Timer(Timer::UserAction) => {
            cancel(cx);
            let after = cx.core.setup.policy.deadlines.user_action;
            connect_failed(ConnectError::UserActionTimedOut(after), cx)
        }
        // The wallet was too slow to say whether the person is done: asked again at the next poll.
        StateEvent::Timer(Timer::Attempt) => {
            cancel(cx);
            Outcome::Handled
        }
        StateEvent::Input(Input::Probed(_, result)) => {
            cx.core.attempt = None;
            cx.stop_timer(Timer::Attempt);
            if repeated_probe(cx) {
                return Outcome::Handled;
            }
            match result {
                Ok(live) if !live.accounts.is_empty() => verified(Goal::Connect, live, cx),
                Err(error) if error.kind() == ErrorKind::UserRejected => {
                    failed(Goal::Connect, error.clone(), cx)
                }
                // Not done yet. Until then wallets answer in many ways, "no session" included.
                Ok(_) | Err(_) => Outcome::Handled,
            }
        }
        _ => Outcome::Super,
    }
}

pub(super) fn verifying(goal: Goal, event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        StateEvent::Input(Input::Probed(_, result)) => {
            cx.core.attempt = None;
            cx.stop_timer(Timer::Attempt);
            if repeated_probe(cx) {
                return Outcome::Handled;
            }
            match result {
                Ok(live) if live.accounts.is_empty() => failed(goal, no_account(), cx),
                Ok(live) => verified(goal, live, cx),
                Err(error) => failed(goal, error.clone(), cx),
            }
        }
        StateEvent::Timer(Timer::Attempt) => {
            let error = time_out("a probe", cx.core.setup.policy.deadlines.probe, cx);
            failed(goal, error, cx)
        }
        StateEvent::Input(Input::Provider(
            _,
            ProviderEvent::Accounts(_) | ProviderEvent::Network(_) | ProviderEvent::Recheck,
        )) => {
            note_change(cx);
            Outcome::Handled
        }
        _ => Outcome::Super,
    }
}

pub(super) fn no_account() -> ProviderError {
    ProviderError::new(
        ErrorKind::Malformed,
        "the wallet says it is connected but names no account",
    )
    .answered()
}

/// What every state on the way to connected does the same way.
pub(super) fn trying(state: &State, event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        // Same intent, same attempt: the caller shares its result.
        StateEvent::Input(Input::Connect) if state.is_connecting() => Outcome::Handled,
        StateEvent::Input(Input::Restore) if state.is_restoring() => Outcome::Handled,
        StateEvent::Input(Input::Provider(_, event)) => match (event, *state) {
            (
                ProviderEvent::Dropped(error),
                State::Opening { goal } | State::Verifying { goal },
            ) => {
                cancel(cx);
                cx.core.link_open = false;
                failed(goal, error.clone(), cx)
            }
            (ProviderEvent::Dropped(error), State::AwaitingUser) => {
                cancel(cx);
                cx.core.link_open = false;
                failed(Goal::Connect, error.clone(), cx)
            }
            (
                ProviderEvent::UserRejected(error),
                State::AwaitingUser
                | State::Opening {
                    goal: Goal::Connect,
                }
                | State::Verifying {
                    goal: Goal::Connect,
                },
            ) => {
                cancel(cx);
                connect_failed(ConnectError::Rejected(error.clone()), cx)
            }
            _ => Outcome::Super,
        },
        _ => Outcome::Super,
    }
}

/// An attempt failed. What that means depends on what it was for and on the verdict.
pub(super) fn failed(goal: Goal, error: ProviderError, cx: &mut Context<'_>) -> Outcome<State> {
    cx.core.last_error = Some(error.clone());
    cx.core.changed = true;
    let gone = error.verdict() == Verdict::Invalid;
    match goal {
        Goal::Connect if error.kind() == ErrorKind::UserRejected => {
            connect_failed(ConnectError::Rejected(error), cx)
        }
        Goal::Connect if cx.core.setup.policy.retry_first_connect && error.is_retryable() => {
            recovery::schedule(goal, error, cx)
        }
        Goal::Connect => connect_failed(ConnectError::Provider(error), cx),
        Goal::Recover(cause) if gone => recovery::gone(cause, error, cx),
        Goal::Recover(_) if !error.is_retryable() => recovery::give_up(goal, Some(error), cx),
        Goal::Recover(_) => recovery::schedule(goal, error, cx),
        Goal::Reauth(reauth) => reauth::unproved(reauth, error, cx),
    }
}

fn connect_failed(error: ConnectError, cx: &mut Context<'_>) -> Outcome<State> {
    cancel(cx);
    let cause = error.provider_error().cloned();
    cx.core.last_error.clone_from(&cause);
    cx.effect(Effect::SettleConnect(Err(error)));
    end_session(
        EndOfSession::new(DisconnectReason::ConnectFailed).because(cause),
        cx,
    )
}

/// The wallet confirmed the session: the one way into connected.
fn verified(goal: Goal, live: &Live, cx: &mut Context<'_>) -> Outcome<State> {
    let is_recovery = matches!(goal, Goal::Recover(_));
    if is_recovery && expiry::is_over(cx) {
        return expiry::expire(goal, cx);
    }
    if let Some(over) = live.expires_at.filter(|at| *at <= cx.now.wall) {
        return expiry::stillborn(goal, over, cx);
    }
    stop_waiting(cx);
    let reauthenticated = std::mem::take(&mut cx.core.reauthenticated);
    expiry::establish(is_recovery && !reauthenticated, live.expires_at, cx);
    if !is_recovery && !reauthenticated {
        cx.core.connected_at = Some(cx.now.wall);
    }
    cx.core.link_open = true;
    cx.core.connected_since = Some(cx.now.mono);
    cx.core.last_error = None;
    cx.core.changed = true;

    if let Some(attempt) = cx.core.retry.made() {
        cx.publish(EventKind::ReconnectSucceeded { attempt });
    }
    if reauthenticated {
        let expires_at = cx.core.expiry.at();
        cx.publish(EventKind::ReauthSucceeded { expires_at });
    }
    reconcile::apply_live(live, false, cx);
    linked::announce_connected(cx);
    persist::save(goal == Goal::Connect, cx);
    cx.effect(Effect::SettleConnect(Ok(())));
    cx.effect(Effect::SettleRestore(super::RestoreOutcome::Restored));
    operations::drain(cx);
    Outcome::Transition(State::Connected)
}
