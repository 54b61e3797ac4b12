//! Rule 7, for whole sessions: what nobody knows for certain ends none. Only a refusal, an expiry
//! that nothing can undo, the user, another process or a limit does.

use moorline::machine::explore::{Step, World};
use moorline::machine::{Effect, Input, Write};
use moorline::provider::{ErrorKind, Opened, ProviderError, ProviderEvent, Verdict};
use moorline::sync::Notice;
use moorline::{DisconnectReason, EventKind, ReconnectCause, Status};

use crate::explorer::LIMIT;
use crate::invariants::{Check, Ledger, effects, ensure};

/// Whether a stored session is being brought back: nobody is asked for anything then.
pub(crate) fn is_restoring(world: &World) -> bool {
    match world.machine.status() {
        Status::Disconnected { .. } => true,
        Status::Reconnecting { cause } => cause == ReconnectCause::Restore,
        _ => false,
    }
}

pub(crate) fn only_certainty_ends(
    ledger: &Ledger,
    before: &World,
    after: &World,
    step: &Step,
) -> Check {
    for event in &step.out.events {
        let EventKind::Disconnected { reason, .. } = &event.kind else {
            continue;
        };
        let why = has_ground(*reason, ledger, before, step);
        ensure(7, why, || {
            format!("{} ended the session: {reason}", step.input.name())
        })?;
        if *reason == DisconnectReason::GaveUp {
            out_of_reach(before, after, step)?;
        }
    }
    Ok(())
}

/// Whether there was reason enough.
fn has_ground(reason: DisconnectReason, ledger: &Ledger, before: &World, step: &Step) -> bool {
    let input = &step.input;
    let told = |kind: fn(&EventKind) -> bool| step.out.events.iter().any(|it| kind(&it.kind));
    match reason {
        DisconnectReason::User | DisconnectReason::Detached => {
            matches!(input, Input::Disconnect(_))
        }
        DisconnectReason::Remote => matches!(input, Input::Notice(Notice::Disconnected)),
        DisconnectReason::Closed => matches!(input, Input::Close { .. }),
        DisconnectReason::ConnectFailed => before.machine.status() == Status::Connecting,
        DisconnectReason::Expired => {
            told(|kind| matches!(kind, EventKind::Expired { .. })) && !ledger.has_means(before)
        }
        DisconnectReason::Revoked => is_revoked(input) && !ledger.has_means(before),
        DisconnectReason::ReauthFailed => is_refused(input, ledger, before),
        DisconnectReason::GaveUp => step.out.events.iter().any(|it| match &it.kind {
            EventKind::ReconnectGaveUp {
                attempts,
                last_error,
            } => {
                let passes = last_error.as_ref().is_none_or(ProviderError::is_retryable);
                *attempts == LIMIT || !passes
            }
            _ => false,
        }),
        _ => false,
    }
}

fn is_revoked(input: &Input) -> bool {
    match input {
        // Silence was asked for, and a person is wanted.
        Input::Opened(_, Ok(Opened::UserActionRequired(_))) => true,
        Input::Opened(_, Err(error))
        | Input::Probed(_, Err(error))
        | Input::Provider(_, ProviderEvent::Dropped(error)) => error.verdict() == Verdict::Invalid,
        _ => false,
    }
}

/// Whether somebody said no to a re-authentication, or to what was to prove it.
fn is_refused(input: &Input, ledger: &Ledger, before: &World) -> bool {
    let reauthenticating = before.machine.state_name() == "Reconnecting.Reauthenticating";
    match input {
        Input::Reauthenticated(_, Err(error)) => match error.kind() {
            ErrorKind::Unauthorized => ledger.hook,
            ErrorKind::LeaseLost => false,
            _ => !error.is_retryable(),
        },
        // A person who did not act is not asked again.
        Input::Timeout => reauthenticating && ledger.hook,
        Input::Probed(_, Ok(live)) => live.expires_at.is_some_and(|at| at <= before.now.wall),
        // What is to be made valid again needs no link meanwhile; its proof does.
        Input::Provider(_, ProviderEvent::Dropped(error)) => {
            let proving = ["Reconnecting.Opening", "Reconnecting.Verifying"];
            !error.is_retryable() && proving.contains(&before.machine.state_name())
        }
        Input::Opened(_, Err(error)) | Input::Probed(_, Err(error)) => !error.is_retryable(),
        input => is_revoked(input),
    }
}

/// A session that is given up is kept, here and in the store.
fn out_of_reach(before: &World, after: &World, step: &Step) -> Check {
    let erased = effects(&step.out, |effect| {
        matches!(effect, Effect::Persist(_, Write::Erase(_)))
    });
    let erased = erased.count() > 0;
    ensure(7, !erased, || {
        "a session that was given up is erased".into()
    })?;
    let (was, is) = (before.machine.snapshot(), after.machine.snapshot());
    let kept = was.accounts == is.accounts && (is.stale || is.accounts.is_empty());
    ensure(7, kept, || {
        "a session that was given up is forgotten".into()
    })?;
    let (was, is) = (before.machine.intent(), after.machine.intent());
    ensure(7, was == is, || {
        format!("giving up made {is:?} of the intent {was:?}")
    })
}
