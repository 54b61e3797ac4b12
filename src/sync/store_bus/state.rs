//! Who is where, and what is to be looked at.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::seat::{Place, Seat};
use super::standing::{Due, Look};
use crate::store::{Change, RecordName, Revision, Slot, Store, StoreError, Stored};

/// How much is remembered of news for places that nobody has yet, while somebody is on the way to
/// one.
const MOST_EARLY: usize = 1024;

pub(super) struct Core {
    pub(super) store: Arc<dyn Store>,
    state: Mutex<State>,
    /// There is something to do.
    pub(super) wake: Notify,
}

#[derive(Default)]
struct State {
    slots: HashMap<Slot, Entry>,
    /// Members whose slot is not known yet.
    arriving: VecDeque<Arrival>,
    /// How many are on their way: waiting here, or asked for.
    on_the_way: usize,
    /// What was written meanwhile where nobody was.
    early: HashMap<Slot, Revision>,
    /// Whether more was written than that.
    more: bool,
    /// Slots to look at.
    queue: VecDeque<Slot>,
}

#[derive(Default)]
struct Entry {
    seats: Vec<Arc<Seat>>,
    queued: bool,
    looking: bool,
}

/// Something to ask the store.
pub(super) enum Job {
    Place(Arrival),
    Look(Looking),
}

pub(super) struct Arrival {
    pub(super) seat: Arc<Seat>,
    pub(super) name: RecordName,
}

pub(super) struct Looking {
    slot: Slot,
    pub(super) name: RecordName,
    pub(super) look: Look,
}

impl Arrival {
    fn is_for(&self, place: &Place) -> bool {
        place.name.as_ref() == Some(&self.name)
    }

    /// Whether the member still goes there.
    fn is_wanted(&self) -> bool {
        self.is_for(&self.seat.lock())
    }
}

impl Core {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            state: Mutex::default(),
            wake: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn members(&self) -> usize {
        let state = self.lock();
        let seated: usize = state.slots.values().map(|entry| entry.seats.len()).sum();
        seated + state.on_the_way
    }

    /// Gives a member another place, or none.
    pub(super) fn place(&self, seat: &Arc<Seat>, name: Option<RecordName>) {
        let mut state = self.lock();
        {
            let mut place = seat.lock();
            if place.name == name {
                return;
            }
            place.name.clone_from(&name);
            place.standing.move_away();
            if let Some(slot) = place.slot.take() {
                state.unseat(slot, seat);
            }
        }
        if let Some(name) = name {
            let seat = seat.clone();
            state.on_the_way += 1;
            state.arriving.push_back(Arrival { seat, name });
            self.wake.notify_one();
        }
    }

    /// Forgets a member.
    pub(super) fn leave(&self, seat: &Arc<Seat>) {
        self.place(seat, None);
    }

    /// Has a slot looked at.
    pub(super) fn look_at(&self, slot: Slot) {
        self.lock().enqueue(slot);
        self.wake.notify_one();
    }

    /// What the store tells.
    pub(super) fn hear(&self, change: Change) {
        let mut state = self.lock();
        let state = &mut *state;
        match change {
            Change::Resync => {
                state.more |= state.on_the_way > 0;
                let slots: Vec<Slot> = state.slots.keys().copied().collect();
                for slot in slots {
                    state.hear(slot, Due::Anything);
                }
            }
            Change::Written { slot, revision } => {
                if state.slots.contains_key(&slot) {
                    state.hear(slot, due(revision));
                } else if state.on_the_way > 0 {
                    state.remember(slot, revision);
                }
            }
        }
    }

