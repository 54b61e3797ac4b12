//! Whether the other side of a connection still answers.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// When a connection last brought an answer. Calls are pipelined: one that is late means little
/// while others are answered.
#[derive(Debug)]
pub(in crate::sync) struct Liveness {
    opened: Instant,
    /// Milliseconds after `opened`.
    answered: AtomicU64,
}

impl Liveness {
    pub(in crate::sync) fn new() -> Self {
        Self {
            opened: Instant::now(),
            answered: AtomicU64::new(0),
        }
    }

    /// The moment of a question, for [`silent_since`](Self::silent_since).
    pub(in crate::sync) fn now(&self) -> u64 {
        crate::clock::millis(self.opened.elapsed())
    }

    pub(in crate::sync) fn answer(&self) {
        self.answered.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// Whether nothing was answered since a question.
    pub(in crate::sync) fn silent_since(&self, asked: u64) -> bool {
        self.answered.load(Ordering::Relaxed) <= asked
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_somebody_else_is_a_sign_of_life() {
        let liveness = Liveness::new();
        let asked = liveness.now();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(liveness.silent_since(asked));
        liveness.answer();
        assert!(!liveness.silent_since(asked));
    }
}
