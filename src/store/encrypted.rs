//! Records sealed with AES-256-GCM, on any backend.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::backend::{Backend, BackendError, Blob, Files, Slot};
use super::draft::Draft;
use super::envelope::{self, Content};
use super::keys::{KeyError, KeyId, KeySet, KeySource};
use super::records::{Entry, Protection, Records, Refusal, store_on_records, unavailable};
use super::seal::{self, Cipher, Head, Place};
use super::{Record, RecordName, Revision, StoreError, StoreFuture, Stored, Tombstone};

/// Keeps records sealed: AES-256-GCM with a fresh nonce each write, bound to the application, the
/// record, the envelope's version and the revision. What the backend sees tells neither names nor
/// accounts; it tells how many records there are, how long each is and when it was written.
///
/// - A record that does not open (damaged, changed, moved, sealed with a key that is not there,
///   written by a later version) is [`Unreadable`](StoreError::Unreadable) and stays as it is.
/// - Keys that cannot be had right now make calls [`Unavailable`](StoreError::Unavailable): nothing
///   is deleted or written over, and no new key is made while there are records.
/// - An old record put in place of a newer one is noticed if the source of the keys
///   [remembers revisions](KeySource::marks); [`detects_replay`](Self::detects_replay) tells.
///
/// ```no_run
/// use moorline::store::{FileStore, KeyFile};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = FileStore::open("/var/lib/shop/sessions", KeyFile::new("/etc/shop/session.key"), "shop")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EncryptedStore<B> {
    records: Arc<Records<B, Sealed>>,
}

/// Sealed records in files, one a record.
pub type FileStore = EncryptedStore<Files>;

/// Sealed records in one `redb` database.
#[cfg(feature = "redb")]
pub type RedbStore = EncryptedStore<super::backend::Redb>;

impl FileStore {
    /// Sealed records in `folder`, made if it is not there. Keys are fetched when first needed.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the folder cannot be made or read.
    pub fn open(
        folder: impl Into<PathBuf>,
        keys: impl KeySource,
        application: impl Into<Arc<str>>,
    ) -> Result<Self, BackendError> {
        Ok(Self::new(Files::open(folder)?, keys, application))
    }
}

/// What a change of keys did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rotation {
    /// The key that seals now.
    pub key: Option<KeyId>,
    /// How many records were sealed anew.
    pub rewritten: usize,
    /// Where records stand that could not be read, and why; they were left as they are.
    pub unreadable: Vec<(Slot, Arc<str>)>,
}

impl<B: Backend> EncryptedStore<B> {
    /// Sealed records on `backend`. `application` names who they belong to: another application
    /// with the same keys cannot open them. It must stay the same.
    pub fn new(backend: B, keys: impl KeySource, application: impl Into<Arc<str>>) -> Self {
        let protection = Sealed {
            application: application.into(),
            source: Box::new(keys),
            keys: RwLock::new(None),
        };
        Self {
            records: Arc::new(Records {
                backend,
                protection,
            }),
        }
    }

    /// What carries the bytes.
    pub fn backend(&self) -> &B {
        &self.records.backend
    }

    /// Where keys come from, in a few words.
    pub fn key_source(&self) -> String {
        self.records.protection.source.describe()
    }

    /// Whether an old record put in place of a newer one is noticed.
    pub fn detects_replay(&self) -> bool {
        self.records.protection.source.marks().is_some()
    }

