//! The leases that the sessions of one manager have: one a record, shared by those that follow
//! each other under it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::manager::chores::within;
use crate::store::{RecordName, Slot, Store};
use crate::sync::lease::{Lease, LeaseError, Leases, Member};

/// The right to act for what stands under one name.
pub(in crate::manager) struct Claim {
    pub(super) name: RecordName,
    pub(super) lease: Lease,
}

impl Claim {
    /// Lets it go, unless another session goes on under it.
    pub(super) async fn release(self: Arc<Self>) {
        if let Some(claim) = Arc::into_inner(self) {
            claim.lease.release().await;
        }
    }
}

/// Why there is no claim.
pub(in crate::manager) enum Refused {
    /// A member that is not known to be dead has it.
    HeldElsewhere(Member),
    /// Nobody can tell now. The text is for people.
    Unavailable(Arc<str>),
}

/// One at a time gets the lease of a name.
type Turn = Arc<tokio::sync::Mutex<Weak<Claim>>>;

/// All claims.
pub(super) struct Claims {
    pub(super) leases: Leases,
    store: Arc<dyn Store>,
    /// How long the store is waited for.
    patience: Duration,
    turns: Mutex<HashMap<RecordName, Turn>>,
    by_slot: Mutex<HashMap<Slot, Weak<Claim>>>,
}

impl Claims {
    pub(super) fn new(leases: Leases, store: Arc<dyn Store>, patience: Duration) -> Self {
        Self {
            leases,
            store,
            patience,
            turns: Mutex::default(),
            by_slot: Mutex::default(),
        }
    }

    fn turn(&self, name: &RecordName) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= 64 && turns.len() == turns.capacity() {
            // What nobody holds or waits for goes before there is more room made.
            turns.retain(|_, turn| {
                let idle = Arc::strong_count(turn) == 1;
                !idle || turn.try_lock().is_ok_and(|claim| claim.strong_count() > 0)
            });
        }
        turns.entry(name.clone()).or_default().clone()
    }

    /// Where a record stands.
    pub(super) async fn slot(&self, name: &RecordName) -> Result<Slot, Arc<str>> {
        match within(self.patience, self.store.slot(name)).await {
            Ok(Some(slot)) => Ok(slot),
            Ok(None) => Err(
                "the store does not say where its records stand: leases need one that does, such \
                 as an encrypted one"
                    .into(),
            ),
            Err(error) => Err(error.to_string().into()),
        }
    }

    /// The lease of what stands under a name: the one that is here, or a new one.
    pub(super) async fn claim(&self, name: &RecordName) -> Result<Arc<Claim>, Refused> {
        let turn = self.turn(name);
        let mut here = turn.lock().await;
        if let Some(claim) = here.upgrade().filter(|claim| claim.lease.is_held()) {
            return Ok(claim);
        }
        let slot = self.slot(name).await.map_err(Refused::Unavailable)?;
        let lease = self
            .leases
            .acquire(slot)
            .await
            .map_err(|error| match error {
                LeaseError::HeldElsewhere { holder } => Refused::HeldElsewhere(holder),
                // Another manager of this process.
                LeaseError::HeldHere => Refused::HeldElsewhere(self.leases.member()),
                error => Refused::Unavailable(error.to_string().into()),
            })?;
        let name = name.clone();
        let claim = Arc::new(Claim { name, lease });
        *here = Arc::downgrade(&claim);
        let mut slots = self.lock_slots();
        if slots.len() >= 64 && slots.len() == slots.capacity() {
            slots.retain(|_, claim| claim.strong_count() > 0);
        }
        slots.insert(slot, Arc::downgrade(&claim));
        drop(slots);
        Ok(claim)
    }

    /// What stands in a slot, if its lease is here, or was.
    pub(super) fn name_of(&self, slot: Slot) -> Option<RecordName> {
        let mut slots = self.lock_slots();
        let claim = slots.get(&slot)?.upgrade();
        if claim.is_none() {
            slots.remove(&slot);
        }
        claim.map(|claim| claim.name.clone())
    }

    /// Whether the lease of what stands under a name is held here.
    pub(super) fn holds(&self, name: &RecordName) -> bool {
        let turn = self.turn(name);
        // Somebody is just about to get it: it is not held.
        let Ok(claim) = turn.try_lock() else {
            return false;
        };
        claim.upgrade().is_some_and(|claim| claim.lease.is_held())
    }

    fn lock_slots(&self) -> MutexGuard<'_, HashMap<Slot, Weak<Claim>>> {
        self.by_slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
