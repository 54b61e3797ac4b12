//! The records of a store that others use, read again where something changed.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use moorline::store::{Change, Changes, Revision, Slot, Store, StoreError};
use tokio::time::{Instant, sleep_until};

use crate::accounts::stored::{self, StoredSession};

pub(in crate::top) struct Records {
    store: Arc<dyn Store>,
    /// `None` for a store that does not tell what changes.
    changes: Option<Changes>,
    heard: Heard,
    sessions: Vec<StoredSession>,
    /// Which of the sessions stands where.
    places: HashMap<Slot, usize>,
}

/// What is to be read.
enum Heard {
    Nothing,
    /// What stands here, and which write it is; no revision where that is to be read in any case.
    At(HashMap<Slot, Revision>),
    Everything,
}

impl Records {
    /// Listens to what changes, and reads all there is.
    pub(in crate::top) async fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut records = Self {
            changes: store.changes(),
            store,
            heard: Heard::Everything,
            sessions: Vec::new(),
            places: HashMap::new(),
        };
        records.hear_more();
        records.read().await?;
        Ok(records)
    }

    pub(super) fn sessions(&self) -> &[StoredSession] {
        &self.sessions
    }

    /// Everything is read the next time.
    pub(super) fn doubt(&mut self) {
        self.heard = Heard::Everything;
    }

    /// Reads what may have changed. What cannot be read now is read the next time.
    pub(super) async fn read(&mut self) -> Result<(), StoreError> {
        let known = match &mut self.heard {
            Heard::Nothing => true,
            Heard::At(changed) => {
                let changed = std::mem::take(changed);
                self.heard = Heard::Everything;
                self.read_at(changed).await?
            }
            Heard::Everything => false,
        };
        if !known {
            self.read_all().await?;
        }
        self.heard = Heard::Nothing;
        Ok(())
    }

    async fn read_all(&mut self) -> Result<(), StoreError> {
        self.sessions = stored::sessions(&*self.store, None).await?;
        self.places.clear();
        for (place, session) in self.sessions.iter().enumerate() {
            let Some(slot) = self.store.slot(&session.name).await? else {
                break;
            };
            self.places.insert(slot, place);
        }
        Ok(())
    }

    /// Whether all that changed are sessions that are known, and still are sessions.
    async fn read_at(&mut self, changed: HashMap<Slot, Revision>) -> Result<bool, StoreError> {
        for (slot, revision) in changed {
            let place = self.places.get(&slot);
            let Some(session) = place.and_then(|place| self.sessions.get_mut(*place)) else {
                return Ok(false);
            };
            let is_news = revision == Revision::NONE || revision > session.revision;
            if is_news && !stored::again(&*self.store, session).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Until the store says that something changed, or it is time to look.
    pub(super) async fn wait(&mut self, until: Instant) {
        let Some(changes) = &mut self.changes else {
            sleep_until(until).await;
            return self.doubt();
        };
        let heard = tokio::select! {
            heard = changes.next() => heard,
            () = sleep_until(until) => return,
        };
        self.hear(heard);
        self.hear_more();
    }

    /// All that is there already is one change.
    fn hear_more(&mut self) {
        while let Some(changes) = &mut self.changes
            && let Some(heard) = changes.next().now_or_never()
        {
            self.hear(heard);
        }
    }

    fn hear(&mut self, heard: Option<Change>) {
        match (heard, &mut self.heard) {
            (Some(Change::Written { .. }), Heard::Everything) => {}
            (Some(Change::Written { slot, revision }), Heard::At(changed)) => {
                let change = changed.entry(slot);
                change
                    .and_modify(|it| *it = Revision::NONE)
                    .or_insert(revision);
            }
            (Some(Change::Written { slot, revision }), Heard::Nothing) => {
                self.heard = Heard::At(HashMap::from([(slot, revision)]));
            }
            (Some(_), _) => self.doubt(),
            (None, _) => {
                self.changes = None;
                self.doubt();
            }
        }
    }
}
