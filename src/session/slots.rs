//! The driver's side of operations: who waits, and what was decided.

use std::sync::Arc;
use std::task::Waker;

use slab::Slab;

use crate::error::OperationError;
use crate::identity::Identity;
use crate::machine::OperationId;

/// The operations that are not answered yet. Slots are reused, so that a request allocates
/// nothing once the table has grown.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// Made with the first operation, and with room for it: most sessions never have more than one
    /// at a time.
    table: Option<Box<Slab<Slot>>>,
    last_number: u64,
}

#[derive(Debug)]
struct Slot {
    number: u64,
    state: SlotState,
    /// Counts how often the wallet was given the operation.
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
        let number = self.last_number;
        let round = match state {
            SlotState::Running(round) => round,
            _ => 0,
        };
        let table = self
            .table
            .get_or_insert_with(|| Box::new(Slab::with_capacity(1)));
        let entry = table.vacant_entry();
        // More than four billion operations at once do not fit into memory.
        let slot = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        entry.insert(Slot {
            number,
            state,
            round,
            waker,
        });
        OperationId { slot, number }
    }

    fn get(&mut self, id: OperationId) -> Option<&mut Slot> {
        self.table
            .as_mut()?
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
        let table = self.table.as_mut()?;
        let slot = table.get(id.slot as usize)?;
        if slot.number != id.number {
            return None;
        }
        table.remove(id.slot as usize).waker
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
