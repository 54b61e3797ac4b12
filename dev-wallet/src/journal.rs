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
    /// `request`, `late`, `event`, `stream`, `token`, `fault` or `act`.
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

/// A text without the tokens in it: who acts on the wallet may have it say one.
pub(crate) fn without_tokens(text: &str) -> String {
    let in_token = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(in_token) {
        let (between, after) = rest.split_at(start);
        let end = after.find(|it| !in_token(it)).unwrap_or(after.len());
        let (word, next) = after.split_at(end);
        clean.push_str(between);
        let token = word.contains("eyJ") && word.matches('.').count() >= 2;
        clean.push_str(if token { "[token]" } else { word });
        rest = next;
    }
    clean.push_str(rest);
    clean
}

impl Inner {
    /// Notes something that happened. Kept here and not traced: what clients say of themselves may
    /// hold anything.
    pub(crate) fn record(&mut self, kind: &'static str, what: &str, note: String) {
        let note = without_tokens(&note);
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

#[cfg(test)]
mod tests {
    use super::without_tokens;

    #[test]
    fn tokens_are_left_out_and_nothing_else() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
        assert_eq!(
            without_tokens(&format!("`{token}` is none; Bearer {token}. 1.2.3 é")),
            "`[token]` is none; Bearer [token] 1.2.3 é"
        );
        assert_eq!(without_tokens("a.b.c at 127.0.0.1"), "a.b.c at 127.0.0.1");
    }
}
