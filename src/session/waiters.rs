//! Callers that wait for something they share.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::error::ConnectError;
use crate::machine::{DisconnectReport, RestoreOutcome};
use crate::provider::Verdict;
use crate::snapshot::Snapshot;

/// Everybody who waits, by what for.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    pub(super) connect: Waiting<Result<Arc<Snapshot>, ConnectError>>,
    pub(super) restore: Waiting<RestoreOutcome>,
    pub(super) disconnect: Waiting<DisconnectReport>,
    pub(super) verify: Waiting<Verdict>,
    pub(super) close: Waiting<()>,
}

impl Waiters {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.connect.0.is_empty()
            && self.restore.0.is_empty()
            && self.disconnect.0.is_empty()
            && self.verify.0.is_empty()
            && self.close.0.is_empty()
    }
}

/// Those who wait for one result.
#[derive(Debug)]
pub(super) struct Waiting<T>(Vec<oneshot::Sender<T>>);

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Waiting<T> {
    pub(super) fn join(&mut self) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        self.0.push(sender);
        receiver
    }

    /// Answers all of them.
    pub(super) fn settle(&mut self, result: &T) {
        // Gives the room back: most sessions wait for nothing most of the time.
        for waiter in std::mem::take(&mut self.0) {
            // One that no longer waits is no loss.
            let _gone = waiter.send(result.clone());
        }
    }
}
