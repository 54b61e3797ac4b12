//! Many users of one development wallet, which has one session for all: each is told apart by name.

use std::sync::Arc;

use moorline::provider::{
    Capabilities, CloseMode, EventSink, Live, OpenRequest, Opened, Provider, ProviderError,
    ProviderFuture, ProviderPayload, Request,
};
use moorline::store::Record;
use moorline::sync::Fence;
use moorline::{Account, Identity};
use moorline_cip0103::WsProvider;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) const KIND: &str = "numbered";

/// What the wallet sees when a user ends a session: it has one session for all, which must stay.
pub(crate) fn farewell(account: &str) -> String {
    format!("{account} disconnects")
}

pub(crate) struct Numbered {
    inner: WsProvider,
    account: String,
    payload: Content,
}

#[derive(Clone, Deserialize, Serialize)]
struct Content {
    url: String,
    account: String,
}

impl Numbered {
    pub(crate) fn new(url: &str, account: &str) -> Self {
        Self {
            inner: WsProvider::new(url).unwrap(),
            account: account.to_owned(),
            payload: Content {
                url: url.to_owned(),
                account: account.to_owned(),
            },
        }
    }

    pub(crate) fn again(record: &Record) -> Result<Arc<dyn Provider>, ProviderError> {
        let payload = record.provider_payload.as_ref().expect("it was stored");
        let content: Content = payload.read().expect("it was stored so");
        Ok(Arc::new(Self::new(&content.url, &content.account)))
    }
}

impl Provider for Numbered {
    fn kind(&self) -> &str {
        KIND
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        self.inner.open(request, events)
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async {
            let mut live = self.inner.probe().await?;
            live.accounts = vec![Account::primary(self.account.as_str())];
            Ok(live)
        })
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        self.inner.request(request)
    }

    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async move {
            if mode == CloseMode::Disconnect {
                let who = Identity::new(self.account.as_str(), None);
                let message = json!({ "message": farewell(&self.account) });
                let request = Request::new("signMessage", message, Arc::new(who));
                self.inner.request(request).await?;
            }
            self.inner.close(CloseMode::Detach).await
        })
    }

    fn payload(&self) -> Result<Option<ProviderPayload>, ProviderError> {
        Ok(Some(
            ProviderPayload::new(KIND, &self.payload).expect("it is JSON"),
        ))
    }

    fn fenced(&self, fence: &Fence) {
        self.inner.fenced(fence);
    }
}
