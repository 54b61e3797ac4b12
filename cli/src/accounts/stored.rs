//! The sessions of a manager as its store has them, without restoring any. The one place that
//! knows how a manager lays them out.

use std::collections::BTreeMap;

use moorline::manager::{OWN_RECORD, SessionKey};
use moorline::store::{Intent, Record, RecordName, Revision, Store, StoreError, Stored, Tombstone};
use moorline::{Account, Timestamp};

use crate::provider::Recipe;

/// The kind of sessions that only watch.
pub(crate) const READ_ONLY: &str = "read-only";

/// One session that is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredSession {
    pub(crate) name: RecordName,
    pub(crate) revision: Revision,
    /// Whom it acts for, where that can be told.
    pub(crate) key: Option<SessionKey>,
    pub(crate) content: Content,
    /// What the user calls it.
    pub(crate) label: Option<String>,
    /// Where its wallet is.
    pub(crate) place: Option<String>,
    /// Whether its manager has it as the active one.
    pub(crate) active: bool,
    pub(crate) last_used: Option<Timestamp>,
}

/// What stands under a name.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Session(Box<Record>),
    Ended(Tombstone),
    Unreadable(String),
}

impl StoredSession {
    pub(crate) fn has_ended(&self) -> bool {
        match &self.content {
            Content::Ended(_) => true,
            Content::Session(record) => record.intent == Intent::Disconnected,
            Content::Unreadable(_) => false,
        }
    }

    pub(crate) fn record(&self) -> Option<&Record> {
        match &self.content {
            Content::Session(record) => Some(record),
            _ => None,
        }
    }
}

/// What managers remember beside their sessions.
#[derive(Default)]
struct Remembered {
    active: Vec<RecordName>,
    /// When those came who came last.
    came: BTreeMap<RecordName, Timestamp>,
}

impl Remembered {
    /// Each account stands for a session's record: the primary one is active, and the label is
    /// when it came.
    fn add(&mut self, record: &Record) {
        let name = |account: &Account| RecordName::from(account.id.as_str());
        for account in record.accounts.iter() {
            if account.primary {
                self.active.push(name(account));
            }
            if let Some(at) = account.label.as_deref().and_then(Timestamp::parse) {
                self.came.insert(name(account), at);
            }
        }
    }
}

/// Whether this is what a manager keeps of itself, which is no session. What is left of it once
/// everything was cleared is told by its name alone, among `all` of the store.
pub(crate) fn is_of_a_manager<'a>(
    name: &RecordName,
    stored: &Stored,
    all: impl IntoIterator<Item = &'a RecordName>,
) -> bool {
    match stored {
        Stored::Record { record, .. } => &*record.provider == OWN_RECORD,
        Stored::Tombstone { .. } => {
            let namespace = name.as_str().strip_suffix("/manager");
            namespace.is_some_and(|namespace| {
                let sessions = format!("{namespace}/session/");
                let mut all = all.into_iter();
                all.any(|name| name.as_str().starts_with(&sessions))
            })
        }
        Stored::Nothing => false,
    }
}

/// What is stored under a namespace, or all that is stored, in the order of the accounts.
pub(crate) async fn sessions(
    store: &dyn Store,
    namespace: Option<&str>,
) -> Result<Vec<StoredSession>, StoreError> {
    let mut names = store.list().await?;
    if let Some(namespace) = namespace {
        let prefix = format!("{namespace}/");
        names.retain(|name| name.as_str().starts_with(&prefix));
    }
    let mut remembered = Remembered::default();
    let mut sessions = Vec::with_capacity(names.len());
    for name in &names {
        match store.load(name).await {
            Ok(own) if is_of_a_manager(name, &own, &names) => {
                if let Stored::Record { record, .. } = own {
                    remembered.add(&record);
                }
            }
            loaded => sessions.extend(read(name.clone(), loaded)?),
        }
    }
    // What cannot be read is in no list, and its manager may remember it.
    for name in remembered.came.keys() {
        if !names.contains(name) {
            let loaded = store.load(name).await;
            sessions.extend(read(name.clone(), loaded)?);
        }
    }
    for session in &mut sessions {
        session.active = remembered.active.contains(&session.name);
        let came = remembered.came.get(&session.name).copied();
        session.last_used = session.last_used.max(came);
    }
    sessions.sort_by_cached_key(|it| (it.key.is_none(), it.key.clone(), it.name.clone()));
    Ok(sessions)
}

