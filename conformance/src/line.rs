//! The ways to a wallet, raw enough to see everything that travels.

pub(crate) mod ear;
pub(crate) mod http;
pub(crate) mod sse;
pub(crate) mod tls;
pub(crate) mod wire;
pub(crate) mod ws;

use std::time::{Duration, Instant};

/// How long to wait. A wallet that never answers is not waited for again and again, and no run
/// takes for ever.
#[derive(Debug)]
pub(crate) struct Patience {
    timeout: Duration,
    until: Instant,
    ever_answered: bool,
    silences: u32,
}

/// What is left once patience has run out: enough for a wallet on this computer.
const LAST: Duration = Duration::from_millis(20);
/// Silences after which a wallet that never answered is taken for dead.
const DEAD: u32 = 3;

impl Patience {
    pub(crate) fn new(timeout: Duration, whole: Duration) -> Self {
        let now = Instant::now();
        Self {
            timeout,
            until: now.checked_add(whole).unwrap_or(now),
            ever_answered: false,
            silences: 0,
        }
    }

    /// How long the next answer is waited for.
    pub(crate) fn now(&self) -> Duration {
        if !self.ever_answered && self.silences >= DEAD {
            return LAST;
        }
        let left = self.until.saturating_duration_since(Instant::now());
        left.clamp(LAST, self.timeout.max(LAST))
    }

    /// How long to wait for what may well not come.
    pub(crate) fn briefly(&self) -> Duration {
        self.now().min(Duration::from_millis(1500))
    }

    pub(crate) fn answered(&mut self) {
        self.ever_answered = true;
    }

    pub(crate) fn silent(&mut self) {
        self.silences += 1;
    }
}
