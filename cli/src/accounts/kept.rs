//! Providers that tell their store how to build them again.

use std::sync::Arc;

use moorline::manager::SessionKey;
use moorline::provider::{
    Capabilities, CloseMode, ErrorKind, EventSink, Live, OpenRequest, Opened, ProviderFuture,
    ProviderPayload, Request,
};
use moorline::store::Record;
use moorline::sync::Fence;
use moorline::{Provider, ProviderError};
use serde_json::Value;

use crate::failure::Failure;
use crate::provider::Recipe;

/// Whose wallets a command may ask. All others sleep: their sessions are there, not connected, and
/// what is stored of them stays.
#[derive(Clone, Debug)]
pub(crate) enum Wake {
    All,
    Nobody,
    One(SessionKey),
}

impl Wake {
    fn takes(&self, record: &Record) -> bool {
        match self {
            Self::All => true,
            Self::Nobody => false,
            Self::One(key) => record
                .identity()
                .is_some_and(|identity| *key == SessionKey::new(identity, record.provider.clone())),
        }
    }
}

/// A provider together with what it is built from.
pub(crate) struct Kept {
    inner: Arc<dyn Provider>,
    recipe: Recipe,
}

impl Kept {
    pub(crate) fn new(recipe: Recipe) -> Result<Self, Failure> {
        Ok(Self {
            inner: recipe.build()?,
            recipe,
        })
    }
}

/// The provider of a stored session.
pub(super) fn rebuild(record: &Record, wake: &Wake) -> Result<Arc<dyn Provider>, ProviderError> {
    if !wake.takes(record) {
        return Ok(Arc::new(Asleep(record.provider.clone())));
    }
    let unusable = |why: String| ProviderError::new(ErrorKind::InvalidRequest, why);
    let payload = record.provider_payload.as_ref();
    let payload = payload.ok_or_else(|| unusable("its wallet's address is not stored".into()))?;
    let recipe: Recipe = payload.read().map_err(|why| unusable(why.to_string()))?;
    let kept = Kept::new(recipe).map_err(|why| unusable(why.to_string()))?;
    Ok(Arc::new(kept))
}

impl Provider for Kept {
    fn kind(&self) -> &str {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        self.recipe.tell_changes(events.clone());
        self.inner.open(request, events)
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        self.inner.probe()
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        self.inner.request(request)
    }

    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()> {
        self.inner.close(mode)
    }

    fn reauthenticate(&self) -> ProviderFuture<'_, ()> {
        self.inner.reauthenticate()
    }

    fn payload(&self) -> Result<Option<ProviderPayload>, ProviderError> {
        let payload = ProviderPayload::new(self.kind(), &self.recipe);
        let payload = payload
            .map_err(|why| ProviderError::new(ErrorKind::InvalidRequest, why.to_string()))?;
        Ok(Some(payload))
    }

    fn fenced(&self, fence: &Fence) {
        self.inner.fenced(fence);
    }
}

/// Stands for a wallet that is not asked. What is stored of it is kept, as it says nothing else.
struct Asleep(Arc<str>);

fn asleep<T>() -> Result<T, ProviderError> {
    // A kind that is not tried again.
    let error = ProviderError::new(ErrorKind::Unsupported, "its wallet was not asked");
    Err(error.not_sent())
}

impl Provider for Asleep {
    fn kind(&self) -> &str {
        &self.0
    }

    fn open(&self, _: OpenRequest, _: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(async { asleep() })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async { asleep() })
    }

    fn request(&self, _: Request) -> ProviderFuture<'_, Value> {
        Box::pin(async { asleep() })
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
