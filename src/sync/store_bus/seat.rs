//! A member: where it is, what it knows, and whom it tells.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::{Notice, Own};
use super::standing::Standing;
use crate::store::{RecordName, Slot};

pub(super) type Receiver = Box<dyn Fn(Notice) -> bool + Send + Sync>;

/// A member. Its locks are held for a moment, and never while somebody else's code is called.
#[derive(Default)]
pub(super) struct Seat {
    place: Mutex<Place>,
    receivers: Mutex<Vec<Arc<Receiver>>>,
}

#[derive(Default)]
pub(super) struct Place {
    pub(super) name: Option<RecordName>,
    /// Where that is, once it is known.
    pub(super) slot: Option<Slot>,
    pub(super) standing: Standing,
}

impl Seat {
    pub(super) fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_receiver(&self, receive: Receiver) {
        self.receivers().push(Arc::new(receive));
    }

    fn receivers(&self) -> MutexGuard<'_, Vec<Arc<Receiver>>> {
        self.receivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's own doing. Says what is to be looked at now that it is done.
    pub(super) fn own(&self, what: Own<'_>) -> Option<Slot> {
        let mut place = self.lock();
        place.standing.own(what);
        place.slot.filter(|_| place.standing.wants_look())
    }

    /// Tells the session.
    pub(super) fn tell(&self, notice: &Notice) {
        let receivers = self.receivers().clone();
        for receiver in receivers {
            // One that panics must not keep the news from all the others.
            let told = AssertUnwindSafe(|| receiver(notice.clone()));
            let goes_on = std::panic::catch_unwind(told).unwrap_or(true);
            if !goes_on {
                self.receivers().retain(|it| !Arc::ptr_eq(it, &receiver));
            }
        }
    }
}
