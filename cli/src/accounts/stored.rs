//! The sessions of a manager as its store has them, without restoring any. The one place that
//! knows how a manager lays them out.

use std::collections::BTreeMap;

use moorline::manager::SessionKey;
use moorline::provider::{PayloadError, ProviderPayload};
use moorline::store::{Intent, Record, RecordName, Revision, Store, StoreError, Stored, Tombstone};
use moorline::{Account, Timestamp};
use serde::{Deserialize, Serialize};

use crate::provider::Recipe;

/// The provider of a manager's own record.
const MANAGER: &str = "moorline-manager";

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
    last_used: BTreeMap<RecordName, Timestamp>,
}

impl Remembered {
    /// Each account stands for a session's record: the primary one is active, and the label is
    /// when it was last used.
    fn add(&mut self, record: &Record) {
        let name = |account: &Account| RecordName::from(account.id.as_str());
        for account in record.accounts.iter() {
            if account.primary {
                self.active.push(name(account));
            }
            if let Some(at) = account.label.as_deref().and_then(Timestamp::parse) {
                self.last_used.insert(name(account), at);
            }
        }
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
    for name in names {
        match store.load(&name).await {
            Ok(Stored::Record { record, .. }) if &*record.provider == MANAGER => {
                remembered.add(&record);
            }
            loaded => sessions.extend(read(name, loaded)?),
        }
    }
    // What cannot be read is in no list, and its manager remembers it.
    let listed: Vec<_> = sessions
        .iter()
        .map(|session| session.name.clone())
        .collect();
    for name in remembered.last_used.keys() {
        if !listed.contains(name) {
            let loaded = store.load(name).await;
            sessions.extend(read(name.clone(), loaded)?);
        }
    }
    for session in &mut sessions {
        session.active = remembered.active.contains(&session.name);
        session.last_used = remembered.last_used.get(&session.name).copied();
    }
    sessions.sort_by_cached_key(|it| (it.key.is_none(), it.key.clone(), it.name.clone()));
    Ok(sessions)
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
        let named = payload.and_then(|payload| payload.read::<Named>().ok());
        session.label = named.and_then(|named| named.label);
        (session.key, session.place) = (key, place);
    }
    Ok(Some(session))
}

/// What every payload of an account has, a session's that only watches too.
#[derive(Default, Serialize, Deserialize)]
struct Named {
    label: Option<String>,
}

/// Gives a stored session another label.
pub(super) async fn relabel(
    store: &dyn Store,
    name: &RecordName,
    label: &str,
) -> Result<(), StoreError> {
    let Stored::Record { record, revision } = store.load(name).await? else {
        return Ok(());
    };
    let payload = record.provider_payload.as_ref();
    let recipe = payload.and_then(|payload| payload.read::<Recipe>().ok());
    let label = Some(label.to_owned());
    let payload = match recipe {
        Some(recipe) => ProviderPayload::new(&record.provider, &recipe.labelled(label)),
        None => ProviderPayload::new(&record.provider, &Named { label }),
    };
    put(store, name, record, revision, payload).await
}

/// Writes what a provider was given while it served, such as a new refresh token.
pub(super) async fn refresh(
    store: &dyn Store,
    name: &RecordName,
    recipe: &Recipe,
) -> Result<(), StoreError> {
    let Stored::Record { record, revision } = store.load(name).await? else {
        return Ok(());
    };
    let payload = ProviderPayload::new(&record.provider, recipe);
    if payload.as_ref().ok() == record.provider_payload.as_ref() {
        return Ok(());
    }
    put(store, name, record, revision, payload).await
}

async fn put(
    store: &dyn Store,
    name: &RecordName,
    record: Record,
    revision: Revision,
    payload: Result<ProviderPayload, PayloadError>,
) -> Result<(), StoreError> {
    let payload = payload.map_err(|why| StoreError::Unavailable {
        reason: why.to_string().into(),
    })?;
    let record = record.with_payload(Some(payload));
    store.save(name, record, revision).await.map(drop)
}
