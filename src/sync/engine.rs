//! What the engines share: trust, signs of life, and tasks that end with their owner.

mod liveness;
mod task;
mod tls;

use std::error::Error;
use std::time::Duration;

pub(super) use self::liveness::Liveness;
pub(super) use self::task::Task;
pub(super) use self::tls::Tls;
use crate::policy::Backoff;

/// How long a call may take, unless set otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether calls may take so long.
pub(super) fn check_timeout(timeout: Duration) -> Result<(), String> {
    if timeout < Duration::from_millis(100) {
        return Err(format!(
            "a timeout of {timeout:?} is too short: at least 100 ms"
        ));
    }
    Ok(())
}

/// An error and its causes, in one line. Not for errors that may quote an address: those can hold
/// a password.
pub(super) fn explain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors quote their cause themselves.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// The delay before attempt `attempt` (counted from 1) to reach an engine again: short, because
/// calls wait for it, and spread, because every process of a cluster does the same.
pub(super) fn retry_delay(attempt: u32) -> Duration {
    let backoff = Backoff {
        base: Duration::from_millis(50),
        cap: Duration::from_secs(2),
        ..Backoff::default()
    };
    backoff.delay(attempt, fastrand::u64(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_are_told_once() {
        let inner = std::io::Error::other("refused");
        assert_eq!(explain(&Outer(inner)), "outer: refused");
        let quoted = std::io::Error::other(std::io::Error::other("refused"));
        assert_eq!(explain(&quoted), "refused");
    }

    #[test]
    fn an_engine_is_tried_again_within_two_seconds() {
        assert!(retry_delay(1) <= Duration::from_millis(50));
        for attempt in [1, 5, 50, u32::MAX] {
            let delay = retry_delay(attempt);
            assert!(delay >= Duration::from_millis(25), "{delay:?}");
            assert!(delay <= Duration::from_secs(2), "{delay:?}");
        }
    }
}
