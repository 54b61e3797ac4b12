//! What the wallet has seen and done, so that a test can prove it.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

/// How many requests are kept in full.
const KEPT: usize = 65_536;
/// How many different keys are counted.
const KEYS: usize = 1_000_000;

/// One request as the wallet saw it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Seen {
    /// Its number, counted from 1 over the wallet's life.
    pub number: u64,
    /// The connection it came over, counted from 1.
    pub connection: u64,
    /// The JSON-RPC id, which the client chose: unique on its connection only.
    pub id: Value,
    /// The method.
    pub method: String,
    /// The params; `Value::Null` for none.
    pub params: Value,
}

/// The wallet's memory of requests. Bounded: the latest 65 536 in full, counts of the first
/// 1 000 000 keys.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: VecDeque<Seen>,
    total: u64,
    seen: HashMap<String, u64>,
    executed: HashMap<String, u64>,
    by_key: HashMap<String, Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    seen: u64,
    executed: u64,
}

impl Log {
    /// A request arrived.
    pub(crate) fn saw(&mut self, connection: u64, id: Value, method: &str, params: Value) {
        self.total += 1;
        *self.seen.entry(method.to_owned()).or_default() += 1;
        if let Some(counts) = key(&params).and_then(|key| self.counts(key)) {
            counts.seen += 1;
        }
        if self.requests.len() == KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(Seen {
            number: self.total,
            connection,
            id,
            method: method.to_owned(),
            params,
        });
    }

    /// A request was executed.
    pub(crate) fn executed(&mut self, method: &str, key: Option<&str>) {
        *self.executed.entry(method.to_owned()).or_default() += 1;
        if let Some(counts) = key.and_then(|key| self.counts(key)) {
            counts.executed += 1;
        }
    }

    fn counts(&mut self, key: &str) -> Option<&mut Counts> {
        if !self.by_key.contains_key(key) {
            if self.by_key.len() >= KEYS {
                return None;
            }
            self.by_key.insert(key.to_owned(), Counts::default());
        }
        self.by_key.get_mut(key)
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn seen(&self, method: &str) -> u64 {
        self.seen.get(method).copied().unwrap_or_default()
    }

    pub(crate) fn executions(&self, method: &str) -> u64 {
        self.executed.get(method).copied().unwrap_or_default()
    }

    pub(crate) fn seen_of(&self, key: &str) -> u64 {
        self.by_key.get(key).map_or(0, |counts| counts.seen)
    }

    pub(crate) fn executions_of(&self, key: &str) -> u64 {
        self.by_key.get(key).map_or(0, |counts| counts.executed)
    }
}

/// What tells one request from another: the id of its command, else its message, else the resource
/// it asks for.
pub(crate) fn key(params: &Value) -> Option<&str> {
    let params = match params {
        Value::Array(items) => items.first()?,
        other => other,
    };
    ["commandId", "message", "resource"]
        .into_iter()
        .find_map(|name| params.get(name)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn memory_is_bounded_and_numbers_go_on() {
        let mut log = Log::default();
        for _ in 0..KEPT + 5 {
            log.saw(1, Value::Null, "status", Value::Null);
        }
        assert_eq!(log.requests.len(), KEPT);
        assert_eq!(log.requests[0].number, 6);
        assert_eq!(log.seen("status"), KEPT as u64 + 5);
    }

    #[test]
    fn requests_are_counted_by_what_they_ask_for() {
        let mut log = Log::default();
        for params in [
            json!({ "message": "a" }),
            json!([{ "message": "a" }]),
            json!([]),
        ] {
            log.saw(1, Value::Null, "signMessage", params);
        }
        log.executed("signMessage", Some("a"));
        assert_eq!((log.seen_of("a"), log.executions_of("a")), (2, 1));
        assert_eq!((log.seen_of("b"), log.executions_of("b")), (0, 0));
    }
}
