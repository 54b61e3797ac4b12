//! Sessions that are stored and not here: who holds them, getting one, ending one.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Cluster;
use crate::manager::error::ManagerError;
use crate::manager::event::ManagerEventKind;
use crate::manager::inner::Inner;
use crate::manager::key::{SessionKey, Who, session_prefix};
use crate::manager::managed::ManagedSession;
use crate::manager::restore::{Restored, Task};
use crate::manager::{LogoutReport, SessionManager};
use crate::session::{DisconnectReport, RestoreOutcome};
use crate::snapshot::DisconnectReason;
use crate::store::{RecordName, StoreError, Stored, Tombstone};
use crate::sync::lease::Member;

/// How often the end of a session is written against a newer revision before that counts as failed.
const MAX_CONFLICTS: usize = 8;

impl SessionManager {
    /// Who holds a session of a cluster, to send its user's requests there: this process if it is
    /// here, `None` if nobody does that is not known to be dead. Asks the engine unless the session
    /// is here.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotFound`] if no such session is stored, [`ManagerError::Ambiguous`],
    /// [`ManagerError::Lease`] or [`ManagerError::Store`] if the engine does not say, or the manager
    /// was built without leases.
    ///
    /// # Cancel safety
    ///
    /// Safe: it only reads.
    pub async fn holder(&self, who: impl Into<Who>) -> Result<Option<Member>, ManagerError> {
        let who = who.into();
        let inner = self.inner();
        let cluster = inner.in_cluster()?;
        match self.get(who.clone()) {
            Ok(_) => return Ok(Some(cluster.settings.leases.member())),
            Err(ManagerError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let (_, name) = inner.find_stored(cluster, &who).await?;
        let slot = cluster.claims.slot(&name).await;
        let slot = slot.map_err(|reason| ManagerError::Lease { reason })?;
        let holder = cluster.settings.leases.holder(slot).await;
        holder.map_err(|error| ManagerError::Lease {
            reason: error.to_string().into(),
        })
    }

    /// Takes one stored session over, if nobody alive holds it, and restores it here: for backends
    /// that restore a user's session when the user comes. Returns it at once if it is here.
    ///
    /// # Errors
    ///
    /// [`ManagerError::HeldElsewhere`], which says by whom; [`ManagerError::NotFound`] and
    /// [`ManagerError::Ambiguous`]; [`ManagerError::NotRestored`]; [`ManagerError::Lease`],
    /// [`ManagerError::Store`], [`ManagerError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// A session that has joined already stays and goes on being restored.
    pub async fn claim(&self, who: impl Into<Who>) -> Result<ManagedSession, ManagerError> {
        let who = who.into();
        match self.get(who.clone()) {
            Err(ManagerError::NotFound { .. }) => {}
            got => return got,
        }
        let inner = self.inner();
        let cluster = inner.in_cluster()?;
        if inner.lock().closed {
            return Err(ManagerError::Closed);
        }
        let (key, name) = inner.find_stored(cluster, &who).await?;
        let task = Task::one(name);
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await;
        let permit = permit.map_err(|_| ManagerError::Closed)?;
        let restoring = {
            let (inner, store) = (inner.clone(), cluster.store.clone());
            async move { inner.restore_one(&*store, task, permit).await }
        };
        let restoring = inner.spawn(restoring);
        inner.until_the_end(restoring.abort_handle());
        let (_, restored) = restoring.await.map_err(|_| ManagerError::Closed)?;
        match restored {
            Restored::HeldElsewhere { holder } => {
                let key = Arc::new(key);
                Err(ManagerError::HeldElsewhere { key, holder })
            }
            Restored::Session {
                outcome: RestoreOutcome::NothingStored | RestoreOutcome::UserDisconnected,
            }
            | Restored::Ended => Err(ManagerError::NotFound { who }),
            // Another came first, or it is there and not connected yet.
            restored => self
                .get(key)
                .map_err(|_| ManagerError::NotRestored { who, restored }),
        }
    }
}

impl Inner {
    fn in_cluster(&self) -> Result<&Cluster, ManagerError> {
        self.cluster().ok_or_else(|| ManagerError::Lease {
            reason: "the manager was built without leases".into(),
        })
    }

    /// The one stored session that was asked for.
    async fn find_stored(
        &self,
        cluster: &Cluster,
        who: &Who,
    ) -> Result<(SessionKey, RecordName), ManagerError> {
        let namespace = &self.config.namespace;
        let account = match who {
            Who::Key(key) => return Ok((key.clone(), key.record_name(namespace))),
            Who::Account(account) => account,
        };
        let names = self.list_if_there(&*cluster.store).await;
        let names = names.map_err(store_error)?;
        let prefix = session_prefix(namespace);
        let keys = names.iter().filter_map(|name| {
            let key = SessionKey::from_record_name(name.as_str().strip_prefix(&prefix)?)?;
            (key.account == *account).then_some(key)
        });
        let mut found = Vec::new();
        for key in keys {
            let name = key.record_name(namespace);
            let stored = self.within_deadline(cluster.store.load(&name)).await;
            if let Stored::Record { .. } = stored.map_err(store_error)? {
                found.push((key, name));
            }
        }
        match found.len() {
            0 => Err(ManagerError::NotFound { who: who.clone() }),
            1 => Ok(found.remove(0)),
            _ => Err(ManagerError::Ambiguous {
                who: who.clone(),
                keys: found.into_iter().map(|(key, _)| Arc::new(key)).collect(),
            }),
        }
    }

    /// Ends a stored session that is not here. Who holds it hears of it, tells the wallet and lets
    /// it go; if nobody does, the wallet is not told.
    pub(in crate::manager) async fn log_out_elsewhere(
        self: &Arc<Self>,
        who: &Who,
    ) -> Result<LogoutReport, ManagerError> {
        let not_found = || ManagerError::NotFound { who: who.clone() };
        let cluster = self.cluster().ok_or_else(not_found)?;
        let (key, name) = self.find_stored(cluster, who).await?;
        let mut conflict = None;
        for _ in 0..MAX_CONFLICTS {
            let stored = self.within_deadline(cluster.store.load(&name)).await;
            let Stored::Record { revision, .. } = stored.map_err(store_error)? else {
                return Err(not_found());
            };
            let tombstone = Tombstone::new(DisconnectReason::User, self.times.wall());
            let erased = cluster.store.erase(&name, tombstone, revision);
            match self.within_deadline(erased).await {
                Ok(_) => {
                    let key = Arc::new(key);
                    let active = self.lock().active_key();
                    self.with(|state| {
                        let active = active.clone();
                        state.tell_of(0, key.clone(), ManagerEventKind::LoggedOut { active });
                    });
                    return Ok(LogoutReport {
                        key,
                        active,
                        disconnect: DisconnectReport::default(),
                    });
                }
                Err(error @ StoreError::Conflict { .. }) => conflict = Some(error),
                Err(error) => return Err(store_error(error)),
            }
        }
        Err(conflict.map_or_else(not_found, store_error))
    }
}

fn store_error(error: StoreError) -> ManagerError {
    ManagerError::Store {
        reason: error.to_string().into(),
    }
}
