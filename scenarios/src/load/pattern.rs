//! Patterns of events, calls and results.

use moorline::{Timestamp, snapshot::DisconnectReason, snapshot::ReconnectCause};
use serde_json::Value;

use super::problem::{Problem, suggestion};
use super::tree::{Node, Tree};
use super::values::word;
use crate::model::{CallPattern, EventPattern, ResultPattern};

/// Every type of event, and the fields it has besides `seq`, `epoch` and `at`.
pub(crate) const EVENTS: &[(&str, &[&str])] = &[
    ("session:connecting", &[]),
    ("user:action-required", &["action", "url"]),
    ("session:connected", &["account", "network", "expiresAt"]),
    ("session:disconnected", &["reason", "error"]),
    ("session:reconnecting", &["cause", "error"]),
    ("reconnect:scheduled", &["attempt", "delayMs"]),
    ("reconnect:deferred", &["attempt", "delayMs"]),
    ("reconnect:attempt", &["attempt"]),
    ("reconnect:succeeded", &["attempt"]),
    ("reconnect:gaveup", &["attempts", "lastError"]),
    ("session:expiring", &["expiresAt"]),
    ("session:expired", &["expiredAt"]),
    ("session:renewed", &["expiresAt"]),
    ("reauth:started", &["reason"]),
    ("reauth:succeeded", &["expiresAt"]),
    ("reauth:failed", &["error"]),
    ("party:changed", &["previous", "current"]),
    ("network:changed", &["previous", "current"]),
    ("accounts:changed", &["accounts"]),
    ("network:link", &["link"]),
    ("operation:queued", &["operation", "depth"]),
    ("operation:released", &["operation"]),
    ("operation:rejected", &["operation", "error"]),
    ("operation:abandoned", &["operation"]),
    ("persist:failed", &["error", "retryInMs"]),
    ("persist:recovered", &[]),
    ("record:quarantined", &["reason"]),
    ("hook:failed", &["hook", "error"]),
    ("provider:malformed", &["what", "problem"]),
    ("provider:event", &["name", "payload"]),
];

/// Statuses by the names users see.
pub(super) fn status(node: &Node) -> Result<String, Problem> {
    let known = ["disconnected", "connecting", "connected", "reconnecting"];
    one_of(node, "a status", &known)
}

pub(super) fn reason(node: &Node) -> Result<String, Problem> {
    let known: Vec<&str> = DisconnectReason::ALL.iter().map(|r| r.as_str()).collect();
    one_of(node, "a reason to be disconnected", &known)
}

pub(super) fn cause(node: &Node) -> Result<String, Problem> {
    let known: Vec<&str> = ReconnectCause::ALL.iter().map(|c| c.as_str()).collect();
    one_of(node, "a cause to reconnect", &known)
}

pub(super) fn one_of(node: &Node, what: &str, known: &[&str]) -> Result<String, Problem> {
    let pairs: Vec<(&str, &str)> = known.iter().map(|word| (*word, *word)).collect();
    word(node, what, &pairs).map(Into::into)
}

pub(super) fn event_name(node: &Node) -> Result<String, Problem> {
    let known: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).collect();
    one_of(node, "a type of event", &known)
}

pub(super) fn event_names(node: &Node) -> Result<Vec<String>, Problem> {
    list(node, event_name)
}

pub(super) fn list<T>(
    node: &Node,
    read: impl Fn(&Node) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    match &node.tree {
        Tree::Array(items) => items.iter().map(read).collect(),
        _ => Err(node.expected("a list")),
    }
}

/// `"session:connected"`, or `{ type = "reconnect:scheduled", attempt = 1, delayMs = 1000 }`.
pub(super) fn event(node: &Node) -> Result<EventPattern, Problem> {
    if node.as_str().is_some() {
        return Ok(EventPattern {
            kind: event_name(node)?,
            at: None,
            after: None,
            fields: Vec::new(),
        });
    }
    let mut table = node.table("an event")?;
    let Some(kind) = table.node("type") else {
        return Err(node.problem("an event needs the key `type`"));
    };
    let kind = event_name(kind)?;
    let own = EVENTS.iter().find(|(name, _)| *name == kind);
    let own = own.map_or(&[][..], |(_, fields)| *fields);
    let mut fields = Vec::new();
    for field in own.iter().chain(&["seq", "epoch"]) {
        if let Some(value) = table.node(field) {
            fields.push(((*field).to_owned(), time_checked(field, value)?));
        }
    }
    let pattern = EventPattern {
        kind,
        at: table.get("at")?,
        after: table.get("after")?,
        fields,
    };
    table.finish()?;
    Ok(pattern)
}

