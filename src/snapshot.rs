//! What a session shows of itself: an immutable, shared snapshot.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::identity::{Account, Identity, NetworkId, primary_account};
use crate::provider::{Epoch, NetworkLink, ProviderError};

/// The public state of a session at one moment. Immutable and shared: keep it as long as you like.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Snapshot {
    /// Counts the snapshots of this session, without gaps, from 0.
    pub seq: u64,
    /// The connection this speaks of.
    pub epoch: Epoch,
    /// What the session is doing.
    pub status: Status,
    /// Every account the program may use; empty if none is known.
    pub accounts: Arc<[Account]>,
    /// The network, where known.
    pub network: Option<NetworkId>,
    /// Whether the wallet reaches that network.
    pub network_link: NetworkLink,
    /// Whether accounts and network are the last known ones, not confirmed by the wallet on this
    /// connection.
    pub stale: bool,
    /// When the session expires: the earlier of its time to live and the wallet's credentials.
    pub expires_at: Option<Timestamp>,
    /// When the user's connection was established.
    pub connected_at: Option<Timestamp>,
    /// The last thing that went wrong, until something goes right.
    pub last_error: Option<ProviderError>,
}

impl Snapshot {
    /// Whether the session is connected: it then has at least one account, confirmed.
    pub fn is_connected(&self) -> bool {
        self.status == Status::Connected
    }

    /// The account to act for: the first one marked primary, else the first.
    pub fn primary(&self) -> Option<&Account> {
        primary_account(&self.accounts)
    }

    /// Whom the session acts for, or last acted for (see [`stale`](Self::stale)).
    pub fn identity(&self) -> Option<Identity> {
        self.primary()
            .map(|account| Identity::new(account.id.clone(), self.network.clone()))
    }
}

/// What a session is doing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "status")]
#[non_exhaustive]
pub enum Status {
    /// No connection, and none will come up by itself.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
    },
    /// The user asked to connect; not there yet.
    Connecting,
    /// Connected, at least one account known.
    Connected,
    /// On the way back to a session that was there before.
    Reconnecting {
        /// What was lost.
        cause: ReconnectCause,
    },
}

impl Status {
    /// Whether no connection is there and none will come up by itself.
    pub fn is_disconnected(self) -> bool {
        matches!(self, Self::Disconnected { .. })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected { reason } => write!(f, "disconnected ({reason})"),
            Self::Connecting => f.write_str("connecting"),
            Self::Connected => f.write_str("connected"),
            Self::Reconnecting { cause } => write!(f, "reconnecting ({cause})"),
        }
    }
}

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every variant, in order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name used in events and scenarios.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// Why a session is disconnected.
    DisconnectReason {
        /// It has not been connected yet.
        Initial => "initial",
        /// The user called `disconnect`.
        User => "user",
        /// The user called `detach`: forgotten here, the wallet was not told.
        Detached => "detached",
        /// `connect` failed; the error is in the snapshot and was returned to the caller.
        ConnectFailed => "connect-failed",
        /// The session expired and nothing could re-authenticate it.
        Expired => "expired",
        /// The wallet definitely ended the session and nothing could re-authenticate it.
        Revoked => "revoked",
        /// Re-authentication was refused, or a hook for it broke or took too long: trying again
        /// would not help. What was stored is erased.
        ReauthFailed => "reauth-failed",
        /// Recovery, re-authentication included, used up its attempts or its time, or met an error
        /// that cannot pass. What is known and stored is kept: `connect` and `restore` try again.
        GaveUp => "gave-up",
        /// Another process that shares the session disconnected it.
        Remote => "remote",
        /// The session was closed for good.
        Closed => "closed",
    }
}

named! {
    /// What a session that is reconnecting is coming back from.
    ReconnectCause {
        /// The link to the wallet was lost.
        LinkLost => "link-lost",
        /// The program restarted, or `restore` was called.
        Restore => "restore",
        /// The session expired or was revoked and is being re-authenticated, or waits to be because
        /// that could not be done at once.
        Reauthentication => "reauthentication",
    }
}

/// Why a session needs re-authentication.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReauthReason {
    /// It reached its expiry.
    Expired,
    /// The wallet said that it is no longer valid.
    Revoked,
}
