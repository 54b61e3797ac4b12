//! The store of one session of a cluster: written only while its lease is held, and told apart what
//! was written here from what others wrote.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::claims::Claim;
use super::right::Right;
use crate::provider::Provider;
use crate::store::{
    Record, RecordName, Revision, Store, StoreError, StoreFuture, Stored, Tombstone,
};

/// A store as one session sees it.
pub(in crate::manager) struct Gate {
    store: Arc<dyn Store>,
    /// The adapter itself, to be told the fence.
    provider: Arc<dyn Provider>,
    right: Arc<Right>,
    /// Held over every write and every look: a look during a write would not know whose it sees.
    writing: tokio::sync::Mutex<()>,
    /// The latest revision under a name that is no news.
    seen: Mutex<(Option<RecordName>, Revision)>,
}

impl Gate {
    pub(super) fn new(
        store: Arc<dyn Store>,
        provider: Arc<dyn Provider>,
        right: Arc<Right>,
    ) -> Self {
        Self {
            store,
            provider,
            right,
            writing: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
        }
    }

    pub(in crate::manager) fn right(&self) -> &Right {
        &self.right
    }

    /// From here on the session acts and writes under this lease.
    pub(super) async fn hold(&self, claim: Arc<Claim>) {
        self.provider.fenced(&claim.lease.fence());
        if let Some(before) = self.right.hold(claim) {
            before.release().await;
        }
    }

    /// As [`hold`](Self::hold), for a session that has moved to this name, unless it has moved on
    /// or is over.
    pub(super) async fn arrive(&self, name: &RecordName, claim: Arc<Claim>) {
        let fence = claim.lease.fence();
        if self.right.is_moving_to(name) {
            // Before anything that waits for the lease goes on.
            self.provider.fenced(&fence);
        }
        let left = self.right.arrive(claim);
        // It may have moved on just now.
        if let Some(other) = self.right.fence().filter(|it| *it != fence) {
            self.provider.fenced(&other);
        }
        left.release().await;
    }

    /// What stands under this name now is known: the end of an earlier session, for one.
    pub(super) async fn catch_up(&self, name: &RecordName) -> Result<(), StoreError> {
        let revision = match self.store.load(name).await {
            Ok(stored) => stored.revision(),
            // It is set aside once there is something to write.
            Err(StoreError::Unreadable { .. }) => Revision::NONE,
            Err(error) => return Err(error),
        };
        self.saw(name, revision);
        Ok(())
    }

    /// What stands under this name with this revision, or an earlier one, is no news.
    fn saw(&self, name: &RecordName, revision: Revision) {
        let mut seen = self.seen();
        *seen = match &*seen {
            (Some(before), latest) if before == name => (Some(name.clone()), revision.max(*latest)),
            _ => (Some(name.clone()), revision),
        };
    }

    fn is_news(&self, name: &RecordName, revision: Revision) -> bool {
        let seen = self.seen();
        seen.0.as_ref() != Some(name) || revision > seen.1
    }

    fn seen(&self) -> MutexGuard<'_, (Option<RecordName>, Revision)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What somebody else has written since the last look, if anybody has. `revision` is the one
    /// that was heard of, if any.
    pub(super) async fn look(
        &self,
        name: &RecordName,
        revision: Option<Revision>,
    ) -> Result<Option<Stored>, StoreError> {
        let _turn = self.writing.lock().await;
        // A removal has none: revisions may have begun again.
        let removed = revision == Some(Revision::NONE);
        if !removed && revision.is_some_and(|revision| !self.is_news(name, revision)) {
            return Ok(None);
        }
        let stored = self.store.load(name).await?;
        let found = (Some(name.clone()), stored.revision());
        if removed && *self.seen() != found {
            *self.seen() = found;
            return Ok(Some(stored));
        }
        if !self.is_news(name, stored.revision()) {
            return Ok(None);
        }
        self.saw(name, stored.revision());
        Ok(Some(stored))
    }
}

impl Store for Gate {
    fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
        self.store.load(name)
    }

    fn save<'a>(
        &'a self,
        name: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.right.may_write(name).await?;
            let _turn = self.writing.lock().await;
            let revision = self.store.save(name, record, expected).await?;
            self.saw(name, revision);
            Ok(revision)
        })
    }

    fn erase<'a>(
        &'a self,
        name: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.right.may_write(name).await?;
            let _turn = self.writing.lock().await;
            let revision = self.store.erase(name, tombstone, expected).await?;
            self.saw(name, revision);
            Ok(revision)
        })
    }

    fn set_aside<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            self.right.may_write(name).await?;
            self.store.set_aside(name).await
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        self.store.list()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::identity::{Account, Identity};
    use crate::manager::read_only::ReadOnly;
    use crate::snapshot::DisconnectReason;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn the_end_of_an_earlier_session_is_no_news_and_what_others_write_later_is_once() {
        let (store, name) = (MemoryStore::new(), RecordName::from("s"));
        let tombstone = Tombstone::new(DisconnectReason::User, Timestamp::EPOCH);
        let ended = store.erase(&name, tombstone, Revision::NONE).await.unwrap();
        let gate = Gate::new(
            Arc::new(store.clone()),
            Arc::new(ReadOnly(Identity::new("alice", None))),
            Arc::new(Right::new()),
        );
        gate.catch_up(&name).await.unwrap();
        assert_eq!(gate.look(&name, None).await, Ok(None));
        assert_eq!(gate.look(&name, Some(ended)).await, Ok(None));

        let accounts = vec![Account::primary("alice")];
        let record = Record::new("test", accounts, None, Timestamp::EPOCH);
        let revision = store.save(&name, record, ended).await.unwrap();
        let heard = gate.look(&name, Some(revision)).await.unwrap();
        assert_eq!(heard, Some(store.peek(&name)));
        assert_eq!(gate.look(&name, Some(revision)).await, Ok(None));
    }
}