    /// The next thing to ask the store.
    pub(super) fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        while let Some(arrival) = state.arriving.pop_front() {
            if arrival.is_wanted() {
                return Some(Job::Place(arrival));
            }
            state.passed(None);
        }
        while let Some(slot) = state.queue.pop_front() {
            if let Some(look) = state.begin_look(slot) {
                return Some(Job::Look(look));
            }
        }
        None
    }

    /// A member's slot is known; `None` if it has none.
    pub(super) fn arrived(&self, arrival: &Arrival, slot: Option<Slot>) {
        let mut state = self.lock();
        let missed = state.passed(slot);
        let Some(slot) = slot else {
            tracing::debug!(record = %arrival.name, "a record without a place: nothing is heard of it");
            return;
        };
        {
            let mut place = arrival.seat.lock();
            if !arrival.is_for(&place) || place.slot.is_some() {
                // It has moved on, or left.
                return;
            }
            place.slot = Some(slot);
            place.standing.placed(missed);
        }
        let entry = state.slots.entry(slot).or_default();
        entry.seats.push(arrival.seat.clone());
        state.enqueue(slot);
    }

    /// The store could not say now.
    pub(super) fn arrive_later(&self, arrival: Arrival) {
        self.lock().arriving.push_back(arrival);
    }

    /// What stands somewhere. Tells those to whom it is news.
    pub(super) fn looked(&self, looking: &Looking, stored: &Stored) {
        let mut news = Vec::new();
        {
            let mut state = self.lock();
            let Some(entry) = state.slots.get_mut(&looking.slot) else {
                return;
            };
            entry.looking = false;
            for seat in &entry.seats {
                let notice = seat.lock().standing.seen(stored, &looking.look);
                news.extend(notice.map(|notice| (seat.clone(), notice)));
            }
            // Something may have happened since.
            state.enqueue(looking.slot);
        }
        for (seat, notice) in news {
            tracing::debug!(record = %looking.name, ?notice, "told by another member");
            seat.tell(&notice);
        }
    }

    /// It could not be read: again, if that can help.
    pub(super) fn not_looked(&self, looking: &Looking, again: bool) {
        let mut state = self.lock();
        let Some(entry) = state.slots.get_mut(&looking.slot) else {
            return;
        };
        entry.looking = false;
        if again {
            state.hear(looking.slot, looking.look.due());
        } else {
            state.enqueue(looking.slot);
        }
    }
}

fn due(revision: Revision) -> Due {
    match revision {
        Revision::NONE => Due::Removed,
        revision => Due::Written(revision),
    }
}

impl State {
    fn hear(&mut self, slot: Slot, what: Due) {
        for seat in self.slots.get(&slot).into_iter().flat_map(|it| &it.seats) {
            seat.lock().standing.hear(what);
        }
        self.enqueue(slot);
    }

    /// Puts a slot into the queue if anybody wants it looked at.
    fn enqueue(&mut self, slot: Slot) {
        let Some(entry) = self.slots.get_mut(&slot) else {
            return;
        };
        let wanted = |seat: &Arc<Seat>| seat.lock().standing.wants_look();
        if !entry.queued && !entry.looking && entry.seats.iter().any(wanted) {
            entry.queued = true;
            self.queue.push_back(slot);
        }
    }

    fn begin_look(&mut self, slot: Slot) -> Option<Looking> {
        let entry = self.slots.get_mut(&slot)?;
        entry.queued = false;
        let mut name = None;
        let mut wanted = false;
        for seat in &entry.seats {
            let mut place = seat.lock();
            wanted |= place.standing.wants_look();
            name = name.or_else(|| place.name.clone());
        }
        let name = name.filter(|_| wanted)?;
        let mut look = Look::default();
        for seat in &entry.seats {
            seat.lock().standing.begin(&mut look);
        }
        entry.looking = true;
        Some(Looking { slot, name, look })
    }

    fn unseat(&mut self, slot: Slot, seat: &Arc<Seat>) {
        let Some(entry) = self.slots.get_mut(&slot) else {
            return;
        };
        entry.seats.retain(|it| !Arc::ptr_eq(it, seat));
        if entry.seats.is_empty() {
            self.slots.remove(&slot);
        }
    }

    /// Keeps news for one who is on the way.
    fn remember(&mut self, slot: Slot, revision: Revision) {
        if self.early.len() >= MOST_EARLY && !self.early.contains_key(&slot) {
            self.more = true;
            return;
        }
        let kept = self.early.entry(slot).or_insert(revision);
        // A removal is to be looked at, whatever else was written.
        if *kept != Revision::NONE {
            *kept = match revision {
                Revision::NONE => revision,
                revision => revision.max(*kept),
            };
        }
    }

    /// One is no longer on the way. Says what was missed meanwhile of where it arrives.
    fn passed(&mut self, slot: Option<Slot>) -> Option<Due> {
        let missed = match slot.and_then(|slot| self.early.get(&slot)) {
            _ if self.more => Some(Due::Anything),
            revision => revision.map(|revision| due(*revision)),
        };
        self.on_the_way -= 1;
        if self.on_the_way == 0 {
            self.early.clear();
            self.more = false;
        }
        missed
    }
}

/// Whether asking again can help.
pub(super) fn may_recover(error: &StoreError) -> bool {
    !matches!(error, StoreError::Unreadable { .. })
}
