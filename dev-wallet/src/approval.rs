//! Who says yes: the person at the wallet, or a setting in their place.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::state::DevWalletState;

/// What happens to whatever needs a person's consent: connecting, signing, submitting.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Approval {
    /// Approved at once. The default.
    #[default]
    Auto,
    /// Approved after a while.
    After(Duration),
    /// Waits for [`Control::approve`](crate::Control::approve) or
    /// [`Control::reject`](crate::Control::reject).
    Manual,
    /// Rejected at once (EIP-1193 4001).
    Reject,
}

/// How `connect` waits for a person under [`Approval::Manual`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Prompt {
    /// `connect` answers at once: not connected, and a `userUrl` where to log in. `connected`
    /// and `statusChanged` follow. The way of the asynchronous API, and the default.
    #[default]
    UserUrl,
    /// `connect` answers once the person has decided. The way of the synchronous API.
    Blocking,
}

/// Something that waits for a person.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pending {
    /// Its number.
    pub id: u64,
    /// What kind of thing it is.
    pub kind: PendingKind,
    /// What it is, for people: the message to sign, the id of the command.
    pub summary: String,
}

/// The kinds of things that need consent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PendingKind {
    /// A program wants to connect.
    Connect,
    /// A message is to be signed.
    Sign,
    /// Commands are to be submitted.
    Submit,
}

/// A person's answer, while it is waited for.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) pending: Pending,
    pub(crate) answer: oneshot::Sender<bool>,
}

impl DevWalletState {
    /// Whether the person agrees. Waits as long as they take.
    pub(crate) async fn consent(&self, kind: PendingKind, summary: &str) -> bool {
        let approval = self.lock().approval;
        match approval {
            Approval::Auto => true,
            Approval::Reject => false,
            Approval::After(delay) => {
                tokio::time::sleep(delay).await;
                true
            }
            // A wallet that goes away takes the question with it.
            Approval::Manual => self.ask(kind, summary).await.unwrap_or(false),
        }
    }

    /// Puts something before the person.
    pub(crate) fn ask(&self, kind: PendingKind, summary: &str) -> oneshot::Receiver<bool> {
        let (answer, receiver) = oneshot::channel();
        let mut inner = self.lock();
        inner.next_pending += 1;
        let pending = Pending {
            id: inner.next_pending,
            kind,
            summary: summary.to_owned(),
        };
        inner.waiting.push(Waiting { pending, answer });
        drop(inner);
        self.changed();
        receiver
    }

    /// What waits for a person.
    pub(crate) fn pending(&self) -> Vec<Pending> {
        let inner = self.lock();
        let waiting = inner.waiting.iter();
        waiting.map(|waiting| waiting.pending.clone()).collect()
    }

    /// Answers everything that waits, in the order it came. Returns how much that was.
    pub(crate) fn answer_all(&self, yes: bool) -> usize {
        let waiting = std::mem::take(&mut self.lock().waiting);
        let mut answered = 0;
        for waiting in waiting {
            answered += usize::from(waiting.answer.send(yes).is_ok());
        }
        self.changed();
        answered
    }
}
