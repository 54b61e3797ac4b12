//! Operations: the caller drives what the machine allowed.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::hooks::Wallet;
use super::shared::Shared;
use super::slots::{Permit, SlotState};
use crate::error::OperationError;
use crate::identity::Identity;
use crate::machine::{Input, LinkHint, OperationId, SubmitOptions};
use crate::provider::{ProviderError, Sent};

/// How an operation wants to be treated.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct OperationOptions {
    /// Within which time it must be answered, the time it is held included. Default: the
    /// policy's [`Deadlines::operation`](crate::policy::Deadlines::operation).
    pub deadline: Option<Duration>,
    /// Whether running it twice does no harm: if the link breaks while the wallet has it, it is
    /// then run again instead of failing. Default: no.
    pub repeatable: bool,
    /// Whether it fails at once instead of being held while the session is not connected.
    /// Default: no.
    pub fail_fast: bool,
    /// Whom it is for: if the session acts for anybody else, it is not run. Default: whomever the
    /// session acts for when it is submitted.
    pub identity: Option<Arc<Identity>>,
}

impl OperationOptions {
    /// Sets the deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Says whether running it twice does no harm.
    #[must_use]
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }

    /// Says whether it fails at once while the session is not connected.
    #[must_use]
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.fail_fast = fail_fast;
        self
    }

    /// Binds it to an identity that the caller knows.
    #[must_use]
    pub fn for_identity(mut self, identity: impl Into<Arc<Identity>>) -> Self {
        self.identity = Some(identity.into());
        self
    }
}

/// An operation that is not answered yet. Dropping it tells the machine that nobody waits.
pub(super) struct Pending<'a> {
    session: &'a Shared,
    id: OperationId,
    answered: bool,
}

/// How a race between the wallet and the session ended.
pub(super) enum Raced<T> {
    /// The wallet (or the operation) answered.
    Answered(T),
    /// The session took the operation back; it waits for its next turn.
    Recalled,
    /// The session answered.
    Rejected(OperationError),
}

impl Shared {
    pub(super) async fn run<T, F, Fut>(
        &self,
        options: OperationOptions,
        mut operation: F,
    ) -> Result<T, OperationError>
    where
        F: FnMut(Wallet) -> Option<Fut>,
        Fut: Future<Output = T>,
    {
        let (mut pending, mut permit) = self.submit(&options);
        loop {
            let Permit {
                identity,
                generation,
                round,
            } = pending.permitted(permit.take()).await?;
            // An operation that runs once is there once: it is never recalled.
            let Some(running) = operation(self.wallet(identity, Some(generation))) else {
                return Err(OperationError::Closed { sent: Sent::No });
            };
            match pending.race(round, running).await {
                Raced::Answered(value) => {
                    pending.finish(LinkHint::None);
                    return Ok(value);
                }
                Raced::Recalled => {}
                Raced::Rejected(error) => return Err(error),
            }
        }
    }

    /// Hands the operation to the machine, which may permit it at once.
    pub(super) fn submit(&self, options: &OperationOptions) -> (Pending<'_>, Option<Permit>) {
        let (id, permit) = self.submit_operation(SubmitOptions {
            deadline: options
                .deadline
                .unwrap_or_else(|| self.policy().deadlines.operation),
            repeatable: options.repeatable,
            hold: !options.fail_fast,
            identity: options.identity.clone(),
        });
        (Pending::new(self, id), permit)
    }
}

impl<'a> Pending<'a> {
    /// An operation that has a slot.
    pub(super) fn new(session: &'a Shared, id: OperationId) -> Self {
        Self {
            session,
            id,
            answered: false,
        }
    }

    /// What the session decided about the operation while the wallet has it in this round; until
    /// it does, the caller is woken for it.
    pub(super) fn overruled<T>(&mut self, round: u32, waker: &Waker) -> Poll<Raced<T>> {
        match self.session.look(self.id, Some(round), waker) {
            None => Poll::Pending,
            Some(SlotState::Rejected(error)) => {
                self.forget();
                Poll::Ready(Raced::Rejected(error))
            }
            Some(_) => Poll::Ready(Raced::Recalled),
        }
    }

    /// Waits until the operation may run, unless it already may.
    pub(super) async fn permitted(
        &mut self,
        permit: Option<Permit>,
    ) -> Result<Permit, OperationError> {
        match permit {
            Some(permit) => Ok(permit),
            None => self.wait().await,
        }
    }

    /// Waits for what the machine decides.
    async fn wait(&mut self) -> Result<Permit, OperationError> {
        let state = poll_fn(|cx| match self.session.look(self.id, None, cx.waker()) {
            Some(state) => Poll::Ready(state),
            None => Poll::Pending,
        })
        .await;
        match state {
            SlotState::Dispatched(permit) => Ok(permit),
            SlotState::Rejected(error) => {
                self.forget();
                Err(error)
            }
            SlotState::Held | SlotState::Running(_) => {
                Err(OperationError::Closed { sent: Sent::No })
            }
        }
    }

    /// Drives what runs until it answers or the session decides otherwise.
    pub(super) async fn race<F: Future>(&mut self, round: u32, running: F) -> Raced<F::Output> {
        let mut running = pin!(running);
        poll_fn(|cx| match Pin::as_mut(&mut running).poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Raced::Answered(answer)),
            Poll::Pending => self.overruled(round, cx.waker()),
        })
        .await
    }

    /// The wallet answered: the machine makes room.
    pub(super) fn finish(&mut self, hint: LinkHint) {
        self.answered = true;
        self.session.finish_operation(self.id, hint);
    }

    /// The link failed the operation; the machine decides whether it waits for another turn.
    pub(super) fn broken(&mut self, error: ProviderError) {
        self.session.handle(Input::Broken(self.id, error));
    }

    /// The machine has answered and forgotten it: so does the table.
    fn forget(&mut self) {
        self.answered = true;
        self.session.forget_operation(self.id);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.session
                .end_operation(self.id, Input::Abandoned(self.id));
        }
    }
}
