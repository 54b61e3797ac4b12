//! What travels over the wire, as plain data.
//!
//! Decoding is lenient: unknown fields are ignored, every field that wallets are known to leave out
//! is optional, and enumerations keep what they do not know. Tokens are [`SecretString`]s: zeroised
//! on drop, `[REDACTED]` in `Debug`, never serialised.
//!
//! [`SecretString`]: secrecy::SecretString

mod account;
mod connection;
mod ledger;
mod transaction;

pub use self::account::{AccountStatus, Wallet};
pub use self::connection::{ConnectResult, Network, ProviderInfo, SessionInfo, StatusEvent};
pub use self::ledger::{HttpMethod, LedgerApiRequest};
pub(crate) use self::transaction::SignAnswer;
pub use self::transaction::{
    DisclosedContract, ExecutedPayload, MessageSignature, PrepareExecute, SignMessageResult,
    SignedPayload, TxChanged, TxStatus,
};
