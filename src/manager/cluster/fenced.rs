//! A provider that acts only while the session's lease is held here.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use serde_json::Value;

use super::right::{Right, lost};
use crate::provider::{
    Capabilities, CloseMode, EventSink, Live, OpenRequest, Opened, Provider, ProviderError,
    ProviderFuture, ProviderPayload, Request,
};
use crate::sync::Fence;

/// Refuses what is asked of the wallet when the lease is not held, and cuts what is under way when
/// it is lost.
pub(super) struct Fenced {
    pub(super) inner: Arc<dyn Provider>,
    pub(super) right: Arc<Right>,
}

impl Fenced {
    /// Carries out a call under the lease. The lease is looked at before every step of it: a
    /// process that was stopped for a while finds its lease lost before it goes on.
    fn under<'a, T: 'a>(
        &'a self,
        acts: bool,
        call: impl FnOnce() -> ProviderFuture<'a, T> + Send + 'a,
    ) -> ProviderFuture<'a, T> {
        Box::pin(async move {
            let Some(claim) = self.right.get(acts).await? else {
                return call().await;
            };
            let mut call = call();
            let mut over = pin!(claim.lease.lost());
            poll_fn(|cx| {
                if !claim.lease.is_held() || over.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(lost()));
                }
                call.as_mut().poll(cx)
            })
            .await
        })
    }
}

impl Provider for Fenced {
    fn kind(&self) -> &str {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        self.under(false, move || self.inner.open(request, events))
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        self.under(false, || self.inner.probe())
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        self.under(true, move || self.inner.request(request))
    }

    /// A session that is not held here is not ended at the wallet: only the link is dropped.
    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async move {
            if mode == CloseMode::Detach {
                return self.inner.close(mode).await;
            }
            let ended = self.under(false, || self.inner.close(mode)).await;
            if self.right.get(false).await.is_err() {
                self.inner.close(CloseMode::Detach).await?;
            }
            ended
        })
    }

    fn reauthenticate(&self) -> ProviderFuture<'_, ()> {
        self.under(false, || self.inner.reauthenticate())
    }

    fn payload(&self) -> Result<Option<ProviderPayload>, ProviderError> {
        self.inner.payload()
    }

    fn fenced(&self, fence: &Fence) {
        self.inner.fenced(fence);
    }
}
