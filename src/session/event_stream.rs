//! The stream of events that a subscriber reads.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_broadcast::{Receiver, RecvError};
use futures_core::Stream;

use crate::event::Event;

/// The events of a session from the moment of subscribing, in order and numbered without gaps.
///
/// A subscriber that falls behind by more than the session's event capacity loses the oldest ones
/// and is told how many; it can start over from [`Session::snapshot`](crate::Session::snapshot).
/// The stream ends when the session is closed. It does not keep the session alive.
#[derive(Debug)]
pub struct EventStream {
    receiver: Option<Receiver<Arc<Event>>>,
}

/// What an [`EventStream`] yields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EventItem {
    /// The next event.
    Event(Arc<Event>),
    /// This many events were lost here because the subscriber was too slow.
    Missed(u64),
}

impl EventItem {
    /// The event, if it is one.
    pub fn event(&self) -> Option<&Arc<Event>> {
        match self {
            Self::Event(event) => Some(event),
            Self::Missed(_) => None,
        }
    }
}

impl EventStream {
    pub(super) fn new(receiver: Receiver<Arc<Event>>) -> Self {
        Self {
            receiver: Some(receiver),
        }
    }

    pub(super) fn ended() -> Self {
        Self { receiver: None }
    }

    /// The next item; `None` once the session is closed and everything was read.
    ///
    /// # Cancel safety
    ///
    /// No event is lost if the future is dropped.
    #[inline]
    pub async fn next(&mut self) -> Option<EventItem> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next item if one is there, without waiting.
    pub fn try_next(&mut self) -> Option<EventItem> {
        use async_broadcast::TryRecvError;
        match self.receiver.as_mut()?.try_recv() {
            Ok(event) => Some(EventItem::Event(event)),
            Err(TryRecvError::Overflowed(missed)) => Some(EventItem::Missed(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}

impl Stream for EventStream {
    type Item = EventItem;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<EventItem>> {
        let Some(receiver) = &mut self.receiver else {
            return Poll::Ready(None);
        };
        // Not the receiver's own `Stream`, which passes over what was lost.
        Pin::new(receiver).poll_recv(cx).map(|item| match item {
            Some(Ok(event)) => Some(EventItem::Event(event)),
            Some(Err(RecvError::Overflowed(missed))) => Some(EventItem::Missed(missed)),
            Some(Err(RecvError::Closed)) | None => None,
        })
    }
}
