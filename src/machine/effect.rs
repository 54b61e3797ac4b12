//! What comes out of the machine.

use std::sync::Arc;

use serde::Serialize;

use super::input::OperationId;
use crate::clock::Timestamp;
use crate::error::{ConnectError, OperationError};
use crate::event::{Event, Invalidation};
use crate::identity::Identity;
use crate::provider::{CloseMode, Epoch, OpenMode, ProviderError, Verdict};
use crate::snapshot::{ReauthReason, Snapshot};
use crate::store::{Record, Tombstone};
use crate::sync::Notice;

/// Names one thing the machine started, and the epoch it was started for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ticket {
    /// The epoch.
    pub epoch: Epoch,
    /// A number of its own.
    pub serial: u32,
}

/// Everything that follows from one input. Reuse it: it is drained, not consumed.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The new snapshot, if anything public changed.
    pub snapshot: Option<Arc<Snapshot>>,
    /// What to tell subscribers, after the snapshot.
    pub events: Vec<Event>,
    /// What to carry out, after the events.
    pub effects: Vec<Effect>,
    /// Whether the input belonged to something older and was dropped.
    pub stale: bool,
    /// Whether the present state had no use for the input.
    pub ignored: bool,
}

impl Outbox {
    /// Whether nothing follows.
    pub fn is_empty(&self) -> bool {
        self.snapshot.is_none() && self.events.is_empty() && self.effects.is_empty()
    }

    /// Whether all that follows is that this operation may go to the wallet.
    pub(crate) fn is_dispatch_of(&self, id: OperationId) -> bool {
        self.snapshot.is_none()
            && self.events.is_empty()
            && matches!(self.effects.as_slice(), [Effect::Dispatch(dispatched)] if *dispatched == id)
    }

    /// Forgets everything, keeps the room.
    pub fn clear(&mut self) {
        self.snapshot = None;
        self.events.clear();
        self.effects.clear();
        self.stale = false;
        self.ignored = false;
    }
}

/// Something the driver is to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read the record; answer with `Input::Loaded`.
    Load(Ticket),
    /// Open a connection for the ticket's epoch; answer with `Input::Opened`.
    Open {
        /// To hand back.
        ticket: Ticket,
        /// Whether a person may be asked.
        mode: OpenMode,
        /// Whom the session last acted for.
        last_known: Option<Arc<Identity>>,
    },
    /// Probe the wallet; answer with `Input::Probed`.
    Probe(Ticket),
    /// Re-authenticate; answer with `Input::Reauthenticated`.
    Reauthenticate(Ticket, ReauthRequest),
    /// Close the connection; answer with `Input::LinkClosed`.
    CloseLink(Ticket, CloseMode),
    /// Write to the store; answer with `Input::Persisted`.
    Persist(Ticket, Write),
    /// Stop what this ticket started; its answer is not wanted any more.
    Cancel(Ticket),
    /// Call the invalidation hook.
    Invalidate(Invalidation),
    /// Tell the other members of a shared session.
    Broadcast(Notice),
    /// The operation may go to the wallet, for this identity.
    Dispatch(OperationId),
    /// The link broke while the wallet had the operation; it may be repeated and is held again.
    Recall(OperationId),
    /// The operation will not be run, or its answer will not be waited for.
    Reject(OperationId, OperationError),
    /// Answer everybody who waits for `connect`.
    SettleConnect(Result<(), ConnectError>),
    /// Answer everybody who waits for `restore`.
    SettleRestore(RestoreOutcome),
    /// Answer everybody who waits for `disconnect` or `detach`.
    SettleDisconnect(DisconnectReport),
    /// Answer everybody who waits for `verify`.
    SettleVerify(Verdict),
    /// Answer everybody who waits for `close`: nothing runs any more.
    SettleClose,
}

/// What is to stand in the store.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Write {
    /// A session.
    Save {
        /// The record.
        record: Record,
        /// Whether it follows from the user's own `connect`, and so overrules a disconnect that
        /// another process wrote before.
        fresh: bool,
        /// Whether it is written in any case.
        need: Need,
    },
    /// The end of one.
    Erase(Tombstone),
}

impl Write {
    /// Takes the place of one that came before and does not stand: it still follows from the
    /// user's own `connect`, and what had to be written still has to be.
    pub(super) fn replace(&mut self, before: &Self) {
        let Self::Save { fresh, need, .. } = self else {
            return;
        };
        let same = match before {
            Self::Save {
                fresh: fresh_before,
                need: before,
                ..
            } => {
                *fresh |= fresh_before;
                before == need
            }
            Self::Erase(_) => false,
        };
        if *fresh || !same {
            *need = Need::Always;
        }
    }
}

/// Whether a session is to be written if the store says the same already. Where it may not be,
/// the store is read first, which also finds an end that another process wrote meanwhile.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Need {
    /// It is written.
    Always,
    /// Only if anything differs. So after a restore that found nothing else.
    IfDifferent,
    /// Only if the accounts or the network differ. So where another member of a shared session
    /// said that they do: that one has written them, and those who hear it must not answer.
    IfOthers,
}

/// What a re-authentication is about.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct ReauthRequest {
    /// Why it is needed.
    pub reason: ReauthReason,
    /// The expiry that was reached, if that is why.
    pub expired_at: Option<Timestamp>,
    /// Whom the session acts for.
    pub identity: Option<Arc<Identity>>,
    /// Whether nobody may be asked for anything, because the session is being restored: the
    /// provider's own means are used, whatever hook there is.
    pub silent: bool,
}

/// How a `restore` ended.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RestoreOutcome {
    /// The session is connected and verified.
    Restored,
    /// The wallet no longer knows the session (or a person is needed): call `connect`.
    NeedsReauth,
    /// The stored session had expired, or expired on the way.
    Expired,
    /// The user had disconnected.
    UserDisconnected,
    /// Nothing was stored.
    NothingStored,
    /// What is stored cannot be used; it was left as it is.
    Quarantined {
        /// Why.
        reason: Arc<str>,
    },
    /// The wallet could not be reached within the limits of the policy; the record is kept.
    Unreachable {
        /// What the last attempt failed with.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ProviderError>,
    },
    /// The store could not be read; nothing was changed.
    StoreUnavailable {
        /// Why.
        reason: Arc<str>,
    },
    /// Overtaken by `connect`, `disconnect` or `close`, or not needed because the session is not
    /// disconnected.
    Superseded,
}

/// What `disconnect` found. Locally the session is over in any case.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct DisconnectReport {
    /// What the wallet answered; `None` if it was not asked.
    pub wallet: Option<Result<(), ProviderError>>,
    /// Why the disconnect is not in the store yet, if it is not. It is tried again as long as the
    /// session lives.
    pub not_persisted: Option<Arc<str>>,
}
