//! Fences: which of several programs holds a session, and what still comes from one that did.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

use crate::control::Control;
use crate::error::plain;
use crate::state::{DevWalletState, Inner};

/// The header of a request or of a WebSocket's handshake: `<lease>:<epoch>`.
pub(crate) const HEADER: &str = "moorline-fence";
/// How many leases are told apart.
const LEASES: usize = 1_000_000;
/// The code a late act is refused with (EIP-1474): asked again, it ends the same.
const REFUSED: i32 = -32003;

/// What a client says it acts under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fence {
    lease: String,
    epoch: u64,
}

impl Fence {
    /// What a header says; an error if it says nothing that can be understood.
    pub(crate) fn read(value: Option<&[u8]>) -> Result<Option<Self>, Malformed> {
        let Some(value) = value else {
            return Ok(None);
        };
        let (lease, epoch) = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.rsplit_once(':'))
            .ok_or(Malformed)?;
        let digits = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit());
        let epoch = epoch.parse().ok().filter(|_| digits).ok_or(Malformed)?;
        if lease.is_empty() {
            return Err(Malformed);
        }
        let lease = lease.to_owned();
        Ok(Some(Self { lease, epoch }))
    }
}

/// A header that is no fence.
#[derive(Debug)]
pub(crate) struct Malformed;

impl Malformed {
    pub(crate) const TEXT: &str = "the header moorline-fence is not <lease>:<epoch>";
}

/// What the wallet saw of fences.
#[derive(Debug, Default)]
pub(crate) struct Fences {
    leases: HashMap<String, Seen>,
    late: u64,
    executed_late: u64,
    /// Late acts are executed, and only counted.
    lenient: bool,
}

#[derive(Debug, Default)]
struct Seen {
    epoch: u64,
    late: u64,
}

/// One lease as the wallet saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SeenLease {
    /// Its name, as the clients gave it.
    pub lease: String,
    /// The highest epoch that anybody showed.
    pub epoch: u64,
    /// How many calls came under a lower one.
    pub late_acts: u64,
}

/// What the wallet saw of fences: see [`Control::fences`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SeenFences {
    /// How many calls came under an epoch lower than one that was seen before, for the same lease.
    pub late_acts: u64,
    /// How many of them were not refused.
    pub executed_late: u64,
    /// Whether they are refused at present.
    pub refusing: bool,
    /// Every lease, by name: the first 1 000 000.
    pub leases: Vec<SeenLease>,
}

impl Fences {
    fn raise(&mut self, fence: &Fence) -> Option<&mut Seen> {
        let room = self.leases.len() < LEASES;
        let seen = match self.leases.entry(fence.lease.clone()) {
            Entry::Occupied(seen) => seen.into_mut(),
            Entry::Vacant(place) if room => place.insert(Seen::default()),
            Entry::Vacant(_) => return None,
        };
        seen.epoch = seen.epoch.max(fence.epoch);
        Some(seen)
    }

    /// Whether a call comes too late: counted if it does.
    fn is_late(&mut self, fence: &Fence) -> bool {
        let Some(seen) = self.raise(fence) else {
            return false;
        };
        if seen.epoch == fence.epoch {
            return false;
        }
        seen.late += 1;
        self.late += 1;
        self.executed_late += u64::from(self.lenient);
        true
    }

    /// Begins to count anew. Whether late acts are refused stays.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            lenient: self.lenient,
            ..Self::default()
        };
    }

    fn seen(&self) -> SeenFences {
        let mut leases: Vec<SeenLease> = self
            .leases
            .iter()
            .map(|(lease, seen)| SeenLease {
                lease: lease.clone(),
                epoch: seen.epoch,
                late_acts: seen.late,
            })
            .collect();
        leases.sort_unstable_by(|one, other| one.lease.cmp(&other.lease));
        SeenFences {
            late_acts: self.late,
            executed_late: self.executed_late,
            refusing: !self.lenient,
            leases,
        }
    }
}

impl SeenFences {
    pub(crate) fn to_json(&self) -> Value {
        let leases = self
            .leases
            .iter()
            .map(|it| json!({ "lease": it.lease, "epoch": it.epoch, "lateActs": it.late_acts }));
        json!({
            "lateActs": self.late_acts,
            "executedLate": self.executed_late,
            "refusing": self.refusing,
            "leases": leases.collect::<Value>(),
        })
    }
}

impl Inner {
    /// Somebody opens a connection: that is no act yet, and may come late.
    pub(crate) fn opens_under(&mut self, fence: Option<&Fence>) {
        if let Some(fence) = fence {
            self.fences.raise(fence);
        }
    }

    /// Counts a call that comes too late; an error if it is refused for that.
    pub(crate) fn acts_under(
        &mut self,
        fence: Option<&Fence>,
        method: &str,
    ) -> Result<(), ErrorObjectOwned> {
        let Some(fence) = fence else {
            return Ok(());
        };
        if !self.fences.is_late(fence) {
            return Ok(());
        }
        let epoch = fence.epoch;
        self.record(
            "late",
            method,
            format!("under epoch {epoch} of {}", fence.lease),
        );
        if self.fences.lenient {
            return Ok(());
        }
        let text = format!(
            "refused: epoch {epoch} of the session's lease is over; somebody else holds it by now"
        );
        Err(plain(REFUSED, &text))
    }
}

impl DevWalletState {
    pub(crate) fn seen_fences(&self) -> SeenFences {
        self.lock().fences.seen()
    }
}

/// Fences.
impl Control {
    /// What it saw of fences: which leases, under which epochs, and what came too late.
    pub fn fences(&self) -> SeenFences {
        self.state().seen_fences()
    }

    /// Whether calls under an epoch that is over are refused (`-32003`), as they are unless this
    /// says otherwise. They are counted in any case.
    pub fn refuse_late_acts(&self, refuse: bool) {
        self.acted("refuse-late-acts", refuse);
        self.state().change(|inner| inner.fences.lenient = !refuse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_fence_is_told_from_none() {
        assert_eq!(Fence::read(None).unwrap(), None);
        let fence = Fence::read(Some(b"a:b:17")).unwrap().unwrap();
        assert_eq!((fence.lease.as_str(), fence.epoch), ("a:b", 17));
        for odd in [
            "",
            "a",
            ":1",
            "a:",
            "a:+1",
            "a:-1",
            "a:1 ",
            "a:99999999999999999999",
        ] {
            assert!(Fence::read(Some(odd.as_bytes())).is_err(), "{odd}");
        }
    }
}
