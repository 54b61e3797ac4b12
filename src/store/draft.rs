//! Plaintext while it is written.

use std::io;

use zeroize::Zeroizing;

/// Room for most records: they are written without being moved.
const ROOM: usize = 2048;

/// Bytes that may be secret until they are sealed where they stand. They are wiped when they are
/// dropped, and where they stood when they have to move to where there is more room.
pub(super) struct Draft(Zeroizing<Vec<u8>>);

impl Draft {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(ROOM)))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.0.capacity() - self.0.len() < bytes.len() {
            self.grow(bytes.len());
        }
        self.0.extend_from_slice(bytes);
    }

    /// Moves to where there is room for so many more. A `Vec` that grows wipes nothing.
    #[cold]
    fn grow(&mut self, more: usize) {
        let room = (self.0.len() + more).max(self.0.capacity() * 2);
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(&self.0);
        self.0 = larger;
    }

    /// What was written after the first so many bytes.
    pub(super) fn after(&mut self, start: usize) -> &mut [u8] {
        self.0.get_mut(start..).unwrap_or_default()
    }

    /// The bytes as they are, not wiped from here on.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut *self.0);
        bytes.shrink_to_fit();
        bytes
    }
}

impl io::Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.push(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_more_room_stays_as_it_was_written() {
        let mut draft = Draft::new();
        let mut expected = Vec::new();
        for length in [0, 1, ROOM - 1, 1, 5 * ROOM, 7] {
            let part = vec![length as u8; length];
            draft.push(&part);
            expected.extend_from_slice(&part);
            assert_eq!(draft.len(), expected.len());
        }
        assert_eq!(draft.after(ROOM), &expected[ROOM..]);
        assert!(draft.after(expected.len() + 1).is_empty());
        assert_eq!(draft.into_bytes(), expected);
    }
}
