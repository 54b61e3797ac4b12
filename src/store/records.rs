//! Records on a backend: names to slots, envelopes to bytes, and compare-and-swap between.
//! Encrypted and plaintext stores are this with a different [`Protection`].

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use zeroize::Zeroizing;

use super::backend::{Backend, BackendError, Blob, Slot};
use super::draft::Draft;
use super::envelope::{self, Content};
use super::fields::Extra;
use super::{About, RecordName, Revision, StoreError, Stored};
use crate::provider::ProviderPayload;

/// How many places are read at once for a list: with an engine that is elsewhere, most of the time
/// goes into the way there and back.
const AT_ONCE: usize = 32;

/// Makes a type that holds [`Records`] a store.
macro_rules! store_on_records {
    ($store:ident) => {
        impl<B: $crate::store::backend::Backend> $crate::store::Store for $store<B> {
            fn load<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Stored> {
                Box::pin(self.records.load(name))
            }

            fn save<'a>(
                &'a self,
                name: &'a RecordName,
                record: Record,
                expected: Revision,
            ) -> StoreFuture<'a, Revision> {
                Box::pin(self.records.write(name, Content::Record(record), expected))
            }

            fn erase<'a>(
                &'a self,
                name: &'a RecordName,
                tombstone: Tombstone,
                expected: Revision,
            ) -> StoreFuture<'a, Revision> {
                Box::pin(
                    self.records
                        .write(name, Content::Tombstone(tombstone), expected),
                )
            }

            fn set_aside<'a>(&'a self, name: &'a RecordName) -> StoreFuture<'a, Revision> {
                Box::pin(self.records.set_aside(name))
            }

            fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
                Box::pin(self.records.list())
            }

            fn keeps_secrets(&self) -> bool {
                self.records.keeps_secrets()
            }

            fn changes(&self) -> Option<$crate::store::Changes> {
                self.records.backend.changes()
            }

            fn slot<'a>(
                &'a self,
                name: &'a RecordName,
            ) -> StoreFuture<'a, Option<$crate::store::Slot>> {
                Box::pin(async move { Ok(Some(self.records.slot(name).await?)) })
            }
        }
    };
}
pub(super) use store_on_records;

/// How envelopes become bytes, and names places.
pub(super) trait Protection: Send + Sync + 'static {
    /// What it needs for one call, such as keys.
    type Ready: Send + Sync;

    /// Whether what is written cannot be read without a key: only then is a provider's payload
    /// written.
    const SEALS: bool;

    /// Fetches what it needs.
    fn ready(
        &self,
        backend: &dyn Backend,
    ) -> impl Future<Output = Result<Self::Ready, StoreError>> + Send;

    /// Where a record stands.
    fn slot(&self, ready: &Self::Ready, name: &RecordName) -> Slot;

    /// The bytes of the envelope that `write` writes. The error is a sentence.
    fn wrap(
        &self,
        ready: &Self::Ready,
        slot: Slot,
        revision: Revision,
        write: impl FnOnce(&mut Draft) -> Result<(), String>,
    ) -> Result<Vec<u8>, String>;

    /// The envelope in what stands somewhere.
    fn unwrap(
        &self,
        ready: &Self::Ready,
        slot: Slot,
        blob: Blob,
    ) -> impl Future<Output = Result<Zeroizing<Vec<u8>>, Refusal>> + Send;

    /// The revision that the next write must exceed, whatever stands there.
    fn floor(&self, slot: Slot) -> impl Future<Output = Result<Revision, StoreError>> + Send;

    /// Notes that a revision was seen or written.
    fn note(
        &self,
        slot: Slot,
        revision: Revision,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that a record was removed for good.
    fn forget(&self, slot: Slot) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Why what stands somewhere does not open.
pub(super) enum Refusal {
    /// It never will: this is why.
    Unreadable(String),
    /// Not now.
    Store(StoreError),
}

/// One place of a store, and what stands there.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Where it stands.
    pub slot: Slot,
    /// The name it was written under, if it can be read.
    pub name: Option<RecordName>,
    /// What stands there; the error says why it cannot be read.
    pub content: Result<Stored, StoreError>,
}

pub(super) struct Records<B, P> {
    pub(super) backend: B,
    pub(super) protection: P,
}

impl<B: Backend, P: Protection> Records<B, P> {
    pub(super) fn keeps_secrets(&self) -> bool {
        P::SEALS
    }

