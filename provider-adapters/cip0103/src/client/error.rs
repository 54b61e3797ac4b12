//! Why a typed call failed.

use std::time::Duration;

use moorline::OperationError;

use super::UnknownCause;
use crate::redact::scrub_text;

/// Why a call of the typed client failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// A person who was asked to approve did neither in time. They may do it yet.
    #[error("nobody approved `{method}` within {} s", after.as_secs())]
    ApprovalTimeout {
        /// The method.
        method: &'static str,
        /// How long they had.
        after: Duration,
    },
    /// A person refused, or it failed: the wallet does not tell these apart.
    #[error("`{method}` was refused by a person, or failed; the wallet does not say which")]
    RejectedOrFailed {
        /// The method.
        method: &'static str,
    },
    /// What became of it is not known: events were lost.
    #[error("what became of `{method}` is not known: events of the wallet were lost")]
    Unknown {
        /// The method.
        method: &'static str,
        /// Why nobody knows.
        cause: UnknownCause,
    },
    /// The wallet answered, and the answer is not what the API says. It has acted on the call.
    #[error("the wallet's answer to `{method}` cannot be understood: {problem}")]
    Malformed {
        /// The method.
        method: &'static str,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The session, the wallet, or the way to it.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The params cannot be written as JSON. Nothing was sent.
    #[error("the params of `{method}` cannot be written as JSON: {problem}")]
    Unencodable {
        /// The method.
        method: &'static str,
        /// What is wrong with them.
        problem: String,
    },
}

impl CallError {
    pub(super) fn malformed(method: &'static str, problem: &serde_json::Error) -> Self {
        Self::Malformed {
            method,
            problem: scrub_text(&problem.to_string()),
        }
    }

    /// Whether the wallet may have acted on the call. If not, it is safe to make it again.
    pub fn may_have_executed(&self) -> bool {
        match self {
            Self::ApprovalTimeout { .. } | Self::Malformed { .. } | Self::Unknown { .. } => true,
            Self::Operation(error) => error.may_have_executed(),
            Self::RejectedOrFailed { .. } | Self::Unencodable { .. } => false,
        }
    }

    /// Whether the wallet said that a person refused (EIP-1193 4001).
    pub fn is_user_rejection(&self) -> bool {
        matches!(self, Self::Operation(error) if error.is_user_rejection())
    }

    /// The wallet's own error code, where it sent one.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Operation(error) => error.code(),
            _ => None,
        }
    }
}
