//! What an HTTP answer means: a result, the wallet's error, or something that is no JSON-RPC at all.
//! Pure; knows nothing of connections.

use std::time::Duration;

use moorline::ProviderError;
use moorline::provider::ErrorKind;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::error::{is_no_session, malformed, refused};
use crate::redact::{REDACTED, scrub_text};

/// How much of a body that is no JSON is shown, in characters.
const EXCERPT: usize = 120;
/// How much of a body that is no JSON is looked at, in bytes.
const LOOKED_AT: usize = 4096;

/// An answer, read to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: &'a [u8],
    /// What was shown to the gateway: it must not come back in a message.
    pub(crate) secret: Option<&'a SecretString>,
}

impl Answer<'_> {
    /// The result of `method`, or why there is none.
    pub(crate) fn read(&self, method: &str) -> Result<Value, ProviderError> {
        match serde_json::from_slice::<Value>(self.body) {
            Ok(Value::Object(mut fields)) => {
                let error = fields.remove("error").filter(|error| !error.is_null());
                match (error, fields.remove("result")) {
                    (Some(error), _) => Err(self.finish(self.error(method, error))),
                    (None, Some(result)) if self.is_success() => Ok(result),
                    (None, Some(_)) => Err(self.by_status(method)),
                    (None, None) if self.is_success() => {
                        Err(malformed(method, "it holds neither a result nor an error"))
                    }
                    (None, None) => Err(self.by_status(method)),
                }
            }
            Ok(_) | Err(_) if self.is_success() => Err(malformed(
                method,
                format_args!("it is no JSON-RPC{}", self.excerpt()),
            )),
            Ok(_) | Err(_) => Err(self.by_status(method)),
        }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The `error` of an answer: an object as JSON-RPC has it, with or without a message, or a
    /// bare string.
    fn error(&self, method: &str, error: Value) -> ProviderError {
        match error {
            Value::String(said) if is_no_session(&said) => {
                ProviderError::new(ErrorKind::SessionGone, self.clean(&said)).answered()
            }
            Value::String(said) => {
                let kind = self.kind_of_status();
                let said = self.clean(&said);
                ProviderError::new(kind, format!("the gateway refused `{method}`: {said}"))
                    .answered()
            }
            Value::Object(mut fields) => {
                let message = match fields.get("message") {
                    Some(Value::String(message)) => self.clean(message),
                    _ => String::new(),
                };
                match fields.get("code").and_then(Value::as_i64) {
                    Some(code) => refused(method, code, &message, fields.remove("data")),
                    None => ProviderError::new(
                        self.kind_of_status(),
                        format!("the gateway refused `{method}` {message}").trim_end(),
                    )
                    .answered(),
                }
            }
            _ => self.by_status(method),
        }
    }

    /// What only the status says.
    fn by_status(&self, method: &str) -> ProviderError {
        let kind = self.kind_of_status();
        let what = match self.status {
            300..=399 => "redirects; use the address it redirects to".to_owned(),
            401 | 403 => "wants a login".to_owned(),
            404 | 405 => "has nothing at this address".to_owned(),
            413 => "finds the request too long".to_owned(),
            429 => "had too many requests".to_owned(),
            status => format!("answers `{method}` with status {status}"),
        };
        let status = self.status;
        let excerpt = self.excerpt();
        let error =
            ProviderError::new(kind, format!("the gateway {what} (HTTP {status}){excerpt}"));
        let error = match status {
            // From something in front of the gateway: what the gateway did is not known.
            502..=504 | 408 => error,
            _ => error.answered(),
        };
        self.finish(error)
    }

    fn kind_of_status(&self) -> ErrorKind {
        match self.status {
            401 | 403 => ErrorKind::Unauthorized,
            404 | 405 | 501 => ErrorKind::Unsupported,
            408 | 504 => ErrorKind::TimedOut,
            429 => ErrorKind::RateLimited,
            502 | 503 => ErrorKind::Unreachable,
            300..=499 => ErrorKind::InvalidRequest,
            _ if self.text().contains("not implemented") => ErrorKind::Unsupported,
            _ => ErrorKind::Internal,
        }
    }

    fn finish(&self, error: ProviderError) -> ProviderError {
        match self.retry_after {
            Some(after) if error.retry_after().is_none() => error.with_retry_after(after),
            _ => error,
        }
    }

    fn excerpt(&self) -> String {
        let text = self.text();
        if text.is_empty() {
            return String::new();
        }
        let mut short: String = text.chars().take(EXCERPT).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        format!(": {short}")
    }

    /// The beginning of the body as plain text on one line: without tags, without secrets.
    fn text(&self) -> String {
        let body = &self.body[..self.body.len().min(LOOKED_AT)];
        // Secrets go first: a tag inside one must not hide it.
        let mut text = self.clean(&String::from_utf8_lossy(body));
        if body.len() < self.body.len() {
            // What was cut in two may be a secret.
            text.truncate(text.rfind(char::is_whitespace).unwrap_or(0));
        }
        let mut plain = String::new();
        let mut tag = false;
        for letter in text.chars() {
            match letter {
                '<' => tag = true,
                '>' if tag => {
                    tag = false;
                    plain.push(' ');
                }
                _ if tag => {}
                letter if letter.is_control() => plain.push(' '),
                letter => plain.push(letter),
            }
        }
        let words: Vec<&str> = plain.split_whitespace().collect();
        words.join(" ")
    }

    fn clean(&self, text: &str) -> String {
        match self.secret.map(ExposeSecret::expose_secret) {
            Some(secret) if !secret.is_empty() => scrub_text(&text.replace(secret, REDACTED)),
            _ => scrub_text(text),
        }
    }
}
