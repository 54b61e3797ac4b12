//! The way back: backoff, attempts, giving up.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use statig::Outcome;

use super::attempt;
use super::context::Context;
use super::effect::{Effect, RestoreOutcome};
use super::expiry;
use super::input::Input;
use super::operations;
use super::reauth;
use super::session_end::{EndOfSession, end_session};
use super::state::{Goal, State, StateEvent};
use super::timer::Timer;
use crate::clock::{Moment, Mono, millis};
use crate::event::EventKind;
use crate::provider::{ProviderError, ProviderEvent, Verdict};
use crate::snapshot::{DisconnectReason, ReauthReason, ReconnectCause};

/// The count of attempts, and since when they are made.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Retry {
    /// Attempts begun since the last stable connection.
    count: u32,
    /// When this recovery began.
    since: Mono,
    /// Whether an attempt was begun in this recovery.
    attempted: bool,
    /// Whether the attempt that is due has its slot in the shared budget.
    reserved: bool,
}

impl Retry {
    /// A recovery begins, with nothing that happened before held against it.
    pub(super) fn begin(&mut self, now: Mono) {
        *self = Self {
            since: now,
            ..Self::default()
        };
    }

    /// A recovery begins after a connection that held for `held`. One that did not hold long
    /// enough continues the recovery before it.
    pub(super) fn resume(&mut self, now: Mono, held: Duration, stable_after: Duration) {
        self.attempted = false;
        self.reserved = false;
        if held >= stable_after || self.count == 0 {
            self.begin(now);
        }
    }

    pub(super) fn fingerprint(&self, now: Moment, hasher: &mut impl Hasher) {
        (self.count, self.attempted, self.reserved).hash(hasher);
        // Limits on elapsed time are the only use of when it began.
        now.mono.since(self.since).as_secs().min(60).hash(hasher);
    }

    /// The attempt that succeeded, if it took one. Asked once.
    pub(super) fn made(&mut self) -> Option<u32> {
        std::mem::take(&mut self.attempted).then_some(self.count)
    }
}

/// The link broke while the session was connected.
pub(super) fn link_lost(error: ProviderError, cx: &mut Context<'_>) -> Outcome<State> {
    attempt::cancel(cx);
    cx.core.link_open = false;
    cx.core.last_error = Some(error.clone());
    cx.core.changed = true;
    operations::interrupt(&error, cx);
    if error.verdict() == Verdict::Invalid {
        return gone(ReconnectCause::LinkLost, error, cx);
    }
    leave_connected(cx);
    let cause = ReconnectCause::LinkLost;
    cx.publish(EventKind::Reconnecting {
        cause,
        error: Some(error.clone()),
    });
    let goal = Goal::Recover(cause);
    if !cx.core.setup.capabilities.silent_open {
        return give_up(goal, Some(error), cx);
    }
    schedule(goal, error, cx)
}

/// What is known is kept, and marked as not confirmed. A recovery begins, unless one is under way.
pub(super) fn leave_connected(cx: &mut Context<'_>) {
    cx.core.known.stale = true;
    cx.stop_timer(Timer::Expiry);
    if let Some(since) = cx.core.connected_since.take() {
        let held = cx.now.mono.since(since);
        let stable_after = cx.core.setup.policy.reconnect.stable_after;
        cx.core.retry.resume(cx.now.mono, held, stable_after);
    }
}

/// The wallet definitely ended the session.
pub(super) fn gone(
    cause: ReconnectCause,
    error: ProviderError,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    cx.core.last_error = Some(error.clone());
    let goal = Goal::Recover(cause);
    if reauth::is_possible(goal, cx) {
        return reauth::begin(goal, ReauthReason::Revoked, cx);
    }
    cx.effect(Effect::SettleRestore(RestoreOutcome::NeedsReauth));
    end_session(
        EndOfSession::new(DisconnectReason::Revoked).because(Some(error)),
        cx,
    )
}

