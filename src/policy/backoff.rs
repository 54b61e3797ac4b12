//! Exponential backoff: a pure function of the attempt and a random number.

use std::time::Duration;

use crate::error::BuildError;

/// When a lost connection is tried again: `base * factor^(n-1)` before attempt `n`, never more
/// than `cap`, with limits on the number of attempts and on the time spent.
///
/// A wallet's `Retry-After` is honoured even beyond the cap.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    /// Delay before the first attempt. Default 500 ms.
    pub base: Duration,
    /// Growth from one attempt to the next, at least 1. Default 2.
    pub factor: f64,
    /// Longest delay, jitter included. Default 30 s.
    pub cap: Duration,
    /// Whether each delay is drawn evenly from the upper half of its value, so that many programs
    /// do not return in step. Default on.
    pub jitter: bool,
    /// How many attempts are made before giving up; `None` for no limit. Default 5.
    pub max_attempts: Option<u32>,
    /// How long recovery may go on, counted from the loss; `None` for no limit. Default none.
    pub max_elapsed: Option<Duration>,
    /// How long a connection must hold before the count of attempts starts anew. Default 10 s.
    pub stable_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            factor: 2.0,
            cap: Duration::from_secs(30),
            jitter: true,
            max_attempts: Some(5),
            max_elapsed: None,
            stable_after: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// The delay before attempt `attempt` (counted from 1). `random` is used only with jitter:
    /// the same number gives the same delay.
    pub fn delay(&self, attempt: u32, random: u64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let full = self.base.as_secs_f64() * self.factor.powi(exponent);
        let capped = full.min(self.cap.as_secs_f64());
        let delay = Duration::try_from_secs_f64(capped).unwrap_or(self.cap);
        if !self.jitter {
            return delay;
        }
        // 53 random bits make an even draw from [0, 1); half of the delay is kept for certain.
        let unit = (random >> 11) as f64 / (1_u64 << 53) as f64;
        delay.mul_f64(0.5 + unit * 0.5)
    }

    pub(super) fn validate(&self) -> Result<(), BuildError> {
        let invalid = |field, value: String, expected| {
            Err(BuildError::InvalidPolicy {
                field,
                value,
                expected,
            })
        };
        if !self.factor.is_finite() || self.factor < 1.0 {
            return invalid("reconnect.factor", self.factor.to_string(), "at least 1");
        }
        if self.base < Duration::from_millis(1) {
            return invalid(
                "reconnect.base",
                format!("{:?}", self.base),
                "at least 1 ms",
            );
        }
        if self.cap < self.base {
            return invalid(
                "reconnect.cap",
                format!("{:?}", self.cap),
                "at least the base",
            );
        }
        if self.max_attempts == Some(0) {
            return invalid(
                "reconnect.max_attempts",
                "0".into(),
                "at least 1, or no limit",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact() -> Backoff {
        Backoff {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(5),
            jitter: false,
            ..Backoff::default()
        }
    }

    #[test]
    fn delays_double_up_to_the_cap() {
        let delays: Vec<u64> = (1..=6)
            .map(|n| exact().delay(n, 7).as_millis() as u64)
            .collect();
        assert_eq!(delays, [1000, 2000, 4000, 5000, 5000, 5000]);
    }

    #[test]
    fn jitter_keeps_half_and_never_exceeds_the_cap() {
        let policy = Backoff {
            jitter: true,
            ..exact()
        };
        for attempt in [1, 3, 40, u32::MAX] {
            let full = exact().delay(attempt, 0);
            for random in [0, 1, u64::MAX / 2, u64::MAX] {
                let delay = policy.delay(attempt, random);
                assert!(
                    delay >= full / 2 && delay <= full,
                    "{attempt} {random}: {delay:?}"
                );
            }
        }
        assert_eq!(policy.delay(1, 0), Duration::from_millis(500));
    }

    #[test]
    fn a_huge_factor_does_not_overflow() {
        let policy = Backoff {
            factor: 1e300,
            ..exact()
        };
        assert_eq!(policy.delay(1000, 0), Duration::from_secs(5));
    }

    #[test]
    fn out_of_range_values_are_named() {
        let broken = Backoff {
            factor: 0.5,
            ..exact()
        };
        let error = broken.validate().unwrap_err();
        assert_eq!(
            error.to_string(),
            "policy `reconnect.factor` is 0.5: at least 1"
        );
        assert!(
            Backoff {
                max_attempts: Some(0),
                ..exact()
            }
            .validate()
            .is_err()
        );
        assert!(
            Backoff {
                cap: Duration::from_millis(1),
                ..exact()
            }
            .validate()
            .is_err()
        );
        assert!(
            Backoff {
                base: Duration::ZERO,
                ..exact()
            }
            .validate()
            .is_err()
        );
    }
}
