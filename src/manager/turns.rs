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
