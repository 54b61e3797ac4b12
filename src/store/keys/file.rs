//! Keys in a file that only its owner may read.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::secret_file::{SecretFile, Writing, key_source_in_file};
use super::{KeyError, KeyFuture, KeyId, KeySet, KeySource, MarkFolder, Marks, blocking};

/// Keys in a file of their own, readable by its owner only (mode 0600) from its first moment on.
/// Of any number of processes that start at once, exactly one makes it.
///
/// Protects the store where the two are apart: backups, other disks, a folder that is shared. Who
/// can read both can read the records.
///
/// Remembers the revisions of records in a folder beside it (`….marks`), so that an old record
/// put back is noticed as long as that folder is not put back, too.
#[derive(Clone, Debug)]
pub struct KeyFile {
    file: SecretFile,
    marks: Option<MarkFolder>,
}

impl KeyFile {
    /// The file at `path`; made when keys are first needed, with the folders above it.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let file = SecretFile::new(path.into());
        Self {
            marks: Some(MarkFolder::new(file.beside("marks"))),
            file,
        }
    }

    /// Remembers no revisions: one file write less each time a record is written.
    #[must_use]
    pub fn without_marks(mut self) -> Self {
        self.marks = None;
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

impl Writing for KeyFile {
    fn read(&self, text: &SecretString) -> Result<KeySet, KeyError> {
        KeySet::parse(text)
            .map_err(|error| KeyError::unusable(format!("{}: {error}", self.path().display())))
    }

    fn write(&self, keys: &KeySet) -> Result<SecretString, KeyError> {
        keys.to_text()
    }
}

key_source_in_file!(KeyFile, "the key file {}");