    pub(super) async fn load(&self, name: &RecordName) -> Result<Stored, StoreError> {
        let ready = self.protection.ready(&self.backend).await?;
        let slot = self.protection.slot(&ready, name);
        match self.get(name, slot).await? {
            None => Ok(Stored::Nothing),
            Some(blob) => {
                let revision = blob.revision;
                let content = self.read(&ready, name, slot, blob).await?;
                Ok(stored(content, revision))
            }
        }
    }

    pub(super) async fn write(
        &self,
        name: &RecordName,
        content: Content,
        expected: Revision,
    ) -> Result<Revision, StoreError> {
        let ready = self.protection.ready(&self.backend).await?;
        let slot = self.protection.slot(&ready, name);
        let before = self.get(name, slot).await?;
        let found = before.as_ref().map_or(Revision::NONE, |blob| blob.revision);
        let kept = match before {
            // Read before anything is written over it: what cannot be read stays.
            Some(blob) => Kept::of(self.read(&ready, name, slot, blob).await?),
            None => Kept::default(),
        };
        let content = match content {
            Content::Record(mut record) => {
                // What is in clear already is not destroyed; nothing is put in clear.
                if !P::SEALS {
                    record.provider_payload = None;
                    record.about = record
                        .about
                        .map(|about| Arc::new(about.without_client(kept.about.as_deref())));
                }
                record.provider_payload = record.provider_payload.or(kept.payload);
                record.about = record.about.or(kept.about);
                Content::Record(record)
            }
            tombstone @ Content::Tombstone(_) => tombstone,
        };
        let floor = self.protection.floor(slot).await?;
        // A record that was set aside leaves its revision: the next one goes on from there.
        let matches = found == expected || (found == Revision::NONE && expected == floor);
        if !matches {
            return Err(conflict(name, expected, found));
        }
        let revision = found.max(floor).next();
        let encode = |to: &mut Draft| envelope::encode(name, &content, kept.extra.as_deref(), to);
        let bytes = self.protection.wrap(&ready, slot, revision, encode);
        let bytes = bytes.map_err(unavailable)?;
        let put = self
            .backend
            .put(slot, Blob { revision, bytes }, found)
            .await;
        put.map_err(|error| match error {
            BackendError::Conflict { found } => conflict(name, expected, found),
            error => store_error(name, error),
        })?;
        // It stands: what cannot be noted now is noted by the next write or read.
        if let Err(error) = self.protection.note(slot, revision).await {
            tracing::warn!(%error, "the revision of a record could not be noted");
        }
        Ok(revision)
    }

    pub(super) async fn set_aside(&self, name: &RecordName) -> Result<Revision, StoreError> {
        let ready = self.protection.ready(&self.backend).await?;
        let slot = self.protection.slot(&ready, name);
        match self.backend.set_aside(slot).await {
            Ok(Some(place)) => {
                tracing::warn!(record = %name, place, "a record that cannot be read was set aside");
            }
            Ok(None) => {}
            Err(error) => return Err(store_error(name, error)),
        }
        self.protection.floor(slot).await
    }

    pub(super) async fn slot(&self, name: &RecordName) -> Result<Slot, StoreError> {
        let ready = self.protection.ready(&self.backend).await?;
        Ok(self.protection.slot(&ready, name))
    }

