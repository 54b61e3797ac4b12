//! Who was not used for longest, without looking at everybody.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Sessions in the order of when each comes up. A session that is used is not moved: when its old
/// turn comes it is looked at, and takes a later one. So a use costs nothing here, and each session
/// is looked at once a turn.
#[derive(Default)]
pub(super) struct Turns<T: Ord>(BinaryHeap<Reverse<(T, u64)>>);

impl<T: Ord + Copy> Turns<T> {
    pub(super) fn take_turn(&mut self, session: u64, at: T) {
        self.0.push(Reverse((at, session)));
    }

    /// Drops the turns of sessions that have gone once they are most of all. `here`: how many
    /// sessions there are.
    pub(super) fn forget_gone(&mut self, here: usize, is_here: impl Fn(u64) -> bool) {
        if self.0.len() >= 64 && self.0.len() / 2 > here {
            self.0.retain(|Reverse((_, session))| is_here(*session));
        }
    }

    /// The first turn that is taken.
    pub(super) fn first(&self) -> Option<T> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn next(&mut self) -> Option<(T, u64)> {
        self.0.pop().map(|Reverse(turn)| turn)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_come_and_go_take_no_room_for_ever() {
        let mut turns = Turns::default();
        let stays = 7;
        turns.take_turn(stays, 3);
        for session in 10..100_000 {
            turns.forget_gone(2, |id| id == stays || id + 1 >= session);
            turns.take_turn(session, session);
        }
        assert!(turns.0.len() <= 65, "{}", turns.0.len());
        assert_eq!(turns.next(), Some((3, stays)));
    }
}
