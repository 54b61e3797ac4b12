//! Ends sessions by name, stored ones that are not here included, and clears everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::NextActive;
use super::error::ManagerError;
use super::event::ManagerEventKind;
use super::inner::Inner;
use super::key::{SessionKey, Who, own_name, session_prefix};
use super::state::Entry;
use crate::provider::ProviderError;
use crate::session::DisconnectReport;
use crate::snapshot::DisconnectReason;
use crate::store::{RecordName, StoreError, Stored, Tombstone};

/// How often a record is removed against a newer revision before that counts as failed.
const MAX_CONFLICTS: usize = 8;

/// How the revocation of one session ended.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(
    tag = "outcome",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum RevokeOutcome {
    /// It was here and is logged out.
    LoggedOut {
        /// What the wallet said against it. Here the session is over in any case.
        wallet_error: Option<ProviderError>,
        /// Why the store does not say so, if it does not.
        not_stored: Option<Arc<str>>,
    },
    /// It was stored and not here: it is not restored again, here or elsewhere. The wallet was not
    /// told.
    Erased,
    /// There was nothing to revoke.
    AlreadyEnded,
    /// It may still be restored.
    Failed {
        /// What the store said.
        reason: Arc<str>,
    },
}

impl RevokeOutcome {
    fn logged_out(report: DisconnectReport) -> Self {
        Self::LoggedOut {
            wallet_error: report.wallet.and_then(Result::err),
            not_stored: report.not_persisted,
        }
    }
}

/// One session that was revoked.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RevokedSession {
    /// Its record, if it is stored.
    pub record: Option<RecordName>,
    /// Whom it acted for, where that can be told.
    pub key: Option<Arc<SessionKey>>,
    /// How it ended.
    pub outcome: RevokeOutcome,
}

/// What was revoked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RevokeReport {
    /// Every session, in the order in which they were done.
    pub sessions: Vec<RevokedSession>,
    /// Who is active now.
    pub active: Option<Arc<SessionKey>>,
}

/// What was cleared.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClearReport {
    /// How many records were removed.
    pub removed: usize,
    /// What could not be removed, and why. What cannot be read is left as it is.
    pub failed: Vec<(RecordName, Arc<str>)>,
}

/// One session to revoke.
enum Target {
    Here(u64, Entry),
    Stored(RecordName),
}

/// What was found where a record is to be removed.
enum Removed {
    Yes(Option<Arc<SessionKey>>),
    Nothing,
    /// A session here writes there.
    Owned(u64),
}

/// Lasts as long as everything is being cleared: nothing is restored meanwhile.
struct Clearing(Arc<Inner>);

impl Drop for Clearing {
    fn drop(&mut self) {
        self.0.lock().cleared();
    }
}

