//! How a wallet's events reach the session.

use std::fmt;
use std::sync::{Arc, Weak};

use super::{Epoch, ProviderEvent};

/// Takes the events of one epoch. Cheap to clone, callable from any thread, never blocks.
///
/// A sink outlives its epoch harmlessly: what it is handed then is dropped.
#[derive(Clone)]
pub struct EventSink {
    epoch: Epoch,
    target: Target,
}

#[derive(Clone)]
enum Target {
    Session(Weak<dyn ReceiveEvent>),
    Function(Arc<dyn Fn(ProviderEvent) + Send + Sync>),
}

/// The receiving end of a sink.
pub(crate) trait ReceiveEvent: Send + Sync {
    /// Takes an event; `false` if nobody listens to that epoch any more.
    fn receive(&self, epoch: Epoch, event: ProviderEvent) -> bool;
}

impl EventSink {
    pub(crate) fn new(epoch: Epoch, target: Weak<dyn ReceiveEvent>) -> Self {
        Self {
            epoch,
            target: Target::Session(target),
        }
    }

    /// A sink that hands everything to a function: for testing an adapter without a session.
    pub fn from_fn(epoch: Epoch, receive: impl Fn(ProviderEvent) + Send + Sync + 'static) -> Self {
        Self {
            epoch,
            target: Target::Function(Arc::new(receive)),
        }
    }

    /// The epoch whose events this sink takes.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Hands an event to the session. Returns `false` once the session listens to a later epoch
    /// or is gone: whatever does nothing but feed the sink can then stop. A connection may still
    /// be needed: the epoch ends before [`close`](super::Provider::close) is called.
    #[inline]
    pub fn send(&self, event: ProviderEvent) -> bool {
        match &self.target {
            Target::Session(session) => session
                .upgrade()
                .is_some_and(|session| session.receive(self.epoch, event)),
            Target::Function(receive) => {
                receive(event);
                true
            }
        }
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSink")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
