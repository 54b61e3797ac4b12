//! One stream of events for all sessions of a manager.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_broadcast::{InactiveReceiver, Receiver, RecvError, Sender};
use futures_core::Stream;
use serde::Serialize;

use super::hydration::HydrationEvent;
use super::key::SessionKey;
use super::restore::Restored;
use super::revoke::RevokeOutcome;
use crate::clock::Timestamp;
use crate::event::Event;
use crate::provider::ProviderError;
use crate::store::RecordName;
#[cfg(feature = "stores")]
use crate::sync::lease::Member;

/// Something that happened to a manager or to one of its sessions. Numbered without gaps.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ManagerEvent {
    /// Its number, counted from 1.
    pub seq: u64,
    /// When it happened.
    pub at: Timestamp,
    /// The session's number in this manager; 0 if it is about none.
    pub session: u64,
    /// Whom the session acts for; `None` before the wallet has said so.
    pub key: Option<Arc<SessionKey>>,
    /// What happened.
    #[serde(flatten)]
    pub kind: ManagerEventKind,
}

/// What a [`ManagerEvent`] says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum ManagerEventKind {
    /// `session:event`: an event of the session itself.
    #[serde(rename = "session:event")]
    Session {
        /// The event, with its number in the session.
        event: Event,
    },
    /// `account:logged-in`: the session joined the manager.
    #[serde(rename = "account:logged-in")]
    LoggedIn {
        /// Whether it only watches.
        read_only: bool,
    },
    /// `account:logged-out`: the session left the manager and is being ended at the wallet. What the
    /// session itself tells of its end comes after this, with the same number and key.
    #[serde(rename = "account:logged-out")]
    LoggedOut {
        /// Who is active now.
        active: Option<Arc<SessionKey>>,
    },
    /// `active:changed`: another session is active, or none.
    #[serde(rename = "active:changed")]
    ActiveChanged {
        /// Who was.
        previous: Option<Arc<SessionKey>>,
        /// Who is.
        current: Option<Arc<SessionKey>>,
    },
    /// `session:rekeyed`: the wallet made the session act for somebody else, who is its key now.
    #[serde(rename = "session:rekeyed")]
    Rekeyed {
        /// Its key before.
        previous: Arc<SessionKey>,
    },
    /// `session:closed`: the session was closed by the manager and left it. What the session itself
    /// tells of its end comes after this, with the same number and key.
    #[serde(rename = "session:closed")]
    Closed {
        /// Why.
        reason: CloseReason,
        /// Who is active now.
        active: Option<Arc<SessionKey>>,
    },
    /// `restore:progress`: one more stored session was restored, or not.
    #[serde(rename = "restore:progress")]
    RestoreProgress {
        /// How many are done.
        done: usize,
        /// How many there are.
        total: usize,
        /// How this one ended.
        restored: Restored,
    },
    /// `session:revoked`: a session was revoked, one that is only stored included.
    #[serde(rename = "session:revoked")]
    Revoked {
        /// Its record, if it is stored.
        record: Option<RecordName>,
        /// How that ended.
        outcome: RevokeOutcome,
    },
    /// `manager:record-unreadable`: the manager's own record cannot be read. It is kept, and set
    /// aside when the manager has something to write; who was active is not known.
    #[serde(rename = "manager:record-unreadable")]
    RecordUnreadable {
        /// The record.
        record: RecordName,
        /// Why.
        reason: Arc<str>,
    },
    /// `payload:failed`: the provider could not say what it needs to be built again; what was
    /// stored of it before is kept.
    #[serde(rename = "payload:failed")]
    PayloadFailed {
        /// What it said.
        error: ProviderError,
    },
    /// `session:taken-over`: nobody alive held the session, and it is held here now. It is being
    /// restored.
    #[cfg(feature = "stores")]
    #[serde(rename = "session:taken-over")]
    TakenOver {
        /// The epoch of its fence: higher than that of every holder before.
        epoch: u64,
        /// Who held it before, if that is certain.
        #[serde(serialize_with = "super::cluster::serialize_member")]
        previous: Option<Member>,
    },
    /// `manager:save-failed`: who is active could not be stored; tried again after a delay.
    #[serde(rename = "manager:save-failed")]
    SaveFailed {
        /// The record.
        record: RecordName,
        /// What the store said.
        error: Arc<str>,
        /// When the next try begins, in milliseconds from now.
        retry_in_ms: u64,
    },
    /// `hydration:started` and others: something happened to data of the session.
    #[serde(untagged)]
    Hydration(HydrationEvent),
}

