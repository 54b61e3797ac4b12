//! What every test needs: a wallet, a provider on it, and its events.

use std::time::Duration;

use moorline::provider::{
    EventSink, OpenMode, OpenRequest, Opened, Provider, ProviderEvent, Request,
};
use moorline::{Epoch, Identity, ProviderError, Session};
use moorline_cip0103::WsProvider;
use moorline_dev_wallet::{Control, DevWallet, DevWalletBuilder};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::support::session::session;
pub(crate) use crate::support::session::{PATIENCE, next_event, soon};

/// A wallet, an adapter that is connected to nothing yet, and the adapter's events.
pub(crate) struct Rig {
    pub(crate) wallet: DevWallet,
    pub(crate) control: Control,
    pub(crate) provider: WsProvider,
    pub(crate) events: mpsc::UnboundedReceiver<ProviderEvent>,
    sender: mpsc::UnboundedSender<ProviderEvent>,
    epoch: u32,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Self::with(DevWallet::builder()).await
    }

    pub(crate) async fn with(builder: DevWalletBuilder) -> Self {
        let wallet = builder.start().await.unwrap();
        let provider = WsProvider::new(&wallet.url()).unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        Self {
            control: wallet.control(),
            wallet,
            provider,
            events,
            sender,
            epoch: 0,
        }
    }

    /// Opens a connection for the next epoch.
    pub(crate) async fn open(&mut self, mode: OpenMode) -> Result<Opened, ProviderError> {
        self.epoch += 1;
        let sender = self.sender.clone();
        let sink = EventSink::from_fn(Epoch::new(self.epoch), move |event| {
            sender.send(event).ok();
        });
        let request = OpenRequest::new(Epoch::new(self.epoch), mode);
        soon(self.provider.open(request, sink)).await
    }

    /// Connects, and drops what the wallet says about it.
    pub(crate) async fn connected() -> Self {
        let mut rig = Self::new().await;
        assert_eq!(
            rig.open(OpenMode::Interactive).await,
            Ok(Opened::Established)
        );
        while rig.events.try_recv().is_ok() {}
        rig
    }

    /// Connects with a provider that notices a dead link at once.
    pub(crate) async fn watchful() -> Self {
        let mut rig = Self::new().await;
        rig.provider = WsProvider::builder(&rig.wallet.url())
            .ping_interval(Duration::from_millis(50))
            .inactivity_limit(Duration::from_millis(200))
            .build()
            .unwrap();
        assert_eq!(
            rig.open(OpenMode::Interactive).await,
            Ok(Opened::Established)
        );
        while rig.events.try_recv().is_ok() {}
        rig
    }

    pub(crate) async fn call(&self, method: &'static str, params: Value) -> Answer {
        soon(self.provider.request(self.request(method, params))).await
    }

    pub(crate) fn request(&self, method: &'static str, params: Value) -> Request {
        Request::new(method, params, Identity::new(self.alice(), None).into())
    }

    pub(crate) fn alice(&self) -> String {
        self.wallet.accounts()[0].party_id().to_owned()
    }

    pub(crate) async fn event(&mut self) -> ProviderEvent {
        soon(self.events.recv()).await.expect("the sink is gone")
    }

    /// The next event that says the link is lost, whatever comes before.
    pub(crate) async fn dropped(&mut self) -> ProviderError {
        loop {
            if let ProviderEvent::Dropped(error) = self.event().await {
                return error;
            }
        }
    }
}

pub(crate) type Answer = Result<Value, ProviderError>;

/// A session on a wallet, recovering fast and for ever.
pub(crate) fn session_on(url: &str) -> Session {
    session(WsProvider::new(url).unwrap())
}
