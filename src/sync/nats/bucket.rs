//! The bucket as a backend.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::{self, DiscardPolicy, LastRawMessageErrorKind, StorageType};
use futures_util::StreamExt;
use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::builder::BucketBuilder;
use super::entry::{self, Entry, OPERATION, REMOVED, REVISION};
use super::known::Known;
use super::link::Link;
use super::watch;
use crate::store::backend::{Backend, BackendError, BackendFuture, Blob};
use crate::store::feed::Feed;
use crate::store::{Changes, Revision, Slot};
use crate::sync::engine::{Task, explain};

/// Said where it is not known whether a write was done.
const DOUBT: &str = "; the write may have taken effect";

/// Bytes under slots in a key-value bucket of NATS JetStream; clones share its connection. See the
/// [module](super) for what it guarantees and needs.
///
/// - A value must fit a message of the server with about 200 bytes to spare: 1 MiB unless
///   `max_payload` says otherwise. What is larger is refused before it is sent.
/// - A slot that was emptied leaves a marker of about 200 bytes in the bucket; `nats kv compact`
///   clears them.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    link: Arc<Link>,
    store: Store,
    known: Known,
    feed: Feed,
    watcher: OnceLock<Task>,
    runtime: Handle,
}

impl Bucket {
    /// Begins with where the servers are: `nats://user:password@host:port`,
    /// `nats://token@host:port` or `tls://...`, several of one cluster with commas between. The
    /// port is 4222 unless it is named; the first user or token is used for all. With `tls` the
    /// connection is always encrypted, with `nats` if the server requires it; the server's
    /// certificate is checked either way.
    pub fn builder(address: impl Into<SecretString>) -> BucketBuilder {
        BucketBuilder::new(address.into())
    }

