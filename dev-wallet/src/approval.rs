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
    /// The id of the transaction or message it is about.
    pub(crate) about: Option<String>,
}

impl DevWalletState {
    /// Whether the person agrees. Waits as long as they take.
    pub(crate) async fn consent(&self, kind: PendingKind, summary: &str) -> bool {
        let approval = self.lock().approval;
        match approval {
            Approval::Auto => true,
            Approval::Reject => false,
            Approval::After(delay) => {
                let real = self.lock().gateway.clock.real(delay);
                tokio::time::sleep(real).await;
                true
            }
            // A wallet that goes away takes the question with it.
            Approval::Manual => self.ask(kind, summary).await.unwrap_or(false),
        }
    }

    /// Puts something before the person.
    pub(crate) fn ask(&self, kind: PendingKind, summary: &str) -> oneshot::Receiver<bool> {
        self.ask_and_note(kind, summary, None)
    }

    /// Puts a transaction or a message before the person.
    pub(crate) fn ask_about(
        &self,
        kind: PendingKind,
        summary: &str,
        id: &str,
    ) -> oneshot::Receiver<bool> {
        self.ask_and_note(kind, summary, Some(id.to_owned()))
    }

    fn ask_and_note(
        &self,
        kind: PendingKind,
        summary: &str,
        about: Option<String>,
    ) -> oneshot::Receiver<bool> {
        let (answer, receiver) = oneshot::channel();
        let mut inner = self.lock();
        inner.next_pending += 1;
        let pending = Pending {
            id: inner.next_pending,
            kind,
            summary: summary.to_owned(),
        };
        inner.waiting.push(Waiting {
            pending,
            answer,
            about,
        });
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

    /// Takes a question back: it was answered elsewhere.
    pub(crate) fn drop_question(&self, id: &str) {
        self.change(|inner| {
            let waiting = &mut inner.waiting;
            waiting.retain(|waiting| waiting.about.as_deref() != Some(id));
        });
    }

    /// Answers what waits and is of one kind. Returns how much that was.
    pub(crate) fn answer_kind(&self, kind: PendingKind, yes: bool) -> usize {
        self.answer_some(yes, |pending| pending.kind == kind)
    }

    /// Answers one thing that waits.
    pub(crate) fn answer_one(&self, number: u64, yes: bool) -> bool {
        self.answer_some(yes, |pending| pending.id == number) > 0
    }

    /// Answers everything that waits, in the order it came. Returns how much that was.
    pub(crate) fn answer_all(&self, yes: bool) -> usize {
        self.answer_some(yes, |_| true)
    }

    fn answer_some(&self, yes: bool, which: impl Fn(&Pending) -> bool) -> usize {
        let waiting = {
            let mut inner = self.lock();
            let all = std::mem::take(&mut inner.waiting);
            let (chosen, rest): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|it| which(&it.pending));
            inner.waiting = rest;
            chosen
        };
        let mut answered = 0;
        for waiting in waiting {
            answered += usize::from(waiting.answer.send(yes).is_ok());
        }
        self.changed();
        answered
    }
}
