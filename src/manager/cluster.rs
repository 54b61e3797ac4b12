//! Managers that share a store: each session is held by one of them, which acts for it alone.

mod claims;
mod elsewhere;
mod fenced;
mod gate;
mod keeper;
mod right;
mod take_over;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serializer;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

pub(super) use self::claims::Refused;
use self::claims::{Claim, Claims};
use self::fenced::Fenced;
pub(super) use self::gate::Gate;
pub(super) use self::right::Right;
pub(super) use self::take_over::Previous;
pub use self::take_over::TakeOver;
use super::error::ManagerError;
use super::event::CloseReason;
use super::inner::Inner;
use super::joining::Started;
use super::restore::Restored;
use crate::error::ConnectError;
use crate::provider::Provider;
use crate::snapshot::DisconnectReason;
use crate::store::{RecordName, Store};
use crate::sync::lease::{Leases, Member};

/// How long before what failed for want of an engine is tried again; doubled up to [`RETRY_CAP`].
const RETRY: Duration = Duration::from_millis(200);
const RETRY_CAP: Duration = Duration::from_secs(5);

/// How many leases are released at once when a manager is closed.
const RELEASES: usize = 32;

/// What makes a manager a member of a cluster.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) leases: Leases,
    pub(super) take_over: TakeOver,
}

impl Settings {
    pub(super) fn new(leases: Leases) -> Self {
        Self {
            leases,
            take_over: TakeOver::default(),
        }
    }
}

