//! What an application can hook in, and the wallet as hooks and operations see it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use serde_json::Value;

use super::shared::Shared;
use crate::error::{ConnectError, OperationError};
use crate::event::Invalidation;
use crate::identity::Identity;
use crate::machine::ReauthRequest;
use crate::provider::{ErrorKind, Provider, ProviderError, Request};

/// What a hook may fail with: anything. A [`ProviderError`] is passed on as it is. What it means for
/// a re-authentication stands at [`on_reauth`](super::SessionBuilder::on_reauth).
pub type HookError = Box<dyn Error + Send + Sync>;

type HookFuture = Pin<Box<dyn Future<Output = Result<(), HookError>> + Send>>;

/// The hooks that were set.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) reauth: Option<Arc<dyn Fn(Reauth) -> HookFuture + Send + Sync>>,
    pub(super) invalidate: Option<Arc<dyn Fn(Invalidation) -> HookFuture + Send + Sync>>,
}

/// What a re-authentication hook is given.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reauth {
    /// Why it is called, and for whom.
    pub request: ReauthRequest,
    /// The wallet, outside the queue: operations are held while the hook runs.
    pub wallet: Wallet,
}

/// A wallet as an operation or a hook sees it: requests go straight there.
#[derive(Clone)]
pub struct Wallet {
    provider: Arc<dyn Provider>,
    session: Weak<Shared>,
    identity: Arc<Identity>,
    /// The identity it was made for; a hook's wallet is bound to none.
    generation: Option<u32>,
}

impl Wallet {
    pub(super) fn new(
        provider: Arc<dyn Provider>,
        session: Weak<Shared>,
        identity: Arc<Identity>,
        generation: Option<u32>,
    ) -> Self {
        Self {
            provider,
            session,
            identity,
            generation,
        }
    }

    /// Whom requests are made for.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Sends one request, now.
    ///
    /// # Errors
    ///
    /// [`OperationError::IdentityChanged`] if the session acts for somebody else by now (nothing
    /// was sent then), [`OperationError::Closed`] if it is gone, otherwise what the wallet said.
    ///
    /// # Cancel safety
    ///
    /// What the wallet has may still be executed.
    pub async fn request(
        &self,
        method: impl Into<Cow<'static, str>>,
        params: Value,
    ) -> Result<Value, OperationError> {
        let closed = OperationError::Closed {
            sent: crate::provider::Sent::No,
        };
        let session = self.session.upgrade().ok_or(closed)?;
        session.check_identity(&self.identity, self.generation)?;
        drop(session);
        let request = Request::new(method, params, self.identity.clone());
        self.provider
            .request(request)
            .await
            .map_err(OperationError::from)
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// What a hook failed with, as the session keeps it.
pub(crate) fn provider_error(error: HookError) -> ProviderError {
    known_error(error).unwrap_or_else(|error| other(ErrorKind::Internal, error))
}

/// What a re-authentication hook failed with: what it knows of the wallet says whether trying
/// again can help. Everything else is its own no.
pub(super) fn reauth_error(error: HookError) -> ProviderError {
    known_error(error).unwrap_or_else(|error| {
        let of_wallet = match error.downcast_ref::<OperationError>() {
            Some(error) => error.provider_error(),
            None => error
                .downcast_ref::<ConnectError>()
                .and_then(ConnectError::provider_error),
        };
        match of_wallet.cloned() {
            Some(error) => error,
            None => other(ErrorKind::Refused, error),
        }
    })
}

fn known_error(error: HookError) -> Result<ProviderError, HookError> {
    error.downcast::<ProviderError>().map(|error| *error)
}

fn other(kind: ErrorKind, error: HookError) -> ProviderError {
    let message = error.to_string();
    ProviderError::new(kind, message).with_source(Opaque(error))
}

/// Keeps a boxed error as a source.
#[derive(Debug)]
struct Opaque(HookError);

impl fmt::Display for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Opaque {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
