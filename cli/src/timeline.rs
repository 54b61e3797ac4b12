//! Events and steps in the order in which they happened.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};

use futures_core::Stream;
use moorline::session::{EventItem, EventStream};

use crate::output::{Actor, Output};

/// Prints the events of a session as they come, and before every step those that came before it.
#[derive(Clone)]
pub(crate) struct Timeline {
    events: Arc<Mutex<Option<EventStream>>>,
    output: Output,
}

impl Timeline {
    /// A timeline without events, until it is told to [`follow`](Self::follow) them.
    pub(crate) fn new(output: Output) -> Self {
        Self {
            events: Arc::default(),
            output,
        }
    }

    pub(crate) fn output(&self) -> Output {
        self.output
    }

    /// Prints events until the session is closed.
    pub(crate) async fn follow(self, events: EventStream) {
        *self.lock() = Some(events);
        poll_fn(|cx| {
            let mut events = self.lock();
            let Some(events) = &mut *events else {
                return Poll::Ready(());
            };
            while let Some(item) = ready!(Pin::new(&mut *events).poll_next(cx)) {
                self.print(&item);
            }
            Poll::Ready(())
        })
        .await;
    }

    pub(crate) fn step(&self, actor: Actor, text: &str) {
        self.catch_up();
        self.output.step(actor, text);
    }

    pub(crate) fn check(&self, text: &str, holds: bool) {
        self.catch_up();
        self.output.check(text, holds);
    }

    fn catch_up(&self) {
        let mut events = self.lock();
        while let Some(item) = events.as_mut().and_then(EventStream::try_next) {
            self.print(&item);
        }
    }

    fn print(&self, item: &EventItem) {
        if let Some(event) = item.event() {
            self.output.event(event);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<EventStream>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
