//! Sessions by their number.

use std::collections::HashMap;

/// How many stand on one board.
const BOARD: u64 = 64;

/// Things by numbers that are handed out in order and never again. It takes little more room than
/// the things themselves, however many there are: a hash map that doubles has half of it empty at
/// the worst.
pub(super) struct Shelf<T> {
    boards: HashMap<u64, Board<T>>,
}

struct Board<T> {
    things: Box<[Option<T>]>,
    count: u64,
}

impl<T> Shelf<T> {
    pub(super) fn new() -> Self {
        Self {
            boards: HashMap::new(),
        }
    }

    pub(super) fn insert(&mut self, number: u64, thing: T) {
        let board = self.boards.entry(number / BOARD).or_insert_with(|| Board {
            things: (0..BOARD).map(|_| None).collect(),
            count: 0,
        });
        if let Some(place) = board.things.get_mut((number % BOARD) as usize)
            && place.replace(thing).is_none()
        {
            board.count += 1;
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        let board = self.boards.get(&(number / BOARD))?;
        board.things.get((number % BOARD) as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let board = self.boards.get_mut(&(number / BOARD))?;
        board.things.get_mut((number % BOARD) as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let board = self.boards.get_mut(&(number / BOARD))?;
        let thing = board.things.get_mut((number % BOARD) as usize)?.take()?;
        board.count -= 1;
        if board.count == 0 {
            self.boards.remove(&(number / BOARD));
        }
        Some(thing)
    }

    /// All with their numbers, in any order.
    #[cfg(feature = "stores")]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.boards.iter().flat_map(|(first, board)| {
            let things = board.things.iter().zip(first * BOARD..);
            things.filter_map(|(thing, number)| Some((number, thing.as_ref()?)))
        })
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.boards
            .values()
            .flat_map(|board| board.things.iter().flatten())
    }

    /// All numbers that are taken, in order.
    pub(super) fn numbers(&self) -> Vec<u64> {
        let of_board = |(first, board): (&u64, &Board<T>)| {
            let first = first * BOARD;
            let taken = board.things.iter().enumerate();
            let taken = taken.filter(|(_, thing)| thing.is_some());
            taken.map(|(at, _)| first + at as u64).collect::<Vec<_>>()
        };
        let mut numbers: Vec<u64> = self.boards.iter().flat_map(of_board).collect();
        numbers.sort_unstable();
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_there_is_found_until_it_is_taken() {
        let mut shelf = Shelf::new();
        for number in 1..=1000 {
            shelf.insert(number, number * 2);
        }
        for number in (1..=1000).filter(|number| number % 3 > 0) {
            assert_eq!(shelf.remove(number), Some(number * 2));
            assert_eq!(shelf.remove(number), None);
        }
        let left: Vec<u64> = (1..=1000).filter(|number| number % 3 == 0).collect();
        assert_eq!(shelf.numbers(), left);
        assert_eq!(shelf.values().count(), left.len());
        assert_eq!(
            (shelf.get(3), shelf.get(4), shelf.get(5000)),
            (Some(&6), None, None)
        );
        for number in left {
            shelf.remove(number);
        }
        assert!(shelf.boards.is_empty());
    }
}