    /// Everything that stands in the store, readable or not. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the store or the keys cannot be had right now.
    pub async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        self.records.entries().await
    }

    /// Removes a record for good, tombstone and all, if it has the revision `expected`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] if it has another; [`StoreError::Unavailable`].
    pub async fn purge(&self, name: &RecordName, expected: Revision) -> Result<(), StoreError> {
        self.records.purge(name, expected).await
    }

    /// Makes a new key and seals every record with it. Other processes may go on using the store:
    /// they fetch the new key when they meet it. Earlier keys are kept, so that what could not be
    /// read now can be read later; [`retire_keys`](Self::retire_keys) ends them.
    ///
    /// Cancel safe: what is not rewritten stays under its old key; call it again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if the store or the keys cannot be had or changed.
    pub async fn rotate_key(&self) -> Result<Rotation, StoreError> {
        let sealed = &self.records.protection;
        let present = sealed.ready(&self.records.backend).await?;
        let next = present.set.rotated().map_err(key_error)?;
        let replaced = sealed.source.replace(present.set.current(), next).await;
        let keys = sealed.keep(replaced.map_err(key_error)?);
        let mut rotation = Rotation {
            key: Some(keys.set.current()),
            ..Rotation::default()
        };
        for slot in self.records.slots().await? {
            match self.reseal(&keys, slot).await? {
                Resealed::Done => rotation.rewritten += 1,
                Resealed::NotNeeded => {}
                Resealed::Unreadable(reason) => rotation.unreadable.push((slot, reason)),
            }
        }
        Ok(rotation)
    }

    /// Forgets earlier keys if no record needs them, and says how many those were.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] with the first record that still needs one, or does not say
    /// which it needs; [`StoreError::Unavailable`].
    pub async fn retire_keys(&self) -> Result<usize, StoreError> {
        let sealed = &self.records.protection;
        let present = sealed.ready(&self.records.backend).await?;
        let current = present.set.current();
        for slot in self.records.slots().await? {
            let needs = match self.records.backend.get(slot).await {
                Ok(None) => continue,
                Ok(Some(blob)) => Head::read(&blob.bytes).map(|head| head.key),
                Err(BackendError::Damaged { reason }) => Err(reason.to_string()),
                Err(error) => return Err(unavailable(error.to_string())),
            };
            let reason = match needs {
                Ok(key) if key == current => continue,
                Ok(key) => format!("it is sealed with the earlier key {key}"),
                Err(reason) => reason,
            };
            return Err(StoreError::Unreadable {
                name: slot.to_string().into(),
                reason: reason.into(),
            });
        }
        let retired = present.set.ids().count().saturating_sub(1);
        if retired > 0 {
            let next = present.set.without_earlier();
            let replaced = sealed.source.replace(current, next).await;
            sealed.keep(replaced.map_err(key_error)?);
        }
        Ok(retired)
    }

    async fn reseal(&self, keys: &Arc<Keys>, slot: Slot) -> Result<Resealed, StoreError> {
        let (backend, sealed) = (&self.records.backend, &self.records.protection);
        // Somebody else may write it meanwhile: then what they wrote is looked at.
        loop {
            let blob = match backend.get(slot).await {
                Ok(None) => return Ok(Resealed::NotNeeded),
                Ok(Some(blob)) => blob,
                Err(BackendError::Damaged { reason }) => return Ok(Resealed::Unreadable(reason)),
                Err(error) => return Err(unavailable(error.to_string())),
            };
            match Head::read(&blob.bytes) {
                Ok(head) if head.key == keys.set.current() => return Ok(Resealed::NotNeeded),
                Ok(_) => {}
                Err(reason) => return Ok(Resealed::Unreadable(reason.into())),
            }
            let found = blob.revision;
            let (name, content) = match self.records.open(keys, slot, blob).await {
                Ok(opened) => opened,
                Err(Refusal::Unreadable(reason)) => {
                    return Ok(Resealed::Unreadable(reason.into()));
                }
                Err(Refusal::Store(error)) => return Err(error),
            };
            let revision = found.next();
            let encode = |to: &mut Draft| envelope::encode(&name, &content, None, to);
            let bytes = sealed.wrap(keys, slot, revision, encode);
            let bytes = bytes.map_err(unavailable)?;
            match backend.put(slot, Blob { revision, bytes }, found).await {
                Ok(()) => {
                    sealed.note(slot, revision).await?;
                    return Ok(Resealed::Done);
                }
                Err(BackendError::Conflict { .. }) => {}
                Err(error) => return Err(unavailable(error.to_string())),
            }
        }
    }
}

enum Resealed {
    Done,
    NotNeeded,
    Unreadable(Arc<str>),
}

store_on_records!(EncryptedStore);

impl<B: Backend> std::fmt::Debug for EncryptedStore<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncryptedStore")
            .field("backend", &self.records.backend.describe())
            .field("keys", &self.key_source())
            .finish_non_exhaustive()
    }
}

/// Sealing, with keys from a source.
struct Sealed {
    application: Arc<str>,
    source: Box<dyn KeySource>,
    /// Kept once they were fetched.
    keys: RwLock<Option<Arc<Keys>>>,
}

/// Keys that are ready for use.
struct Keys {
    set: KeySet,
    ciphers: Vec<(KeyId, Cipher)>,
    /// HMAC that has taken in the key and the application; every name goes on from there.
    names: Option<Hmac<Sha256>>,
}

impl Keys {
    fn cipher(&self, id: KeyId) -> Option<&Cipher> {
        let found = self.ciphers.iter().find(|(it, _)| *it == id);
        found.map(|(_, cipher)| cipher)
    }
}

impl Sealed {
    fn keep(&self, set: KeySet) -> Arc<Keys> {
        let ciphers = set
            .keys()
            .map(|(id, key)| (id, Cipher::new(key.as_bytes())));
        // HMAC takes keys of any length: there always is one.
        let mut names = Hmac::<Sha256>::new_from_slice(set.names().as_bytes()).ok();
        if let Some(names) = &mut names {
            names.update(&(self.application.len() as u64).to_be_bytes());
            names.update(self.application.as_bytes());
        }
        let keys = Arc::new(Keys {
            ciphers: ciphers.collect(),
            set,
            names,
        });
        let mut kept = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(keys.clone());
        keys
    }

