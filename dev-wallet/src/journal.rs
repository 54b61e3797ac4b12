//! What happened at the wallet, in order: for who looks at it from outside.

use std::collections::VecDeque;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::state::Inner;

/// How much is kept.
const KEPT: usize = 16_384;

/// Something that happened: a request, an event, a fault, a person's act.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Happening {
    /// Its number, counted from 1 over the wallet's life.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// `request`, `event`, `stream`, `token`, `fault` or `act`.
    pub kind: &'static str,
    /// What: the method, the event, the act.
    pub what: String,
    /// More about it. Never a secret.
    pub note: String,
}

/// The latest happenings, at most 16 384.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Happening>,
    total: u64,
}

impl Journal {
    pub(crate) fn since(&self, number: u64) -> Vec<Happening> {
        let entries = self.entries.iter();
        entries.filter(|it| it.number > number).cloned().collect()
    }
}

impl Happening {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "number": self.number,
            "at": humantime::format_rfc3339_millis(self.at).to_string(),
            "kind": self.kind,
            "what": self.what,
            "note": self.note,
        })
    }
}

impl Inner {
    /// Notes something that happened. Kept here and not traced: what clients say of themselves may
    /// hold anything.
    pub(crate) fn record(&mut self, kind: &'static str, what: &str, note: String) {
        let journal = &mut self.journal;
        journal.total += 1;
        if journal.entries.len() == KEPT {
            journal.entries.pop_front();
        }
        journal.entries.push_back(Happening {
            number: journal.total,
            at: SystemTime::now(),
            kind,
            what: what.to_owned(),
            note,
        });
    }
}
