//! The manager's own record: who is active, and a few of those who logged in last.
//!
//! It is a record like any other, so that every store can keep it, under a name of its own: each
//! of its accounts is the name of a session's record, the primary one the active one's, and the
//! label is when it came. When sessions were last used stands in their own records: this one stays
//! small however many there are. The few names are there because what cannot be read is in no list
//! of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::event::ManagerEventKind;
use super::inner::Inner;
use super::insist::Unsaid;
use super::key::own_name;
use super::restore::read_last_use;
use crate::clock::Timestamp;
use crate::identity::Account;
use crate::store::{Record, RecordName, Revision, Store, StoreError, Stored};

/// What a manager's own record has for a [`Record::provider`]: it is no session.
pub const OWN_RECORD: &str = "moorline-manager";

/// How many names it holds, the active one's beside.
const LISTED: usize = 32;

/// How often it is written against a newer revision before that counts as failed.
const MAX_CONFLICTS: usize = 8;

/// What is remembered beside the sessions that are there.
#[derive(Default)]
pub(super) struct Memory {
    /// Those who came last, the latest first.
    recent: Vec<(RecordName, Timestamp)>,
    /// Sessions that are gone for good and whose record may not say so yet.
    pub(super) forgotten: BTreeSet<RecordName>,
    /// Names that are not to be listed any more.
    pub(super) unlisted: BTreeSet<RecordName>,
    /// Disconnects of users that the store does not know of yet.
    pub(super) unsaid: Unsaid,
    /// Whether somebody here has said who is active: it counts more than what is stored then.
    pub(super) active_touched: bool,
    /// Whether there is something to write at once.
    pub(super) dirty: bool,
    /// Whether there is something to write when it is convenient.
    pub(super) outdated: bool,
}

impl Memory {
    /// A session came, or is stored under another name.
    pub(super) fn came(&mut self, name: &RecordName, at: Timestamp) {
        self.forgotten.remove(name);
        self.unsaid.take_back(name);
        self.unlisted.remove(name);
        self.recent.retain(|(listed, _)| listed != name);
        self.recent.insert(0, (name.clone(), at));
        self.recent.truncate(LISTED);
        self.outdated = true;
    }

    /// Nothing is stored under this name any more.
    pub(super) fn went(&mut self, name: &RecordName) {
        self.recent.retain(|(listed, _)| listed != name);
        self.unlisted.insert(name.clone());
        self.outdated = true;
    }

    /// Nothing is stored at all, and nothing is to be. Says what was listed.
    pub(super) fn clear(&mut self) -> Vec<RecordName> {
        let listed = self.recent.drain(..).map(|(name, _)| name).collect();
        self.unlisted.clear();
        self.active_touched = true;
        self.dirty = false;
        self.outdated = false;
        listed
    }
}

/// What stands in the record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Own {
    pub(super) active: Option<RecordName>,
    pub(super) listed: BTreeMap<RecordName, Timestamp>,
}

impl Own {
    pub(super) fn to_record(&self, now: Timestamp) -> Record {
        let accounts: Vec<Account> = self
            .listed
            .iter()
            .map(|(name, at)| {
                let account = match self.active.as_ref() == Some(name) {
                    true => Account::primary(name.as_str()),
                    false => Account::new(name.as_str()),
                };
                account.with_label(at.to_string())
            })
            .collect();
        Record::new(OWN_RECORD, accounts, None, now)
    }

    pub(super) fn from_record(record: &Record) -> Self {
        let name = |account: &Account| RecordName::from(account.id.as_str());
        let active = record.accounts.iter().find(|account| account.primary);
        let listed = record.accounts.iter().filter_map(|account| {
            let at = Timestamp::parse(account.label.as_deref()?)?;
            Some((name(account), at))
        });
        Self {
            active: active.map(name),
            listed: listed.collect(),
        }
    }

    /// Says who is active, and when that one came if nothing is known of it.
    pub(super) fn make_active(&mut self, name: RecordName, came: Timestamp) {
        self.listed.entry(name.clone()).or_insert(came);
        self.active = Some(name);
    }

    /// Leaves out those who came first, but for the active one.
    pub(super) fn shorten(&mut self) {
        let active = self.active.clone();
        let mut others: Vec<_> = std::mem::take(&mut self.listed).into_iter().collect();
        others.sort_by(|(_, one), (_, other)| other.cmp(one));
        let mut left = LISTED;
        for (name, at) in others {
            let is_active = active.as_ref() == Some(&name);
            if is_active || left > 0 {
                left -= usize::from(!is_active);
                self.listed.insert(name, at);
            }
        }
    }
}

