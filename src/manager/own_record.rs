//! The manager's own record: who is active, and when each session was last used.
//!
//! It is a record like any other, so that every store can keep it, under a name of its own: each
//! of its accounts is the name of a session's record, the primary one the active one's, and the
//! label is when it was last used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::inner::Inner;
use super::key::own_name;
use crate::clock::Timestamp;
use crate::identity::Account;
use crate::store::{Record, RecordName, Revision, Store, StoreError, Stored};

const KIND: &str = "moorline-manager";

/// How often it is written against a newer revision before that counts as failed.
const MAX_CONFLICTS: usize = 8;

/// What is remembered beside the sessions that are there.
#[derive(Default)]
pub(super) struct Memory {
    /// When sessions that are stored and not there were last used.
    pub(super) known: BTreeMap<RecordName, Timestamp>,
    /// Sessions that are gone for good.
    pub(super) forgotten: BTreeSet<RecordName>,
    /// Whether somebody here has said who is active: it counts more than what is stored then.
    pub(super) active_touched: bool,
    /// Whether there is something to write.
    pub(super) dirty: bool,
}

/// What stands in the record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Own {
    pub(super) active: Option<RecordName>,
    pub(super) last: BTreeMap<RecordName, Timestamp>,
}

impl Own {
    fn to_record(&self, now: Timestamp) -> Record {
        let accounts: Vec<Account> = self
            .last
            .iter()
            .map(|(name, at)| {
                let account = match self.active.as_ref() == Some(name) {
                    true => Account::primary(name.as_str()),
                    false => Account::new(name.as_str()),
                };
                account.with_label(at.to_string())
            })
            .collect();
        Record::new(KIND, accounts, None, now)
    }

    fn from_record(record: &Record) -> Self {
        let name = |account: &Account| RecordName::from(account.id.as_str());
        let active = record.accounts.iter().find(|account| account.primary);
        let last = record.accounts.iter().filter_map(|account| {
            let at = Timestamp::parse(account.label.as_deref()?)?;
            Some((name(account), at))
        });
        Self {
            active: active.map(name),
            last: last.collect(),
        }
    }
}

impl Inner {
    /// What is stored. One that cannot be read is left as it is until something is written.
    pub(super) async fn load_own(&self, store: &dyn Store) -> Result<Own, StoreError> {
        if self.cluster().is_some() {
            return Ok(Own::default());
        }
        let name = own_name(&self.config.namespace);
        match store.load(&name).await {
            Ok(Stored::Record { record, .. }) => Ok(Own::from_record(&record)),
            Ok(Stored::Nothing | Stored::Tombstone { .. }) | Err(StoreError::Unreadable { .. }) => {
                Ok(Own::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what is known here into what stands there.
    pub(super) async fn save_own(&self, store: &Arc<dyn Store>) -> Result<(), StoreError> {
        // One record that all processes of a cluster write would be as large as all sessions
        // together, and who is active is another in each.
        if self.cluster().is_some() {
            return Ok(());
        }
        let name = own_name(&self.config.namespace);
        let mut conflict = None;
        for _ in 0..MAX_CONFLICTS {
            let (theirs, revision) = match store.load(&name).await {
                Ok(Stored::Record { record, revision }) => (Own::from_record(&record), revision),
                Ok(stored) => (Own::default(), stored.revision()),
                Err(StoreError::Unreadable { .. }) => {
                    (Own::default(), store.set_aside(&name).await?)
                }
                Err(error) => return Err(error),
            };
            let ours = self.merged(&theirs);
            if ours == theirs && revision != Revision::NONE {
                return Ok(());
            }
            let record = ours.to_record(self.times.wall());
            match store.save(&name, record, revision).await {
                Ok(_) => return Ok(()),
                Err(error @ StoreError::Conflict { .. }) => conflict = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(conflict.unwrap_or_else(|| StoreError::Unavailable {
            reason: "too many conflicts".into(),
        }))
    }

    fn merged(&self, theirs: &Own) -> Own {
        let state = self.lock();
        let memory = &state.memory;
        let mut own = theirs.clone();
        own.last.retain(|name, _| !memory.forgotten.contains(name));
        let here = state.entries.values().filter_map(|entry| {
            entry.key.as_ref()?;
            Some((entry.name.clone()?, entry.usage.last()))
        });
        let known = memory.known.iter().map(|(name, at)| (name.clone(), *at));
        for (name, at) in known.chain(here) {
            let last = own.last.entry(name).or_insert(at);
            *last = at.max(*last);
        }
        if memory.active_touched {
            let active = state.active().and_then(|id| state.entries.get(&id));
            own.active = active.and_then(|entry| entry.name.clone());
        }
        let last = &own.last;
        own.active = own.active.filter(|name| last.contains_key(name));
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let at = |ms| Timestamp::from_millis(ms);
        let own = Own {
            active: Some("b".into()),
            last: [("a".into(), at(1_000)), ("b".into(), at(1_999))].into(),
        };
        assert_eq!(Own::from_record(&own.to_record(at(5))), own);
        let none = Own {
            active: None,
            ..own
        };
        assert_eq!(Own::from_record(&none.to_record(at(5))), none);
    }
}
