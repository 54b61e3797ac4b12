//! How a session ends: by the user, by itself, by another process, for good.

use std::sync::Arc;

use statig::Outcome;

use super::attempt;
use super::context::Context;
use super::effect::{DisconnectReport, Effect, RestoreOutcome};
use super::expiry::Expiry;
use super::input::Input;
use super::operations;
use super::persist;
use super::state::{State, StateEvent};
use super::timer::Timer;
use crate::error::{ConnectError, OperationError};
use crate::event::{EventKind, Hook};
use crate::provider::{CloseMode, ErrorKind, ProviderError, Verdict};
use crate::snapshot::{DisconnectReason, Status};
use crate::store::Intent;
use crate::sync::Notice;

/// Why a session ends, and what is left of it.
pub(super) struct EndOfSession {
    reason: DisconnectReason,
    error: Option<ProviderError>,
}

impl EndOfSession {
    pub(super) fn new(reason: DisconnectReason) -> Self {
        Self {
            reason,
            error: None,
        }
    }

    pub(super) fn because(self, error: Option<ProviderError>) -> Self {
        Self { error, ..self }
    }

    /// Whether the session may still be good, only out of reach: what is known of it is kept,
    /// here and in the store.
    fn is_only_out_of_reach(&self) -> bool {
        matches!(
            self.reason,
            DisconnectReason::GaveUp | DisconnectReason::ConnectFailed
        )
    }

    fn close_mode(&self) -> CloseMode {
        match self.reason {
            DisconnectReason::User => CloseMode::Disconnect,
            _ => CloseMode::Detach,
        }
    }
}

/// Ends a session: everything that was under way stops, everybody who waits is answered, and the
/// next epoch begins, so that nothing of this one is heard any more.
pub(super) fn end_session(end: EndOfSession, cx: &mut Context<'_>) -> Outcome<State> {
    let reason = end.reason;
    let at_wallet = leave_epoch(cx);
    cx.core.reauthenticated = false;
    cx.core.connected_since = None;
    cx.core.retry.begin(cx.now.mono);
    operations::reject_all(|sent| OperationError::Disconnected { reason, sent }, cx);
    if end.is_only_out_of_reach() {
        cx.core.known.stale = !cx.core.known.accounts.is_empty();
    } else {
        cx.core.known.forget();
        cx.core.expiry = Expiry::default();
        cx.core.connected_at = None;
        persist::erase(reason, cx);
    }
    cx.core.last_error.clone_from(&end.error);
    cx.core.changed = true;
    if at_wallet {
        close_link(end.close_mode(), cx);
    }
    cx.publish(EventKind::Disconnected {
        reason,
        error: end.error,
    });
    cx.effect(Effect::SettleConnect(Err(ConnectError::Cancelled(reason))));
    cx.effect(Effect::SettleRestore(match reason {
        DisconnectReason::Expired => RestoreOutcome::Expired,
        _ => RestoreOutcome::Superseded,
    }));
    cx.effect(Effect::SettleVerify(Verdict::Unknown));
    Outcome::Transition(State::Disconnected { reason })
}

/// Begins the next epoch with nothing under way. Returns whether the wallet may hold a connection
/// of the one before.
fn leave_epoch(cx: &mut Context<'_>) -> bool {
    let at_wallet = cx.core.may_hold_link();
    attempt::cancel(cx);
    attempt::stop_waiting(cx);
    cx.stop_timer(Timer::Expiry);
    cx.core.epoch = cx.core.epoch.next();
    cx.core.link_open = false;
    at_wallet
}

/// Has the link closed, after the close that may be under way.
fn close_link(mode: CloseMode, cx: &mut Context<'_>) {
    if cx.core.closing.is_some() {
        cx.core.close_next = Some(mode);
        return;
    }
    let ticket = cx.core.ticket();
    cx.core.closing = Some(ticket);
    cx.effect(Effect::CloseLink(ticket, mode));
    let deadline = cx.core.setup.policy.deadlines.disconnect;
    cx.start_timer(Timer::CloseLink, deadline);
}

/// The user's word, in whatever state.
pub(super) fn disconnect(mode: CloseMode, cx: &mut Context<'_>) -> Outcome<State> {
    let reason = match mode {
        CloseMode::Disconnect => DisconnectReason::User,
        CloseMode::Detach => DisconnectReason::Detached,
    };
    let before = cx.core.shown.status;
    // Reading a record to restore does not show, but it is not rest either.
    let at_rest = cx.core.attempt.is_none();
    let already = at_rest && before == (Status::Disconnected { reason });
    cx.core.intent = Intent::Disconnected;
    cx.core.disconnecting.get_or_insert_default();
    if already {
        settle_disconnect(cx);
        return Outcome::Handled;
    }
    // A session that was only out of reach may still stand at the wallet.
    let may_stand = !cx.core.known.accounts.is_empty();
    cx.core.link_open |= may_stand;
    let next = end_session(EndOfSession::new(reason), cx);
    if !before.is_disconnected() {
        cx.effect(Effect::Broadcast(Notice::Disconnected));
    }
    settle_disconnect(cx);
    next
}

/// Answers `disconnect` once the wallet has answered and the store has, or has failed: that is
/// tried again, but not waited for.
pub(super) fn settle_disconnect(cx: &mut Context<'_>) {
    let failed = |report: &DisconnectReport| report.not_persisted.is_some();
    let stored = cx.core.persist.is_idle() || cx.core.disconnecting.as_deref().is_some_and(failed);
    if cx.core.closing.is_none() && stored {
        settle_disconnect_now(cx);
    }
}

fn settle_disconnect_now(cx: &mut Context<'_>) {
    if let Some(report) = cx.core.disconnecting.take() {
        cx.effect(Effect::SettleDisconnect(*report));
    }
}

