//! What the conductor tells processes, and what they tell it: one line of JSON each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The name of a session's account.
pub(crate) fn account(number: usize) -> String {
    format!("user-{number:05}")
}

/// What a process said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) process: usize,
    pub(crate) at: std::time::Instant,
    pub(crate) what: Value,
}

/// What a process holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    /// By account: whether it is connected.
    pub(crate) sessions: BTreeMap<String, bool>,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
}

impl Holding {
    pub(crate) fn to_json(&self) -> Value {
        json!({ "sessions": self.sessions, "answered": self.answered, "failed": self.failed })
    }

    pub(crate) fn from_json(value: &Value) -> Self {
        Self {
            sessions: serde_json::from_value(value["sessions"].clone()).unwrap(),
            answered: value["answered"].as_u64().unwrap(),
            failed: value["failed"].as_u64().unwrap(),
        }
    }
}
