//! The driver's side of operations: who waits, and what was decided.

use std::sync::Arc;
use std::task::Waker;

use crate::error::OperationError;
use crate::identity::Identity;
use crate::machine::OperationId;

/// The operations that are not answered yet. Slots are reused, so that a request allocates
/// nothing once the table has grown.
#[derive(Debug, Default)]
pub(super) struct Slots {
    table: Box<[Slot]>,
    last_number: u64,
    /// The place of a slot that is free; past the end if none is.
    free: u32,
    /// Whether the wallet had the last request wait for its answer.
    pub(super) wallet_waits: bool,
}

#[derive(Debug)]
struct Slot {
    /// The number of the operation, which no other ever had; zero while the slot is free.
    number: u64,
    state: SlotState,
    /// Counts how often the wallet was given the operation. In a free slot the place of the next
    /// one that is free.
    round: u32,
    waker: Option<Waker>,
}

/// What was decided about an operation.
#[derive(Debug)]
pub(super) enum SlotState {
    /// Not yet.
    Held,
    /// It may run.
    Dispatched(Permit),
    /// The caller has the permit and runs it, in this round.
    Running(u32),
    /// It will not run, or not be waited for.
    Rejected(OperationError),
}

/// That an operation may run, and for whom.
#[derive(Debug)]
pub(super) struct Permit {
    pub(super) identity: Arc<Identity>,
    pub(super) generation: u32,
    pub(super) round: u32,
}

impl Slots {
    #[inline]
    pub(super) fn open(&mut self, state: SlotState, waker: Option<Waker>) -> OperationId {
        self.last_number += 1;
        let id = OperationId {
            slot: self.free,
            number: self.last_number,
        };
        if self.free as usize == self.table.len() {
            self.grow();
        }
        let slot = &mut self.table[id.slot as usize];
        self.free = slot.round;
        slot.number = id.number;
        slot.round = match state {
            SlotState::Running(round) => round,
            _ => 0,
        };
        slot.state = state;
        slot.waker = waker;
        id
    }

    /// Doubles the room, from a single slot: most sessions never have more than one operation at a
    /// time.
    #[cold]
    fn grow(&mut self) {
        let mut table = std::mem::take(&mut self.table).into_vec();
        let room = (table.len() * 2).max(1);
        table.reserve_exact(room - table.len());
        // More than four billion operations at once do not fit into memory.
        while let (true, Ok(place)) = (table.len() < room, u32::try_from(table.len())) {
            table.push(Slot {
                number: 0,
                state: SlotState::Held,
                round: place + 1,
                waker: None,
            });
        }
        self.table = table.into_boxed_slice();
    }

    fn get(&mut self, id: OperationId) -> Option<&mut Slot> {
        self.table
            .get_mut(id.slot as usize)
            .filter(|slot| slot.number == id.number)
    }

    /// Decides about an operation and returns who is to be woken.
    fn decide(&mut self, id: OperationId, state: SlotState) -> Option<Waker> {
        let slot = self.get(id)?;
        slot.state = state;
        slot.waker.take()
    }

    pub(super) fn dispatch(
        &mut self,
        id: OperationId,
        identity: Arc<Identity>,
        generation: u32,
    ) -> Option<Waker> {
        let slot = self.get(id)?;
        slot.round += 1;
        slot.state = SlotState::Dispatched(Permit {
            identity,
            generation,
            round: slot.round,
        });
        slot.waker.take()
    }

    /// Dispatches an operation whose caller is here and takes the permit along: nobody is woken.
    #[inline]
    pub(super) fn dispatch_here(
        &mut self,
        id: OperationId,
        identity: Arc<Identity>,
        generation: u32,
    ) -> Option<Permit> {
        let slot = self.get(id)?;
        slot.round += 1;
        slot.state = SlotState::Running(slot.round);
        Some(Permit {
            identity,
            generation,
            round: slot.round,
        })
    }

    pub(super) fn hold_again(&mut self, id: OperationId) -> Option<Waker> {
        self.decide(id, SlotState::Held)
    }

    pub(super) fn reject(&mut self, id: OperationId, error: OperationError) -> Option<Waker> {
        self.decide(id, SlotState::Rejected(error))
    }

    /// What was decided; while that is `Held` (or still the round in which the caller runs it),
    /// the caller is woken when it changes. What is decided is taken along.
    pub(super) fn look(
        &mut self,
        id: OperationId,
        running: Option<u32>,
        waker: &Waker,
    ) -> Option<SlotState> {
        let slot = self.get(id)?;
        let unchanged = match (&slot.state, running) {
            (SlotState::Held, None) => true,
            (SlotState::Running(round), Some(running)) => *round == running,
            _ => false,
        };
        if unchanged {
            match &mut slot.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
            return None;
        }
        if running.is_some() {
            // Recalled: what was decided meanwhile is for the caller's next look.
            return Some(match &slot.state {
                SlotState::Rejected(error) => SlotState::Rejected(error.clone()),
                _ => SlotState::Held,
            });
        }
        slot.take()
    }

    /// Forgets an operation that is answered, and returns whoever was to be woken for it.
    #[inline]
    pub(super) fn close(&mut self, id: OperationId) -> Option<Waker> {
        let free = self.free;
        let slot = self.get(id)?;
        slot.number = 0;
        slot.state = SlotState::Held;
        slot.round = free;
        let waker = slot.waker.take();
        self.free = id.slot;
        waker
    }
}

impl Slot {
    /// What was decided; a permit is handed out once.
    fn take(&mut self) -> Option<SlotState> {
        let next = match &self.state {
            SlotState::Held => return Some(SlotState::Held),
            SlotState::Running(round) => return Some(SlotState::Running(*round)),
            SlotState::Rejected(error) => return Some(SlotState::Rejected(error.clone())),
            SlotState::Dispatched(permit) => SlotState::Running(permit.round),
        };
        Some(std::mem::replace(&mut self.state, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_reused_and_numbers_are_not() {
        let mut slots = Slots::default();
        let mut open: Vec<OperationId> =
            (0..5).map(|_| slots.open(SlotState::Held, None)).collect();
        for _ in 0..100 {
            let gone = open.remove(open.len() / 2);
            slots.close(gone);
            assert!(slots.get(gone).is_none());
            // Closing it again takes nothing from whoever has the slot now.
            let next = slots.open(SlotState::Running(1), None);
            slots.close(gone);
            assert_eq!(next.slot, gone.slot);
            open.push(next);
            assert!(open.iter().all(|id| slots.get(*id).is_some()));
        }
        assert_eq!(slots.table.len(), 8);
    }
}
