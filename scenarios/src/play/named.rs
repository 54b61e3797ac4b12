//! A live wallet under the names of a scenario: its accounts by the part of their ids that people
//! read, and requests that stand for any request as one the wallet knows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use moorline::provider::{
    Capabilities, CloseMode, EventSink, Live, OpenRequest, Opened, ProviderError, ProviderFuture,
    ProviderPayload, Request,
};
use moorline::sync::Fence;
use moorline::{Account, Identity, Provider};
use serde_json::{Value, json};

use super::command::WalletControl;

/// Methods that a live wallet has itself: everything else is asked for as a signature.
const KNOWN: [&str; 11] = [
    "connect",
    "disconnect",
    "getActiveNetwork",
    "getPrimaryAccount",
    "isConnected",
    "ledgerApi",
    "listAccounts",
    "prepareExecute",
    "prepareExecuteAndWait",
    "signMessage",
    "status",
];

/// What a wallet signs instead of doing what only scenarios know.
pub(crate) const STAND_IN: &str = "signMessage";

/// Whether a wallet has this method itself.
pub(crate) fn is_known(method: &str) -> bool {
    KNOWN.contains(&method)
}

pub(super) struct Named {
    inner: Arc<dyn Provider>,
    control: Arc<dyn WalletControl>,
    /// Full ids by short names.
    ids: Mutex<BTreeMap<String, String>>,
}

impl Named {
    pub(super) fn new(inner: Arc<dyn Provider>, control: Arc<dyn WalletControl>) -> Self {
        Self {
            inner,
            control,
            ids: Mutex::default(),
        }
    }

    fn name(&self, mut account: Account) -> Account {
        let id = account.id.as_str().to_owned();
        let Some((short, _)) = id.split_once("::") else {
            return account;
        };
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.insert(short.to_owned(), id.clone());
        account.id = short.into();
        account
    }

    fn full(&self, identity: &Identity) -> Identity {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let mut identity = identity.clone();
        if let Some(id) = ids.get(identity.account.as_str()) {
            identity.account = id.as_str().into();
        }
        identity
    }
}

impl Provider for Named {
    fn kind(&self) -> &str {
        self.inner.kind()
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
            live.accounts = live.accounts.into_iter().map(|it| self.name(it)).collect();
            Ok(live)
        })
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        Box::pin(async move {
            let identity = Arc::new(self.full(&request.identity));
            let method = request.method.clone().into_owned();
            if is_known(&method) {
                let request = Request::new(method, request.params, identity);
                return self.inner.request(request).await;
            }
            let params = json!({ "message": method });
            let request = Request::new(STAND_IN, params, identity);
            let mut answer = self.inner.request(request).await?;
            let signature = answer["signature"].as_str().unwrap_or_default().to_owned();
            if let Ok(Some(signer)) = self.control.signer(&method, &signature).await {
                answer["account"] = json!(signer);
            }
            Ok(answer)
        })
    }

    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()> {
        self.inner.close(mode)
    }

    fn reauthenticate(&self) -> ProviderFuture<'_, ()> {
        self.inner.reauthenticate()
    }

    fn payload(&self) -> Result<Option<ProviderPayload>, ProviderError> {
        self.inner.payload()
    }

    fn fenced(&self, fence: &Fence) {
        self.inner.fenced(fence);
    }
}
