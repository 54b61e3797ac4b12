//! One file a record, in a folder that several processes may share.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::fs::{FileSystem, RealFs, create_private_folder};
use super::lock::Lock;
use super::watch::Watcher;
use super::{Backend, BackendError, BackendFuture, Blob, Slot, blocking};
use crate::store::{Changes, Revision};

/// What every file begins with; the revision follows in eight bytes, then what was written.
const MAGIC: &[u8; 8] = b"MOORREC1";
const HEADER: usize = MAGIC.len() + 8;
/// No record comes near this. A larger file is none of ours.
const LARGEST: usize = 16 * 1024 * 1024;

const RECORD: &str = "rec";
const TEMPORARY: &str = "tmp";
const ASIDE: &str = "aside";

/// Distinguishes the temporary files of one process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Keeps each record in a file of its own: written beside, flushed to the disk, then put in place
/// in one step, so that a crash at any moment leaves the old bytes or the new. Files are readable
/// by their owner only. Processes that share the folder are kept in order by advisory locks: use a
/// file system that has them (most network file systems do not, or not reliably).
///
/// [`changes`](Backend::changes) tells what any process writes into the folder. Linux says so by
/// itself; elsewhere, or where it refuses (too many watches), the folder is looked at every 500 ms.
/// It costs one thread as long as anybody listens.
#[derive(Clone)]
pub struct Files {
    inner: Arc<Inner>,
    /// How often to look for changes, instead of waiting to be told.
    interval: Option<Duration>,
}

struct Inner {
    folder: PathBuf,
    locks: PathBuf,
    fs: Box<dyn FileSystem>,
    watcher: Watcher,
}

impl Files {
    /// The records in `folder`, which is made if it is not there (readable by its owner only).
    /// Temporary files that a crash left behind are removed.
    ///
    /// Blocks for a moment.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`] if the folder cannot be made or read.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, BackendError> {
        Self::with_fs(folder.into(), Box::new(RealFs))
    }

    fn with_fs(folder: PathBuf, fs: Box<dyn FileSystem>) -> Result<Self, BackendError> {
        let locks = folder.join("locks");
        create_private_folder(&locks).map_err(|error| failed("made", &locks, &error))?;
        let inner = Inner {
            folder,
            locks,
            fs,
            watcher: Watcher::default(),
        };
        inner.sweep()?;
        Ok(Self {
            inner: Arc::new(inner),
            interval: None,
        })
    }

    /// Has [`changes`](Backend::changes) look at the folder this often (at least every
    /// millisecond) instead of waiting to be told, for file systems where nobody says what other
    /// computers write. Counts from the first listener on. Default: only where the operating system
    /// does not tell, every 500 ms.
    #[must_use]
    pub fn polling(mut self, interval: Duration) -> Self {
        self.interval = Some(interval.max(Duration::from_millis(1)));
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    #[cfg(test)]
    pub(super) fn watcher(&self) -> &Watcher {
        &self.inner.watcher
    }

    /// The file a slot stands in.
    pub fn path(&self, slot: Slot) -> PathBuf {
        self.inner.path(slot)
    }
}

impl Inner {
    fn path(&self, slot: Slot) -> PathBuf {
        self.folder.join(file_name(slot))
    }

    /// One of 256 locks, by the slot: writers of different records seldom meet.
    fn lock(&self, slot: Slot) -> Result<Lock, BackendError> {
        let [first, ..] = slot.as_bytes();
        let path = self.locks.join(format!("{first:02x}"));
        Lock::acquire(&path).map_err(BackendError::unavailable)
    }

    fn get(&self, slot: Slot) -> Result<Option<Blob>, BackendError> {
        let path = self.path(slot);
        let bytes = self.fs.read(&path);
        let bytes = bytes.map_err(|error| failed("read", &path, &error))?;
        bytes.map(|bytes| parse(&path, bytes)).transpose()
    }

    fn check(&self, slot: Slot, expected: Revision) -> Result<(), BackendError> {
        let found = self.get(slot)?.map(|blob| blob.revision);
        match found.unwrap_or(Revision::NONE) {
            found if found == expected => Ok(()),
            found => Err(BackendError::Conflict { found }),
        }
    }

