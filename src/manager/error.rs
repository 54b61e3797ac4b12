//! Errors of a manager.

use std::sync::Arc;
use std::time::Duration;

use super::key::{SessionKey, Who};
#[cfg(feature = "stores")]
use super::restore::Restored;
use crate::error::{BuildError, ConnectError};
#[cfg(feature = "stores")]
use crate::sync::lease::Member;

/// Why a manager could not do as asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// Several sessions act for this account: name network and provider too.
    #[error("{} sessions act for {who}: say which by its key", .keys.len())]
    Ambiguous {
        /// What was asked for.
        who: Who,
        /// The sessions.
        keys: Vec<Arc<SessionKey>>,
    },
    /// The session could not be built.
    #[error("the session could not be built: {0}")]
    Build(#[source] BuildError),
    /// The manager is closed for good.
    #[error("the session manager is closed; build a new one")]
    Closed,
    /// The wallet was not connected.
    #[error("{0}")]
    Connect(#[source] ConnectError),
    /// There are as many sessions as may be.
    #[error("{max_sessions} sessions are there already, which is the limit; log one out first")]
    Full {
        /// The limit.
        max_sessions: usize,
    },
    /// The session was made too long ago for what is asked: the account is to log in again.
    #[error(
        "the session was made {} s ago, and is to be younger than {} s: log in again",
        .age.as_secs(),
        .limit.as_secs()
    )]
    NotFresh {
        /// How long ago it was made.
        age: Duration,
        /// How long ago is too long.
        limit: Duration,
    },
    /// Another process holds the session: its user's requests go there.
    #[cfg(feature = "stores")]
    #[error("`{holder}` holds the session of {key}: send its requests there, or log it out first")]
    HeldElsewhere {
        /// Whose session.
        key: Arc<SessionKey>,
        /// Who holds it.
        holder: Member,
    },
    /// Who holds a session cannot be said, or its lease not be got, at present.
    #[cfg(feature = "stores")]
    #[error("the lease of the session cannot be had: {reason}; try again later")]
    Lease {
        /// Why.
        reason: Arc<str>,
    },
    /// No session is active.
    #[error("no session is active: log in or switch to one")]
    NoActiveSession,
    /// No session acts for this account.
    #[error("there is no session for {who}: log in first")]
    NotFound {
        /// What was asked for.
        who: Who,
    },
    /// What is stored could not be restored here.
    #[cfg(feature = "stores")]
    #[error("the stored session of {who} could not be restored: {restored:?}")]
    NotRestored {
        /// What was asked for.
        who: Who,
        /// How it ended.
        restored: Restored,
    },
    /// The manager's own record or the list of records could not be read.
    #[error("the stored sessions cannot be listed: {reason}")]
    Store {
        /// What the store said.
        reason: Arc<str>,
    },
}