/// Reads a session again. What its manager remembers of it stays as it was. Returns whether it
/// still is a session that can be read: otherwise all are to be read again.
pub(crate) async fn again(
    store: &dyn Store,
    session: &mut StoredSession,
) -> Result<bool, StoreError> {
    let loaded = store.load(&session.name).await;
    let is_a_manager =
        matches!(&loaded, Ok(Stored::Record { record, .. }) if &*record.provider == OWN_RECORD);
    let Some(mut read) = read(session.name.clone(), loaded)? else {
        return Ok(false);
    };
    if is_a_manager || matches!(read.content, Content::Unreadable(_)) {
        return Ok(false);
    }
    read.active = session.active;
    read.last_used = read.last_used.max(session.last_used);
    *session = read;
    Ok(true)
}

/// What one load found.
fn read(
    name: RecordName,
    loaded: Result<Stored, StoreError>,
) -> Result<Option<StoredSession>, StoreError> {
    let (content, revision) = match loaded {
        Ok(Stored::Nothing) => return Ok(None),
        Ok(Stored::Record { record, revision }) => (Content::Session(Box::new(record)), revision),
        Ok(Stored::Tombstone {
            tombstone,
            revision,
        }) => (Content::Ended(tombstone), revision),
        Err(StoreError::Unreadable { reason, .. }) => {
            (Content::Unreadable(reason.to_string()), Revision::NONE)
        }
        Err(error) => return Err(error),
    };
    let mut session = StoredSession {
        name,
        revision,
        key: None,
        content,
        label: None,
        place: None,
        active: false,
        last_used: None,
    };
    if let Some(record) = session.record() {
        let key = record.identity();
        let key = key.map(|identity| SessionKey::new(identity, record.provider.clone()));
        let payload = record.provider_payload.as_ref();
        let recipe = payload.and_then(|payload| payload.read::<Recipe>().ok());
        let place = recipe.as_ref().and_then(Recipe::place);
        let about = record.about.as_deref();
        let last_used = about.map(|about| about.last_active_at);
        let label = about.and_then(|about| Some(about.label.as_deref()?.to_owned()));
        (session.key, session.place) = (key, place);
        (session.label, session.last_used) = (label, last_used);
    }
    Ok(Some(session))
}

#[cfg(test)]
mod tests {
    use moorline::store::{About, MemoryStore};
    use moorline::{DisconnectReason, SessionManager};
    use moorline_scripted::ScriptedWallet;

    use super::*;

    async fn manager(store: &MemoryStore, namespace: &str) -> SessionManager {
        let manager = SessionManager::builder()
            .store(store.clone())
            .namespace(namespace)
            .build()
            .unwrap();
        for account in ["alice", "bob"] {
            let (provider, _) = ScriptedWallet::new().accounts([account]).build();
            manager.login(provider).await.unwrap();
        }
        manager
    }

    #[tokio::test]
    async fn managers_records_are_no_sessions_whatever_their_namespace() {
        let store = MemoryStore::new();
        manager(&store, "one").await.close().await;
        let two = manager(&store, "two/three").await;
        two.clear().await.unwrap();
        two.close().await;
        // Of that name, and no manager's.
        let tombstone = Tombstone::new(DisconnectReason::User, Timestamp::EPOCH);
        let lone = "four/manager".into();
        store.erase(&lone, tombstone, Revision::NONE).await.unwrap();

        let all = sessions(&store, None).await.unwrap();
        let active: Vec<_> = all.iter().filter(|it| it.active).collect();
        assert_eq!(active.len(), 1);
        assert_eq!(active[0].key.as_ref().unwrap().account.as_str(), "bob");
        let ended = all.iter().filter(|it| it.has_ended());
        let ended: Vec<_> = ended.map(|it| it.name.as_str()).collect();
        assert!(ended.contains(&"four/manager"), "{ended:?}");
        assert_eq!((all.len(), ended.len()), (5, 3), "{all:?}");
    }

    #[tokio::test]
    async fn when_a_session_was_used_and_its_name_stand_in_its_record() {
        let store = MemoryStore::new();
        let accounts = vec![Account::primary("alice")];
        let record = Record::new("scripted", accounts, None, Timestamp::EPOCH);
        let mut about = About::new(Timestamp::EPOCH);
        about.last_active_at = Timestamp::from_millis(7);
        about.label = Some("work".into());
        let name = "one/session/scripted/-/alice".into();
        let record = record.with_about(about);
        store.save(&name, record, Revision::NONE).await.unwrap();
        let all = sessions(&store, Some("one")).await.unwrap();
        assert_eq!(all[0].last_used, Some(Timestamp::from_millis(7)));
        assert_eq!(all[0].label.as_deref(), Some("work"));
        assert!(!all[0].active);
    }
}
