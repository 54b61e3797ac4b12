//! The typed events of a session's life.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::error::OperationError;
use crate::identity::{Account, AccountId, NetworkId};
use crate::provider::{Epoch, Message, NetworkLink, ProviderError, UserAction};
use crate::snapshot::{DisconnectReason, ReauthReason, ReconnectCause};

/// Something that happened in a session's life.
///
/// Events are numbered without gaps per session and are published after the snapshot they speak
/// of. In JSON: `{"seq": 7, "epoch": 2, "at": "2026-03-10T12:00:00.000Z", "type":
/// "reconnect:attempt", "attempt": 1}`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// Its number, counted from 1.
    pub seq: u64,
    /// The connection it belongs to.
    pub epoch: Epoch,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    pub(crate) fn new(seq: u64, epoch: Epoch, at: Timestamp, kind: EventKind) -> Self {
        Self {
            seq,
            epoch,
            at,
            kind,
        }
    }
}

/// What an [`Event`] says. The serialised `type` of each variant stands in its documentation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum EventKind {
    /// `session:connecting`: the user asked to connect and an attempt began.
    #[serde(rename = "session:connecting")]
    Connecting,
    /// `user:action-required`: a person must do something at a URL before the session can stand, or
    /// (`"action": "approve"`) before an operation can end.
    #[serde(rename = "user:action-required")]
    UserActionRequired {
        /// What to do and where.
        #[serde(flatten)]
        action: UserAction,
    },
    /// `session:connected`: connected and verified, by `connect`, restore, reconnect or
    /// re-authentication.
    #[serde(rename = "session:connected")]
    Connected {
        /// Whom the session acts for.
        account: AccountId,
        /// On which network.
        network: Option<NetworkId>,
        /// When the session expires.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// `session:disconnected`: no connection, and none will come up by itself.
    #[serde(rename = "session:disconnected")]
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// The error behind it, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ProviderError>,
    },
    /// `session:reconnecting`: the session left connected (or was found in a store) and is being
    /// brought back.
    #[serde(rename = "session:reconnecting")]
    Reconnecting {
        /// What it is coming back from.
        cause: ReconnectCause,
        /// What broke, where something did.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ProviderError>,
    },
    /// `reconnect:scheduled`: the next attempt will begin after a delay.
    #[serde(rename = "reconnect:scheduled")]
    ReconnectScheduled {
        /// Which attempt, counted from 1.
        attempt: u32,
        /// How long until it begins, in milliseconds.
        delay_ms: u64,
    },
    /// `reconnect:deferred`: an attempt was due, but the shared budget has no room for it yet.
    /// Said again where its turn passed while the computer slept or the process was held up.
    #[serde(rename = "reconnect:deferred")]
    ReconnectDeferred {
        /// Which attempt.
        attempt: u32,
        /// How much longer it waits, in milliseconds.
        delay_ms: u64,
    },
    /// `reconnect:attempt`: an attempt began.
    #[serde(rename = "reconnect:attempt")]
    ReconnectAttempt {
        /// Which attempt, counted from 1.
        attempt: u32,
    },
    /// `reconnect:succeeded`: the session is back; `session:connected` follows.
    #[serde(rename = "reconnect:succeeded")]
    ReconnectSucceeded {
        /// The attempt that succeeded.
        attempt: u32,
    },
    /// `reconnect:gaveup`: no further attempt will be made; `session:disconnected` follows.
    #[serde(rename = "reconnect:gaveup")]
    ReconnectGaveUp {
        /// How many attempts were made.
        attempts: u32,
        /// What the last one failed with.
        last_error: Option<ProviderError>,
    },
    /// `session:expiring`: an early warning, once for each expiry.
    #[serde(rename = "session:expiring")]
    Expiring {
        /// When the session expires.
        expires_at: Timestamp,
    },
    /// `session:expired`: the session reached its expiry.
    #[serde(rename = "session:expired")]
    Expired {
        /// The expiry it reached.
        expired_at: Timestamp,
    },
    /// `session:renewed`: use of the session moved its expiry (sliding renewal), or the wallet's
    /// credentials did.
    #[serde(rename = "session:renewed")]
    Renewed {
        /// The new expiry.
        expires_at: Timestamp,
    },
    /// `reauth:started`: the hook or the provider was asked to re-authenticate; operations are held
    /// meanwhile. Said again where that could not be done and is tried again, after
    /// `reconnect:attempt`.
    #[serde(rename = "reauth:started")]
    ReauthStarted {
        /// Why it is needed.
        reason: ReauthReason,
    },
    /// `reauth:succeeded`: re-authenticated and verified; `session:connected` follows.
    #[serde(rename = "reauth:succeeded")]
    ReauthSucceeded {
        /// The new expiry.
        expires_at: Option<Timestamp>,
    },
    /// `reauth:failed`: it was refused, and the session ends; `session:disconnected` follows. What
    /// only could not be done now is tried again instead (`reconnect:scheduled`).
    #[serde(rename = "reauth:failed")]
    ReauthFailed {
        /// Why it failed.
        error: ProviderError,
    },
    /// `party:changed`: the session acts for another account now.
    #[serde(rename = "party:changed")]
    PartyChanged {
        /// Whom it acted for.
        previous: AccountId,
        /// Whom it acts for.
        current: AccountId,
    },
    /// `network:changed`: the session is on another network now.
    #[serde(rename = "network:changed")]
    NetworkChanged {
        /// The network before.
        previous: NetworkId,
        /// The network now.
        current: NetworkId,
    },
    /// `accounts:changed`: the list of accounts changed, whoever is primary.
    #[serde(rename = "accounts:changed")]
    AccountsChanged {
        /// The whole list.
        accounts: Arc<[Account]>,
    },
    /// `network:link`: whether the wallet reaches its network changed.
    #[serde(rename = "network:link")]
    NetworkLinkChanged {
        /// What it is now.
        link: NetworkLink,
    },
    /// `operation:queued`: an operation is held until the session is connected again.
    #[serde(rename = "operation:queued")]
    OperationQueued {
        /// The operation's number.
        operation: u64,
        /// How many are held now.
        depth: usize,
    },
    /// `operation:released`: a held operation was handed to the wallet.
    #[serde(rename = "operation:released")]
    OperationReleased {
        /// The operation's number.
        operation: u64,
    },
    /// `operation:rejected`: an operation will not be run (or not to its end).
    #[serde(rename = "operation:rejected")]
    OperationRejected {
        /// The operation's number.
        operation: u64,
        /// What its caller was told.
        error: OperationError,
    },
    /// `operation:abandoned`: the caller of a held operation stopped waiting for it.
    #[serde(rename = "operation:abandoned")]
    OperationAbandoned {
        /// The operation's number.
        operation: u64,
    },
    /// `persist:failed`: the record could not be written; tried again after a delay.
    #[serde(rename = "persist:failed")]
    PersistFailed {
        /// What the store said.
        error: Arc<str>,
        /// When the next try begins, in milliseconds from now.
        retry_in_ms: u64,
    },
    /// `record:quarantined`: what is stored cannot be used; it was left as it is.
    #[serde(rename = "record:quarantined")]
    RecordQuarantined {
        /// Why.
        reason: Arc<str>,
    },
    /// `persist:recovered`: a write succeeded after one had failed.
    #[serde(rename = "persist:recovered")]
    PersistRecovered,
    /// `hook:failed`: an application hook failed or panicked; the session went on.
    #[serde(rename = "hook:failed")]
    HookFailed {
        /// Which hook.
        hook: Hook,
        /// What it said.
        error: Arc<str>,
    },
    /// `provider:malformed`: the wallet sent something that cannot be understood.
    #[serde(rename = "provider:malformed")]
    Malformed {
        /// What it was meant to be.
        what: Arc<str>,
        /// What is wrong with it.
        problem: Arc<str>,
    },
    /// `provider:event`: an event of the wallet's protocol, passed through.
    #[serde(rename = "provider:event")]
    Provider(Message),
}

