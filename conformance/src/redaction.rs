//! Keeps secrets out of what is reported: those handed to the kit, and those a wallet tells.

use moorline_cip0103::redact::{is_secret, scrub, scrub_text};
use serde_json::Value;

/// The longest excerpt, in characters.
const LONGEST: usize = 160;
const REDACTED: &str = "[redacted]";

/// Secrets that were handed in or heard.
#[derive(Default)]
pub(crate) struct Secrets {
    known: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.known.len())
    }
}

impl Secrets {
    /// Remembers a secret. Short ones are words that may stand anywhere.
    pub(crate) fn learn(&mut self, secret: &str) {
        if secret.len() >= 8 && !self.known.iter().any(|it| it == secret) {
            self.known.push(secret.to_owned());
        }
    }

    /// Remembers every secret in what a wallet says.
    pub(crate) fn learn_from(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match field {
                        Value::String(text) if is_secret(name) => self.learn(text),
                        other => self.learn_from(other),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn_from(item)),
            _ => {}
        }
    }

    /// A text without secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut clean = match serde_json::from_str::<Value>(text) {
            Ok(mut value) if value.is_object() || value.is_array() => {
                scrub(&mut value);
                value.to_string()
            }
            _ => scrub_text(text),
        };
        for secret in &self.known {
            if clean.contains(secret.as_str()) {
                clean = clean.replace(secret.as_str(), REDACTED);
            }
        }
        clean
    }

    /// A text without secrets, on one line, not too long.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        let clean = self.clean(text);
        let words: Vec<&str> = clean.split_whitespace().collect();
        let line: String = words
            .join(" ")
            .chars()
            .filter(|it| !it.is_control())
            .collect();
        if line.is_empty() {
            return "nothing".to_owned();
        }
        match line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_that_were_told_are_not_told_again() {
        let mut secrets = Secrets::default();
        secrets.learn_from(&json!({ "session": { "accessToken": "opaque-token-1" } }));
        let shown = secrets.excerpt("<p>opaque-token-1\n\n and eyJa.b.c</p>");
        assert_eq!(shown, "<p>[redacted] and [redacted]</p>");
        let shown = secrets.excerpt(&json!({ "token": "x", "long": "y".repeat(500) }).to_string());
        assert!(
            shown.chars().count() <= LONGEST + 1 && !shown.contains("\"x\""),
            "{shown}"
        );
    }
}
