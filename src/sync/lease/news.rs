//! What a process hears of its membership and of others.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_broadcast::{Receiver, RecvError};
use futures_core::Stream;

use super::member::Member;
use crate::store::Slot;

/// What happened that may change who holds what.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LeaseNews {
    /// A member is dead or left: what it held can be acquired.
    MemberGone {
        /// Which.
        member: Member,
    },
    /// This process lost its membership, and with it all leases it held.
    Lost,
    /// This process is a member again, under another id. It holds nothing.
    Rejoined {
        /// As others see it now.
        member: Member,
    },
    /// A lease that was refused because somebody held it may be free now: ask again.
    Changed {
        /// Which; `None` for any.
        slot: Option<Slot>,
    },
    /// This many news were lost here because the reader was too slow: look at everything again.
    Missed(u64),
}

/// The news from the moment of asking. Ends when the process leaves. Does not keep it a member.
#[derive(Debug)]
pub struct News {
    pub(super) receiver: Receiver<LeaseNews>,
}

impl News {
    /// The next news; `None` once the process has left and everything was read.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<LeaseNews> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for News {
    type Item = LeaseNews;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LeaseNews>> {
        // Not the receiver's own `Stream`, which passes over what was lost.
        Pin::new(&mut self.receiver)
            .poll_recv(cx)
            .map(|item| match item {
                Some(Ok(news)) => Some(news),
                Some(Err(RecvError::Overflowed(missed))) => Some(LeaseNews::Missed(missed)),
                Some(Err(RecvError::Closed)) | None => None,
            })
    }
}