/// A manager's part in a cluster.
pub(super) struct Cluster {
    settings: Settings,
    store: Arc<dyn Store>,
    claims: Claims,
    /// Members that went since sessions were last looked through for those that nobody holds.
    gone: Mutex<Vec<Member>>,
    /// Rung to have them looked through.
    orphans: Arc<Notify>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Cluster {
    pub(super) fn new(settings: Settings, store: Arc<dyn Store>, patience: Duration) -> Self {
        let claims = Claims::new(settings.leases.clone(), store.clone(), patience);
        Self {
            settings,
            store,
            claims,
            gone: Mutex::default(),
            orphans: Arc::default(),
            tasks: Mutex::default(),
        }
    }

    /// Begins to listen.
    pub(super) fn start(&self, manager: &Arc<Inner>) {
        let (runtime, at_once) = (&manager.runtime, manager.config.restore_at_once);
        let manager = Arc::downgrade(manager);
        let mut tasks = self.lock_tasks();
        let news = keeper::hear_leases(manager.clone(), self.settings.leases.news());
        tasks.push(runtime.spawn(news).abort_handle());
        if let Some(changes) = self.store.changes() {
            let changes = keeper::hear_store(manager.clone(), changes);
            tasks.push(runtime.spawn(changes).abort_handle());
        } else {
            tracing::warn!(
                "the store cannot tell what changes: a disconnect elsewhere is noticed late"
            );
        }
        let orphans = take_over::look_after_orphans(manager, self.orphans.clone(), at_once);
        tasks.push(runtime.spawn(orphans).abort_handle());
    }

    /// Listens no more, and takes nothing over.
    pub(super) fn stop(&self) {
        let tasks = std::mem::take(&mut *self.lock_tasks());
        tasks.iter().for_each(AbortHandle::abort);
    }

    fn lock_tasks(&self) -> std::sync::MutexGuard<'_, Vec<AbortHandle>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session's right, its provider and its store under it.
    pub(super) fn fence(&self, provider: Arc<dyn Provider>) -> (Arc<dyn Provider>, Arc<Gate>) {
        let right = Arc::new(Right::new());
        let gate = Gate::new(self.store.clone(), provider.clone(), right.clone());
        let inner = provider;
        (Arc::new(Fenced { inner, right }), Arc::new(gate))
    }

    /// The lease of what stands under a name.
    pub(super) async fn claim(&self, name: &RecordName) -> Result<Arc<Claim>, Refused> {
        self.claims.claim(name).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Started {
    /// From here on the session acts under this lease.
    pub(super) async fn hold(&self, claim: Arc<Claim>) -> Result<(), Refused> {
        let Some(gate) = self.place.as_ref().and_then(|place| place.gate()) else {
            return Ok(());
        };
        self.inner
            .within_deadline(gate.catch_up(&claim.name))
            .await
            .map_err(|error| Refused::Unavailable(error.to_string().into()))?;
        gate.hold(claim).await;
        Ok(())
    }
}

impl Inner {
    pub(super) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Whether nobody else writes what stands under a name.
    pub(super) fn owns(&self, name: &RecordName) -> bool {
        let cluster = self.cluster();
        cluster.is_none_or(|cluster| cluster.claims.holds(name))
    }

    /// Gets the lease of a stored session, in a cluster.
    pub(super) async fn claim_stored(
        &self,
        name: &RecordName,
    ) -> Result<Option<Arc<Claim>>, Refused> {
        match self.cluster() {
            Some(cluster) => cluster.claim(name).await.map(Some),
            None => Ok(None),
        }
    }

    /// Everything has stopped: others may take over at once.
    pub(super) async fn release_all(&self) {
        let places: Vec<_> = {
            let state = self.lock();
            let entries = state.entries.values();
            entries.filter_map(|entry| entry.place.clone()).collect()
        };
        let room = Arc::new(tokio::sync::Semaphore::new(RELEASES));
        let mut releasing = tokio::task::JoinSet::new();
        for place in places {
            let Some(gate) = place.gate().cloned() else {
                return;
            };
            let Ok(permit) = room.clone().acquire_owned().await else {
                return;
            };
            releasing.spawn(async move {
                gate.right().release().await;
                drop(permit);
            });
        }
        while releasing.join_next().await.is_some() {}
    }

    /// Gets the lease of the session that a login has connected, before it joins.
    pub(super) async fn claim_login(&self, started: &Started) -> Result<(), ManagerError> {
        let Some(cluster) = self.cluster() else {
            return Ok(());
        };
        let gone = || ManagerError::Connect(ConnectError::Cancelled(DisconnectReason::Closed));
        let identity = started.session.snapshot().identity().ok_or_else(gone)?;
        let key = Arc::new(started.key(identity));
        let name = key.record_name(&self.config.namespace);
        let refused = |refused| match refused {
            Refused::HeldElsewhere(holder) => ManagerError::HeldElsewhere {
                key: key.clone(),
                holder,
            },
            Refused::Unavailable(reason) => ManagerError::Lease { reason },
        };
        let claim = cluster.claim(&name).await.map_err(refused)?;
        started.hold(claim).await.map_err(refused)
    }

    /// A session acts for somebody else now: it gets the lease of that, or leaves.
    pub(super) async fn reclaim(self: Arc<Self>, id: u64, name: RecordName) {
        let mut wait = RETRY;
        loop {
            let Some(cluster) = self.cluster() else {
                return;
            };
            let gate = {
                let state = self.lock();
                let place = state.entries.get(id).and_then(|it| it.place.clone());
                place.and_then(|place| place.gate().cloned())
            };
            let Some(gate) = gate.filter(|gate| gate.right().is_moving_to(&name)) else {
                return;
            };
            let reason = match cluster.claim(&name).await {
                Ok(claim) => match self.within_deadline(gate.catch_up(&name)).await {
                    Ok(()) if gate.right().is_moving_to(&name) => {
                        // Under the lease of what was left behind, which goes then.
                        if let Some(left) = gate.right().name()
                            && let Err(error) = self.within_deadline(self.forget(&left)).await
                        {
                            tracing::warn!(%error, "an outdated record could not be removed");
                        }
                        return gate.arrive(&name, claim).await;
                    }
                    Ok(()) => return claim.release().await,
                    Err(error) => {
                        claim.release().await;
                        error.to_string()
                    }
                },
                Err(Refused::HeldElsewhere(holder)) => {
                    tracing::info!(%holder, "a session moved to an account that is held elsewhere");
                    self.with(|state| state.shut(id, CloseReason::LeaseLost, false, None));
                    return;
                }
                Err(Refused::Unavailable(reason)) => reason.to_string(),
            };
            tracing::warn!(
                reason,
                "a session waits for the lease of the account it moved to"
            );
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_CAP);
        }
    }

    /// Sessions whose lease was lost stop, here alone.
    fn leave_what_is_lost(&self) {
        self.with(|state| {
            let lost: Vec<u64> = state
                .entries
                .iter()
                .filter(|(_, entry)| {
                    let gate = entry.place.as_ref().and_then(|place| place.gate());
                    gate.is_some_and(|gate| gate.right().is_lost())
                })
                .map(|(id, _)| id)
                .collect();
            for id in lost {
                state.shut(id, CloseReason::LeaseLost, false, None);
            }
        });
    }
}

impl From<Refused> for Restored {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::HeldElsewhere(holder) => Self::HeldElsewhere { holder },
            Refused::Unavailable(reason) => Self::StoreUnavailable { reason },
        }
    }
}

/// Members travel by what they call themselves.
pub(super) fn serialize_holder<S: Serializer>(member: &Member, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&member.name)
}

pub(super) fn serialize_member<S: Serializer>(
    member: &Option<Member>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match member {
        Some(member) => to.serialize_some(&*member.name),
        None => to.serialize_none(),
    }
}
