//! The outbox a machine's turn fills: one a thread, since it is empty between turns.

use std::cell::Cell;

use crate::machine::Outbox;

thread_local! {
    static OUTBOX: Cell<Option<Box<Outbox>>> = const { Cell::new(None) };
}

/// Takes the thread's outbox, empty and with room for what comes. A turn within another one (a
/// waker that uses a session, say) finds it taken and gets one of its own.
pub(super) fn take() -> Box<Outbox> {
    // Out of reach only while the thread ends.
    let outbox = OUTBOX.try_with(Cell::take).ok().flatten();
    outbox.unwrap_or_default()
}

/// Empties the outbox and keeps it for the thread's next turn.
pub(super) fn give_back(mut outbox: Box<Outbox>) {
    outbox.clear();
    let _ending = OUTBOX.try_with(|kept| kept.set(Some(outbox)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Effect, Ticket};
    use crate::provider::Epoch;

    #[test]
    fn a_turn_within_another_has_an_outbox_of_its_own() {
        let effect = Effect::Probe(Ticket {
            epoch: Epoch::default(),
            serial: 1,
        });
        let mut outer = take();
        outer.effects.push(effect.clone());
        let mut inner = take();
        assert!(inner.is_empty());
        inner.effects.push(effect.clone());
        give_back(inner);
        assert_eq!(outer.effects, [effect]);
        give_back(outer);
        let next = take();
        assert!(next.is_empty());
        assert!(next.effects.capacity() > 0);
    }
}