    pub(super) async fn list(&self) -> Result<Vec<RecordName>, StoreError> {
        let entries = self.entries().await?;
        let mut names: Vec<_> = entries.into_iter().filter_map(|entry| entry.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(super) async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let slots = self.slots().await?;
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let ready = self.protection.ready(&self.backend).await?;
        let mut entries = Vec::with_capacity(slots.len());
        for some in slots.chunks(AT_ONCE) {
            let some = some.iter().map(|slot| self.entry(&ready, *slot));
            for entry in all(some.collect()).await {
                entries.extend(entry?);
            }
        }
        Ok(entries)
    }

    /// `None` if it was removed meanwhile.
    async fn entry(&self, ready: &P::Ready, slot: Slot) -> Result<Option<Entry>, StoreError> {
        let nameless = RecordName::from(slot.to_string());
        let unreadable = |reason: String| Entry {
            slot,
            name: None,
            content: Err(StoreError::Unreadable {
                name: nameless.clone(),
                reason: reason.into(),
            }),
        };
        let blob = match self.backend.get(slot).await {
            Ok(None) => return Ok(None),
            Ok(Some(blob)) => blob,
            Err(BackendError::Damaged { reason }) => {
                return Ok(Some(unreadable(reason.to_string())));
            }
            Err(error) => return Err(store_error(&nameless, error)),
        };
        let revision = blob.revision;
        match self.open(ready, slot, blob).await {
            Ok((name, content)) => Ok(Some(Entry {
                slot,
                name: Some(name),
                content: Ok(stored(content, revision)),
            })),
            Err(Refusal::Unreadable(reason)) => Ok(Some(unreadable(reason))),
            Err(Refusal::Store(error)) => Err(error),
        }
    }

    /// Removes a record for good, tombstone and all.
    pub(super) async fn purge(
        &self,
        name: &RecordName,
        expected: Revision,
    ) -> Result<(), StoreError> {
        let ready = self.protection.ready(&self.backend).await?;
        let slot = self.protection.slot(&ready, name);
        let removed = self.backend.remove(slot, expected).await;
        removed.map_err(|error| match error {
            BackendError::Conflict { found } => conflict(name, expected, found),
            error => store_error(name, error),
        })?;
        self.protection.forget(slot).await
    }

    pub(super) async fn slots(&self) -> Result<Vec<Slot>, StoreError> {
        let slots = self.backend.list().await;
        slots.map_err(|error| unavailable(error.to_string()))
    }

    async fn get(&self, name: &RecordName, slot: Slot) -> Result<Option<Blob>, StoreError> {
        let got = self.backend.get(slot).await;
        got.map_err(|error| store_error(name, error))
    }

    async fn read(
        &self,
        ready: &P::Ready,
        name: &RecordName,
        slot: Slot,
        blob: Blob,
    ) -> Result<Content, StoreError> {
        let unreadable = |reason: String| StoreError::Unreadable {
            name: name.clone(),
            reason: reason.into(),
        };
        match self.unwrap(ready, slot, blob).await {
            Ok((written, content)) if written == *name => Ok(content),
            Ok(_) => Err(unreadable("it belongs to another record".into())),
            Err(Refusal::Unreadable(reason)) => Err(unreadable(reason)),
            Err(Refusal::Store(error)) => Err(error),
        }
    }

    async fn unwrap(
        &self,
        ready: &P::Ready,
        slot: Slot,
        blob: Blob,
    ) -> Result<(RecordName, Content), Refusal> {
        let plain = self.protection.unwrap(ready, slot, blob).await?;
        envelope::decode(&plain).map_err(Refusal::Unreadable)
    }

    /// What stands in a slot, whatever its name.
    pub(super) async fn open(
        &self,
        ready: &P::Ready,
        slot: Slot,
        blob: Blob,
    ) -> Result<(RecordName, Content), Refusal> {
        let (name, content) = self.unwrap(ready, slot, blob).await?;
        if self.protection.slot(ready, &name) != slot {
            return Err(Refusal::Unreadable("it belongs in another place".into()));
        }
        Ok((name, content))
    }
}

/// Drives all of them at once, to their answers in order.
async fn all<F: Future>(calls: Vec<F>) -> Vec<F::Output> {
    let calls = calls.into_iter().map(|call| (Box::pin(call), None));
    let mut calls: Vec<_> = calls.collect();
    poll_fn(|cx| {
        let mut done = true;
        for (call, answer) in &mut calls {
            if answer.is_none() {
                match call.as_mut().poll(cx) {
                    Poll::Ready(it) => *answer = Some(it),
                    Poll::Pending => done = false,
                }
            }
        }
        match done {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    calls.into_iter().filter_map(|(_, answer)| answer).collect()
}

fn stored(content: Content, revision: Revision) -> Stored {
    match content {
        Content::Record(record) => Stored::Record { record, revision },
        Content::Tombstone(tombstone) => Stored::Tombstone {
            tombstone,
            revision,
        },
    }
}

/// What a rewrite keeps although the one who writes does not know of it.
#[derive(Default)]
struct Kept {
    extra: Option<Arc<Extra>>,
    payload: Option<ProviderPayload>,
    about: Option<Arc<About>>,
}

impl Kept {
    fn of(content: Content) -> Self {
        match content {
            Content::Record(record) => Self {
                extra: record.extra,
                payload: record.provider_payload,
                about: record.about,
            },
            Content::Tombstone(_) => Self::default(),
        }
    }
}

fn conflict(name: &RecordName, expected: Revision, found: Revision) -> StoreError {
    StoreError::Conflict {
        name: name.clone(),
        expected,
        found,
    }
}

pub(super) fn unavailable(reason: impl Into<Arc<str>>) -> StoreError {
    StoreError::Unavailable {
        reason: reason.into(),
    }
}

fn store_error(name: &RecordName, error: BackendError) -> StoreError {
    match error {
        BackendError::Damaged { reason } => StoreError::Unreadable {
            name: name.clone(),
            reason,
        },
        BackendError::Unavailable { reason } => StoreError::Unavailable { reason },
        error @ BackendError::Conflict { .. } => unavailable(error.to_string()),
    }
}