/// Plans the next attempt, or gives up where a limit says so.
pub(super) fn schedule(goal: Goal, error: ProviderError, cx: &mut Context<'_>) -> Outcome<State> {
    let policy = &cx.core.setup.policy.reconnect;
    let (max_attempts, max_elapsed) = (policy.max_attempts, policy.max_elapsed);
    let attempt = cx.core.retry.count.saturating_add(1);
    if max_attempts.is_some_and(|max| attempt > max) {
        return give_up(goal, Some(error), cx);
    }
    let Some(planned) = cx.pacing.delay(attempt) else {
        return give_up(goal, Some(error), cx);
    };
    let delay = planned.max(error.retry_after().unwrap_or_default());
    let elapsed = cx.now.mono.since(cx.core.retry.since);
    if max_elapsed.is_some_and(|max| elapsed.saturating_add(delay) > max) {
        return give_up(goal, Some(error), cx);
    }
    cx.core.retry.reserved = false;
    cx.start_timer(Timer::Backoff, delay);
    let delay_ms = millis(delay);
    cx.publish(EventKind::ReconnectScheduled { attempt, delay_ms });
    Outcome::Transition(State::Waiting { goal })
}

/// No further attempt. What is known stays, marked stale: here and in the store.
pub(super) fn give_up(
    goal: Goal,
    last_error: Option<ProviderError>,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    let attempts = cx.core.retry.count;
    cx.publish(EventKind::ReconnectGaveUp {
        attempts,
        last_error: last_error.clone(),
    });
    cx.effect(Effect::SettleRestore(RestoreOutcome::Unreachable {
        error: last_error.clone(),
    }));
    if goal == Goal::Connect
        && let Some(error) = last_error.clone()
    {
        cx.effect(Effect::SettleConnect(Err(
            crate::error::ConnectError::Provider(error),
        )));
    }
    end_session(
        EndOfSession::new(DisconnectReason::GaveUp).because(last_error),
        cx,
    )
}

pub(super) fn waiting(goal: Goal, event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        StateEvent::Timer(Timer::Backoff) => begin_attempt(goal, cx),
        StateEvent::Input(Input::Provider(_, event)) => match event {
            // A session that is to be re-authenticated needs no link, nor a wallet that knows it.
            ProviderEvent::Dropped(error) if matches!(goal, Goal::Reauth(_)) => {
                reauth::link_lost(error, cx)
            }
            // Whatever a living wallet says ends the wait.
            ProviderEvent::Ready
            | ProviderEvent::Accounts(_)
            | ProviderEvent::Network(_)
            | ProviderEvent::Link(_)
            | ProviderEvent::Expires(_)
            | ProviderEvent::Recheck => {
                if cx.core.retry.reserved {
                    // Its slot in the shared budget is taken: it begins when that comes.
                    return Outcome::Handled;
                }
                cx.stop_timer(Timer::Backoff);
                begin_attempt(goal, cx)
            }
            ProviderEvent::Dropped(error) if error.verdict() == Verdict::Invalid => {
                cx.stop_timer(Timer::Backoff);
                attempt::failed(goal, error.clone(), cx)
            }
            _ => Outcome::Super,
        },
        _ => Outcome::Super,
    }
}

/// The next attempt is due.
fn begin_attempt(goal: Goal, cx: &mut Context<'_>) -> Outcome<State> {
    // An expiry that passed meanwhile takes its effect here where nothing could undo it.
    let recovering = matches!(goal, Goal::Recover(_));
    if recovering && expiry::is_over(cx) && !reauth::is_possible(goal, cx) {
        return expiry::expire(goal, cx);
    }
    let attempt = cx.core.retry.count.saturating_add(1);
    // After a sleep or a stall many slots have passed, and not all of them are good any more.
    let redeemed = cx.core.retry.reserved && cx.pacing.redeem(cx.now.mono);
    cx.core.retry.reserved = false;
    if !redeemed {
        let slot = cx.pacing.reserve(cx.now.mono);
        if slot > cx.now.mono {
            cx.core.retry.reserved = true;
            cx.core.timers.set(Timer::Backoff, slot);
            let delay_ms = slot.as_millis() - cx.now.mono.as_millis();
            cx.publish(EventKind::ReconnectDeferred { attempt, delay_ms });
            return Outcome::Handled;
        }
    }
    cx.core.retry.count = attempt;
    cx.core.retry.attempted = true;
    if let Goal::Reauth(reauth) = goal {
        cx.publish(EventKind::ReconnectAttempt { attempt });
        return reauth::ask(reauth, cx);
    }
    let next = attempt::start_open(goal, cx);
    cx.publish(EventKind::ReconnectAttempt { attempt });
    next
}