    /// Keys with the key `id`: those at hand, or, as another process may have made it since,
    /// those of the source.
    async fn keys_with(&self, keys: &Arc<Keys>, id: KeyId) -> Result<Arc<Keys>, Refusal> {
        if keys.cipher(id).is_some() {
            return Ok(keys.clone());
        }
        let fetched = self.source.load().await;
        let fetched = fetched.map_err(|error| Refusal::Store(key_error(error)))?;
        let keys = fetched.map(|set| self.keep(set));
        keys.filter(|keys| keys.cipher(id).is_some())
            .ok_or_else(|| self.no_such_key(id))
    }

    fn no_such_key(&self, id: KeyId) -> Refusal {
        Refusal::Unreadable(format!(
            "it is sealed with the key {id}, which {} does not have",
            self.source.describe()
        ))
    }

    async fn mark(&self, slot: Slot) -> Result<u64, StoreError> {
        match self.source.marks() {
            Some(marks) => marks.highest(slot).await.map_err(key_error),
            None => Ok(0),
        }
    }
}

impl Protection for Sealed {
    type Ready = Arc<Keys>;

    const SEALS: bool = true;

    async fn ready(&self, backend: &dyn Backend) -> Result<Arc<Keys>, StoreError> {
        let kept = self
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(keys) = kept {
            return Ok(keys);
        }
        if let Some(set) = self.source.load().await.map_err(key_error)? {
            return Ok(self.keep(set));
        }
        let slots = backend.list().await;
        let slots = slots.map_err(|error| unavailable(error.to_string()))?;
        if !slots.is_empty() {
            // Another process may have made the key and written a record just now. Records come
            // after their key: it is there by now, or it is lost.
            if let Some(set) = self.source.load().await.map_err(key_error)? {
                return Ok(self.keep(set));
            }
            return Err(unavailable(format!(
                "{} holds no key, and {} records wait for theirs: bring it back, or move the \
                 records away",
                self.source.describe(),
                slots.len()
            )));
        }
        let set = self.source.create().await.map_err(key_error)?;
        Ok(self.keep(set))
    }

    fn slot(&self, keys: &Arc<Keys>, name: &RecordName) -> Slot {
        let mut slot = [0; 32];
        if let Some(mut names) = keys.names.clone() {
            names.update(name.as_str().as_bytes());
            slot = names.finalize().into_bytes().into();
        }
        Slot::new(slot)
    }

    fn wrap(
        &self,
        keys: &Arc<Keys>,
        slot: Slot,
        revision: Revision,
        write: impl FnOnce(&mut Draft) -> Result<(), String>,
    ) -> Result<Vec<u8>, String> {
        let id = keys.set.current();
        let cipher = keys
            .cipher(id)
            .ok_or_else(|| "there is no key".to_owned())?;
        let place = Place {
            application: &self.application,
            slot,
            revision: revision.number(),
        };
        seal::seal(cipher, id, envelope::VERSION, place, write)
    }

    async fn unwrap(
        &self,
        keys: &Arc<Keys>,
        slot: Slot,
        blob: Blob,
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let head = Head::read(&blob.bytes).map_err(Refusal::Unreadable)?;
        if head.schema > envelope::VERSION {
            return Err(Refusal::Unreadable(format!(
                "it was written by a later version (envelope version {}; this one knows up to {})",
                head.schema,
                envelope::VERSION
            )));
        }
        let keys = self.keys_with(keys, head.key).await?;
        let cipher = keys
            .cipher(head.key)
            .ok_or_else(|| self.no_such_key(head.key))?;
        let place = Place {
            application: &self.application,
            slot,
            revision: blob.revision.number(),
        };
        let plain = seal::open(cipher, head, place, blob.bytes).map_err(Refusal::Unreadable)?;
        let seen = self.mark(slot).await.map_err(Refusal::Store)?;
        if head.revision < seen {
            return Err(Refusal::Unreadable(format!(
                "an old record was put in its place: this is revision {}, and {seen} was seen",
                head.revision
            )));
        }
        if head.revision > seen {
            let noted = self.note(slot, blob.revision).await;
            noted.map_err(Refusal::Store)?;
        }
        Ok(plain)
    }

    async fn floor(&self, slot: Slot) -> Result<Revision, StoreError> {
        self.mark(slot).await.map(Revision::new)
    }

    async fn note(&self, slot: Slot, revision: Revision) -> Result<(), StoreError> {
        match self.source.marks() {
            Some(marks) => marks
                .raise(slot, revision.number())
                .await
                .map_err(key_error),
            None => Ok(()),
        }
    }

    async fn forget(&self, slot: Slot) -> Result<(), StoreError> {
        match self.source.marks() {
            Some(marks) => marks.forget(slot).await.map_err(key_error),
            None => Ok(()),
        }
    }
}

/// No key is no fault of a record.
fn key_error(error: KeyError) -> StoreError {
    unavailable(error.to_string())
}
