//! Re-authentication: asked for, asked for again, proved, refused.

use statig::Outcome;

use super::attempt;
use super::context::Context;
use super::effect::{Effect, ReauthRequest, RestoreOutcome};
use super::input::Input;
use super::operations;
use super::recovery;
use super::session_end::{EndOfSession, end_session};
use super::state::{Goal, State, StateEvent};
use super::timer::Timer;
use crate::event::EventKind;
use crate::provider::{ErrorKind, ProviderError, ProviderEvent};
use crate::snapshot::{DisconnectReason, ReauthReason, ReconnectCause};

/// A re-authentication, however often it is tried.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Reauth {
    /// Why it is needed.
    reason: ReauthReason,
    /// Whether the session is being restored: nobody is asked for anything then.
    restoring: bool,
    /// Whether it is proved on a connection of its own.
    reopened: bool,
}

impl Reauth {
    pub(super) fn is_restoring(self) -> bool {
        self.restoring
    }

    /// Proves it on a connection that never carried the old credentials.
    fn reopen(self, cx: &mut Context<'_>) -> Outcome<State> {
        let reauth = Self {
            reopened: true,
            ..self
        };
        attempt::start_open(Goal::Reauth(reauth), cx)
    }

    /// Whether the application's hook is asked, not the provider.
    fn is_by_hook(self, cx: &Context<'_>) -> bool {
        cx.core.setup.reauth_hook && !self.restoring
    }

    /// Whether this is the last word on the session, and not just what went wrong on the way to
    /// it.
    fn is_refused(self, error: &ProviderError, cx: &Context<'_>) -> bool {
        let by_hook = self.is_by_hook(cx);
        match error.kind() {
            // A hook that wants a login, or breaks, does not do what it is there for. From a
            // provider the one may pass, and the other says nothing of the session.
            ErrorKind::Unauthorized | ErrorKind::Panicked => by_hook,
            _ => !error.is_retryable(),
        }
    }
}

/// Whether anything could make the session valid again. A restore is silent: it may use what the
/// provider does by itself, not a hook that may bring up a prompt.
pub(super) fn is_possible(goal: Goal, cx: &Context<'_>) -> bool {
    let silently = cx.core.setup.capabilities.reauthentication;
    silently || (cx.core.setup.reauth_hook && !goal.is_restoring())
}

/// Has the hook or the provider make the session valid again.
pub(super) fn begin(goal: Goal, reason: ReauthReason, cx: &mut Context<'_>) -> Outcome<State> {
    attempt::cancel(cx);
    recovery::leave_connected(cx);
    cx.core.reauthenticated = false;
    cx.publish(EventKind::Reconnecting {
        cause: ReconnectCause::Reauthentication,
        error: None,
    });
    let reauth = Reauth {
        reason,
        restoring: goal.is_restoring(),
        reopened: false,
    };
    ask(reauth, cx)
}

/// Asks the hook or the provider, for the first time or again.
pub(super) fn ask(reauth: Reauth, cx: &mut Context<'_>) -> Outcome<State> {
    let reason = reauth.reason;
    let ticket = cx.core.ticket();
    cx.core.attempt = Some(ticket);
    let expired = reason == ReauthReason::Expired;
    let request = ReauthRequest {
        reason,
        expired_at: cx.core.expiry.at().filter(|_| expired),
        identity: cx.core.known.identity().cloned(),
        silent: reauth.restoring,
    };
    cx.effect(Effect::Reauthenticate(ticket, request));
    let deadline = cx.core.setup.policy.deadlines.reauth;
    cx.start_timer(Timer::Attempt, deadline);
    cx.publish(EventKind::ReauthStarted { reason });
    Outcome::Transition(State::Reauthenticating { reauth })
}

pub(super) fn reauthenticating(
    reauth: Reauth,
    event: &StateEvent,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    match event {
        StateEvent::Input(Input::Reauthenticated(_, result)) => {
            cx.core.attempt = None;
            cx.stop_timer(Timer::Attempt);
            match result {
                Ok(()) => {
                    cx.core.reauthenticated = true;
                    prove(reauth, cx)
                }
                Err(error) if reauth.is_refused(error, cx) => refused(reauth, error.clone(), cx),
                Err(error) => unavailable(reauth, error.clone(), cx),
            }
        }
        StateEvent::Timer(Timer::Attempt) => {
            let after = cx.core.setup.policy.deadlines.reauth;
            attempt::cancel(cx);
            let message = format!(
                "re-authentication took longer than {} ms",
                after.as_millis()
            );
            let error = ProviderError::new(ErrorKind::TimedOut, message);
            if reauth.is_by_hook(cx) {
                // A person who did not act is not asked over and over.
                refused(reauth, error, cx)
            } else {
                unavailable(reauth, error, cx)
            }
        }
        StateEvent::Input(Input::Provider(_, ProviderEvent::Dropped(error))) => {
            link_lost(error, cx)
        }
        _ => Outcome::Super,
    }
}

/// The link broke, whatever was said of the session by that: it is being made valid again.
pub(super) fn link_lost(error: &ProviderError, cx: &mut Context<'_>) -> Outcome<State> {
    cx.core.link_open = false;
    operations::interrupt(error, cx);
    Outcome::Handled
}

/// A re-authentication is believed when the wallet confirms it.
fn prove(reauth: Reauth, cx: &mut Context<'_>) -> Outcome<State> {
    if cx.core.link_open {
        let goal = Goal::Reauth(reauth);
        attempt::start_first_probe(cx);
        Outcome::Transition(State::Verifying { goal })
    } else {
        reauth.reopen(cx)
    }
}

/// Re-authentication succeeded, but the wallet does not confirm it (yet).
pub(super) fn unproved(
    reauth: Reauth,
    error: ProviderError,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    if cx.core.link_open && !reauth.reopened {
        // The connection may still carry the old credentials: a new one will not.
        return reauth.reopen(cx);
    }
    if error.is_retryable() {
        // Nobody knows: the link, not the session, is what fails. The proof follows once it is
        // back.
        let cause = if reauth.restoring {
            ReconnectCause::Restore
        } else {
            ReconnectCause::LinkLost
        };
        return recovery::schedule(Goal::Recover(cause), error, cx);
    }
    refused(reauth, error, cx)
}

/// Whoever could make the session valid again was not reached, or could not do it now: nobody
/// said no. Tried again, within the limits of every recovery.
fn unavailable(reauth: Reauth, error: ProviderError, cx: &mut Context<'_>) -> Outcome<State> {
    cx.core.last_error = Some(error.clone());
    cx.core.changed = true;
    recovery::schedule(Goal::Reauth(reauth), error, cx)
}

fn refused(reauth: Reauth, error: ProviderError, cx: &mut Context<'_>) -> Outcome<State> {
    if error.kind() == ErrorKind::LeaseLost {
        // The session is another process's now: what is stored of it is not this one's to erase.
        return recovery::give_up(Goal::Reauth(reauth), Some(error), cx);
    }
    failed(error, cx)
}

/// The session ends: it was not to be made valid again.
pub(super) fn failed(error: ProviderError, cx: &mut Context<'_>) -> Outcome<State> {
    cx.core.reauthenticated = false;
    cx.core.last_error = Some(error.clone());
    cx.publish(EventKind::ReauthFailed {
        error: error.clone(),
    });
    cx.effect(Effect::SettleRestore(RestoreOutcome::NeedsReauth));
    end_session(
        EndOfSession::new(DisconnectReason::ReauthFailed).because(Some(error)),
        cx,
    )
}
