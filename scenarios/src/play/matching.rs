//! Whether what was seen is what was expected, and how both are shown.

use moorline::Timestamp;
use serde_json::Value;

use crate::load::duration;

/// Whether `seen` is as `wanted` says. Objects are compared in the fields that are named; a text
/// stands for an object of that kind, error or id; a duration stands for a time so long after the
/// start.
pub(super) fn matches(wanted: &Value, seen: &Value, start: Timestamp) -> bool {
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => wanted
            .iter()
            .all(|(key, wanted)| matches(wanted, seen.get(key).unwrap_or(&Value::Null), start)),
        (Value::Array(wanted), Value::Array(seen)) => {
            wanted.len() == seen.len()
                && wanted
                    .iter()
                    .zip(seen)
                    .all(|(wanted, seen)| matches(wanted, seen, start))
        }
        (Value::String(wanted), Value::String(seen)) => {
            wanted == seen || is_time(wanted, seen, start)
        }
        (Value::String(wanted), Value::Object(seen)) => ["kind", "error", "status", "id"]
            .iter()
            .any(|key| seen.get(*key).and_then(Value::as_str) == Some(wanted)),
        (Value::String(wanted), Value::Null) => wanted == "none" || wanted == "never",
        (Value::Number(wanted), Value::Number(seen)) => wanted.as_f64() == seen.as_f64(),
        (wanted, seen) => wanted == seen,
    }
}

fn is_time(wanted: &str, seen: &str, start: Timestamp) -> bool {
    let seen = Timestamp::parse(seen);
    let wanted = match duration(wanted) {
        Ok(after) => Some(start.saturating_add(after)),
        Err(_) => Timestamp::parse(wanted),
    };
    seen.is_some() && seen == wanted
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
        let start = Timestamp::EPOCH;
        let yes = |wanted: Value, seen: Value| assert!(matches(&wanted, &seen, start));
        let no = |wanted: Value, seen: Value| assert!(!matches(&wanted, &seen, start));
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
