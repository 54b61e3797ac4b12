//! What becomes of a submission: `txChanged` events, told apart by the id of the command.

use std::sync::Arc;
use std::time::Duration;

use moorline::EventKind;
use moorline::provider::Message;
use moorline::session::{EventItem, EventStream};
use serde::Deserialize;

use crate::events::{STREAM_GAP, TX_CHANGED};
use crate::types::{TxChanged, TxStatus};

/// A submission that is being followed.
///
/// Wallets repeat events, and events are lost while there is no link (there is no replay): the
/// first report of each status counts, and a gap is told as a gap, never taken for silence.
#[derive(Debug)]
pub struct Transaction {
    command_id: Arc<str>,
    events: EventStream,
    /// The furthest status seen.
    reached: Rank,
    outcome: Option<Outcome>,
    user_url: Option<Arc<str>>,
}

/// How a submission ended, as far as anybody knows.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is on the ledger.
    Executed {
        /// The id of the update, where the wallet says it.
        update_id: Option<String>,
        /// The offset of the completion, where the wallet says it.
        completion_offset: Option<i64>,
    },
    /// It was signed, and is not on the ledger: it failed there.
    Failed,
    /// It is not on the ledger, and nobody saw a signature: a person refused, or it failed. Wallets
    /// do not tell these apart.
    RejectedOrFailed,
    /// The time to wait was over, and a person who was asked to approve had done neither. They may
    /// do it yet: see [`Unknown`](Self::Unknown).
    ApprovalTimeout {
        /// Which command.
        command_id: Arc<str>,
        /// Where they were asked.
        user_url: Arc<str>,
    },
    /// Nobody knows. It may be on the ledger, or get there yet: look for the completion of this
    /// command there before submitting it again. Under the same id the ledger will not run it
    /// twice.
    Unknown {
        /// Which command.
        command_id: Arc<str>,
        /// Why nobody knows.
        cause: UnknownCause,
    },
}

/// Why the outcome of a submission is not known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum UnknownCause {
    /// The link to the wallet broke, or its event stream: what the wallet said meanwhile is lost.
    LinkLost,
    /// The follower was too slow, and events were lost here.
    EventsMissed,
    /// The time to wait was over.
    TimedOut,
    /// The session was closed.
    Closed,
}

/// What a follower hears next.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// A status that was not reported before.
    Changed(TxChanged),
    /// Events may have been lost. More may come.
    Gap(UnknownCause),
}

/// The order in which statuses come.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rank {
    Nothing,
    Pending,
    Signed,
    Ended,
}

impl Outcome {
    /// Why nobody knows, if nobody does.
    pub(super) fn doubt(&self) -> Option<UnknownCause> {
        match self {
            Self::Unknown { cause, .. } => Some(*cause),
            Self::ApprovalTimeout { .. } => Some(UnknownCause::TimedOut),
            Self::Executed { .. } | Self::Failed | Self::RejectedOrFailed => None,
        }
    }
}

impl Transaction {
    pub(super) fn new(command_id: &str, events: EventStream) -> Self {
        Self {
            command_id: command_id.into(),
            events,
            reached: Rank::Nothing,
            outcome: None,
            user_url: None,
        }
    }

    pub(super) fn ask_at(&mut self, url: Option<Arc<str>>) {
        self.user_url = url;
    }

    /// What was found out elsewhere.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// The id of the command.
    pub fn command_id(&self) -> &str {
        &self.command_id
    }

    /// Where a person approves it, if the wallet said so. The session's events say it, too.
    pub fn user_url(&self) -> Option<&str> {
        self.user_url.as_deref()
    }

    /// The next news of this submission; `None` once it has ended or the session is closed.
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Progress> {
        while self.outcome.is_none() {
            let item = self.events.next().await?;
            if let Some(progress) = self.take(item) {
                return Some(progress);
            }
        }
        None
    }

    /// Waits for the end, at most `within`, and not beyond a gap: what happened in it cannot be
    /// known from here. After [`Outcome::Unknown`] it can be called again, and goes on listening.
    ///
    /// Cancel safe.
    pub async fn outcome(&mut self, within: Duration) -> Outcome {
        match tokio::time::timeout(within, self.end()).await {
            Ok(outcome) => outcome,
            Err(_) => self.so_far(UnknownCause::TimedOut),
        }
    }

    async fn end(&mut self) -> Outcome {
        loop {
            match self.next().await {
                Some(Progress::Changed(_)) => {}
                Some(Progress::Gap(cause)) => return self.so_far(cause),
                None => return self.so_far(UnknownCause::Closed),
            }
        }
    }

    /// What is known now, events that are here already included; else unknown for this cause.
    pub(super) fn so_far(&mut self, cause: UnknownCause) -> Outcome {
        while self.outcome.is_none() {
            match self.events.try_next() {
                Some(item) => {
                    self.take(item);
                }
                None => break,
            }
        }
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        let command_id = Arc::clone(&self.command_id);
        match &self.user_url {
            Some(user_url) if cause == UnknownCause::TimedOut && self.reached < Rank::Signed => {
                Outcome::ApprovalTimeout {
                    command_id,
                    user_url: Arc::clone(user_url),
                }
            }
            _ => Outcome::Unknown { command_id, cause },
        }
    }

    /// Takes an event in. `None` if it is of no news to this submission.
    fn take(&mut self, item: EventItem) -> Option<Progress> {
        let event = match item {
            EventItem::Event(event) => event,
            EventItem::Missed(_) => return Some(Progress::Gap(UnknownCause::EventsMissed)),
        };
        let message = match &event.kind {
            EventKind::Provider(message) if &*message.name == TX_CHANGED => message,
            EventKind::Provider(message) if is_gap(message) => {
                return Some(Progress::Gap(UnknownCause::LinkLost));
            }
            EventKind::Reconnecting { .. } | EventKind::Disconnected { .. } => {
                return Some(Progress::Gap(UnknownCause::LinkLost));
            }
            _ => return None,
        };
        let changed = TxChanged::deserialize(&*message.payload).ok()?;
        if changed.command_id != *self.command_id {
            return None;
        }
        let rank = match changed.status {
            TxStatus::Pending => Rank::Pending,
            TxStatus::Signed => Rank::Signed,
            TxStatus::Executed | TxStatus::Failed => Rank::Ended,
            TxStatus::Other(_) => return None,
        };
        // A repetition, or late news of what is past.
        if rank <= self.reached {
            return None;
        }
        let signed = self.reached >= Rank::Signed;
        self.reached = rank;
        match changed.status {
            TxStatus::Executed => {
                let payload = changed.executed();
                self.outcome = Some(Outcome::Executed {
                    update_id: payload.as_ref().map(|payload| payload.update_id.clone()),
                    completion_offset: payload.map(|payload| payload.completion_offset),
                });
            }
            TxStatus::Failed if signed => self.outcome = Some(Outcome::Failed),
            TxStatus::Failed => self.outcome = Some(Outcome::RejectedOrFailed),
            _ => {}
        }
        Some(Progress::Changed(changed))
    }
}

/// Whether an event marks the end of a gap in which events were lost for sure. While it lasts
/// nothing is known that was not known before; one that only may have been is not worth giving up
/// for.
pub(super) fn is_gap(message: &Message) -> bool {
    &*message.name == STREAM_GAP && message.payload["certain"] == true
}
