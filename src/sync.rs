//! Agreement between sessions of the same user in different places.
//!
//! A [`Notice`] tells the others what happened to a shared session. It is never believed beyond
//! what it can be trusted for: a disconnect is final, a change of party or network makes the
//! receiver ask its own wallet. Receiving never sends.

#[cfg(any(feature = "nats", feature = "postgres"))]
mod engine;
mod fence;
#[cfg(feature = "stores")]
pub mod lease;
mod local;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "postgres")]
pub mod postgres;

use serde::{Deserialize, Serialize};

pub use self::fence::Fence;
pub use self::local::LocalBus;
use crate::identity::{AccountId, NetworkId};

/// What a session tells those that share it.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Notice {
    /// The user disconnected.
    Disconnected,
    /// The session acts for another account.
    PartyChanged {
        /// The account.
        account: AccountId,
    },
    /// The session is on another network.
    NetworkChanged {
        /// The network.
        network: NetworkId,
    },
}

/// Carries notices between the members of one shared session.
pub trait Bus: Send + Sync + 'static {
    /// Sends a notice to every other member. Must not block and must not call back into the
    /// session.
    fn send(&self, notice: Notice);

    /// Calls `receive` for every notice of another member, until it returns `false`.
    fn subscribe(&self, receive: Box<dyn Fn(Notice) -> bool + Send + Sync>);
}