    pub(super) async fn open(link: Link, wanted: &BucketBuilder) -> Result<Self, BackendError> {
        let deadline = link.deadline();
        let store = link.call(deadline, "", find(&link, wanted)).await?;
        let inner = Inner {
            name: wanted.name.clone(),
            link: Arc::new(link),
            store,
            known: Known::default(),
            feed: Feed::default(),
            watcher: OnceLock::new(),
            runtime: Handle::current(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }
}

/// The bucket, made if it is not there.
async fn find(link: &Link, wanted: &BucketBuilder) -> Result<Store, BackendError> {
    let name = &wanted.name;
    let found = match link.context.get_key_value(name).await {
        Ok(store) => store,
        Err(_) => {
            let made = link.context.create_stream(stream(wanted)).await;
            // Another process may have made it meanwhile, with other replicas: it is there, then.
            let found = link.context.get_key_value(name).await;
            found.map_err(|missing| {
                let why = made
                    .err()
                    .map_or_else(|| explain(&missing), |it| explain(&it));
                BackendError::unavailable(format!(
                    "bucket {name} of {} cannot be opened: {why}",
                    link.place
                ))
            })?
        }
    };
    let config = &found.stream.cached_info().config;
    if !config.max_age.is_zero() {
        return Err(BackendError::unavailable(format!(
            "bucket {name} lets values expire after {:?}: records would be lost; set its TTL to 0",
            config.max_age
        )));
    }
    if config.storage == StorageType::Memory {
        tracing::warn!(bucket = name, "the bucket is kept in memory, not on disks");
    }
    if config.num_replicas < wanted.replicas {
        tracing::warn!(
            bucket = name,
            there = config.num_replicas,
            wanted = wanted.replicas,
            "the bucket has fewer replicas; it was left as it is"
        );
    }
    Ok(found)
}

/// What makes a stream a bucket, by the convention of NATS. Asked for directly: the client's own
/// way asks the server about the account first, in a form that servers before 2.10 do not answer.
fn stream(wanted: &BucketBuilder) -> stream::Config {
    stream::Config {
        name: format!("KV_{}", wanted.name),
        description: Some("sessions of moorline".into()),
        subjects: vec![format!("$KV.{}.>", wanted.name)],
        max_messages_per_subject: 1,
        max_bytes: -1,
        max_messages: -1,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: wanted.replicas,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..stream::Config::default()
    }
}

/// How the server answered a write.
enum Written {
    /// It stands, as this message.
    At(u64),
    /// Something else came first.
    Overtaken,
}

impl Inner {
    fn subject(&self, key: &str) -> String {
        format!("{}{key}", self.store.prefix)
    }

    fn unavailable(&self, what: &str, error: &(dyn std::error::Error + 'static)) -> BackendError {
        BackendError::unavailable(format!("{what}: {}: {}", self.link.place, explain(error)))
    }

    async fn read(&self, deadline: Instant, slot: Slot) -> Result<Entry, BackendError> {
        let subject = self.subject(&entry::key(slot));
        let reading = async {
            // Asked of the leader: a replica may be behind.
            let stream = &self.store.stream;
            match stream.get_last_raw_message_by_subject(&subject).await {
                Ok(message) => Ok(Entry::read(&message)),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                    Ok(Entry::Empty { sequence: 0 })
                }
                Err(error) => Err(self.unavailable("a record could not be read", &error)),
            }
        };
        let entry = self.link.call(deadline, "", reading).await?;
        if let Ok((sequence, revision)) = entry.state(slot) {
            self.known.note(slot, revision, sequence);
        }
        Ok(entry)
    }

    /// Replaces the message `sequence` (0: none) under a key.
    async fn write(
        &self,
        deadline: Instant,
        key: &str,
        mut headers: HeaderMap,
        value: Vec<u8>,
        sequence: u64,
    ) -> Result<Written, BackendError> {
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, sequence.to_string());
        let (length, context) = (value.len(), &self.link.context);
        let writing = async {
            let sent = context.publish_with_headers(self.subject(key), headers, value.into());
            let error = match sent.await {
                Ok(acknowledged) => match acknowledged.await {
                    Ok(at) => return Ok(Written::At(at.sequence)),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            Err(match error.kind() {
                PublishErrorKind::WrongLastSequence => return Ok(Written::Overtaken),
                PublishErrorKind::MaxPayloadExceeded => BackendError::unavailable(format!(
                    "the record has {length} bytes; a message of {} has at most {} with its \
                     headers (`max_payload`)",
                    self.link.place,
                    self.link.largest()
                )),
                _ => BackendError::unavailable(format!(
                    "a write failed: {}: {}{DOUBT}",
                    self.link.place,
                    explain(&error)
                )),
            })
        };
        self.link.call(deadline, DOUBT, writing).await
    }

    /// Replaces what has the revision `expected` by a message.
    async fn swap(
        &self,
        slot: Slot,
        expected: Revision,
        message: impl Fn() -> (HeaderMap, Vec<u8>),
        becomes: Revision,
    ) -> Result<(), BackendError> {
        let deadline = self.link.deadline();
        let mut known = self.known.take(slot, expected);
        loop {
            let sequence = match known.take() {
                Some(sequence) => sequence,
                None => {
                    let entry = self.read(deadline, slot).await?;
                    let (sequence, found) = entry.state(slot)?;
                    if found != expected {
                        return Err(BackendError::Conflict { found });
                    }
                    sequence
                }
            };
            let (headers, value) = message();
            let key = entry::key(slot);
            match self.write(deadline, &key, headers, value, sequence).await? {
                Written::At(sequence) => {
                    self.known.note(slot, becomes, sequence);
                    return Ok(());
                }
                // By another revision, or by the same one written anew: look.
                Written::Overtaken => {}
            }
        }
    }

    async fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> Result<(), BackendError> {
        let value = entry::encode(&blob);
        let message = || {
            let mut headers = HeaderMap::new();
            headers.insert(REVISION, blob.revision.number().to_string());
            (headers, value.clone())
        };
        self.swap(slot, expected, message, blob.revision).await
    }

    async fn remove(&self, slot: Slot, expected: Revision) -> Result<(), BackendError> {
        if expected == Revision::NONE {
            let entry = self.read(self.link.deadline(), slot).await?;
            return match entry.state(slot)? {
                (_, Revision::NONE) => Ok(()),
                (_, found) => Err(BackendError::Conflict { found }),
            };
        }
        let message = || (removal(), Vec::new());
        self.swap(slot, expected, message, Revision::NONE).await
    }

    async fn set_aside(&self, slot: Slot) -> Result<Option<String>, BackendError> {
        let deadline = self.link.deadline();
        loop {
            let (sequence, value) = match self.read(deadline, slot).await? {
                Entry::Empty { .. } => return Ok(None),
                Entry::Value { sequence, blob } => (sequence, entry::encode(&blob)),
                Entry::Damaged {
                    sequence, value, ..
                } => (sequence, value),
            };
            // First the copy: what is interrupted between leaves both, and is done again. That
            // the copy is there already is as good.
            let aside = entry::aside_key(slot, sequence);
            let copy = self.write(deadline, &aside, HeaderMap::new(), value, 0);
            copy.await?;
            let key = entry::key(slot);
            let removed = self.write(deadline, &key, removal(), Vec::new(), sequence);
            if let Written::At(sequence) = removed.await? {
                self.known.note(slot, Revision::NONE, sequence);
                return Ok(Some(format!("{aside} in bucket {}", self.name)));
            }
        }
    }

    async fn list(&self) -> Result<Vec<Slot>, BackendError> {
        let listing = async {
            let keys = self.store.keys().await;
            keys.map_err(|error| self.unavailable("records could not be listed", &error))
        };
        let mut keys = self.link.call(self.link.deadline(), "", listing).await?;
        let mut slots = BTreeSet::new();
        loop {
            // Every key has its own time: how long a list takes follows from how long it is.
            let next = async {
                let key = keys.next().await.transpose();
                key.map_err(|error| self.unavailable("records could not be listed", &error))
            };
            match self.link.call(self.link.deadline(), "", next).await? {
                Some(key) => slots.extend(entry::slot(&key)),
                None => return Ok(slots.into_iter().collect()),
            }
        }
    }
}

/// The headers of a removal. Without a revision: those that follow may begin again.
fn removal() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(OPERATION, REMOVED);
    headers
}

impl Backend for Bucket {
    fn describe(&self) -> String {
        format!("bucket {} of {}", self.inner.name, self.inner.link.place)
    }

    fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>> {
        Box::pin(async move {
            let deadline = self.inner.link.deadline();
            match self.inner.read(deadline, slot).await? {
                Entry::Empty { .. } => Ok(None),
                Entry::Value { blob, .. } => Ok(Some(blob)),
                Entry::Damaged { reason, .. } => Err(entry::damaged(slot, reason)),
            }
        })
    }

    fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(self.inner.put(slot, blob, expected))
    }

    fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>> {
        Box::pin(self.inner.set_aside(slot))
    }

    fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(self.inner.remove(slot, expected))
    }

    fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
        Box::pin(self.inner.list())
    }

    fn changes(&self) -> Option<Changes> {
        let inner = &self.inner;
        let changes = inner.feed.listen();
        inner.watcher.get_or_init(|| {
            let work = watch::watch(inner.link.clone(), inner.store.clone(), inner.feed.clone());
            Task::spawn(&inner.runtime, work)
        });
        Some(changes)
    }
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bucket").field(&self.describe()).finish()
    }
}