impl Inner {
    /// What is stored. One that cannot be read is told of, and left as it is until something is
    /// written: then it is set aside.
    pub(super) async fn load_own(&self, store: &dyn Store) -> Result<Own, StoreError> {
        if self.cluster().is_some() {
            return Ok(Own::default());
        }
        let name = own_name(&self.config.namespace);
        match store.load(&name).await {
            Ok(Stored::Record { record, .. }) => Ok(Own::from_record(&record)),
            Ok(Stored::Nothing | Stored::Tombstone { .. }) => Ok(Own::default()),
            Err(StoreError::Unreadable { reason, .. }) => {
                self.tell_unreadable(name, reason);
                Ok(Own::default())
            }
            Err(error) => Err(error),
        }
    }

    fn tell_unreadable(&self, record: RecordName, reason: Arc<str>) {
        tracing::warn!(%record, %reason, "the manager's own record cannot be read");
        self.with(|state| {
            state.tell(0, || ManagerEventKind::RecordUnreadable { record, reason });
        });
    }

    /// Writes what is known here into what stands there.
    pub(super) async fn save_own(&self, store: &Arc<dyn Store>) -> Result<(), StoreError> {
        // One record that all processes of a cluster write would be as large as all sessions
        // together, and who is active is another in each.
        if self.cluster().is_some() {
            self.lock().memory.unlisted.clear();
            return Ok(());
        }
        let name = own_name(&self.config.namespace);
        let mut conflict = None;
        for _ in 0..MAX_CONFLICTS {
            let (theirs, revision) = match store.load(&name).await {
                Ok(Stored::Record { record, revision }) => (Own::from_record(&record), revision),
                Ok(stored) => (Own::default(), stored.revision()),
                Err(StoreError::Unreadable { reason, .. }) => {
                    self.tell_unreadable(name.clone(), reason);
                    (Own::default(), store.set_aside(&name).await?)
                }
                Err(error) => return Err(error),
            };
            let (ours, unlisted) = self.merged(&theirs);
            let result = if ours == theirs && revision != Revision::NONE {
                Ok(revision)
            } else {
                let record = ours.to_record(self.times.wall());
                store.save(&name, record, revision).await
            };
            match result {
                Ok(_) => {
                    let memory = &mut self.lock().memory;
                    memory.unlisted.retain(|name| !unlisted.contains(name));
                    return Ok(());
                }
                Err(error @ StoreError::Conflict { .. }) => conflict = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(conflict.unwrap_or_else(|| StoreError::Unavailable {
            reason: "too many conflicts".into(),
        }))
    }

    /// What is to stand there, and which names were left out of it.
    fn merged(&self, theirs: &Own) -> (Own, BTreeSet<RecordName>) {
        let state = self.lock();
        let memory = &state.memory;
        let mut own = theirs.clone();
        if memory.active_touched {
            let active = state.active().and_then(|id| state.entries.get(id));
            own.active = active.and_then(|entry| entry.name());
            if let (Some(name), Some(entry)) = (&own.active, active) {
                let last = own.listed.entry(name.clone());
                last.or_insert_with(|| entry.usage.last());
            }
        }
        for (name, at) in &memory.recent {
            let listed = own.listed.entry(name.clone()).or_insert(*at);
            *listed = (*listed).max(*at);
        }
        own.listed.retain(|name, _| !memory.unlisted.contains(name));
        let listed = &own.listed;
        own.active = own.active.filter(|name| listed.contains_key(name));
        own.shorten();
        (own, memory.unlisted.clone())
    }

    /// When a stored session was last used: as its own record says, or else the manager's.
    pub(super) async fn last_use(
        &self,
        store: &dyn Store,
        name: &RecordName,
        own: &Own,
    ) -> Option<Timestamp> {
        let listed = own.listed.get(name).copied();
        match self.within_deadline(store.load(name)).await {
            Ok(Stored::Record { record, .. }) => Some(read_last_use(&record, listed)),
            _ => listed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let own = Own {
            active: Some("b".into()),
            listed: [("a".into(), at(1_000)), ("b".into(), at(1_999))].into(),
        };
        assert_eq!(Own::from_record(&own.to_record(at(5))), own);
        let none = Own {
            active: None,
            ..own
        };
        assert_eq!(Own::from_record(&none.to_record(at(5))), none);
    }

    #[test]
    fn it_stays_small_and_keeps_the_active_one() {
        let name = |number: u64| RecordName::from(format!("{number:04}"));
        let mut own = Own {
            active: Some(name(0)),
            listed: (0..1000).map(|number| (name(number), at(number))).collect(),
        };
        own.shorten();
        assert_eq!(own.listed.len(), LISTED + 1);
        assert!(own.listed.contains_key(&name(0)) && own.listed.contains_key(&name(999)));
        assert!(!own.listed.contains_key(&name(1000 - LISTED as u64 - 1)));
        let mut memory = Memory::default();
        for number in 0..1000 {
            memory.came(&name(number), at(number));
        }
        assert_eq!(memory.recent.len(), LISTED);
        assert_eq!(memory.recent[0].0, name(999));
    }
}
