//! How a program proves to a gateway who it is.
//!
//! The token of a gateway does not travel over the dApp API: it comes from an identity provider,
//! from a key that was handed out, or from a login in a browser. An [`Authenticator`] is whatever
//! yields it. Those here cover the usual ways; another one is a trait with three methods.

mod api_key;
mod client_credentials;
mod code;
mod credential;
mod credentials;
mod error;
mod fetch;
mod fixed;
mod issuer;
mod loopback;
mod self_signed;

use std::future::Future;
use std::pin::Pin;

use moorline::UserAction;
use moorline::provider::OpenMode;

pub use self::api_key::ApiKey;
pub use self::client_credentials::ClientCredentials;
pub use self::code::AuthorizationCode;
pub use self::credential::{Credential, Scheme};
pub use self::credentials::Credentials;
pub(crate) use self::credentials::{Issued, now};
pub use self::error::{AuthError, AuthErrorKind};
pub use self::fixed::StaticToken;
pub use self::self_signed::SelfSigned;

/// What an [`Authenticator`] returns: a boxed future, so that the trait can be used as a trait
/// object.
pub type AuthFuture<'a> = Pin<Box<dyn Future<Output = Result<Credential, AuthError>> + Send + 'a>>;

/// Yields the credential a gateway wants.
///
/// Wrap it in [`Credentials`] to share it: they keep what it yielded, have at most one call of it
/// in flight for all sessions that share them, and renew ahead of the expiry.
///
/// ```
/// use moorline_cip0103::auth::{AuthFuture, AuthRequest, Authenticator, Credential};
///
/// /// A token from a file that something else keeps fresh.
/// struct FromFile(std::path::PathBuf);
///
/// impl Authenticator for FromFile {
///     fn name(&self) -> &str {
///         "token file"
///     }
///
///     fn renews(&self) -> bool {
///         true
///     }
///
///     fn authenticate<'a>(&'a self, _request: AuthRequest<'a>) -> AuthFuture<'a> {
///         Box::pin(async move {
///             let token = tokio::fs::read_to_string(&self.0).await.map_err(|problem| {
///                 moorline_cip0103::auth::AuthError::unavailable("the token file cannot be read")
///                     .with_source(problem)
///             })?;
///             Ok(Credential::bearer(token.trim().to_owned().into()))
///         })
///     }
/// }
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// What it is, for people: `client credentials`.
    fn name(&self) -> &str;

    /// Whether it can yield a fresh credential without a person. Asked when a session is built.
    fn renews(&self) -> bool;

    /// Yields a credential: the first one, or a fresh one in place of
    /// [`AuthRequest::replaces`].
    ///
    /// Cancel safety: the future may be dropped at any point.
    ///
    /// # Errors
    ///
    /// [`AuthError`]; of the kind [`AuthErrorKind::NeedsUser`] if a person is needed and the
    /// request [may not ask](AuthRequest::ask) for one.
    fn authenticate<'a>(&'a self, request: AuthRequest<'a>) -> AuthFuture<'a>;
}

/// What an [`Authenticator`] is asked for.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AuthRequest<'a> {
    /// Whether a person may be asked for something.
    pub mode: OpenMode,
    /// The credential that is about to end, or was rejected.
    pub replaces: Option<&'a Credential>,
    prompt: &'a (dyn Fn(UserAction) + Send + Sync),
}

impl<'a> AuthRequest<'a> {
    /// A request; `prompt` hands what a person must do to whoever can show it.
    pub fn new(mode: OpenMode, prompt: &'a (dyn Fn(UserAction) + Send + Sync)) -> Self {
        Self {
            mode,
            replaces: None,
            prompt,
        }
    }

    /// A request for a fresh credential in place of this one.
    #[must_use]
    pub fn replacing(mut self, credential: Option<&'a Credential>) -> Self {
        self.replaces = credential;
        self
    }

    /// The only credential there is; once that was rejected, or has ended, an error that says so.
    fn answer_once(self, only: &'a Credential, over: &'static str) -> AuthFuture<'a> {
        let answer = match self.replaces {
            None => Ok(only.clone()),
            Some(_) => Err(AuthError::new(AuthErrorKind::NeedsUser, over)),
        };
        Box::pin(std::future::ready(answer))
    }

    /// Asks a person for something.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::NeedsUser`] if nobody may be asked now.
    pub fn ask(&self, action: UserAction) -> Result<(), AuthError> {
        match self.mode {
            OpenMode::Interactive => {
                (self.prompt)(action);
                Ok(())
            }
            OpenMode::Silent => Err(AuthError::needs_user()),
        }
    }
}

impl std::fmt::Debug for AuthRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthRequest")
            .field("mode", &self.mode)
            .field("replaces", &self.replaces)
            .finish_non_exhaustive()
    }
}
