//! From NDK's files into a store.

use std::sync::Arc;

use super::error::NdkError;
use super::file::NdkFile;
use super::session::NdkSession;
use super::transfer::{Frame, NdkSessions, keep_session};
use crate::clock::Timestamp;
use crate::identity::Account;
use crate::manager::key::{SessionKey, own_name, session_prefix};
use crate::manager::read_only;
use crate::snapshot::DisconnectReason;
use crate::store::{About, Record, RecordName, StoreError, Tombstone};

/// How often the manager's own record is written against a newer revision.
const MAX_CONFLICTS: usize = 8;

/// How the import of one session ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ImportOutcome {
    /// It is stored.
    Imported,
    /// It is stored in the place of what was there of the account.
    Replaced,
    /// The store has a session of the account already, which was left as it is.
    AlreadyThere,
    /// The store could not read what it has of the account, or could not write. It was left as it
    /// is.
    Failed {
        /// What it said.
        error: StoreError,
    },
}

/// One session of an imported file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ImportedSession {
    /// By what the manager will tell it apart.
    pub key: Arc<SessionKey>,
    /// Where it is stored.
    pub record: RecordName,
    /// How it ended.
    pub outcome: ImportOutcome,
    /// Whether it only watches.
    pub read_only: bool,
    /// Whether the file names different accounts for it, or its signer says it is somebody else's.
    /// A restore finds out whose it is, and says so by an event.
    pub contradictory: bool,
}

/// What an import did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct NdkImported {
    /// Every session of the file, in its order.
    pub sessions: Vec<ImportedSession>,
    /// Who was made the active one.
    pub active: Option<Arc<SessionKey>>,
}

impl NdkSessions<'_> {
    /// Stores the sessions of a file, each when it was last used, and makes the file's active one
    /// the active one if nobody is (or the import [replaces](Self::replace)). A manager that runs
    /// on the store finds them with its next [restore](crate::manager::SessionManager::restore).
    ///
    /// What stands in the way of one session is in its outcome, and of no other.
    ///
    /// # Errors
    ///
    /// [`NdkError::StoreInClear`] if the store would not keep what is secret: nothing was written.
    /// [`NdkError::Store`] if it cannot be asked, or the manager's own record not be written.
    ///
    /// # Cancel safety
    ///
    /// Sessions that were stored stay; importing again does what is left to do.
    pub async fn import(&self, file: &NdkFile, now: Timestamp) -> Result<NdkImported, NdkError> {
        let mut sessions = file.sessions().iter();
        let secret = |it: &NdkSession| it.signer().is_some() || it.has_unknown();
        if !self.store.keeps_secrets() && (file.has_unknown() || sessions.any(secret)) {
            return Err(NdkError::StoreInClear);
        }
        let names = self.store.list().await?;
        let mut imported = NdkImported::default();
        for session in file.sessions() {
            let key = Arc::new(self.key(session));
            let record = key.record_name(&self.namespace);
            let outcome = self.import_one(session, &key, &names, now).await;
            imported.sessions.push(ImportedSession {
                record,
                outcome: outcome.unwrap_or_else(|error| ImportOutcome::Failed { error }),
                read_only: session.signer().is_none(),
                contradictory: session.is_contradictory(),
                key,
            });
        }
        imported.active = self.remember(file, &imported.sessions, now).await?;
        Ok(imported)
    }

    async fn import_one(
        &self,
        session: &NdkSession,
        key: &SessionKey,
        names: &[RecordName],
        now: Timestamp,
    ) -> Result<ImportOutcome, StoreError> {
        let name = key.record_name(&self.namespace);
        let prefix = session_prefix(&self.namespace);
        let suffix = key.name_end();
        let of_account = names.iter().filter(|it| {
            let rest = it.as_str().strip_prefix(&prefix);
            **it != name && rest.is_some_and(|rest| rest.ends_with(&suffix))
        });
        let mut others = Vec::new();
        for other in of_account {
            if let (Some(record), revision) = self.load(other).await? {
                // A session that signs takes the place of one that watches.
                let gives_way = &*record.provider == read_only::KIND && session.signer().is_some();
                if !gives_way && !self.replace {
                    return Ok(ImportOutcome::AlreadyThere);
                }
                others.push((other, revision));
            }
        }
        let (there, revision) = self.load(&name).await?;
        if there.is_some() && !self.replace {
            return Ok(ImportOutcome::AlreadyThere);
        }
        let used = session.last_active().filter(|at| *at > Timestamp::EPOCH);
        let accounts = vec![Account::primary(session.pubkey())];
        let connected_at = used.unwrap_or(now);
        let record = Record::new(&*key.provider, accounts, self.network.clone(), connected_at);
        let signer = session.signer().map(|signer| signer.to_provider_payload());
        let payload = signer.transpose().map_err(|error| StoreError::Unreadable {
            name: name.clone(),
            reason: error.to_string().into(),
        })?;
        let about = About {
            updated_at: now,
            last_active_at: used.unwrap_or(Timestamp::EPOCH),
            ..About::new(connected_at)
        };
        let record = record.with_about(about).with_payload(payload);
        let record = keep_session(record, session);
        let replaced = there.is_some() || !others.is_empty();
        self.store.save(&name, record, revision).await?;
        for (other, revision) in others {
            let tombstone = Tombstone::new(DisconnectReason::Detached, now);
            self.store.erase(other, tombstone, revision).await?;
        }
        Ok(match replaced {
            true => ImportOutcome::Replaced,
            false => ImportOutcome::Imported,
        })
    }

    /// Writes who is active, and what else the file holds.
    async fn remember(
        &self,
        file: &NdkFile,
        sessions: &[ImportedSession],
        now: Timestamp,
    ) -> Result<Option<Arc<SessionKey>>, NdkError> {
        let active = file.active();
        let stored = |it: &&ImportedSession| {
            matches!(
                it.outcome,
                ImportOutcome::Imported | ImportOutcome::Replaced
            )
        };
        let here: Vec<_> = sessions.iter().filter(stored).collect();
        let mut conflict = None;
        for _ in 0..MAX_CONFLICTS {
            let (mut own, frame, revision) = self.load_own().await?;
            for it in &here {
                let used = file.session(it.key.account.as_str());
                let used = used.and_then(NdkSession::last_active);
                let used = used.unwrap_or(Timestamp::EPOCH);
                own.listed.insert(it.record.clone(), used);
            }
            let next = sessions.iter().find(|it| {
                let there = !matches!(it.outcome, ImportOutcome::Failed { .. });
                there && active.as_deref() == Some(it.key.account.as_str())
            });
            let next = next.filter(|_| own.active.is_none() || self.replace);
            if let Some(next) = next {
                own.make_active(next.record.clone(), Timestamp::EPOCH);
            }
            own.shorten();
            let frame = frame.with(file);
            let record = frame.attach(own.to_record(now))?;
            let name = own_name(&self.namespace);
            match self.store.save(&name, record, revision).await {
                Ok(_) => return Ok(next.map(|it| it.key.clone())),
                Err(error @ StoreError::Conflict { .. }) => conflict = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        let lost = || StoreError::Unavailable {
            reason: "too many conflicts".into(),
        };
        Err(conflict.unwrap_or_else(lost).into())
    }
}

impl Frame {
    /// With a file that was read later.
    fn with(mut self, file: &NdkFile) -> Self {
        for session in file.sessions() {
            if !self.order.iter().any(|it| it == session.pubkey()) {
                self.order.push(session.pubkey().to_owned());
            }
        }
        self.file = NdkFile::from_frame(&file.frame());
        self
    }
}
