//! All records in one `redb` database: many writes a second, one process at a time.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use super::fs::create_private_folder;
use super::{Backend, BackendError, BackendFuture, Blob, Slot, blocking};
use crate::store::feed::Feed;
use crate::store::{Change, Changes, Revision};

/// Revision and bytes.
type Value = (u64, &'static [u8]);

/// By slot.
const RECORDS: TableDefinition<'_, [u8; 32], Value> = TableDefinition::new("moorline-records-1");
/// By slot and time set aside in nanoseconds.
const ASIDE: TableDefinition<'_, ([u8; 32], u128), Value> =
    TableDefinition::new("moorline-aside-1");

/// Keeps all records in one `redb` database file, readable by its owner only. Every write is
/// flushed to the disk before it counts. The file belongs to one process at a time: a second one
/// that opens it is told so.
#[derive(Clone)]
pub struct Redb {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    database: Database,
    /// The database belongs to this process: nobody else writes.
    feed: Feed,
}

impl Redb {
    /// The database at `path`, made if it is not there.
    ///
    /// Blocks for a moment; longer if it has to be repaired after a crash.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`] if another process has it open or it cannot be made or read;
    /// [`BackendError::Damaged`] if it is no database.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, BackendError> {
        let path = path.into();
        let cannot = |error: &dyn std::fmt::Display| {
            BackendError::unavailable(format!("{} cannot be opened: {error}", path.display()))
        };
        if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            create_private_folder(folder).map_err(|error| cannot(&error))?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| cannot(&error))?;
        let database = match Database::builder().create_file(file) {
            Ok(database) => database,
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                return Err(cannot(&"another process has it open"));
            }
            Err(DatabaseError::Storage(redb::StorageError::Corrupted(why))) => {
                return Err(BackendError::damaged(format!(
                    "{} is damaged: {why}",
                    path.display()
                )));
            }
            Err(error) => return Err(cannot(&error)),
        };
        let inner = Inner {
            path,
            database,
            feed: Feed::default(),
        };
        // Makes the table, so that reading finds one.
        inner.change(|_| Ok(()))?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }
}

fn storage(error: impl std::fmt::Display) -> BackendError {
    BackendError::unavailable(format!("the database failed: {error}"))
}

type Records<'a> = redb::Table<'a, [u8; 32], Value>;

impl Inner {
    fn change<T>(
        &self,
        work: impl FnOnce(&mut Records<'_>) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let transaction = self.database.begin_write().map_err(storage)?;
        let result = {
            let mut records = transaction.open_table(RECORDS).map_err(storage)?;
            work(&mut records)?
        };
        transaction.commit().map_err(storage)?;
        Ok(result)
    }

    fn get(&self, slot: Slot) -> Result<Option<Blob>, BackendError> {
        let transaction = self.database.begin_read().map_err(storage)?;
        let records = transaction.open_table(RECORDS).map_err(storage)?;
        let found = records.get(slot.as_bytes()).map_err(storage)?;
        Ok(found.map(|found| {
            let (revision, bytes) = found.value();
            Blob {
                revision: Revision::new(revision),
                bytes: bytes.to_vec(),
            }
        }))
    }

    fn put(&self, slot: Slot, blob: &Blob, expected: Revision) -> Result<(), BackendError> {
        self.change(|records| {
            check(records, slot, expected)?;
            let value = (blob.revision.number(), blob.bytes.as_slice());
            records.insert(slot.as_bytes(), value).map_err(storage)?;
            Ok(())
        })?;
        self.tell(slot, blob.revision);
        Ok(())
    }

    fn remove(&self, slot: Slot, expected: Revision) -> Result<(), BackendError> {
        let removed = self.change(|records| {
            check(records, slot, expected)?;
            let removed = records.remove(slot.as_bytes()).map_err(storage)?;
            Ok(removed.is_some())
        })?;
        if removed {
            self.tell(slot, Revision::NONE);
        }
        Ok(())
    }

    fn tell(&self, slot: Slot, revision: Revision) {
        self.feed.tell(Change::Written { slot, revision });
    }

    fn set_aside(&self, slot: Slot) -> Result<Option<String>, BackendError> {
        let transaction = self.database.begin_write().map_err(storage)?;
        let moved = {
            let mut records = transaction.open_table(RECORDS).map_err(storage)?;
            let mut aside = transaction.open_table(ASIDE).map_err(storage)?;
            let found = records.remove(slot.as_bytes()).map_err(storage)?;
            match found {
                None => false,
                Some(found) => {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH);
                    let key = (*slot.as_bytes(), now.unwrap_or_default().as_nanos());
                    aside.insert(key, found.value()).map_err(storage)?;
                    true
                }
            }
        };
        transaction.commit().map_err(storage)?;
        if moved {
            self.tell(slot, Revision::NONE);
        }
        Ok(moved.then(|| format!("a table of its own in {}", self.path.display())))
    }

    fn list(&self) -> Result<Vec<Slot>, BackendError> {
        let transaction = self.database.begin_read().map_err(storage)?;
        let records = transaction.open_table(RECORDS).map_err(storage)?;
        let mut slots = Vec::new();
        for entry in records.iter().map_err(storage)? {
            let (slot, _) = entry.map_err(storage)?;
            slots.push(Slot::new(slot.value()));
        }
        Ok(slots)
    }
}

fn check(records: &Records<'_>, slot: Slot, expected: Revision) -> Result<(), BackendError> {
    let found = records.get(slot.as_bytes()).map_err(storage)?;
    let found = found.map_or(0, |found| found.value().0);
    match Revision::new(found) {
        found if found == expected => Ok(()),
        found => Err(BackendError::Conflict { found }),
    }
}

impl Backend for Redb {
    fn describe(&self) -> String {
        format!("redb database {}", self.inner.path.display())
    }

    fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>> {
        let inner = self.inner.clone();
        Box::pin(blocking(move || inner.get(slot)))
    }

    fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()> {
        let inner = self.inner.clone();
        Box::pin(blocking(move || inner.put(slot, &blob, expected)))
    }

    fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>> {
        let inner = self.inner.clone();
        Box::pin(blocking(move || inner.set_aside(slot)))
    }

    fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()> {
        let inner = self.inner.clone();
        Box::pin(blocking(move || inner.remove(slot, expected)))
    }

    fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
        let inner = self.inner.clone();
        Box::pin(blocking(move || inner.list()))
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.inner.feed.listen())
    }
}

impl std::fmt::Debug for Redb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Redb").field(&self.inner.path).finish()
    }
}
