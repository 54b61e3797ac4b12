//! Requests: one call of the wallet, which the caller drives.
//!
//! Where nothing stands in its way and wallets answer at once, the machine is told of a request
//! only if the wallet lets it wait: an operation that begins and ends leaves the machine as it was,
//! and in between nothing can reach a caller that is busy calling.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde_json::Value;

use super::admission::{FIRST_ROUND, LetThrough};
use super::operation::{OperationOptions, Pending, Raced};
use super::shared::Shared;
use super::slots::Permit;
use crate::error::OperationError;
use crate::machine::LinkHint;
use crate::provider::{ErrorKind, ProviderError, ProviderFuture, Request, Sent};

type Answer = Result<Value, OperationError>;

/// A request, driven by whoever awaits it. At most one of its stages is there; none once it is
/// answered.
pub(super) struct RequestFuture<'a> {
    session: &'a Shared,
    /// Until it is first polled.
    asked: Option<Asked>,
    /// While the wallet has it and has not answered.
    at_wallet: Option<AtWallet<'a>>,
    /// While it waits for its turn, or may be sent again.
    in_turn: Option<Pin<Box<dyn Future<Output = Answer> + Send + 'a>>>,
}

struct Asked {
    method: Cow<'static, str>,
    params: Value,
    options: OperationOptions,
}

struct AtWallet<'a> {
    call: ProviderFuture<'a, Value>,
    pending: Pending<'a>,
}

impl<'a> RequestFuture<'a> {
    pub(super) fn new(
        session: &'a Shared,
        method: Cow<'static, str>,
        params: Value,
        options: OperationOptions,
    ) -> Self {
        Self {
            session,
            asked: Some(Asked {
                method,
                params,
                options,
            }),
            at_wallet: None,
            in_turn: None,
        }
    }

    fn begin(&mut self, asked: Asked, cx: &mut Context<'_>) -> Poll<Answer> {
        let Asked {
            method,
            params,
            options,
        } = asked;
        let session = self.session;
        let Some(way) = session.let_through(&options, cx.waker()) else {
            let turn = session.request_in_turn(method, params, options);
            self.in_turn = Some(Box::pin(turn));
            return self.poll_in_turn(cx);
        };
        let LetThrough {
            identity,
            epoch,
            begun,
        } = way;
        let mut call = session.provider().request(Request {
            method,
            params,
            identity,
        });
        let answer = call.as_mut().poll(cx);
        let late = || session.begin_late(&options, epoch, cx.waker());
        let pending = match (answer, begun) {
            (Poll::Pending, Some(pending)) => pending,
            (Poll::Pending, None) => late()?,
            (Poll::Ready(answer), Some(mut pending)) => {
                session.wallet_answers_at_once();
                return Poll::Ready(pending.answer(answer));
            }
            (Poll::Ready(Ok(value)), None) => return Poll::Ready(Ok(value)),
            (Poll::Ready(Err(error)), None) => {
                // Nothing to suspect where the connection is over already.
                if hint(&error) == LinkHint::Suspect
                    && let Ok(mut pending) = late()
                {
                    pending.finish(LinkHint::Suspect);
                }
                return Poll::Ready(Err(failed(error)));
            }
        };
        self.at_wallet = Some(AtWallet { call, pending });
        Poll::Pending
    }

    fn poll_in_turn(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        // Polled after its answer: there is no other.
        let Some(turn) = &mut self.in_turn else {
            return Poll::Pending;
        };
        let answer = ready!(turn.as_mut().poll(cx));
        self.in_turn = None;
        Poll::Ready(answer)
    }
}

impl Future for RequestFuture<'_> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        if let Some(AtWallet { call, pending }) = &mut self.at_wallet {
            let answer = match call.as_mut().poll(cx) {
                Poll::Ready(answer) => pending.answer(answer),
                Poll::Pending => {
                    ready!(pending.overruled::<Answer>(FIRST_ROUND, cx.waker())).of_a_single_call()
                }
            };
            self.at_wallet = None;
            return Poll::Ready(answer);
        }
        if let Some(asked) = self.asked.take() {
            return self.begin(asked, cx);
        }
        self.poll_in_turn(cx)
    }
}

impl Shared {
    /// A request that the machine decides about.
    async fn request_in_turn(
        &self,
        method: Cow<'static, str>,
        params: Value,
        options: OperationOptions,
    ) -> Answer {
        if options.repeatable {
            return self.request_repeatedly(method, params, options).await;
        }
        let (mut pending, permit) = self.submit(&options);
        let Permit {
            identity, round, ..
        } = pending.permitted(permit).await?;
        let call = self.provider().request(Request {
            method,
            params,
            identity,
        });
        match pending.race(round, call).await {
            Raced::Answered(answer) => pending.answer(answer),
            raced => raced.of_a_single_call(),
        }
    }

    /// A request that is sent again if the link fails it.
    async fn request_repeatedly(
        &self,
        method: Cow<'static, str>,
        params: Value,
        options: OperationOptions,
    ) -> Answer {
        let (mut pending, mut permit) = self.submit(&options);
        loop {
            let Permit {
                identity, round, ..
            } = pending.permitted(permit.take()).await?;
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
}

impl Pending<'_> {
    /// The wallet's answer, of which the machine is told that it came.
    fn answer(&mut self, answer: Result<Value, ProviderError>) -> Answer {
        match answer {
            Ok(value) => {
                self.finish(LinkHint::None);
                Ok(value)
            }
            Err(error) => {
                self.finish(hint(&error));
                Err(failed(error))
            }
        }
    }
}

impl<T> Raced<T> {
    /// The answer to a call that is made once, where the wallet gave none.
    fn of_a_single_call(self) -> Answer {
        Err(match self {
            Self::Rejected(error) => error,
            // Only what may be repeated is taken back.
            Self::Recalled | Self::Answered(_) => OperationError::Closed { sent: Sent::Maybe },
        })
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
