//! Errors of the wallet and of the way to it, in the words of the seam.

use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;
use moorline::ProviderError;
use moorline::provider::ErrorKind;
use serde_json::Value;

use crate::redact::scrub_text;

/// The error a wallet answered with: its code (EIP-1193 and EIP-1474), its message freed of
/// tokens, its structured details.
pub(crate) fn answered(method: &str, error: &ErrorObjectOwned) -> ProviderError {
    let data = error
        .data()
        .and_then(|data| serde_json::from_str(data.get()).ok());
    refused(method, i64::from(error.code()), error.message(), data)
}

/// The same, from the parts of the error.
pub(crate) fn refused(
    method: &str,
    code: i64,
    message: &str,
    data: Option<Value>,
) -> ProviderError {
    let message = match scrub_text(message) {
        message if message.trim().is_empty() => format!("the wallet refused `{method}`"),
        message => message,
    };
    // Wallets that have lost the session say so with an internal error.
    let mut mapped = if code == -32603 && is_no_session(&message) {
        ProviderError::new(ErrorKind::SessionGone, message)
            .with_code(code)
            .answered()
    } else {
        ProviderError::from_code(code, message)
    };
    if let Some(after) = data.as_ref().and_then(retry_after) {
        mapped = mapped.with_retry_after(after);
    }
    match data {
        Some(data) => mapped.with_data(data),
        None => mapped,
    }
}

/// The answer came, and cannot be understood.
pub(crate) fn malformed(method: &str, problem: impl std::fmt::Display) -> ProviderError {
    // serde quotes offending strings: they may be secrets.
    let problem = scrub_text(&problem.to_string());
    ProviderError::new(
        ErrorKind::Malformed,
        format!("the wallet's answer to `{method}` cannot be understood: {problem}"),
    )
    .answered()
}

/// What gateways say, word for word, when they have no session.
pub(crate) fn is_no_session(message: &str) -> bool {
    const SAID: [&str; 3] = ["no session found", "no session", "no active session found"];
    SAID.iter()
        .any(|said| message.trim().eq_ignore_ascii_case(said))
}

/// `retryAfter` (seconds) or `retryAfterMs` in the details of an error.
fn retry_after(data: &Value) -> Option<Duration> {
    if let Some(millis) = data.get("retryAfterMs").and_then(Value::as_u64) {
        return Some(Duration::from_millis(millis));
    }
    let seconds = data.get("retryAfter").and_then(Value::as_f64)?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use moorline::provider::Sent;
    use serde_json::json;

    fn rpc(code: i32, message: &str, data: Option<Value>) -> ErrorObjectOwned {
        ErrorObjectOwned::owned(code, message, data)
    }

    #[test]
    fn codes_keep_their_meaning() {
        for (code, kind) in [
            (4001, ErrorKind::UserRejected),
            (4100, ErrorKind::Unauthorized),
            (4200, ErrorKind::Unsupported),
            (4900, ErrorKind::Unreachable),
            (4901, ErrorKind::NetworkUnreachable),
            (-32601, ErrorKind::Unsupported),
            (-32602, ErrorKind::InvalidRequest),
            (-32603, ErrorKind::Internal),
            (-32005, ErrorKind::RateLimited),
            (12345, ErrorKind::Internal),
        ] {
            let error = answered("status", &rpc(code, "said", None));
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(error.code(), Some(i64::from(code)));
            assert_eq!(error.message(), "said");
            assert_eq!(error.sent(), Sent::Answered);
        }
    }

    #[test]
    fn details_are_kept_and_tokens_are_not_in_the_message() {
        let data = json!({ "errorCategory": 8, "retryAfter": 1.5 });
        let error = answered("x", &rpc(-32005, "slow down, eyJa.b.c", Some(data.clone())));
        assert_eq!(error.message(), "slow down, [redacted]");
        assert_eq!(error.data(), Some(&data));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_message_is_never_empty() {
        let error = answered("connect", &rpc(4100, "", None));
        assert_eq!(error.message(), "the wallet refused `connect`");
    }

    #[test]
    fn a_lost_session_is_gone_whatever_its_code() {
        let error = answered("listAccounts", &rpc(-32603, "No session found", None));
        assert_eq!(error.kind(), ErrorKind::SessionGone);
        assert_eq!(error.code(), Some(-32603));
    }
}
