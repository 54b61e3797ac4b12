//! Keys from the environment, as containers get theirs.

use std::env;

use secrecy::SecretString;

use super::{KeyError, KeyFuture, KeyId, KeySet, KeySource};

/// Keys from an environment variable: 32 random bytes in base64
/// (`head -c 32 /dev/urandom | base64`), or a whole key set as [`KeySet::to_text`] writes it.
///
/// Cannot make or change keys, and remembers no revisions: an old record put in place of a newer
/// one is not noticed.
#[derive(Clone, Debug)]
pub struct EnvironmentKeys {
    variable: String,
}

impl EnvironmentKeys {
    /// Keys from the variable of this name.
    pub fn new(variable: impl Into<String>) -> Self {
        Self {
            variable: variable.into(),
        }
    }

    fn read(&self) -> Result<Option<KeySet>, KeyError> {
        match env::var(&self.variable) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => KeySet::parse(&SecretString::from(text))
                .map(Some)
                .map_err(|error| KeyError::unusable(format!("{}: {error}", self.variable))),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => {
                Err(KeyError::unusable(format!("{} is not text", self.variable)))
            }
        }
    }

    fn read_only(&self) -> KeyError {
        KeyError::read_only(format!(
            "keys from the environment are made elsewhere: set {} to 32 random bytes in base64",
            self.variable
        ))
    }
}

impl KeySource for EnvironmentKeys {
    fn describe(&self) -> String {
        format!("the environment variable {}", self.variable)
    }

    fn load(&self) -> KeyFuture<'_, Option<KeySet>> {
        Box::pin(std::future::ready(self.read()))
    }

    fn create(&self) -> KeyFuture<'_, KeySet> {
        let keys = self.read();
        Box::pin(async move { keys?.ok_or_else(|| self.read_only()) })
    }

    fn replace(&self, _expected: KeyId, _next: KeySet) -> KeyFuture<'_, KeySet> {
        Box::pin(std::future::ready(Err(self.read_only())))
    }
}
