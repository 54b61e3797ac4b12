//! How long a session lives.

use std::time::Duration;

use crate::error::BuildError;

/// When a session expires. Expiry is a wall-clock time, fixed when the session is established; a
/// reconnect or a restore does not move it, re-authentication and (where configured) use do. If
/// the wallet's own credentials end earlier, that counts.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ExpiryPolicy {
    /// Time to live; `None` (the default) leaves expiry to the wallet's credentials.
    pub ttl: Option<Duration>,
    /// Sliding renewal: an operation handed to the wallet moves the expiry to a full time to live
    /// from now, once `expires_at - ttl + update_age` has passed. `None` (the default) is off;
    /// zero renews at every use. Never beyond the wallet's credentials.
    pub update_age: Option<Duration>,
    /// How long before expiry `session:expiring` is published. Default 60 s; `None` for never.
    pub warning: Option<Duration>,
    /// The longest the session goes without a look at the wall clock, so that an expiry reached
    /// while the computer slept is noticed soon after it wakes. (It is noticed before the next
    /// operation in any case.) Default 60 s.
    pub clock_check: Duration,
}

impl Default for ExpiryPolicy {
    fn default() -> Self {
        Self {
            ttl: None,
            update_age: None,
            warning: Some(Duration::from_secs(60)),
            clock_check: Duration::from_secs(60),
        }
    }
}

impl ExpiryPolicy {
    pub(super) fn validate(&self) -> Result<(), BuildError> {
        let invalid = |field, value: Duration, expected| {
            Err(BuildError::InvalidPolicy {
                field,
                value: format!("{value:?}"),
                expected,
            })
        };
        match (self.ttl, self.update_age) {
            (Some(ttl), _) if ttl < Duration::from_millis(1) => {
                return invalid("expiry.ttl", ttl, "at least 1 ms, or none");
            }
            (Some(ttl), Some(age)) if age > ttl => {
                return invalid("expiry.update_age", age, "at most the time to live");
            }
            (None, Some(age)) => {
                return invalid("expiry.update_age", age, "set a time to live to renew it");
            }
            _ => {}
        }
        if self.clock_check < Duration::from_secs(1) {
            return invalid("expiry.clock_check", self.clock_check, "at least 1 s");
        }
        Ok(())
    }
}
