//! What managers tell, in words.

use moorline::manager::{CloseReason, HydrationEvent, ManagerEventKind, RevokeOutcome};
use serde::Serialize;

use crate::accounts::describe_restored;
use crate::describe::{describe, short};
use crate::top::row::brief;

/// What an event is called.
pub(super) fn name(kind: &ManagerEventKind) -> &'static str {
    match kind {
        ManagerEventKind::Session { event } => event.kind.name(),
        ManagerEventKind::LoggedIn { .. } => "account:logged-in",
        ManagerEventKind::LoggedOut { .. } => "account:logged-out",
        ManagerEventKind::ActiveChanged { .. } => "active:changed",
        ManagerEventKind::Rekeyed { .. } => "session:rekeyed",
        ManagerEventKind::Closed { .. } => "session:closed",
        ManagerEventKind::RestoreProgress { .. } => "restore:progress",
        ManagerEventKind::Revoked { .. } => "session:revoked",
        ManagerEventKind::RecordUnreadable { .. } => "manager:record-unreadable",
        ManagerEventKind::PayloadFailed { .. } => "payload:failed",
        ManagerEventKind::TakenOver { .. } => "session:taken-over",
        ManagerEventKind::SaveFailed { .. } => "manager:save-failed",
        ManagerEventKind::Hydration(event) => match event {
            HydrationEvent::Started { .. } => "hydration:started",
            HydrationEvent::Updated { .. } => "hydration:updated",
            HydrationEvent::Unchanged { .. } => "hydration:unchanged",
            HydrationEvent::Failed { .. } => "hydration:failed",
            HydrationEvent::Invalidated { .. } => "hydration:invalidated",
            _ => "hydration:event",
        },
        _ => "manager:event",
    }
}

/// What an event says.
pub(super) fn text(kind: &ManagerEventKind) -> String {
    match kind {
        ManagerEventKind::Session { event } => describe(&event.kind),
        ManagerEventKind::ActiveChanged { current, .. } => match current {
            Some(key) => format!("active is {}", short(key.account.as_str())),
            None => "none is active".into(),
        },
        ManagerEventKind::Rekeyed { previous } => {
            format!("was {}", short(previous.account.as_str()))
        }
        ManagerEventKind::Closed { reason, .. } => closed(*reason),
        ManagerEventKind::RestoreProgress {
            done,
            total,
            restored,
        } => {
            let how = describe_restored(restored);
            format!("{done} of {total} restored; this one: {how}")
        }
        ManagerEventKind::Revoked { outcome, .. } => revoked(outcome),
        ManagerEventKind::RecordUnreadable { reason, .. } => {
            format!("who was active is not known: {reason}")
        }
        ManagerEventKind::PayloadFailed { error } => error.to_string(),
        ManagerEventKind::TakenOver { previous, .. } => match previous {
            Some(previous) => format!("from {previous}, and is held here"),
            None => "nobody alive held it, and it is held here".into(),
        },
        ManagerEventKind::SaveFailed { error, .. } => error.to_string(),
        ManagerEventKind::Hydration(event) => hydration(event),
        _ => String::new(),
    }
}

fn closed(reason: CloseReason) -> String {
    match reason {
        CloseReason::Ended => "what is stored of it had ended, or cannot be read".into(),
        CloseReason::Idle => "it was not used for long".into(),
        CloseReason::Capacity => "room was made for another".into(),
        CloseReason::Cleared => "everything was cleared".into(),
        CloseReason::Replaced => "a later login took its place".into(),
        CloseReason::Merged => "another session acts for its account".into(),
        CloseReason::LeaseLost => "its lease is lost: another process holds it, or will".into(),
        other => code(&other),
    }
}

fn revoked(outcome: &RevokeOutcome) -> String {
    match outcome {
        RevokeOutcome::LoggedOut {
            not_stored: Some(reason),
            ..
        } => format!("logged out, but still stored: {reason}"),
        RevokeOutcome::LoggedOut {
            wallet_error: Some(error),
            ..
        } => format!("logged out; the wallet did not take it: {error}"),
        RevokeOutcome::LoggedOut { .. } => "logged out".into(),
        RevokeOutcome::Erased => "removed from the store; the wallet was not told".into(),
        RevokeOutcome::AlreadyEnded => "it had ended".into(),
        RevokeOutcome::Failed { reason } => format!("not revoked: {reason}"),
        _ => String::new(),
    }
}

fn hydration(event: &HydrationEvent) -> String {
    match event {
        HydrationEvent::Started { name, cause } => format!("{name} ({})", code(cause)),
        HydrationEvent::Updated { name, .. } | HydrationEvent::Unchanged { name } => {
            name.to_string()
        }
        HydrationEvent::Failed {
            name,
            attempt,
            error,
            retry_in_ms,
        } => {
            let next = retry_in_ms.map(std::time::Duration::from_millis);
            let next = next.map(|next| format!("; tried again in {}", brief(next)));
            let next = next.unwrap_or_default();
            format!("{name}, try {attempt}: {error}{next}")
        }
        HydrationEvent::Invalidated { name, cause } => format!("{name} ({})", code(cause)),
        _ => String::new(),
    }
}

/// `identity changed` for `identity-changed`.
fn code(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('-', " ")
}
