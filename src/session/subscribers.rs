//! Everybody who is told: channels that exist only once somebody asked.

use std::sync::Arc;

use async_broadcast::{InactiveReceiver, Sender, TrySendError};
use tokio::sync::watch;

use super::event_stream::EventStream;
use crate::event::Event;
use crate::snapshot::Snapshot;

/// The channels to subscribers. A session that nobody listens to has none.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Option<Box<Channels>>);

#[derive(Debug, Default)]
struct Channels {
    events: Option<EventChannel>,
    snapshots: Option<watch::Sender<Arc<Snapshot>>>,
    closed: bool,
}

/// One channel of events; the inactive receiver keeps it open while nobody listens.
///
/// Its room grows with the slowest subscriber, up to the capacity: most subscribers are never far
/// behind, and a channel reserves all of its room at once.
#[derive(Debug)]
struct EventChannel {
    sender: Sender<Arc<Event>>,
    inactive: InactiveReceiver<Arc<Event>>,
    capacity: usize,
}

/// The room a channel begins with, and by what it grows.
const FIRST_ROOM: usize = 8;
const GROWTH: usize = 4;

impl EventChannel {
    fn new(capacity: usize) -> Self {
        let (mut sender, receiver) = async_broadcast::broadcast(capacity.min(FIRST_ROOM));
        sender.set_await_active(false);
        // With all its room, the slowest subscriber loses the oldest events; nobody waits for it.
        sender.set_overflow(capacity <= FIRST_ROOM);
        Self {
            sender,
            inactive: receiver.deactivate(),
            capacity,
        }
    }

    fn tell(&mut self, event: Event) {
        // Fails otherwise only if nobody listens at the moment.
        if let Err(TrySendError::Full(event)) = self.sender.try_broadcast(Arc::new(event)) {
            self.grow();
            let _unheard = self.sender.try_broadcast(event);
        }
    }

    fn grow(&mut self) {
        let room = self.capacity.min(self.sender.capacity() * GROWTH);
        self.sender.set_capacity(room);
        self.sender.set_overflow(room == self.capacity);
    }
}

impl Subscribers {
    pub(super) fn events(&mut self, capacity: usize) -> EventStream {
        let channels = self.0.get_or_insert_default();
        if channels.closed {
            return EventStream::ended();
        }
        let channel = channels
            .events
            .get_or_insert_with(|| EventChannel::new(capacity));
        EventStream::new(channel.inactive.activate_cloned())
    }

    pub(super) fn watch(&mut self, now: &Arc<Snapshot>) -> watch::Receiver<Arc<Snapshot>> {
        let channels = self.0.get_or_insert_default();
        if channels.closed {
            return watch::channel(now.clone()).1;
        }
        channels
            .snapshots
            .get_or_insert_with(|| watch::channel(now.clone()).0)
            .subscribe()
    }

    pub(super) fn show(&mut self, snapshot: &Arc<Snapshot>) {
        if let Some(Channels {
            snapshots: Some(sender),
            ..
        }) = self.0.as_deref()
        {
            sender.send_replace(snapshot.clone());
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        if let Some(Channels {
            events: Some(channel),
            ..
        }) = self.0.as_deref_mut()
        {
            channel.tell(event);
        }
    }

    /// No further event will come: subscribers see the end once they have read what is there.
    pub(super) fn close(&mut self) {
        let closed = Channels {
            closed: true,
            ..Channels::default()
        };
        self.0 = Some(Box::new(closed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::event::EventKind;
    use crate::provider::Epoch;
    use crate::session::event_stream::EventItem;

    #[test]
    fn a_channel_grows_up_to_its_capacity_and_then_loses_the_oldest() {
        for capacity in [1, 7, 8, 9, 40, 256] {
            let mut subscribers = Subscribers::default();
            let mut stream = subscribers.events(capacity);
            let last = capacity as u64 + 3;
            for seq in 1..=last {
                let kind = EventKind::Connecting;
                subscribers.tell(Event::new(seq, Epoch::default(), Timestamp::EPOCH, kind));
            }
            assert_eq!(stream.try_next(), Some(EventItem::Missed(3)));
            let read = std::iter::from_fn(|| stream.try_next());
            let read: Vec<u64> = read
                .filter_map(|item| item.event().map(|event| event.seq))
                .collect();
            assert_eq!(read, (4..=last).collect::<Vec<u64>>());
        }
    }
}
