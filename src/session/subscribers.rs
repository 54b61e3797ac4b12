//! Everybody who is told: channels that exist only once somebody asked.

use std::sync::Arc;

use async_broadcast::{InactiveReceiver, Sender};
use tokio::sync::watch;

use super::event_stream::EventStream;
use crate::event::Event;
use crate::snapshot::Snapshot;

/// The channels to subscribers. A session that nobody listens to has none.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    events: Option<EventChannel>,
    snapshots: Option<watch::Sender<Arc<Snapshot>>>,
    closed: bool,
}

/// One channel of events; the inactive receiver keeps it open while nobody listens.
#[derive(Debug)]
struct EventChannel {
    sender: Sender<Arc<Event>>,
    inactive: InactiveReceiver<Arc<Event>>,
}

impl Subscribers {
    pub(super) fn events(&mut self, capacity: usize) -> EventStream {
        if self.closed {
            return EventStream::ended();
        }
        let channel = self.events.get_or_insert_with(|| {
            let (mut sender, receiver) = async_broadcast::broadcast(capacity);
            // The slowest subscriber loses the oldest events; nobody waits for it.
            sender.set_overflow(true);
            sender.set_await_active(false);
            EventChannel {
                sender,
                inactive: receiver.deactivate(),
            }
        });
        EventStream::new(channel.inactive.activate_cloned())
    }

    pub(super) fn watch(&mut self, now: &Arc<Snapshot>) -> watch::Receiver<Arc<Snapshot>> {
        if self.closed {
            return watch::channel(now.clone()).1;
        }
        self.snapshots
            .get_or_insert_with(|| watch::channel(now.clone()).0)
            .subscribe()
    }

    pub(super) fn show(&mut self, snapshot: &Arc<Snapshot>) {
        if let Some(sender) = &self.snapshots {
            sender.send_replace(snapshot.clone());
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        if let Some(channel) = &self.events {
            // Fails only if nobody listens at the moment.
            let _unheard = channel.sender.try_broadcast(Arc::new(event));
        }
    }

    /// No further event will come: subscribers see the end once they have read what is there.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.events = None;
        self.snapshots = None;
    }
}
