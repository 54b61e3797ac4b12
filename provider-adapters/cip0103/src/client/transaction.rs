//! What becomes of a submission: `txChanged` events, told apart by the id of the command.

use std::sync::Arc;
use std::time::Duration;

use moorline::EventKind;
use moorline::session::{EventItem, EventStream};
use serde::Deserialize;

use crate::events::TX_CHANGED;
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
    /// It is not on the ledger: it failed, or a person refused (wallets do not always tell these
    /// apart).
    Failed,
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
    /// The link to the wallet broke: what the wallet said meanwhile is lost.
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

impl Transaction {
    pub(super) fn new(command_id: &str, events: EventStream) -> Self {
        Self {
            command_id: command_id.into(),
            events,
            reached: Rank::Nothing,
            outcome: None,
        }
    }

    /// The id of the command.
    pub fn command_id(&self) -> &str {
        &self.command_id
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
        self.outcome.clone().unwrap_or_else(|| Outcome::Unknown {
            command_id: Arc::clone(&self.command_id),
            cause,
        })
    }

    /// Takes an event in. `None` if it is of no news to this submission.
    fn take(&mut self, item: EventItem) -> Option<Progress> {
        let event = match item {
            EventItem::Event(event) => event,
            EventItem::Missed(_) => return Some(Progress::Gap(UnknownCause::EventsMissed)),
        };
        let message = match &event.kind {
            EventKind::Provider(message) if &*message.name == TX_CHANGED => message,
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
        self.reached = rank;
        match changed.status {
            TxStatus::Executed => {
                let payload = changed.executed();
                self.outcome = Some(Outcome::Executed {
                    update_id: payload.as_ref().map(|payload| payload.update_id.clone()),
                    completion_offset: payload.map(|payload| payload.completion_offset),
                });
            }
            TxStatus::Failed => self.outcome = Some(Outcome::Failed),
            _ => {}
        }
        Some(Progress::Changed(changed))
    }
}
