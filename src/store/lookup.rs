//! Questions about everything in a store.

use super::{Intent, RecordName, Store, StoreError, Stored};
use crate::clock::Timestamp;
use crate::identity::{AccountId, primary_account};

/// The first record, by name, of a session that acts for `account`: one that the user did not end
/// and that has not expired at `now`. The wallet is not asked: a restore does that. Records that
/// cannot be read are passed over.
///
/// # Errors
///
/// [`StoreError::Unavailable`] if the store cannot be asked right now.
pub async fn session_for(
    store: &dyn Store,
    account: &AccountId,
    now: Timestamp,
) -> Result<Option<RecordName>, StoreError> {
    for name in store.list().await? {
        let record = match store.load(&name).await {
            Ok(Stored::Record { record, .. }) => record,
            Ok(_) | Err(StoreError::Unreadable { .. }) => continue,
            Err(error) => return Err(error),
        };
        let lives = record.intent == Intent::Connected
            && record.expires_at.is_none_or(|expires_at| now < expires_at);
        if lives && primary_account(&record.accounts).is_some_and(|it| it.id == *account) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether there is a session for `account` in the store: as [`session_for`].
///
/// # Errors
///
/// As for [`session_for`].
pub async fn has_session_for(
    store: &dyn Store,
    account: &AccountId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(session_for(store, account, now).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::DisconnectReason;
    use crate::store::{MemoryStore, Record, Revision, Tombstone};
    use crate::{Account, store::RecordName};

    #[tokio::test]
    async fn only_sessions_that_live_count() {
        let store = MemoryStore::new();
        let at = Timestamp::from_millis;
        let record = |party: &str| {
            let accounts = vec![Account::new("other"), Account::primary(party)];
            Record::new("test", accounts, None, at(0)).expiring_at(at(100))
        };
        let name = RecordName::from;
        for (place, party) in [("b", "alice"), ("c", "carol")] {
            let saved = store
                .save(&name(place), record(party), Revision::NONE)
                .await;
            saved.unwrap();
        }
        let tombstone = Tombstone::new(DisconnectReason::User, at(1));
        store
            .erase(&name("c"), tombstone, Revision::new(1))
            .await
            .unwrap();

        let ask = async |party: &str, now| {
            let found = session_for(&store, &party.into(), at(now)).await.unwrap();
            let has = has_session_for(&store, &party.into(), at(now))
                .await
                .unwrap();
            assert_eq!(found.is_some(), has);
            found
        };
        assert_eq!(ask("alice", 99).await, Some(name("b")));
        assert_eq!(ask("alice", 100).await, None, "expired");
        assert_eq!(ask("carol", 0).await, None, "disconnected");
        assert_eq!(ask("other", 0).await, None, "not the one it acts for");
    }
}
