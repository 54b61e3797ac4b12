//! Why there is no credential.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moorline::ProviderError;
use moorline::provider::ErrorKind;

use crate::redact::scrub_text;

/// Why an [`Authenticator`](super::Authenticator) yields no credential. Cheap to clone.
#[derive(Clone)]
pub struct AuthError(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: AuthErrorKind,
    message: String,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The classes of [`AuthError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// A person is needed, and may not be asked now: connect interactively.
    NeedsUser,
    /// The identity provider understood and said no: trying again does not help.
    Refused,
    /// A person said no.
    UserRefused,
    /// The person did not finish in time.
    TimedOut,
    /// The identity provider cannot be reached, or fails: trying again may help.
    Unavailable,
    /// What it says cannot be understood, or must not be trusted.
    Malformed,
}

impl AuthError {
    /// An error of `kind`. Whatever looks like a token is taken out of the message.
    pub fn new(kind: AuthErrorKind, message: impl AsRef<str>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: scrub_text(message.as_ref()),
            retry_after: None,
            source: None,
        }))
    }

    /// A person is needed.
    pub fn needs_user() -> Self {
        Self::new(
            AuthErrorKind::NeedsUser,
            "a person must log in again; call connect",
        )
    }

    /// Something that may work later does not work now.
    pub fn unavailable(message: impl AsRef<str>) -> Self {
        Self::new(AuthErrorKind::Unavailable, message)
    }

    /// Keeps the cause. It is shown by whoever prints chains of causes: no secrets in it.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// The identity provider asked not to be tried again before this time has passed.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        Arc::make_mut(&mut self.0).retry_after = after;
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> AuthErrorKind {
        self.0.kind
    }

    /// In the words of the seam. Nothing went to the wallet.
    pub(crate) fn to_provider_error(&self) -> ProviderError {
        let kind = match self.0.kind {
            // Certain, and found out here: no gateway has to be asked.
            AuthErrorKind::NeedsUser => ErrorKind::SessionGone,
            AuthErrorKind::Refused => ErrorKind::Refused,
            AuthErrorKind::UserRefused => ErrorKind::UserRejected,
            AuthErrorKind::TimedOut => ErrorKind::TimedOut,
            AuthErrorKind::Unavailable => ErrorKind::Unauthorized,
            AuthErrorKind::Malformed => ErrorKind::Malformed,
        };
        let error = ProviderError::new(kind, self.0.message.as_str())
            .not_sent()
            .with_source(self.clone());
        match self.0.retry_after {
            Some(after) => error.with_retry_after(after),
            None => error,
        }
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

impl PartialEq for AuthError {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind && self.0.message == other.0.message
    }
}

impl Eq for AuthError {}