impl EventKind {
    /// The stable name of this kind of event: its `type` in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connecting => "session:connecting",
            Self::UserActionRequired { .. } => "user:action-required",
            Self::Connected { .. } => "session:connected",
            Self::Disconnected { .. } => "session:disconnected",
            Self::Reconnecting { .. } => "session:reconnecting",
            Self::ReconnectScheduled { .. } => "reconnect:scheduled",
            Self::ReconnectDeferred { .. } => "reconnect:deferred",
            Self::ReconnectAttempt { .. } => "reconnect:attempt",
            Self::ReconnectSucceeded { .. } => "reconnect:succeeded",
            Self::ReconnectGaveUp { .. } => "reconnect:gaveup",
            Self::Expiring { .. } => "session:expiring",
            Self::Expired { .. } => "session:expired",
            Self::Renewed { .. } => "session:renewed",
            Self::ReauthStarted { .. } => "reauth:started",
            Self::ReauthSucceeded { .. } => "reauth:succeeded",
            Self::ReauthFailed { .. } => "reauth:failed",
            Self::PartyChanged { .. } => "party:changed",
            Self::NetworkChanged { .. } => "network:changed",
            Self::AccountsChanged { .. } => "accounts:changed",
            Self::NetworkLinkChanged { .. } => "network:link",
            Self::OperationQueued { .. } => "operation:queued",
            Self::OperationReleased { .. } => "operation:released",
            Self::OperationRejected { .. } => "operation:rejected",
            Self::OperationAbandoned { .. } => "operation:abandoned",
            Self::PersistFailed { .. } => "persist:failed",
            Self::RecordQuarantined { .. } => "record:quarantined",
            Self::PersistRecovered => "persist:recovered",
            Self::HookFailed { .. } => "hook:failed",
            Self::Malformed { .. } => "provider:malformed",
            Self::Provider(_) => "provider:event",
        }
    }
}

/// The hooks an application can set.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Hook {
    /// Called when party or network changed.
    Invalidation,
}

/// What invalidates everything an application derived from a session's identity.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Invalidation {
    /// Another account.
    Party {
        /// Whom the session acted for.
        previous: AccountId,
        /// Whom it acts for.
        current: AccountId,
    },
    /// Another network.
    Network {
        /// The network before.
        previous: NetworkId,
        /// The network now.
        current: NetworkId,
    },
}
