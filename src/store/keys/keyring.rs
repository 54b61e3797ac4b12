//! Keys in the keyring of the operating system.

use std::path::PathBuf;

use keyring_core::{Entry, Error};
use secrecy::{ExposeSecret, SecretString};

use super::{KeyError, KeyFuture, KeyId, KeySet, KeySource, blocking};
use crate::store::backend::lock;

/// Keys in the operating system's keyring: what unlocks the person's session unlocks them.
///
/// Uses the process's default store of the `keyring-core` crate, which the application chooses
/// (`keyring_core::set_default_store` with the store of its platform). Remembers no revisions.
#[derive(Clone, Debug)]
pub struct KeyringKeys {
    service: String,
    user: String,
    lock: PathBuf,
}

impl KeyringKeys {
    /// The keyring entry of `user` at `service`. Keyrings cannot make an entry only where there is
    /// none, so processes that make or change it take a lock on the file `lock` first.
    pub fn new(
        service: impl Into<String>,
        user: impl Into<String>,
        lock: impl Into<PathBuf>,
    ) -> Self {
        Self {
            service: service.into(),
            user: user.into(),
            lock: lock.into(),
        }
    }

    fn entry(&self) -> Result<Entry, KeyError> {
        Entry::new(&self.service, &self.user).map_err(|error| self.failed(&error))
    }

    fn read(&self) -> Result<Option<KeySet>, KeyError> {
        match self.entry()?.get_password() {
            Ok(text) => KeySet::parse(&SecretString::from(text))
                .map(Some)
                .map_err(|error| KeyError::unusable(format!("{}: {error}", self.describe()))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn write(&self, keys: &KeySet) -> Result<(), KeyError> {
        let text = keys.to_text()?;
        self.entry()?
            .set_password(text.expose_secret())
            .map_err(|error| self.failed(&error))
    }

    fn make(&self) -> Result<KeySet, KeyError> {
        let _lock = lock(&self.lock).map_err(KeyError::unavailable)?;
        if let Some(keys) = self.read()? {
            return Ok(keys);
        }
        self.write(&KeySet::generate()?)?;
        // What counts is what the keyring kept.
        self.read()?
            .ok_or_else(|| KeyError::unavailable(format!("{} did not keep them", self.describe())))
    }

    fn exchange(&self, expected: KeyId, next: &KeySet) -> Result<KeySet, KeyError> {
        let _lock = lock(&self.lock).map_err(KeyError::unavailable)?;
        match self.read()? {
            Some(present) if present.current() == expected => {
                self.write(next)?;
                Ok(next.clone())
            }
            Some(present) => Ok(present),
            None => Err(KeyError::unavailable(format!(
                "{} is not there",
                self.describe()
            ))),
        }
    }

    fn failed(&self, error: &Error) -> KeyError {
        // Two of its errors carry what was stored: they are named only.
        let what = match error {
            Error::BadEncoding(_) | Error::BadDataFormat(..) => "what is there is no text".into(),
            error => error.to_string(),
        };
        KeyError::unavailable(format!("{}: {what}", self.describe()))
    }
}

impl KeySource for KeyringKeys {
    fn describe(&self) -> String {
        format!("the keyring entry of {} at {}", self.user, self.service)
    }

    fn load(&self) -> KeyFuture<'_, Option<KeySet>> {
        let source = self.clone();
        Box::pin(blocking(move || source.read()))
    }

    fn create(&self) -> KeyFuture<'_, KeySet> {
        let source = self.clone();
        Box::pin(blocking(move || source.make()))
    }

    fn replace(&self, expected: KeyId, next: KeySet) -> KeyFuture<'_, KeySet> {
        let source = self.clone();
        Box::pin(blocking(move || source.exchange(expected, &next)))
    }
}
