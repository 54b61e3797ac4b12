//! How operations are held while the session is not connected.

use crate::error::BuildError;

/// The bounded queue of operations that wait for the session to be connected again.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct QueuePolicy {
    /// How many operations may be held; zero holds none. Default 32.
    pub capacity: usize,
    /// How many held operations may be at the wallet at once while the queue drains. Default 1:
    /// each begins when the one before it has ended.
    pub concurrency: usize,
}

impl Default for QueuePolicy {
    fn default() -> Self {
        Self {
            capacity: 32,
            concurrency: 1,
        }
    }
}

impl QueuePolicy {
    pub(super) fn validate(&self) -> Result<(), BuildError> {
        if self.concurrency == 0 {
            return Err(BuildError::InvalidPolicy {
                field: "queue.concurrency",
                value: "0".into(),
                expected: "at least 1",
            });
        }
        Ok(())
    }
}
