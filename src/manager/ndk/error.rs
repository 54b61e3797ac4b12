//! Why an NDK file, or what it holds, cannot be used.

use std::sync::Arc;

use crate::store::StoreError;

/// Why something of NDK's cannot be read, imported or exported. Never quotes what stands there.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NdkError {
    /// The text is not JSON. NDK would not read it either.
    #[error(
        "the sessions cannot be read: they stop being JSON at line {line}, column {column}; \
         the file was left as it is"
    )]
    NotJson {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
    },
    /// A member is not what it has to be.
    #[error("`{member}` {problem}; the file was left as it is")]
    Member {
        /// Which one, with its place, such as `sessions[2].lastActive`.
        member: Arc<str>,
        /// What is wrong.
        problem: &'static str,
    },
    /// The store keeps no secrets, which the sessions need to be restored.
    #[error(
        "the store would not keep the signers of these sessions, as it does not encrypt: use one \
         that does; nothing was imported"
    )]
    StoreInClear,
    /// The store could not be read or written. Importing again does what is left to do.
    #[error("{0}")]
    Store(#[from] StoreError),
}

pub(super) fn wrong(member: impl Into<Arc<str>>, problem: &'static str) -> NdkError {
    NdkError::Member {
        member: member.into(),
        problem,
    }
}

impl From<serde_json::Error> for NdkError {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson {
            line: error.line(),
            column: error.column(),
        }
    }
}
