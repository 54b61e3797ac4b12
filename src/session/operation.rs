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
use super::slots::SlotState;
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

/// Whether an operation may run, and for whom.
struct Permit {
    identity: Arc<Identity>,
    generation: u32,
    round: u32,
}

/// An operation that is not answered yet. Dropping it tells the machine that nobody waits.
struct Pending<'a> {
    session: &'a Shared,
    id: OperationId,
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
        let mut params = Params::new(params, &options);
        let (mut pending, mut permit) = self.submit(&options)?;
        loop {
            let Permit {
                identity, round, ..
            } = pending.permitted(permit.take()).await?;
            let request = Request {
                method: method.clone(),
                params: params.next(),
                identity,
            };
            let answer = match pending.race(round, self.provider().request(request)).await {
                Raced::Answered(answer) => answer,
                Raced::Recalled => continue,
                Raced::Rejected(error) => return Err(error),
            };
            let error = match answer {
                Ok(value) => {
                    pending.finish(LinkHint::None);
                    return Ok(value);
                }
                Err(error) => error,
            };
            if params.again() && is_link_failure(&error) {
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
        let (mut pending, mut permit) = self.submit(&options)?;
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
    fn submit(
        &self,
        options: &OperationOptions,
    ) -> Result<(Pending<'_>, Option<Permit>), OperationError> {
        let submit = SubmitOptions {
            deadline: options
                .deadline
                .unwrap_or_else(|| self.policy().deadlines.operation),
            repeatable: options.repeatable,
            hold: !options.fail_fast,
            identity: options.identity.clone(),
        };
        let (id, state) = self.submit_operation(submit);
        let mut pending = Pending {
            session: self,
            id,
            answered: false,
        };
        match state {
            Some(SlotState::Dispatched {
                identity,
                generation,
                round,
            }) => Ok((
                pending,
                Some(Permit {
                    identity,
                    generation,
                    round,
                }),
            )),
            Some(SlotState::Rejected(error)) => {
                pending.forget();
                Err(error)
            }
            Some(SlotState::Held) | None => Ok((pending, None)),
        }
    }
}

impl Pending<'_> {
    /// Waits until the operation may run.
    async fn permitted(&mut self, permit: Option<Permit>) -> Result<Permit, OperationError> {
        if let Some(permit) = permit {
            return Ok(permit);
        }
        let state = poll_fn(|cx| match self.session.look(self.id, None, cx.waker()) {
            Some(state) => Poll::Ready(state),
            None => Poll::Pending,
        })
        .await;
        match state {
            SlotState::Dispatched {
                identity,
                generation,
                round,
            } => Ok(Permit {
                identity,
                generation,
                round,
            }),
            SlotState::Rejected(error) => {
                self.forget();
                Err(error)
            }
            SlotState::Held => Err(OperationError::Closed { sent: Sent::No }),
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
                Some(SlotState::Held | SlotState::Dispatched { .. }) => {
                    Poll::Ready(Raced::Recalled)
                }
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

/// The parameters of a request: kept only if it may be sent again.
struct Params {
    value: Value,
    repeatable: bool,
}

impl Params {
    fn new(value: Value, options: &OperationOptions) -> Self {
        Self {
            value,
            repeatable: options.repeatable,
        }
    }

    fn next(&mut self) -> Value {
        if self.repeatable {
            self.value.clone()
        } else {
            std::mem::take(&mut self.value)
        }
    }

    fn again(&self) -> bool {
        self.repeatable
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
