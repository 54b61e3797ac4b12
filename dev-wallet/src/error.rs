//! Errors of the wallet: to who runs it, and over the wire.

use std::io;
use std::net::SocketAddr;

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::Value;

/// Why a wallet could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("the wallet cannot listen on {address}: {cause}; choose another address or port 0")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The wallet has no account.
    #[error("a wallet needs at least one account")]
    NoAccount,
    /// Two accounts have the same name.
    #[error("there are two accounts called `{0}`; names must differ")]
    SameAccount(String),
    /// The system has no randomness, or a key cannot be made.
    #[error("the wallet's keys cannot be made; the system's cryptography failed")]
    Keys,
    /// The methods could not be registered.
    #[error("the wallet's methods cannot be registered: {0}")]
    Methods(String),
    /// Time cannot run so fast.
    #[error("time cannot run {0} times as fast; choose a number above 0")]
    TimeScale(f64),
    /// The state given belongs to a wallet that is still running.
    #[error("the state belongs to a wallet that is running; stop that one first")]
    Running,
}

/// The wallet has no such account.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the wallet has no account `{0}`")]
pub struct UnknownAccount(pub String);

/// What was asked of a wallet's [`Control`](crate::Control) cannot be done; why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct ControlError(pub String);

/// The user rejected the request (EIP-1193 4001).
pub(crate) fn rejected() -> ErrorObjectOwned {
    plain(4001, "the user rejected the request")
}

/// Not authorised (EIP-1193 4100).
pub(crate) fn unauthorized(why: &str) -> ErrorObjectOwned {
    plain(4100, why)
}

/// Not connected to the network (EIP-1193 4901).
pub(crate) fn network_down() -> ErrorObjectOwned {
    plain(4901, "the wallet is not connected to its network")
}

/// The params are wrong (EIP-1474 -32602).
pub(crate) fn invalid_params(why: impl std::fmt::Display) -> ErrorObjectOwned {
    plain(-32602, &format!("invalid params: {why}"))
}

/// There is no such resource (EIP-1474 -32001).
pub(crate) fn not_found(what: &str) -> ErrorObjectOwned {
    plain(-32001, &format!("resource not found: {what}"))
}

/// The ledger refuses the transaction (EIP-1474 -32003); `details` is what a ledger says.
pub(crate) fn transaction_rejected(why: &str, details: Value) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(-32003, why, Some(details))
}

/// An error without details.
pub(crate) fn plain(code: i32, message: &str) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(code, message, None::<()>)
}
