//! Requests and operations: the caller drives the wallet call that the machine allowed.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;

use super::hooks::Wallet;
use super::shared::Shared;
use super::slots::{Permit, SlotState};
use crate::error::OperationError;
use crate::identity::Identity;
use crate::machine::{Input, LinkHint, OperationId, SubmitOptions};
use crate::provider::{ErrorKind, ProviderError, Request, Sent};

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
struct Pending<'a> {
    session: &'a Shared,
    id: OperationId,
    /// If the machine permitted it at once.
    permit: Option<Permit>,
    answered: bool,
}

/// How a race between the wallet and the session ended.
enum Raced<T> {
    /// The wallet (or the operation) answered.
    Answered(T),
    /// The session took the operation back; it waits for its next turn.
    Recalled,
    /// The session answered.
    Rejected(OperationError),
}

impl Shared {
    pub(super) async fn request(
        &self,
        method: Cow<'static, str>,
        params: Value,
        options: OperationOptions,
    ) -> Result<Value, OperationError> {
        if options.repeatable {
            return self.request_repeatedly(method, params, options).await;
        }
        let mut pending = self.submit(&options);
        let permit = match pending.permit.take() {
            Some(permit) => permit,
            None => pending.wait().await?,
        };
        let round = permit.round;
        let mut call = self.provider().request(Request {
            method,
            params,
            identity: permit.identity,
        });
        // As `Pending::race`, with the answer passed on as it is: a request is mostly made of
        // moving it about.
        poll_fn(|cx| {
            if let Poll::Ready(answer) = call.as_mut().poll(cx) {
                return Poll::Ready(match answer {
                    Ok(value) => {
                        pending.finish(LinkHint::None);
                        Ok(value)
                    }
                    Err(error) => {
                        pending.finish(hint(&error));
                        Err(failed(error))
                    }
                });
            }
            match self.look(pending.id, Some(round), cx.waker()) {
                None => Poll::Pending,
                Some(SlotState::Rejected(error)) => {
                    pending.forget();
                    Poll::Ready(Err(error))
                }
                // Only what may be repeated is taken back.
                Some(_) => Poll::Ready(Err(OperationError::Closed { sent: Sent::Maybe })),
            }
        })
        .await
    }

    /// A request that is sent again if the link fails it.
    async fn request_repeatedly(
        &self,
        method: Cow<'static, str>,
        params: Value,
        options: OperationOptions,
    ) -> Result<Value, OperationError> {
        let mut pending = self.submit(&options);
        loop {
            let Permit {
                identity, round, ..
            } = pending.permitted().await?;
            let request = Request {
                method: method.clone(),
                params: params.clone(),
                identity,
            };
            let error = match pending.race(round, self.provider().request(request)).await {
                Raced::Answered(Ok(value)) => {
                    pending.finish(LinkHint::None);
                    return Ok(value);
                }
                Raced::Answered(Err(error)) => error,
                Raced::Recalled => continue,
                Raced::Rejected(error) => return Err(error),
            };
            if is_link_failure(&error) {
                pending.broken(error);
                continue;
            }
            pending.finish(hint(&error));
            return Err(failed(error));
        }
    }

    pub(super) async fn run<T, F, Fut>(
        &self,
        options: OperationOptions,
        mut operation: F,
    ) -> Result<T, OperationError>
    where
        F: FnMut(Wallet) -> Option<Fut>,
        Fut: Future<Output = T>,
    {
        let mut pending = self.submit(&options);
        loop {
            let Permit {
                identity,
                generation,
                round,
            } = pending.permitted().await?;
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
    #[inline]
    fn submit(&self, options: &OperationOptions) -> Pending<'_> {
        let submit = SubmitOptions {
            deadline: options
                .deadline
                .unwrap_or_else(|| self.policy().deadlines.operation),
            repeatable: options.repeatable,
            hold: !options.fail_fast,
            identity: options.identity.clone(),
        };
        let (id, permit) = self.submit_operation(submit);
        Pending {
            session: self,
            id,
            permit,
            answered: false,
        }
    }
}

impl Pending<'_> {
    /// Waits until the operation may run.
    async fn permitted(&mut self) -> Result<Permit, OperationError> {
        match self.permit.take() {
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
    async fn race<F: Future>(&mut self, round: u32, running: F) -> Raced<F::Output> {
        let mut running = pin!(running);
        let raced = poll_fn(|cx| {
            if let Poll::Ready(answer) = Pin::as_mut(&mut running).poll(cx) {
                return Poll::Ready(Raced::Answered(answer));
            }
            match self.session.look(self.id, Some(round), cx.waker()) {
                None => Poll::Pending,
                Some(SlotState::Rejected(error)) => Poll::Ready(Raced::Rejected(error)),
                Some(_) => Poll::Ready(Raced::Recalled),
            }
        })
        .await;
        if let Raced::Rejected(_) = raced {
            self.forget();
        }
        raced
    }

    /// The wallet answered: the machine makes room.
    fn finish(&mut self, hint: LinkHint) {
        self.answered = true;
        self.session
            .end_operation(self.id, Input::Finished(self.id, hint));
    }

    /// The link failed the operation; the machine decides whether it waits for another turn.
    fn broken(&mut self, error: ProviderError) {
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

/// Whether it was the way to the wallet that failed.
fn is_link_failure(error: &ProviderError) -> bool {
    error.kind() == ErrorKind::Unreachable && error.sent() != Sent::Answered
}

/// What a failed request says of the connection.
fn hint(error: &ProviderError) -> LinkHint {
    match error.kind() {
        ErrorKind::SessionGone => LinkHint::Suspect,
        ErrorKind::Unreachable if error.sent() != Sent::Answered => LinkHint::Suspect,
        _ => LinkHint::None,
    }
}

/// What the caller of a failed request is told.
fn failed(error: ProviderError) -> OperationError {
    if is_link_failure(&error) && error.sent() == Sent::Maybe {
        return OperationError::Interrupted { cause: error };
    }
    OperationError::Provider(error)
}