/// Why a manager closed a session.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CloseReason {
    /// What was stored of it had ended, or could not be read, when it was to be restored.
    Ended,
    /// It was not used for as long as the policy allows.
    Idle,
    /// Room was made for another.
    Capacity,
    /// Everything was cleared.
    Cleared,
    /// A later session for the same account took its place.
    Replaced,
    /// The wallet made it act for an account that another session acts for already.
    Merged,
    /// This process does not hold its lease any more, or that of the account it moved to: another
    /// holds it, or will. Nothing was ended at the wallet, and what is stored was left as it is.
    LeaseLost,
}

/// The events of a manager from the moment of subscribing, in order.
///
/// A subscriber that falls behind loses the oldest ones and is told how many. The stream ends
/// with the manager, and does not keep it alive.
#[derive(Debug)]
pub struct ManagerEvents {
    receiver: Option<Receiver<Arc<ManagerEvent>>>,
}

/// What [`ManagerEvents`] yields.
#[derive(Clone, Debug, PartialEq)]
pub enum ManagerItem {
    /// The next event.
    Event(Arc<ManagerEvent>),
    /// This many events were lost here because the subscriber was too slow.
    Missed(u64),
}

impl ManagerEvents {
    /// The next item; `None` once the manager is closed and everything was read.
    ///
    /// # Cancel safety
    ///
    /// No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<ManagerItem> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next item if one is there, without waiting.
    pub fn try_next(&mut self) -> Option<ManagerItem> {
        use async_broadcast::TryRecvError;
        match self.receiver.as_mut()?.try_recv() {
            Ok(event) => Some(ManagerItem::Event(event)),
            Err(TryRecvError::Overflowed(missed)) => Some(ManagerItem::Missed(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

impl Stream for ManagerEvents {
    type Item = ManagerItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ManagerItem>> {
        let Some(receiver) = &mut self.receiver else {
            return Poll::Ready(None);
        };
        // Not the receiver's own `Stream`, which passes over what was lost.
        Pin::new(receiver).poll_recv(cx).map(|item| match item {
            Some(Ok(event)) => Some(ManagerItem::Event(event)),
            Some(Err(RecvError::Overflowed(missed))) => Some(ManagerItem::Missed(missed)),
            Some(Err(RecvError::Closed)) | None => None,
        })
    }
}

/// The inactive receiver keeps the channel open while nobody listens.
type Channel = (
    Sender<Arc<ManagerEvent>>,
    InactiveReceiver<Arc<ManagerEvent>>,
);

/// Numbers events and hands them out. There is a channel once somebody asked for one.
#[derive(Debug)]
pub(super) struct Bulletin {
    last: u64,
    capacity: usize,
    closed: bool,
    channel: Option<Channel>,
}

impl Bulletin {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            last: 0,
            capacity,
            closed: false,
            channel: None,
        }
    }

    pub(super) fn subscribe(&mut self) -> ManagerEvents {
        if self.closed {
            return ManagerEvents { receiver: None };
        }
        let capacity = self.capacity;
        let (_, inactive) = self.channel.get_or_insert_with(|| {
            let (mut sender, receiver) = async_broadcast::broadcast(capacity);
            sender.set_await_active(false);
            sender.set_overflow(true);
            (sender, receiver.deactivate())
        });
        ManagerEvents {
            receiver: Some(inactive.activate_cloned()),
        }
    }

    pub(super) fn tell(
        &mut self,
        at: Timestamp,
        session: u64,
        key: Option<Arc<SessionKey>>,
        kind: impl FnOnce() -> ManagerEventKind,
    ) {
        self.last += 1;
        if let Some((sender, _)) = &self.channel {
            // Fails only if nobody listens at the moment.
            let _unheard = sender.try_broadcast(Arc::new(ManagerEvent {
                seq: self.last,
                at,
                session,
                key,
                kind: kind(),
            }));
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.channel = None;
    }
}
