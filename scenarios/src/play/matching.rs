//! Whether what was seen is what was expected, and how both are shown.

use std::time::Duration;

use moorline::Timestamp;
use serde_json::Value;

use crate::load::duration;

/// What times are counted from, and how exactly.
pub(super) struct Times {
    pub(super) start: Timestamp,
    pub(super) tolerance: Duration,
}

impl Times {
    pub(super) fn same(&self, wanted: Timestamp, seen: Timestamp) -> bool {
        let apart = wanted.saturating_since(seen) + seen.saturating_since(wanted);
        apart <= self.tolerance
    }
}

/// Whether `seen` is as `wanted` says. Objects are compared in the fields that are named; a text
/// stands for an object of that kind, error or id; a duration stands for a time so long after the
/// start.
pub(super) fn matches(wanted: &Value, seen: &Value, times: &Times) -> bool {
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => wanted
            .iter()
            .all(|(key, wanted)| matches(wanted, seen.get(key).unwrap_or(&Value::Null), times)),
        (Value::Array(wanted), Value::Array(seen)) => {
            wanted.len() == seen.len()
                && wanted
                    .iter()
                    .zip(seen)
                    .all(|(wanted, seen)| matches(wanted, seen, times))
        }
        (Value::String(wanted), Value::String(seen)) => {
            wanted == seen || is_time(wanted, seen, times)
        }
        (Value::String(wanted), Value::Object(seen)) => ["kind", "error", "status", "id"]
            .iter()
            .any(|key| seen.get(*key).and_then(Value::as_str) == Some(wanted)),
        (Value::String(wanted), Value::Null) => wanted == "none" || wanted == "never",
        (Value::Number(wanted), Value::Number(seen)) => wanted.as_f64() == seen.as_f64(),
        (wanted, seen) => wanted == seen,
    }
}

fn is_time(wanted: &str, seen: &str, times: &Times) -> bool {
    let wanted = match duration(wanted) {
        Ok(after) => Some(times.start.saturating_add(after)),
        Err(_) => Timestamp::parse(wanted),
    };
    match (wanted, Timestamp::parse(seen)) {
        (Some(wanted), Some(seen)) => times.same(wanted, seen),
        _ => false,
    }
}

/// Fields for people: `attempt: 1, delayMs: 1000`.
pub(super) fn fields<'a>(fields: impl IntoIterator<Item = (&'a String, &'a Value)>) -> String {
    let shown: Vec<String> = fields
        .into_iter()
        .map(|(key, value)| format!("{key}: {}", plain(value)))
        .collect();
    shown.join(", ")
}

/// A value for people: text without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) => format!("{{{}}}", fields(object)),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn short_forms_stand_for_what_they_name() {
        let times = &Times {
            start: Timestamp::EPOCH,
            tolerance: Duration::ZERO,
        };
        let yes = |wanted: Value, seen: Value| assert!(matches(&wanted, &seen, times));
        let no = |wanted: Value, seen: Value| assert!(!matches(&wanted, &seen, times));
        yes(
            json!("unreachable"),
            json!({ "kind": "unreachable", "message": "x" }),
        );
        yes(json!(["a"]), json!([{ "id": "a", "primary": true }]));
        yes(json!("1m"), json!("1970-01-01T00:01:00.000Z"));
        yes(json!({ "a": 1 }), json!({ "a": 1, "b": 2 }));
        no(json!("1m"), json!("1970-01-01T00:01:01.000Z"));
        no(json!({ "a": 1, "c": 1 }), json!({ "a": 1, "b": 2 }));
        no(json!([]), json!(["a"]));
    }
}
