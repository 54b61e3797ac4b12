//! A user's disconnect that could not be stored is written as soon as the store can be reached: a
//! restart, or another process, would bring the session back otherwise.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use super::inner::Inner;
use crate::clock::Timestamp;
use crate::snapshot::DisconnectReason;
use crate::store::{RecordName, Store, StoreError, Stored, Tombstone};

/// How long before it is tried again; doubled up to [`RETRY_CAP`].
const RETRY: Duration = Duration::from_millis(200);
const RETRY_CAP: Duration = Duration::from_secs(5);

/// What is to be written.
#[derive(Default)]
pub(super) struct Unsaid {
    by_name: BTreeMap<RecordName, Said>,
    /// Whether a task sees to it.
    seen_to: bool,
}

/// Which session was ended, and when.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Said {
    at: Timestamp,
    /// When that session was made.
    created: Timestamp,
}

impl Said {
    /// Whether what stands there is what was ended: that session itself, whatever the clocks say,
    /// or one that began before.
    fn ends(self, about: Option<Timestamp>, connected_at: Timestamp) -> bool {
        about == Some(self.created) || connected_at <= self.at
    }
}

impl Unsaid {
    /// Somebody has come under this name since.
    pub(super) fn take_back(&mut self, name: &RecordName) {
        self.by_name.remove(name);
    }

    pub(super) fn has(&self, name: &RecordName) -> bool {
        self.by_name.contains_key(name)
    }
}

impl Inner {
    /// Has the end of a session written later. `at`: when the user said so; `created`: when it was
    /// made.
    pub(super) fn insist(&self, name: RecordName, at: Timestamp, created: Timestamp) {
        let mut state = self.lock();
        if state.owner(&name).is_some() {
            // It writes there by itself.
            return;
        }
        let unsaid = &mut state.memory.unsaid;
        unsaid.by_name.insert(name, Said { at, created });
        if !std::mem::replace(&mut unsaid.seen_to, true) {
            let task = self.runtime.spawn(keep_saying(self.me.clone()));
            state.until_the_end(task.abort_handle());
        }
    }

    /// Writes what is to be written. Whether nothing is left of it.
    pub(super) async fn say(&self) -> bool {
        let Some(store) = &self.config.store else {
            return true;
        };
        let unsaid = self.lock().memory.unsaid.by_name.clone();
        let mut all = true;
        for (name, said) in unsaid {
            match self.within_deadline(end(&**store, &name, said)).await {
                Ok(()) => {
                    let memory = &mut self.lock().memory;
                    if memory.unsaid.by_name.get(&name) == Some(&said) {
                        memory.unsaid.by_name.remove(&name);
                        memory.forgotten.remove(&name);
                    }
                }
                // They concern this one alone.
                Err(StoreError::Conflict { .. } | StoreError::Unreadable { .. }) => all = false,
                Err(_) => return false,
            }
        }
        all
    }
}

/// Until everything is written, or the manager is gone.
async fn keep_saying(manager: Weak<Inner>) {
    let mut wait = RETRY;
    loop {
        tokio::time::sleep(wait).await;
        let Some(manager) = manager.upgrade() else {
            return;
        };
        let all = manager.say().await;
        let unsaid = &mut manager.lock().memory.unsaid;
        if unsaid.by_name.is_empty() {
            unsaid.seen_to = false;
            return;
        }
        wait = match all {
            true => RETRY,
            false => (wait * 2).min(RETRY_CAP),
        };
    }
}

/// Ends what stands there, unless it has begun after the user said so.
async fn end(store: &dyn Store, name: &RecordName, said: Said) -> Result<(), StoreError> {
    let Stored::Record { record, revision } = store.load(name).await? else {
        return Ok(());
    };
    let about = record.about.as_deref();
    if !said.ends(about.map(|about| about.created_at), record.connected_at) {
        return Ok(());
    }
    let tombstone = Tombstone::new(DisconnectReason::User, said.at);
    store.erase(name, tombstone, revision).await.map(|_| ())
}
