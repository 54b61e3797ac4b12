//! What goes into the machine.

use std::sync::Arc;
use std::time::Duration;

use super::effect::Ticket;
use crate::clock::Mono;
use crate::event::Hook;
use crate::identity::Identity;
use crate::provider::{
    CloseMode, Epoch, ErrorKind, Live, Opened, ProviderError, ProviderEvent, Verdict,
};
use crate::store::{StoreError, Stored};
use crate::sync::Notice;

/// Something that happened to a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The user wants to be connected.
    Connect,
    /// The user wants back what the store holds.
    Restore,
    /// The user wants to be disconnected: told to the wallet, or only forgotten here.
    Disconnect(CloseMode),
    /// The user wants to know whether the session is still good.
    Verify,
    /// The session ends for good. `flush` waits for the record to be written and the link to be
    /// closed; without, everything stops at once.
    Close {
        /// Whether to wait.
        flush: bool,
    },
    /// What the store keeps beside what the machine knows is another by now: the record is to be
    /// written again, if there is one.
    Save,
    /// An operation was submitted.
    Submit(OperationId, SubmitOptions),
    /// The wallet answered an operation, or it failed on the way.
    Finished(OperationId, LinkHint),
    /// The link failed an operation that was certainly not executed, or may be repeated.
    Broken(OperationId, ProviderError),
    /// The caller of an operation lost interest.
    Abandoned(OperationId),
    /// The store answered a load.
    Loaded(Ticket, Result<Stored, StoreError>),
    /// The provider answered an open.
    Opened(Ticket, Result<Opened, ProviderError>),
    /// The provider answered a probe.
    Probed(Ticket, Result<Live, ProviderError>),
    /// Re-authentication ended.
    Reauthenticated(Ticket, Result<(), ProviderError>),
    /// The provider answered a close.
    LinkClosed(Ticket, Result<(), ProviderError>),
    /// The store answered a write.
    Persisted(Ticket, Result<(), Arc<str>>),
    /// A hook failed.
    HookFailed(Hook, Arc<str>),
    /// The wallet said something during an epoch.
    Provider(Epoch, ProviderEvent),
    /// Another member of the shared session said something.
    Notice(Notice),
    /// The time the machine asked for has come (or some earlier time).
    Timeout,
}

impl Input {
    /// A short name, for diagrams and traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Restore => "restore",
            Self::Disconnect(CloseMode::Disconnect) => "disconnect",
            Self::Disconnect(CloseMode::Detach) => "detach",
            Self::Verify => "verify",
            Self::Close { .. } => "close",
            Self::Save => "save",
            Self::Submit(..) => "submit",
            Self::Finished(..) => "finished",
            Self::Broken(..) => "broken",
            Self::Abandoned(..) => "abandoned",
            Self::Loaded(_, Ok(Stored::Record { .. })) => "record loaded",
            Self::Loaded(..) => "nothing loaded",
            Self::Opened(_, Ok(Opened::Established)) => "opened",
            Self::Opened(_, Ok(Opened::UserActionRequired(_))) => "user action required",
            Self::Probed(_, Ok(live)) if live.accounts.is_empty() => "no account",
            Self::Probed(_, Ok(_)) => "probe valid",
            Self::Opened(_, Err(error)) | Self::Probed(_, Err(error))
                if error.kind() == ErrorKind::UserRejected =>
            {
                "user rejected"
            }
            Self::Opened(_, Err(_)) => "open failed",
            Self::Probed(_, Err(error)) => match error.verdict() {
                Verdict::Invalid => "probe invalid",
                _ => "probe unknown",
            },
            Self::Reauthenticated(_, Ok(())) => "re-authenticated",
            Self::Reauthenticated(_, Err(error)) if error.is_retryable() => {
                "re-authentication failed"
            }
            Self::Reauthenticated(_, Err(_)) => "re-authentication refused",
            Self::LinkClosed(..) => "link closed",
            Self::Persisted(..) => "persisted",
            Self::HookFailed(..) => "hook failed",
            Self::Provider(_, event) => match event {
                ProviderEvent::Dropped(error) => match error.verdict() {
                    Verdict::Invalid => "session gone",
                    _ => "link lost",
                },
                ProviderEvent::Ready => "wallet ready",
                ProviderEvent::UserActionRequired(_) => "user action required",
                ProviderEvent::UserRejected(_) => "user rejected",
                ProviderEvent::Accounts(_) => "accounts",
                ProviderEvent::Network(_) => "network",
                ProviderEvent::Link(_) => "network link",
                ProviderEvent::Expires(_) => "expiry moved",
                ProviderEvent::Recheck => "recheck",
                ProviderEvent::PayloadChanged => "payload changed",
                ProviderEvent::Malformed { .. } => "malformed",
                ProviderEvent::Message(_) => "message",
            },
            Self::Notice(Notice::Disconnected) => "remote disconnect",
            Self::Notice(_) => "remote change",
            Self::Timeout => "timeout",
        }
    }
}

/// Names an operation: its place in the driver's table, and a number that is never used again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OperationId {
    /// The place, reused once the operation is answered.
    pub slot: u32,
    /// The number, counted from 1.
    pub number: u64,
}

/// How an operation wants to be treated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubmitOptions {
    /// Within which time it must be answered, holding included.
    pub deadline: Duration,
    /// Whether it may be run again if the link broke while the wallet had it.
    pub repeatable: bool,
    /// Whether it is held while the session is not connected.
    pub hold: bool,
    /// Whom it is for, if the caller wants to be sure.
    pub identity: Option<Arc<Identity>>,
}

/// What the end of an operation says of the connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LinkHint {
    /// Nothing.
    None,
    /// Something may be wrong with the session: worth a probe.
    Suspect,
}

/// Where the machine gets retry delays from: the only place where randomness and budgets shared
/// between sessions come in.
pub trait Pacing {
    /// The delay before attempt `attempt` (counted from 1); `None` gives up.
    fn delay(&mut self, attempt: u32) -> Option<Duration>;

    /// When an attempt that is due now may begin: now, or later where a shared budget is short.
    /// The slot is taken; a later one is redeemed when it has come.
    fn reserve(&mut self, now: Mono) -> Mono;

    /// Whether the attempt whose slot was reserved, and has come, may begin now. If not, the slot
    /// is lost, and another is to be reserved: so many slots have passed unused that all of their
    /// attempts at once would be more than the budget allows.
    fn redeem(&mut self, now: Mono) -> bool;
}
