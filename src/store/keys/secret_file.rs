//! One file that holds key sets, made and changed by one process at a time.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::{KeyError, KeyId, KeySet};
use crate::store::backend::{create_private, create_private_folder, lock, sync_folder};

/// Makes a type with a `file` and perhaps `marks` a source of keys.
macro_rules! key_source_in_file {
    ($source:ident, $description:literal) => {
        impl KeySource for $source {
            fn describe(&self) -> String {
                format!($description, self.path().display())
            }

            fn load(&self) -> KeyFuture<'_, Option<KeySet>> {
                let source = self.clone();
                Box::pin(blocking(move || source.file.read(&source)))
            }

            fn create(&self) -> KeyFuture<'_, KeySet> {
                let source = self.clone();
                Box::pin(blocking(move || source.file.create(&source)))
            }

            fn replace(&self, expected: KeyId, next: KeySet) -> KeyFuture<'_, KeySet> {
                let source = self.clone();
                Box::pin(blocking(move || {
                    source.file.exchange(expected, &next, &source)
                }))
            }

            fn marks(&self) -> Option<&dyn Marks> {
                self.marks.as_ref().map(|marks| marks as &dyn Marks)
            }
        }
    };
}
pub(super) use key_source_in_file;

/// Between a key set and the text that stands in the file.
pub(super) trait Writing {
    /// Reads the text.
    fn read(&self, text: &SecretString) -> Result<KeySet, KeyError>;
    /// Makes the text.
    fn write(&self, keys: &KeySet) -> Result<SecretString, KeyError>;
}

/// A file that only its owner may read or write (mode 0600) from its first moment on.
#[derive(Clone, Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
}

impl SecretFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys; `None` if there is no file.
    pub(super) fn read(&self, writing: &impl Writing) -> Result<Option<KeySet>, KeyError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => SecretString::from(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(KeyError::unusable(format!(
                    "{} is not text",
                    self.path.display()
                )));
            }
            Err(error) => return Err(self.failed("read", &error)),
        };
        self.check_mode()?;
        writing.read(&text).map(Some)
    }

    /// A key that others can read is no secret.
    #[cfg(unix)]
    fn check_mode(&self) -> Result<(), KeyError> {
        use std::os::unix::fs::PermissionsExt;
        let metadata = fs::metadata(&self.path).map_err(|error| self.failed("read", &error))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::unusable(format!(
                "{} can be read or written by others (mode {mode:03o}): make it 600, and new keys \
                 if somebody may have read it",
                self.path.display()
            )));
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn check_mode(&self) -> Result<(), KeyError> {
        Ok(())
    }

    /// Makes new keys unless there are some; of all that try at once exactly one does.
    pub(super) fn create(&self, writing: &impl Writing) -> Result<KeySet, KeyError> {
        if let Some(keys) = self.read(writing)? {
            return Ok(keys);
        }
        create_private_folder(&self.folder()).map_err(|error| self.failed("written", &error))?;
        let _lock = self.lock()?;
        if let Some(keys) = self.read(writing)? {
            return Ok(keys);
        }
        let keys = KeySet::generate()?;
        // A link never replaces a file: even where locks do not work the first one stays.
        let placed = self.put(&writing.write(&keys)?, |beside| {
            fs::hard_link(beside, &self.path)
        });
        match placed {
            Ok(()) => Ok(keys),
            Err(error) => self.read(writing)?.ok_or(error),
        }
    }

    /// Puts `next` in place of the keys whose current one is `expected`.
    pub(super) fn exchange(
        &self,
        expected: KeyId,
        next: &KeySet,
        writing: &impl Writing,
    ) -> Result<KeySet, KeyError> {
        let _lock = self.lock()?;
        let present = self.read(writing)?.ok_or_else(|| {
            KeyError::unavailable(format!("{} is not there", self.path.display()))
        })?;
        if present.current() != expected {
            return Ok(present);
        }
        let text = writing.write(next)?;
        self.put(&text, |beside| fs::rename(beside, &self.path))?;
        Ok(next.clone())
    }

    /// Writes the whole file beside and lets `place` put it where it belongs.
    fn put(
        &self,
        text: &SecretString,
        place: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), KeyError> {
        let beside = self.beside(&format!("{}.tmp", std::process::id()));
        let _left = fs::remove_file(&beside);
        let written = create_private(&beside).and_then(|mut file| {
            file.write_all(text.expose_secret().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            place(&beside)
        });
        let _gone = fs::remove_file(&beside);
        written
            .and_then(|()| sync_folder(&self.folder()))
            .map_err(|error| self.failed("written", &error))
    }

    fn lock(&self) -> Result<crate::store::backend::Lock, KeyError> {
        lock(&self.beside("lock")).map_err(KeyError::unavailable)
    }

    fn folder(&self) -> PathBuf {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// A file beside it.
    pub(super) fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(extension);
        name.into()
    }

    fn failed(&self, what: &str, error: &io::Error) -> KeyError {
        KeyError::unavailable(format!("{} cannot be {what}: {error}", self.path.display()))
    }
}
