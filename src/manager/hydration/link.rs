//! What sessions do, as hydration sees it.

use std::sync::Arc;

use tokio::time::Instant;

use super::DataError;
use super::cache::{Cache, after};
use super::event::{FetchCause, InvalidatedBy};
use super::slot::{Data, Link, Phase, Slot};
use crate::manager::event::ManagerEventKind;
use crate::manager::key::SessionKey;
use crate::manager::state::State;
use crate::snapshot::{Snapshot, Status};

impl State {
    /// A session may have joined, act for somebody else, or stand otherwise than before.
    pub(in crate::manager) fn hydrate(&mut self, id: u64) {
        if self.hydration.is_none() {
            return;
        }
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        let Some(key) = entry.key.clone() else { return };
        let link = Link::of(entry.snapshot.as_deref());
        if let Some(cache) = &mut self.hydration {
            cache.stands(id, &key, link);
        }
        self.tell_hydration();
    }

    /// A session has left.
    pub(in crate::manager) fn dehydrate(&mut self, id: u64) {
        if let Some(cache) = &mut self.hydration {
            cache.leave(id);
        }
        self.tell_hydration();
    }

    pub(super) fn tell_hydration(&mut self) {
        let Some(cache) = &mut self.hydration else {
            return;
        };
        for (id, key, event) in std::mem::take(&mut cache.told) {
            self.tell_of(id, key, ManagerEventKind::Hydration(event));
        }
    }
}

impl Link {
    fn of(snapshot: Option<&Snapshot>) -> Self {
        match snapshot.map(|it| &it.status) {
            Some(Status::Connected) => Self::Connected,
            Some(Status::Reconnecting { .. }) => Self::Reconnecting,
            _ => Self::Down,
        }
    }
}

impl Cache {
    fn stands(&mut self, id: u64, key: &Arc<SessionKey>, link: Link) {
        let fetches = &self.kit.fetches;
        let data = self.sessions.entry(id).or_insert_with(|| Data {
            key: key.clone(),
            link: Link::Down,
            next: match link {
                Link::Connected => FetchCause::Login,
                Link::Reconnecting | Link::Down => FetchCause::Restored,
            },
            slots: fetches.iter().map(|fetch| Slot::new(fetch)).collect(),
        });
        let other = *data.key != **key;
        let before = data.link;
        if other {
            self.turn_to(id, key, link);
        } else if link != before {
            data.link = link;
            match link {
                Link::Connected => self.resume(id),
                Link::Reconnecting | Link::Down => self.pause(id, link),
            }
        }
    }

    /// The session acts for somebody else: nothing of whom it acted for is left.
    fn turn_to(&mut self, id: u64, key: &Arc<SessionKey>, link: Link) {
        let Some(data) = self.sessions.get(&id) else {
            return;
        };
        let cause = match data.key.account == key.account {
            true => InvalidatedBy::Network,
            false => InvalidatedBy::Party,
        };
        for index in 0..self.kit.fetches.len() {
            let at = (id, index);
            self.stop(at);
            self.forget(at, Some(cause));
            let fetch = self.fetch(index);
            if let Some(slot) = self.slot(at) {
                slot.answer(&Err(DataError::IdentityChanged));
                slot.wanted = !fetch.on_demand;
            }
        }
        if let Some(data) = self.sessions.get_mut(&id) {
            data.key = key.clone();
            data.link = link;
            data.next = FetchCause::IdentityChanged;
        }
        if link == Link::Connected {
            self.resume(id);
        }
    }

    /// Fetches what is missing or no longer fresh.
    fn resume(&mut self, id: u64) {
        let now = Instant::now();
        let Some(data) = self.sessions.get_mut(&id) else {
            return;
        };
        let cause = std::mem::replace(&mut data.next, FetchCause::Reconnected);
        for index in 0..self.kit.fetches.len() {
            let (at, fetch) = ((id, index), self.fetch(index));
            let Some(slot) = self.slot(at) else { return };
            if !slot.wanted || slot.run().is_some() {
                continue;
            }
            if slot.lacks(&fetch, now) || fetch.is_stream() {
                self.enqueue(at, cause, false);
            } else if let (Some(every), Some(held)) = (fetch.refresh_every, &slot.held) {
                let due = after(held.since, every);
                self.set_due(at, Some(due));
            }
        }
    }

    /// Begins nothing more; without a connection that is coming back, ends what is under way, too.
    fn pause(&mut self, id: u64, link: Link) {
        for index in 0..self.kit.fetches.len() {
            let (at, name) = ((id, index), self.fetch(index).name.clone());
            let Some(slot) = self.slot(at) else { return };
            if link == Link::Reconnecting && slot.run().is_some() {
                continue;
            }
            if matches!(
                slot.phase,
                Phase::Waiting | Phase::GaveUp | Phase::Running(_)
            ) && let Some(held) = &mut slot.held
            {
                held.stale = true;
            }
            slot.answer(&Err(DataError::NotConnected { name }));
            self.stop(at);
        }
    }
}
