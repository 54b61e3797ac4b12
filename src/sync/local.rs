//! A bus between sessions of one process.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Bus, Notice};

/// Connects sessions within one process. Each session takes a member of its own with
/// [`member`](LocalBus::member).
#[derive(Clone, Default)]
pub struct LocalBus {
    members: Arc<Mutex<Members>>,
}

#[derive(Default)]
struct Members {
    next: u64,
    receivers: Vec<(u64, Receiver)>,
}

type Receiver = Arc<dyn Fn(Notice) -> bool + Send + Sync>;

/// One member's end of a [`LocalBus`].
struct Member {
    id: u64,
    bus: LocalBus,
}

impl LocalBus {
    /// A bus without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new member's end.
    pub fn member(&self) -> impl Bus + use<> {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.next += 1;
        Member {
            id: members.next,
            bus: self.clone(),
        }
    }

    fn deliver(&self, from: u64, notice: &Notice) {
        // Receivers run outside the lock: they take locks of their own.
        let receivers: Vec<(u64, Receiver)> = {
            let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            members
                .receivers
                .iter()
                .filter(|(id, _)| *id != from)
                .cloned()
                .collect()
        };
        let gone: Vec<u64> = receivers
            .into_iter()
            .filter(|(_, receive)| !receive(notice.clone()))
            .map(|(id, _)| id)
            .collect();
        if !gone.is_empty() {
            let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            members.receivers.retain(|(id, _)| !gone.contains(id));
        }
    }
}

impl Bus for Member {
    fn send(&self, notice: Notice) {
        self.bus.deliver(self.id, &notice);
    }

    fn subscribe(&self, receive: Box<dyn Fn(Notice) -> bool + Send + Sync>) {
        let mut members = self
            .bus
            .members
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        members.receivers.push((self.id, receive.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_hears_the_others_and_not_itself() {
        let bus = LocalBus::new();
        let (one, two) = (bus.member(), bus.member());
        let heard = Arc::new(Mutex::new(Vec::new()));
        for (name, member) in [("one", &one), ("two", &two)] {
            let heard = heard.clone();
            member.subscribe(Box::new(move |notice| {
                heard.lock().unwrap().push((name, notice));
                true
            }));
        }
        one.send(Notice::Disconnected);
        assert_eq!(*heard.lock().unwrap(), [("two", Notice::Disconnected)]);
    }
}
