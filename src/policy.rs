//! How a session behaves: retries, deadlines, expiry, the queue. Plain data with sound defaults.

mod backoff;
mod budget;
mod deadlines;
mod expiry;
mod queue;
mod schedule;

pub use self::backoff::Backoff;
pub use self::budget::ReconnectBudget;
pub use self::deadlines::Deadlines;
pub use self::expiry::ExpiryPolicy;
pub use self::queue::QueuePolicy;
pub use self::schedule::Schedule;
use crate::error::BuildError;

/// Everything a session may be told about how to behave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// When and how often a lost connection is tried again.
    pub reconnect: Backoff,
    /// How long each kind of call may take.
    pub deadlines: Deadlines,
    /// How long a session lives.
    pub expiry: ExpiryPolicy,
    /// How operations are held while the session is not connected.
    pub queue: QueuePolicy,
    /// Whether a first `connect` that fails is retried like a lost connection. Default: no, a
    /// user's `connect` that fails says so at once.
    pub retry_first_connect: bool,
}

impl Policy {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// [`BuildError::InvalidPolicy`] names the first field that is out of range.
    pub fn validate(&self) -> Result<(), BuildError> {
        self.reconnect.validate()?;
        self.deadlines.validate()?;
        self.expiry.validate()?;
        self.queue.validate()
    }
}