/// Times are RFC 3339, or durations since the start.
fn time_checked(field: &str, node: &Node) -> Result<Value, Problem> {
    if let (true, Some(text)) = (field.ends_with("At"), node.as_str())
        && super::values::duration(text).is_err()
        && Timestamp::parse(text).is_none()
    {
        return Err(node.problem(format!(
            "`{text}` is neither a duration since the start such as \"30d\" nor a time such as \
             \"2026-01-01T00:00:00Z\""
        )));
    }
    Ok(node.json())
}

/// `"open silent"`, or `{ call = "request sign", at = "1s", ended = "dropped",
/// identity = "alice on canton:local" }`.
pub(super) fn call(node: &Node) -> Result<CallPattern, Problem> {
    if node.as_str().is_some() {
        return Ok(CallPattern {
            what: call_name(node)?,
            at: None,
            ended: None,
            identity: None,
        });
    }
    let mut table = node.table("a call")?;
    let Some(what) = table.node("call") else {
        return Err(node.problem("a call needs the key `call`"));
    };
    let ended = ["answered", "failed", "panicked", "dropped", "pending"];
    let pattern = CallPattern {
        what: call_name(what)?,
        at: table.get("at")?,
        ended: table
            .node("ended")
            .map(|node| one_of(node, "an end of a call", &ended))
            .transpose()?,
        identity: table.get("identity")?,
    };
    table.finish()?;
    Ok(pattern)
}

const CALLS: &[&str] = &[
    "open interactive",
    "open silent",
    "probe",
    "close disconnect",
    "close detach",
    "reauthenticate",
];

fn call_name(node: &Node) -> Result<String, Problem> {
    let name = node.text("the name of a call")?;
    if name
        .strip_prefix("request ")
        .is_some_and(|method| !method.is_empty())
    {
        return Ok(name.into());
    }
    let mut known = CALLS.to_vec();
    known.push("request METHOD");
    one_of(node, "a call the wallet sees", &known)
}

/// A group of calls to count: `open`, `probe`, `request`, `request METHOD`, `close`, `total`…
pub(super) fn counted(name: &str, span: &std::ops::Range<usize>) -> Result<(), Problem> {
    let known: Vec<&str> = CALLS
        .iter()
        .copied()
        .chain(["open", "request", "close", "total"])
        .collect();
    if known.contains(&name) || name.starts_with("request ") {
        return Ok(());
    }
    let suggestion = suggestion(name, &known);
    Err(Problem::new(
        span,
        format!("`{name}` is not a call the wallet sees{suggestion}"),
    ))
}

/// The short names of results.
const RESULTS: &[&str] = &[
    "ok",
    "pending",
    "abandoned",
    "panicked",
    // connect
    "cancelled",
    "closed",
    "provider",
    "rejected",
    "user-action-timed-out",
    // restore
    "restored",
    "needs-reauth",
    "expired",
    "user-disconnected",
    "nothing-stored",
    "quarantined",
    "unreachable",
    "store-unavailable",
    "superseded",
    // verify
    "valid",
    "invalid",
    "unknown",
    // operations
    "deadline-exceeded",
    "disconnected",
    "identity-changed",
    "interrupted",
    "not-connected",
    "queue-full",
];

/// The fields of results.
const RESULT_FIELDS: &[&str] = &[
    "is",
    "at",
    "after",
    "capacity",
    "code",
    "current",
    "kind",
    "may_have_executed",
    "message",
    "persisted",
    "reason",
    "retryable",
    "status",
    "submitted",
    "value",
    "wallet",
];

/// `"ok"`, or `{ is = "queue-full", capacity = 2, may_have_executed = false }`.
pub(super) fn result(node: &Node) -> Result<ResultPattern, Problem> {
    if node.as_str().is_some() {
        return Ok(ResultPattern::Name(one_of(node, "a result", RESULTS)?));
    }
    let mut table = node.table("a result")?;
    let mut fields = Vec::new();
    for field in RESULT_FIELDS {
        let Some(value) = table.node(field) else {
            continue;
        };
        let json = match *field {
            "is" => one_of(value, "a result", RESULTS)?.into(),
            // Durations are compared in milliseconds.
            "at" | "after" => {
                let duration: std::time::Duration = super::tree::Read::read(value)?;
                millis(duration).into()
            }
            _ => value.json(),
        };
        fields.push(((*field).to_owned(), json));
    }
    table.finish()?;
    Ok(ResultPattern::Fields(fields))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