/// The disconnect is not in the store: its caller learns that, and it is tried again.
pub(super) fn disconnect_not_persisted(error: Arc<str>, cx: &mut Context<'_>) {
    if let Some(report) = &mut cx.core.disconnecting {
        report.not_persisted = Some(error);
    }
    settle_disconnect(cx);
}

pub(super) fn link_closed(
    result: Result<(), ProviderError>,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    cx.core.closing = None;
    cx.stop_timer(Timer::CloseLink);
    if let Some(report) = &mut cx.core.disconnecting {
        report.wallet = Some(result);
    }
    if let Some(mode) = cx.core.close_next.take() {
        close_link(mode, cx);
    }
    settle_disconnect(cx);
    Outcome::Handled
}

pub(super) fn close_timed_out(cx: &mut Context<'_>) -> Outcome<State> {
    let Some(ticket) = cx.core.closing else {
        return Outcome::Handled;
    };
    cx.effect(Effect::Cancel(ticket));
    let after = cx.core.setup.policy.deadlines.disconnect;
    let message = format!(
        "the wallet did not answer a disconnect within {} ms",
        after.as_millis()
    );
    link_closed(Err(ProviderError::new(ErrorKind::TimedOut, message)), cx)
}

/// What another member of the shared session says, in whatever state but connected.
pub(super) fn notice(state: &State, notice: &Notice, cx: &mut Context<'_>) -> Outcome<State> {
    match notice {
        Notice::Disconnected if state.status().is_disconnected() => {
            cx.core.intent = Intent::Disconnected;
            Outcome::Super
        }
        Notice::Disconnected => {
            cx.core.intent = Intent::Disconnected;
            end_session(EndOfSession::new(DisconnectReason::Remote), cx)
        }
        // Every way into connected asks the wallet anyway.
        Notice::PartyChanged { .. } | Notice::NetworkChanged { .. } => Outcome::Super,
    }
}

pub(super) fn hook_failed(hook: Hook, error: &Arc<str>, cx: &mut Context<'_>) -> Outcome<State> {
    cx.publish(EventKind::HookFailed {
        hook,
        error: error.clone(),
    });
    Outcome::Handled
}

/// The end of everything. The user's intent stays as it is: a restart can restore the session.
pub(super) fn close(flush: bool, cx: &mut Context<'_>) -> Outcome<State> {
    let at_wallet = leave_epoch(cx);
    operations::reject_all(|sent| OperationError::Closed { sent }, cx);
    cx.core.known.stale = !cx.core.known.accounts.is_empty();
    if flush {
        if at_wallet {
            close_link(CloseMode::Detach, cx);
        }
        persist::flush(cx);
    } else {
        stop(cx);
    }
    let reason = DisconnectReason::Closed;
    cx.publish(EventKind::Disconnected {
        reason,
        error: None,
    });
    cx.effect(Effect::SettleConnect(Err(ConnectError::Closed)));
    cx.effect(Effect::SettleRestore(RestoreOutcome::Superseded));
    cx.effect(Effect::SettleVerify(Verdict::Unknown));
    if !flush {
        settle_disconnect_now(cx);
    }
    settle_close(cx);
    Outcome::Transition(State::Closed)
}

/// Stops what a close would have waited for.
fn stop(cx: &mut Context<'_>) {
    if !cx.core.persist.is_idle()
        && let Some(report) = &mut cx.core.disconnecting
    {
        report.not_persisted = Some("the session was closed before it was written".into());
    }
    persist::abandon(cx);
    cx.core.close_next = None;
    if let Some(ticket) = cx.core.closing.take() {
        cx.effect(Effect::Cancel(ticket));
    }
    cx.stop_timer(Timer::CloseLink);
}

/// Answers `close` once wallet and store have answered.
fn settle_close(cx: &mut Context<'_>) {
    if cx.core.is_flushed() {
        settle_disconnect_now(cx);
        cx.effect(Effect::SettleClose);
    }
}

/// After the end: what was waited for may still answer, everything else is refused.
pub(super) fn closed(event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        StateEvent::Input(input) => match input {
            Input::Connect => cx.effect(Effect::SettleConnect(Err(ConnectError::Closed))),
            Input::Restore => cx.effect(Effect::SettleRestore(RestoreOutcome::Superseded)),
            Input::Verify => cx.effect(Effect::SettleVerify(Verdict::Unknown)),
            Input::Disconnect(_) => {
                let not_persisted = Some("the session is closed; build a new one".into());
                let report = DisconnectReport {
                    not_persisted,
                    ..DisconnectReport::default()
                };
                cx.effect(Effect::SettleDisconnect(report));
            }
            Input::Submit(id, _) => {
                let sent = crate::provider::Sent::No;
                cx.effect(Effect::Reject(*id, OperationError::Closed { sent }));
            }
            Input::LinkClosed(_, result) => {
                link_closed(result.clone(), cx);
                settle_close(cx);
            }
            Input::Persisted(_, Ok(())) => {
                persist::persisted(&Ok(()), cx);
                settle_close(cx);
            }
            Input::Persisted(_, Err(_)) => {
                persist::abandon(cx);
                settle_close(cx);
            }
            Input::Close { flush: true } => settle_close(cx),
            Input::Close { flush: false } => {
                stop(cx);
                settle_close(cx);
            }
            _ => return Outcome::Super,
        },
        StateEvent::Timer(Timer::CloseLink) => {
            close_timed_out(cx);
            settle_close(cx);
        }
        StateEvent::Timer(Timer::Persist) => {
            persist::abandon(cx);
            settle_close(cx);
        }
        StateEvent::Timer(_) | StateEvent::Expired => return Outcome::Super,
    }
    Outcome::Handled
}
