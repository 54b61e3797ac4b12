//! Results as scenarios compare them: `{"is": NAME, …}`.

use std::sync::Arc;

use moorline::provider::Verdict;
use moorline::session::{DisconnectReport, RestoreOutcome};
use moorline::{ConnectError, OperationError, ProviderError, Snapshot};
use serde_json::{Map, Value, json};

use crate::load::error_kind_name;

pub(super) fn connect(result: &Result<Arc<Snapshot>, ConnectError>) -> Value {
    let error = match result {
        Ok(_) => return json!({ "is": "ok" }),
        Err(error) => error,
    };
    let mut out = match error {
        ConnectError::Cancelled(reason) => json!({ "is": "cancelled", "reason": reason }),
        ConnectError::Closed => json!({ "is": "closed" }),
        ConnectError::Rejected(_) => json!({ "is": "rejected" }),
        ConnectError::UserActionTimedOut(after) => {
            json!({ "is": "user-action-timed-out", "after": millis(*after) })
        }
        _ => json!({ "is": "provider" }),
    };
    add_error(&mut out, error.provider_error());
    with(out, "retryable", error.is_retryable().into())
}

pub(super) fn restore(outcome: &RestoreOutcome) -> Value {
    let out = json!({ "is": restore_name(outcome) });
    match outcome {
        RestoreOutcome::Unreachable { error } => {
            let mut out = out;
            add_error(&mut out, error.as_ref());
            out
        }
        RestoreOutcome::Quarantined { reason } | RestoreOutcome::StoreUnavailable { reason } => {
            with(out, "message", reason.as_ref().into())
        }
        _ => out,
    }
}

fn restore_name(outcome: &RestoreOutcome) -> String {
    let json = serde_json::to_value(outcome).unwrap_or_default();
    json["outcome"].as_str().unwrap_or("unknown").into()
}

pub(super) fn disconnect(report: &DisconnectReport) -> Value {
    let wallet = match &report.wallet {
        None => "not-asked",
        Some(Ok(())) => "ok",
        Some(Err(error)) => error_kind_name(error.kind()),
    };
    json!({ "is": "ok", "wallet": wallet, "persisted": report.not_persisted.is_none() })
}

pub(super) fn verify(verdict: Verdict) -> Value {
    json!({ "is": match verdict {
        Verdict::Valid => "valid",
        Verdict::Invalid => "invalid",
        Verdict::Unknown => "unknown",
    } })
}

pub(super) fn closed() -> Value {
    json!({ "is": "ok" })
}

pub(super) fn operation(result: Result<Value, OperationError>) -> Value {
    let error = match result {
        Ok(value) => return json!({ "is": "ok", "value": value }),
        Err(error) => error,
    };
    let mut out = match &error {
        OperationError::Closed { .. } => json!({ "is": "closed" }),
        OperationError::DeadlineExceeded { after, .. } => {
            json!({ "is": "deadline-exceeded", "after": millis(*after) })
        }
        OperationError::Disconnected { reason, .. } => {
            json!({ "is": "disconnected", "reason": reason })
        }
        OperationError::IdentityChanged {
            submitted, current, ..
        } => json!({
            "is": "identity-changed",
            "submitted": submitted.to_string(),
            "current": current.to_string(),
        }),
        OperationError::Interrupted { cause } => {
            let mut out = json!({ "is": "interrupted" });
            add_error(&mut out, Some(cause));
            out
        }
        OperationError::NotConnected { status } => {
            json!({ "is": "not-connected", "status": status })
        }
        OperationError::Provider(error) => {
            let mut out = json!({ "is": "provider" });
            add_error(&mut out, Some(error));
            out
        }
        OperationError::QueueFull { capacity } => {
            json!({ "is": "queue-full", "capacity": capacity })
        }
        other => json!({ "is": "unknown", "message": other.to_string() }),
    };
    out = with(out, "may_have_executed", error.may_have_executed().into());
    with(out, "retryable", error.is_retryable().into())
}

/// The fields of an error that scenarios look at.
pub(super) fn error(error: &ProviderError) -> Value {
    let mut out = Value::Object(Map::new());
    add_error(&mut out, Some(error));
    out
}

fn add_error(out: &mut Value, error: Option<&ProviderError>) {
    let Some(error) = error else { return };
    out["kind"] = error_kind_name(error.kind()).into();
    out["message"] = error.message().into();
    if let Some(code) = error.code() {
        out["code"] = code.into();
    }
}

fn with(mut out: Value, key: &str, value: Value) -> Value {
    out[key] = value;
    out
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
