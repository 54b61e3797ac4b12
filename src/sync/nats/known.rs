//! Which message holds which revision, as far as it was seen.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::store::{Revision, Slot};

/// How many slots are remembered, at about a hundred bytes each.
const SLOTS: usize = 16_384;

/// Saves most writes a read: the sequence number of the message that holds a revision. A number
/// that is out of date does no harm, since the server refuses a write that names it.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Slot, (Revision, u64)>>);

impl Known {
    pub(super) fn note(&self, slot: Slot, revision: Revision, sequence: u64) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= SLOTS && !slots.contains_key(&slot) {
            // Forgetting costs a read each, now and then.
            slots.clear();
        }
        slots.insert(slot, (revision, sequence));
    }

    /// The message that held this revision when it was last seen. Forgets it: what comes of the
    /// write is noted again.
    pub(super) fn take(&self, slot: Slot, revision: Revision) -> Option<u64> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, sequence) = slots.remove(&slot)?;
        (seen == revision).then_some(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_revision_that_was_seen_is_known_and_once() {
        let (known, slot) = (Known::default(), Slot::new([1; 32]));
        known.note(slot, Revision::new(3), 70);
        assert_eq!(known.take(slot, Revision::new(3)), Some(70));
        assert_eq!(known.take(slot, Revision::new(3)), None);
        known.note(slot, Revision::new(4), 71);
        assert_eq!(known.take(slot, Revision::new(3)), None);
    }

    #[test]
    fn what_is_known_is_bounded() {
        let known = Known::default();
        for index in 0..=SLOTS as u64 {
            let mut slot = [0; 32];
            slot[..8].copy_from_slice(&index.to_be_bytes());
            known.note(Slot::new(slot), Revision::new(1), index);
        }
        assert!(known.0.lock().unwrap().len() <= SLOTS);
    }
}
