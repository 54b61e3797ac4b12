//! Who takes part.

use std::fmt;
use std::sync::Arc;

use crate::store::Slot;

/// What the slots of member records begin with; the member's id follows. So they can be told from
/// lease records in a list.
const PREFIX: [u8; 16] = *b"moorline/member\0";

/// One membership of a process: drawn at random when it joins, and never used again. A process
/// that lost its membership joins anew under another.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MemberId([u8; 16]);

impl MemberId {
    /// The id with these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads what [`Display`](fmt::Display) wrote: 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        // A slot's text is twice as long: the same digits, read in one place.
        let slot = Slot::parse(&format!("{text:0>64}"))?;
        let (zeros, id) = slot.as_bytes().split_first_chunk::<16>()?;
        let whole = text.len() == 32 && *zeros == [0; 16];
        whole.then(|| id.try_into().ok().map(Self)).flatten()
    }

    /// Where this member's record stands.
    pub(super) fn slot(self) -> Slot {
        let mut bytes = [0; 32];
        let (prefix, id) = bytes.split_at_mut(16);
        prefix.copy_from_slice(&PREFIX);
        id.copy_from_slice(&self.0);
        Slot::new(bytes)
    }

    /// The member whose record stands here; `None` for a lease's.
    pub(super) fn of_slot(slot: Slot) -> Option<Self> {
        let (prefix, id) = slot.as_bytes().split_first_chunk::<16>()?;
        (*prefix == PREFIX)
            .then(|| id.try_into().ok().map(Self))
            .flatten()
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberId({self})")
    }
}

/// A process that takes part, as others see it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Member {
    /// Its present membership.
    pub id: MemberId,
    /// What it calls itself, such as an address to reach it at; the text of its id where it gave
    /// no name or where its record could not be read.
    pub name: Arc<str>,
}

impl Member {
    /// A member.
    pub fn new(id: MemberId, name: impl Into<Arc<str>>) -> Self {
        Self {
            id,
            name: name.into(),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_what_it_wrote_and_finds_its_slot() {
        let id = MemberId::new(std::array::from_fn(|index| index as u8 * 9));
        assert_eq!(MemberId::parse(&id.to_string()), Some(id));
        assert_eq!(MemberId::parse("00"), None);
        assert_eq!(MemberId::parse(&"0".repeat(64)), None);
        assert_eq!(MemberId::of_slot(id.slot()), Some(id));
        assert_eq!(MemberId::of_slot(Slot::new([7; 32])), None);
    }
}