impl Inner {
    pub(super) async fn revoke(self: &Arc<Self>, who: Who) -> Result<RevokedSession, ManagerError> {
        let policy = self.config.next_active;
        let here = self.with(|state| match state.find(&who) {
            Ok(id) => Ok(state.log_out(id, policy).map(|entry| (id, entry))),
            Err(ManagerError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        })?;
        let target = match here {
            Some((id, entry)) => Target::Here(id, entry),
            None => match self.stored_as(&who).await? {
                Some(name) => Target::Stored(name),
                None => {
                    let key = match who {
                        Who::Key(key) => Some(Arc::new(key)),
                        Who::Account(_) => None,
                    };
                    return Ok(RevokedSession {
                        record: None,
                        key,
                        outcome: RevokeOutcome::AlreadyEnded,
                    });
                }
            },
        };
        let one = self.end_one(target, policy);
        Ok(one.await)
    }

    /// Revokes all, here and in the store, but one.
    pub(super) async fn revoke_many(
        self: &Arc<Self>,
        but: Option<Who>,
    ) -> Result<RevokeReport, ManagerError> {
        let (targets, spared) = self.with(|state| {
            let spared = but.as_ref().map(|who| state.find(who)).transpose()?;
            let ids: Vec<u64> = state.by_key.values().copied().collect();
            let others = ids.into_iter().filter(|id| Some(*id) != spared);
            let mut here = Vec::new();
            // The active one last: nobody becomes active to be ended next.
            let (active, others): (Vec<_>, Vec<_>) =
                others.partition(|id| state.active() == Some(*id));
            for id in others.into_iter().chain(active) {
                let entry = state.log_out(id, NextActive::None);
                here.extend(entry.map(|entry| Target::Here(id, entry)));
            }
            let spared = spared.and_then(|id| state.entries.get(id)?.name());
            Ok((here, spared))
        })?;
        let inner = self.clone();
        let all = self.spawn(async move {
            let ended: BTreeSet<RecordName> = targets.iter().filter_map(Target::record).collect();
            // They have left: they end whoever waits, and do not wait for the list.
            let here = inner.spawn(inner.clone().end_many(targets));
            let stored = inner.stored_names().await;
            let mut sessions = here.await.unwrap_or_default();
            let others = stored?.into_iter().filter(|name| {
                let spared = spared.as_ref() == Some(name);
                !spared && !ended.contains(name)
            });
            let others = others.map(Target::Stored).collect();
            sessions.extend(inner.end_many(others).await);
            Ok(sessions)
        });
        let sessions = all.await.unwrap_or(Err(ManagerError::Closed))?;
        let active = self.lock().active_key();
        Ok(RevokeReport { sessions, active })
    }

    /// Ends these, a few at a time. What had ended before is no session.
    async fn end_many(self: Arc<Self>, targets: Vec<Target>) -> Vec<RevokedSession> {
        let room = Arc::new(Semaphore::new(self.config.restore_at_once));
        let mut running = JoinSet::new();
        let mut sessions = Vec::with_capacity(targets.len());
        for target in targets {
            // Never closed.
            let Ok(permit) = room.clone().acquire_owned().await else {
                break;
            };
            let inner = self.clone();
            let one = async move {
                let _permit = permit;
                inner.end_one(target, NextActive::None).await
            };
            running.spawn_on(one, &self.runtime);
            while let Some(Ok(done)) = running.try_join_next() {
                sessions.push(done);
            }
        }
        while let Some(done) = running.join_next().await {
            sessions.extend(done);
        }
        sessions.retain(|one: &RevokedSession| one.outcome != RevokeOutcome::AlreadyEnded);
        sessions
    }

    async fn end_one(self: &Arc<Self>, target: Target, policy: NextActive) -> RevokedSession {
        let record = target.record();
        let (id, key, outcome) = match target {
            Target::Here(id, entry) => {
                let key = entry.key.clone();
                let report = self.end(id, entry).await;
                (id, key, RevokeOutcome::logged_out(report))
            }
            Target::Stored(name) => match self.remove(&name, DisconnectReason::User, false).await {
                Ok(Removed::Yes(key)) => (0, key, RevokeOutcome::Erased),
                Ok(Removed::Nothing) => (0, None, RevokeOutcome::AlreadyEnded),
                Ok(Removed::Owned(id)) => {
                    // It joined meanwhile.
                    let entry = self.with(|state| state.log_out(id, policy));
                    match entry {
                        Some(entry) => {
                            let key = entry.key.clone();
                            let report = self.end(id, entry).await;
                            (id, key, RevokeOutcome::logged_out(report))
                        }
                        None => (id, None, RevokeOutcome::AlreadyEnded),
                    }
                }
                Err(error) => {
                    let reason = error.to_string().into();
                    (0, None, RevokeOutcome::Failed { reason })
                }
            },
        };
        let revoked = RevokedSession {
            record: record.clone(),
            key: key.clone(),
            outcome: outcome.clone(),
        };
        if outcome == RevokeOutcome::AlreadyEnded {
            return revoked;
        }
        self.with(|state| {
            let kind = ManagerEventKind::Revoked { record, outcome };
            match key {
                Some(key) => state.tell_of(id, key, kind),
                None => state.tell(id, || kind),
            }
        });
        revoked
    }

    /// The names of the sessions' records, tombstones included.
    pub(super) async fn stored_names(&self) -> Result<Vec<RecordName>, ManagerError> {
        let Some(store) = &self.config.store else {
            return Ok(Vec::new());
        };
        let prefix = session_prefix(&self.config.namespace);
        let names = self.list_if_there(&**store).await;
        let mut names = names.map_err(store_error)?;
        names.retain(|name| name.as_str().starts_with(&prefix));
        Ok(names)
    }

    /// The record of a session that is stored and not here.
    async fn stored_as(&self, who: &Who) -> Result<Option<RecordName>, ManagerError> {
        let Some(store) = &self.config.store else {
            return Ok(None);
        };
        let account = match who {
            Who::Key(key) => return Ok(Some(key.record_name(&self.config.namespace))),
            Who::Account(account) => account,
        };
        let mut found = Vec::new();
        for name in self.stored_names().await? {
            if !super::key::is_of_account(&name, account) {
                continue;
            }
            // One that cannot be read is found, and said to be that.
            let loaded = self.within_deadline(store.load(&name)).await;
            let key = match loaded {
                Ok(Stored::Record { record, .. }) => super::key::of_record(&record),
                Ok(Stored::Nothing | Stored::Tombstone { .. }) => continue,
                Err(_) => None,
            };
            found.push((name, key));
        }
        match &found[..] {
            [] => Ok(None),
            [(name, _)] => Ok(Some(name.clone())),
            _ => Err(ManagerError::Ambiguous {
                who: who.clone(),
                keys: found.into_iter().filter_map(|(_, key)| key).collect(),
            }),
        }
    }

    /// Replaces a record by a tombstone, if no session here writes there. `even_nothing` writes one
    /// where nothing stands, too: what is still on its way there does not come to stand.
    async fn remove(
        &self,
        name: &RecordName,
        reason: DisconnectReason,
        even_nothing: bool,
    ) -> Result<Removed, StoreError> {
        let Some(store) = &self.config.store else {
            return Ok(Removed::Nothing);
        };
        let mut conflict = None;
        for _ in 0..MAX_CONFLICTS {
            let stored = self.within_deadline(store.load(name)).await?;
            if let Some(id) = self.lock().owner(name) {
                return Ok(Removed::Owned(id));
            }
            let key = match &stored {
                Stored::Record { record, .. } => super::key::of_record(record),
                Stored::Nothing if even_nothing => None,
                Stored::Nothing | Stored::Tombstone { .. } => return Ok(Removed::Nothing),
            };
            let tombstone = Tombstone::new(reason, self.times.wall());
            let erased = store.erase(name, tombstone, stored.revision());
            match self.within_deadline(erased).await {
                Ok(_) => {
                    self.with(|state| state.memory.went(name));
                    return Ok(match stored {
                        Stored::Nothing => Removed::Nothing,
                        _ => Removed::Yes(key),
                    });
                }
                Err(error @ StoreError::Conflict { .. }) => conflict = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(conflict.unwrap_or_else(|| StoreError::Unavailable {
            reason: "too many conflicts".into(),
        }))
    }

    pub(super) async fn clear(self: &Arc<Self>) -> Result<ClearReport, ManagerError> {
        let names = self.with(|state| match state.closed {
            true => Err(ManagerError::Closed),
            false => Ok(state.clear()),
        })?;
        let clearing = Clearing(self.clone());
        // Not a job of its own: it waits for those.
        let end = self.runtime.spawn(async move {
            let inner = &clearing.0;
            inner.do_chores();
            inner.quiet().await;
            inner.clear_store(names).await
        });
        end.await.unwrap_or(Err(ManagerError::Closed))
    }

    async fn clear_store(&self, here: Vec<RecordName>) -> Result<ClearReport, ManagerError> {
        let mut report = ClearReport::default();
        let mut names = self.stored_names().await?;
        names.retain(|name| here.binary_search(name).is_err());
        let own = own_name(&self.config.namespace);
        let all = here.into_iter().map(|name| (name, true));
        let all = all.chain(names.into_iter().map(|name| (name, false)));
        for (name, even_nothing) in all {
            match self
                .remove(&name, DisconnectReason::Detached, even_nothing)
                .await
            {
                Ok(Removed::Yes(_)) => report.removed += 1,
                // A login since is not undone.
                Ok(Removed::Nothing | Removed::Owned(_)) => {}
                Err(error) => report.failed.push((name, error.to_string().into())),
            }
        }
        // Where somebody logged in since, the manager's record speaks of them by now.
        if self.lock().by_key.is_empty() {
            match self.remove(&own, DisconnectReason::Detached, true).await {
                Ok(Removed::Yes(_)) => report.removed += 1,
                Ok(Removed::Nothing | Removed::Owned(_)) => {}
                Err(error) => report.failed.push((own, error.to_string().into())),
            }
            let state = &mut *self.lock();
            if state.by_key.is_empty() {
                state.memory.clear();
            }
        }
        Ok(report)
    }
}

impl Target {
    fn record(&self) -> Option<RecordName> {
        match self {
            Self::Here(_, entry) => entry.name(),
            Self::Stored(name) => Some(name.clone()),
        }
    }
}

pub(super) fn store_error(error: StoreError) -> ManagerError {
    ManagerError::Store {
        reason: error.to_string().into(),
    }
}
