//! The highest revision seen of each record, kept apart from the store.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use super::{KeyError, KeyFuture, blocking};
use crate::store::backend::{Slot, create_private, create_private_folder, lock};

/// Remembers the highest revision of each record, so that an old record put in place of a newer
/// one is noticed. Worth something only where whoever can change the store cannot change this.
pub trait Marks: Send + Sync {
    /// The highest revision remembered; 0 if none is.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`].
    fn highest(&self, slot: Slot) -> KeyFuture<'_, u64>;

    /// Remembers a revision, unless a higher one is remembered.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`].
    fn raise(&self, slot: Slot, revision: u64) -> KeyFuture<'_, ()>;

    /// Forgets a record that was removed for good.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unavailable`].
    fn forget(&self, slot: Slot) -> KeyFuture<'_, ()>;
}

/// Marks in a folder, one small file a record. Not flushed to the disk at once: a crash can lose
/// the last raise, never one that was there before.
#[derive(Clone, Debug)]
pub struct MarkFolder {
    folder: PathBuf,
}

impl MarkFolder {
    /// Marks in `folder`, made when first written to. It should not lie in the folder of the
    /// store.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    fn path(&self, slot: Slot) -> PathBuf {
        self.folder.join(slot.to_string())
    }

    fn read(&self, slot: Slot) -> Result<u64, KeyError> {
        let path = self.path(slot);
        match fs::read_to_string(&path) {
            // A mark that is not whole says nothing.
            Ok(text) => Ok(text.trim().parse().unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    fn write(&self, slot: Slot, revision: u64) -> Result<(), KeyError> {
        create_private_folder(&self.folder)
            .map_err(|error| failed("made", &self.folder, &error))?;
        let _lock = lock(&self.folder.join("lock")).map_err(KeyError::unavailable)?;
        if self.read(slot)? >= revision {
            return Ok(());
        }
        let path = self.path(slot);
        let beside = path.with_extension("tmp");
        let _left = fs::remove_file(&beside);
        create_private(&beside)
            .and_then(|mut file| writeln!(file, "{revision}"))
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(|error| failed("written", &path, &error))
    }
}

fn failed(what: &str, path: &std::path::Path, error: &io::Error) -> KeyError {
    KeyError::unavailable(format!("{} cannot be {what}: {error}", path.display()))
}

impl Marks for MarkFolder {
    fn highest(&self, slot: Slot) -> KeyFuture<'_, u64> {
        let marks = self.clone();
        Box::pin(blocking(move || marks.read(slot)))
    }

    fn raise(&self, slot: Slot, revision: u64) -> KeyFuture<'_, ()> {
        let marks = self.clone();
        Box::pin(blocking(move || marks.write(slot, revision)))
    }

    fn forget(&self, slot: Slot) -> KeyFuture<'_, ()> {
        let marks = self.clone();
        Box::pin(blocking(move || {
            let path = marks.path(slot);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(failed("removed", &path, &error))
                }
                _ => Ok(()),
            }
        }))
    }
}