    fn put(&self, slot: Slot, blob: &Blob, expected: Revision) -> Result<(), BackendError> {
        let _lock = self.lock(slot)?;
        self.check(slot, expected)?;
        let temporary = self.folder.join(format!(
            "{slot}.{}-{}.{TEMPORARY}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        let written = self.replace(&temporary, &self.path(slot), blob);
        if written.is_err() {
            // The next `open` removes what cannot be removed now.
            let _left = self.fs.remove(&temporary);
        }
        written
    }

    fn replace(&self, temporary: &Path, path: &Path, blob: &Blob) -> Result<(), BackendError> {
        let mut bytes = Vec::with_capacity(HEADER + blob.bytes.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&blob.revision.number().to_be_bytes());
        bytes.extend_from_slice(&blob.bytes);
        let file = self.fs.create(temporary, &bytes);
        let file = file.map_err(|error| failed("written", temporary, &error))?;
        // A flush that failed says nothing of what is on the disk: the file is given up.
        file.sync()
            .map_err(|error| failed("flushed", temporary, &error))?;
        drop(file);
        self.fs
            .rename(temporary, path)
            .map_err(|error| failed("put in place", path, &error))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.fs
            .sync_folder(&self.folder)
            .map_err(|error| failed("flushed", &self.folder, &error))
    }

    fn set_aside(&self, slot: Slot) -> Result<Option<String>, BackendError> {
        let _lock = self.lock(slot)?;
        let path = self.path(slot);
        let there = self.fs.read(&path);
        if let Ok(None) = there {
            return Ok(None);
        }
        let aside = (0_u32..)
            .map(|number| self.folder.join(format!("{slot}.{number}.{ASIDE}")))
            .find(|aside| !aside.exists())
            .ok_or_else(|| BackendError::unavailable("too many files were set aside"))?;
        self.fs
            .rename(&path, &aside)
            .map_err(|error| failed("set aside", &path, &error))?;
        self.sync()?;
        Ok(Some(aside.display().to_string()))
    }

    fn remove(&self, slot: Slot, expected: Revision) -> Result<(), BackendError> {
        let _lock = self.lock(slot)?;
        self.check(slot, expected)?;
        let path = self.path(slot);
        self.fs
            .remove(&path)
            .map_err(|error| failed("removed", &path, &error))?;
        self.sync()
    }

    fn list(&self) -> Result<Vec<Slot>, BackendError> {
        let mut slots: Vec<Slot> = self
            .names()?
            .iter()
            .filter_map(|path| slot_of(path.file_name()?.to_str()?))
            .collect();
        slots.sort_unstable();
        Ok(slots)
    }

    fn names(&self) -> Result<Vec<PathBuf>, BackendError> {
        self.fs
            .names(&self.folder)
            .map_err(|error| failed("read", &self.folder, &error))
    }

    /// Removes what writers that did not live to the end left behind. A writer that lives holds
    /// the lock of its slot.
    fn sweep(&self) -> Result<(), BackendError> {
        for path in self.names()? {
            if !has_extension(&path, TEMPORARY) {
                continue;
            }
            let slot = path.file_name().and_then(|name| name.to_str());
            let slot = slot.and_then(|name| Slot::parse(name.split('.').next()?));
            let Some(slot) = slot else { continue };
            let _lock = self.lock(slot)?;
            // Its writer may have put it in place meanwhile.
            let _gone = self.fs.remove(&path);
        }
        Ok(())
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|it| it == extension)
}

/// The file a slot stands in.
pub(super) fn file_name(slot: Slot) -> String {
    format!("{slot}.{RECORD}")
}

/// The slot that stands in a file, if it is one of records.
pub(super) fn slot_of(file_name: &str) -> Option<Slot> {
    let (slot, extension) = file_name.split_once('.')?;
    (extension == RECORD).then(|| Slot::parse(slot)).flatten()
}

/// The revision of the record in a file, if there is one.
pub(super) fn revision_of(path: &Path) -> Option<Revision> {
    let mut header = [0; HEADER];
    io::Read::read_exact(&mut std::fs::File::open(path).ok()?, &mut header).ok()?;
    revision_in(&header)
}

fn revision_in(header: &[u8]) -> Option<Revision> {
    let number = header.strip_prefix(MAGIC.as_slice())?.try_into().ok()?;
    Some(Revision::new(u64::from_be_bytes(number)))
}

fn parse(path: &Path, mut bytes: Vec<u8>) -> Result<Blob, BackendError> {
    let header = bytes.get(..HEADER).filter(|_| bytes.len() <= LARGEST);
    let Some(revision) = header.and_then(revision_in) else {
        return Err(BackendError::damaged(format!(
            "{} is not a whole record file",
            path.display()
        )));
    };
    bytes.drain(..HEADER);
    Ok(Blob { revision, bytes })
}

fn failed(what: &str, path: &Path, error: &io::Error) -> BackendError {
    BackendError::unavailable(format!("{} cannot be {what}: {error}", path.display()))
}

impl Backend for Files {
    fn describe(&self) -> String {
        format!("files in {}", self.inner.folder.display())
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
        self.inner.watcher.listen(&self.inner.folder, self.interval)
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Files").field(&self.inner.folder).finish()
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
