//! Keys in a file that a passphrase opens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::secret_file::{SecretFile, Writing, key_source_in_file};
use super::{KeyError, KeyFuture, KeyId, KeySet, KeySource, MarkFolder, Marks, blocking};
use crate::store::seal::Cipher;

/// What is bound to the sealed keys.
const PURPOSE: &[u8] = b"moorline passphrase keys 1";
/// More memory than this is a mistake or an attack, not a setting (in KiB).
const MOST_MEMORY: u32 = 4 * 1024 * 1024;
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 64;

/// Keys in a file of their own, sealed with a key made from a passphrase by Argon2id (RFC 9106;
/// 64 MiB, three passes, one lane, unless set otherwise). The passphrase is asked for by the
/// application; without it neither the file nor a copy of it opens a record.
///
/// Remembers the revisions of records as [`KeyFile`](super::KeyFile) does.
#[derive(Clone)]
pub struct PassphraseKeys {
    file: SecretFile,
    passphrase: Arc<SecretString>,
    effort: Effort,
    marks: Option<MarkFolder>,
}

/// What a guess of the passphrase costs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Effort {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What stands in the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u8,
    argon2id: Effort,
    salt: String,
    sealed: String,
}

impl PassphraseKeys {
    /// The keys in the file at `path`, which is made when keys are first needed.
    pub fn new(path: impl Into<PathBuf>, passphrase: SecretString) -> Self {
        let file = SecretFile::new(path.into());
        Self {
            marks: Some(MarkFolder::new(file.beside("marks"))),
            file,
            passphrase: Arc::new(passphrase),
            effort: Effort {
                memory_kib: 64 * 1024,
                passes: 3,
                lanes: 1,
            },
        }
    }

    /// Sets what making the key costs, for files made from now on: memory in KiB (at least 8),
    /// passes and lanes (at least 1). RFC 9106 says how to choose.
    #[must_use]
    pub const fn with_effort(mut self, memory_kib: u32, passes: u32, lanes: u32) -> Self {
        self.effort = Effort {
            memory_kib,
            passes,
            lanes,
        };
        self
    }

    /// Remembers no revisions.
    #[must_use]
    pub fn without_marks(mut self) -> Self {
        self.marks = None;
        self
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    fn unusable(&self, what: &str) -> KeyError {
        KeyError::unusable(format!("{}: {what}", self.path().display()))
    }

    fn cipher(&self, effort: Effort, salt: &[u8]) -> Result<Cipher, KeyError> {
        let sound = effort.memory_kib <= MOST_MEMORY
            && effort.passes <= MOST_PASSES
            && effort.lanes <= MOST_LANES;
        let params = Params::new(effort.memory_kib, effort.passes, effort.lanes, Some(32));
        let (true, Ok(params)) = (sound, params) else {
            return Err(self.unusable("the cost of its passphrase is out of range"));
        };
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(
                self.passphrase.expose_secret().as_bytes(),
                salt,
                key.as_mut_slice(),
            )
            .map_err(|error| self.unusable(&format!("Argon2id refused: {error}")))?;
        Ok(Cipher::new(&key))
    }
}

impl Writing for PassphraseKeys {
    fn read(&self, text: &SecretString) -> Result<KeySet, KeyError> {
        let not_ours = || self.unusable("this is no file of sealed keys");
        let written: Written =
            serde_json::from_str(text.expose_secret()).map_err(|_| not_ours())?;
        let salt = BASE64.decode(&written.salt).map_err(|_| not_ours())?;
        let sealed = BASE64.decode(&written.sealed).map_err(|_| not_ours())?;
        if written.version != 1 {
            return Err(not_ours());
        }
        let opened = self
            .cipher(written.argon2id, &salt)?
            .open(sealed, PURPOSE)
            .ok_or_else(|| self.unusable("this passphrase does not open it"))?;
        let text = String::from_utf8(opened.to_vec()).map_err(|_| not_ours())?;
        KeySet::parse(&SecretString::from(text)).map_err(|_| not_ours())
    }

    fn write(&self, keys: &KeySet) -> Result<SecretString, KeyError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| {
            KeyError::unavailable(format!("the computer gives no random numbers: {error}"))
        })?;
        let text = keys.to_text()?;
        let sealed = self
            .cipher(self.effort, &salt)?
            .seal(text.expose_secret().as_bytes(), PURPOSE)
            .map_err(KeyError::unavailable)?;
        let written = Written {
            version: 1,
            argon2id: self.effort,
            salt: BASE64.encode(salt),
            sealed: BASE64.encode(sealed),
        };
        serde_json::to_string(&written)
            .map(SecretString::from)
            .map_err(|error| self.unusable(&format!("it cannot be written: {error}")))
    }
}

key_source_in_file!(PassphraseKeys, "the file {}, opened by a passphrase");

impl std::fmt::Debug for PassphraseKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PassphraseKeys")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
