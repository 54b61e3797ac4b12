//! Which of two values counts.

use std::sync::Arc;

use serde::Serialize;

/// Which of two values under one name counts: the later one; of two from the same second the one
/// with the lower id, as NIP-01 has it for replaceable events. So all who see the same values end
/// with the same one, in whatever order they come.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Version {
    /// When it was made, in seconds since the Unix epoch, or any number that grows.
    pub at: u64,
    /// What tells it from another one made at the same time. Compared byte by byte.
    pub id: Arc<str>,
}

impl Version {
    /// A version.
    pub fn new(at: u64, id: impl Into<Arc<str>>) -> Self {
        Self { at, id: id.into() }
    }

    /// Whether a value of this version replaces one of `other`. The same id never does.
    pub fn replaces(&self, other: &Self) -> bool {
        if self.id == other.id {
            return false;
        }
        self.at > other.at || (self.at == other.at && self.id < other.id)
    }
}

/// A value, and which version it is. A value without version replaces any other.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its version, if it has any.
    pub version: Option<Version>,
}

impl<T> Versioned<T> {
    /// A value with a version.
    pub fn new(value: T, version: Version) -> Self {
        Self {
            value,
            version: Some(version),
        }
    }
}

impl<T> From<T> for Versioned<T> {
    fn from(value: T) -> Self {
        Self {
            value,
            version: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_counts_then_the_lower_id_and_never_the_same() {
        let version = |at, id: &str| Version::new(at, id);
        let held = version(10, "m");
        assert!(version(11, "z").replaces(&held));
        assert!(!version(9, "a").replaces(&held));
        assert!(version(10, "l").replaces(&held));
        assert!(!version(10, "n").replaces(&held));
        assert!(!held.replaces(&held));
        // The same thing again, whatever it says of its time.
        assert!(!version(11, "m").replaces(&held));
    }
}
