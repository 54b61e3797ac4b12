//! Errors of a session, one enum an operation.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::clock::millis;
use crate::identity::Identity;
use crate::provider::{ErrorKind, ProviderError, Sent};
use crate::snapshot::{DisconnectReason, Status};

/// Why a session could not be built.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no tokio runtime to run on.
    #[error("no tokio runtime is running here: build the session inside one")]
    NoRuntime,
    /// The session is to be restored, and there is nothing to restore it from.
    #[error("a session without a store cannot be restored: give the builder a store")]
    NoStore,
    /// The store cannot tell what others write to it.
    #[error(
        "this store cannot tell what changes in it: sessions over it cannot hear of each other"
    )]
    NoChanges,
    /// A policy value is out of range.
    #[error("policy `{field}` is {value}: {expected}")]
    InvalidPolicy {
        /// The field of the policy.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
}

/// Why `connect` did not connect.
#[derive(Clone, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Overtaken by `disconnect`, `detach` or another process: nothing is connected.
    #[error("connecting was cancelled ({0})")]
    Cancelled(DisconnectReason),
    /// The session is closed for good.
    #[error("the session is closed; build a new one")]
    Closed,
    /// The wallet, or the way to it, failed.
    #[error("the wallet could not be connected: {0}")]
    Provider(#[source] ProviderError),
    /// A person said no.
    #[error("the user rejected the connection: {0}")]
    Rejected(#[source] ProviderError),
    /// A person did not finish in time.
    #[error("the user did not finish within {} s what the wallet asked for", .0.as_secs())]
    UserActionTimedOut(Duration),
}

impl ConnectError {
    /// The wallet's error behind it, where there is one.
    pub fn provider_error(&self) -> Option<&ProviderError> {
        match self {
            Self::Provider(error) | Self::Rejected(error) => Some(error),
            Self::Cancelled(_) | Self::Closed | Self::UserActionTimedOut(_) => None,
        }
    }

    /// Whether calling `connect` again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Provider(error) => error.is_retryable(),
            Self::Cancelled(_) | Self::Rejected(_) | Self::UserActionTimedOut(_) => true,
            Self::Closed => false,
        }
    }
}

/// Why an operation was not run, or not to its end.
///
/// [`may_have_executed`](Self::may_have_executed) tells the one thing a caller must know before
/// trying again.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
#[serde(
    tag = "error",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum OperationError {
    /// The session is closed for good.
    #[error("the session is closed; build a new one")]
    Closed {
        /// Whether the wallet may have acted on it.
        sent: Sent,
    },
    /// Not answered within its deadline.
    #[error("not answered within {} ms", .after.as_millis())]
    DeadlineExceeded {
        /// The deadline.
        #[serde(rename = "afterMs", serialize_with = "as_millis")]
        after: Duration,
        /// Whether the wallet may have acted on it.
        sent: Sent,
    },
    /// The session was disconnected while the operation was held or under way.
    #[error("the session was disconnected ({reason})")]
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// Whether the wallet may have acted on it.
        sent: Sent,
    },
    /// The party or the network changed before the operation could run: it was meant for
    /// `submitted`, and the session now acts for `current`.
    #[error("submitted for {submitted}, but the session now acts for {current}")]
    IdentityChanged {
        /// Whom it was submitted for.
        submitted: Box<Identity>,
        /// Whom the session acts for.
        current: Box<Identity>,
        /// Whether the wallet may have acted on it, for `submitted`, before a link that broke.
        sent: Sent,
    },
    /// The link broke while the wallet had the operation: it may have been executed.
    #[error("interrupted while the wallet had it; it may have been executed: {cause}")]
    Interrupted {
        /// What broke.
        cause: ProviderError,
    },
    /// The session is not connected, and the operation was not to be held (or nobody is known for
    /// whom to hold it).
    #[error("not connected: {status}")]
    NotConnected {
        /// What the session is doing instead.
        status: Status,
    },
    /// The wallet, or the way to it, failed.
    #[error("{0}")]
    Provider(#[source] ProviderError),
    /// As many operations are held as may be.
    #[error("{capacity} operations are held already, which is the limit; try again later")]
    QueueFull {
        /// The capacity of the queue.
        capacity: usize,
    },
}

impl OperationError {
    /// Whether the wallet may have acted on the operation. If not, it is safe to submit again.
    pub fn may_have_executed(&self) -> bool {
        match self {
            Self::Closed { sent }
            | Self::DeadlineExceeded { sent, .. }
            | Self::Disconnected { sent, .. }
            | Self::IdentityChanged { sent, .. } => *sent != Sent::No,
            Self::Interrupted { .. } => true,
            Self::Provider(error) => error.sent() == Sent::Maybe,
            Self::NotConnected { .. } | Self::QueueFull { .. } => false,
        }
    }

    /// Whether submitting the same again can help. Look at
    /// [`may_have_executed`](Self::may_have_executed) first.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Closed { .. } | Self::IdentityChanged { .. } => false,
            Self::Provider(error) => error.is_retryable(),
            Self::DeadlineExceeded { .. }
            | Self::Disconnected { .. }
            | Self::Interrupted { .. }
            | Self::NotConnected { .. }
            | Self::QueueFull { .. } => true,
        }
    }

    /// What the wallet said, or the way to it, where that is the reason.
    pub fn provider_error(&self) -> Option<&ProviderError> {
        match self {
            Self::Provider(error) | Self::Interrupted { cause: error } => Some(error),
            _ => None,
        }
    }

    /// The wallet's own error code, where it sent one.
    pub fn code(&self) -> Option<i64> {
        self.provider_error()?.code()
    }

    /// Whether the wallet said that a person refused (EIP-1193 4001).
    pub fn is_user_rejection(&self) -> bool {
        matches!(self, Self::Provider(error) if error.kind() == ErrorKind::UserRejected)
    }
}

impl From<ProviderError> for OperationError {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

fn as_millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(millis(*duration))
}
