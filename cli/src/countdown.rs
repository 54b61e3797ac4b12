//! How long until the next attempt: a line that counts down, on a terminal.

use std::time::{Duration, Instant};

use moorline::EventKind;

/// How often the line is written anew.
const STEP: Duration = Duration::from_millis(100);

/// The next attempt, and when it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Countdown {
    attempt: u32,
    at: Instant,
}

impl Countdown {
    /// What an event leaves to wait for: only a planned attempt does.
    pub(crate) fn after(kind: &EventKind) -> Option<Self> {
        match kind {
            EventKind::ReconnectScheduled { attempt, delay_ms }
            | EventKind::ReconnectDeferred { attempt, delay_ms } => Some(Self {
                attempt: *attempt,
                at: Instant::now() + Duration::from_millis(*delay_ms),
            }),
            _ => None,
        }
    }

    /// The line, and how long it is true.
    pub(crate) fn line(self) -> (String, Duration) {
        let left = self.at.saturating_duration_since(Instant::now());
        let seconds = left.as_secs_f64();
        (format!("attempt {} in {seconds:.1} s", self.attempt), STEP)
    }
}
