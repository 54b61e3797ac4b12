//! CIP-0103 over a WebSocket.

mod dial;
mod frame;
mod link;
mod options;
mod outbox;
mod tap;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use moorline::provider::{
    Capabilities, CloseMode, ErrorKind, EventSink, Live, OpenMode, OpenRequest, Opened, Provider,
    ProviderError, ProviderFuture, Request,
};
use moorline::sync::Fence;
use serde_json::Value;

use self::link::Link;
use self::options::Options;
pub use self::options::WsProviderBuilder;
use crate::ConfigError;
use crate::types::{ConnectResult, StatusEvent, Wallet};
use crate::{fence, methods, reading};

/// Speaks the synchronous dApp API of CIP-0103 with one wallet, over a WebSocket.
///
/// Built for one [`Session`](moorline::Session), which owns retries, deadlines and state. Every
/// connection attempt gets a new socket and a new JSON-RPC client; nothing of an earlier one is
/// used again. See the [crate documentation](crate) for how the API travels.
///
/// ```no_run
/// use moorline::Session;
/// use moorline_cip0103::WsProvider;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::builder(WsProvider::new("ws://127.0.0.1:3030")?).build()?;
/// session.connect().await?;
/// # Ok(())
/// # }
/// ```
pub struct WsProvider {
    options: Arc<Options>,
    fence: fence::Present,
    /// The link of the current epoch.
    link: Mutex<Option<Arc<Link>>>,
}

impl WsProvider {
    /// A provider for the wallet at `url` (`ws://` or `wss://`), with default options.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if no wallet can be there.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Self::builder(url).build()
    }

    /// A provider for the wallet at `url`, with options.
    pub fn builder(url: &str) -> WsProviderBuilder {
        WsProviderBuilder::new(url)
    }

    /// Another provider for the same wallet with the same options, without a connection: for
    /// another session, as a provider serves one.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            options: self.options.clone(),
            fence: fence::Present::default(),
            link: Mutex::new(None),
        }
    }

    fn from_options(options: Options) -> Self {
        Self {
            options: Arc::new(options),
            fence: fence::Present::default(),
            link: Mutex::new(None),
        }
    }

    /// Puts a link in place of the present one, which is cut.
    fn replace(&self, link: Option<Arc<Link>>) {
        let mut place = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = std::mem::replace(&mut *place, link);
        drop(place);
        if let Some(earlier) = earlier {
            earlier.sever();
        }
    }

    fn current(&self) -> Result<Arc<Link>, ProviderError> {
        let place = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        place.clone().ok_or_else(|| {
            ProviderError::new(
                ErrorKind::Unreachable,
                format!(
                    "there is no connection to the wallet at {}",
                    self.options.shown
                ),
            )
            .not_sent()
        })
    }

    async fn open_link(
        &self,
        request: OpenRequest,
        events: EventSink,
    ) -> Result<Opened, ProviderError> {
        self.replace(None);
        // Held here until the wallet has agreed: dropping this future cuts it.
        let link = Link::open(&self.options, self.fence.get(), events).await?;
        let answer: ConnectResult = match request.mode {
            OpenMode::Interactive => {
                let answer = link.call(methods::CONNECT, Value::Null).await?;
                reading::decode(methods::CONNECT, answer)?
            }
            OpenMode::Silent => {
                let answer = link.call(methods::STATUS, Value::Null).await?;
                reading::decode::<StatusEvent>(methods::STATUS, answer)?.connection
            }
        };
        let opened = reading::opened(request.mode, &answer)?;
        self.replace(Some(Arc::new(link)));
        Ok(opened)
    }

    async fn ask(&self) -> Result<Live, ProviderError> {
        let link = self.current()?;
        let status = link.call(methods::STATUS, Value::Null).await?;
        let status: StatusEvent = reading::decode(methods::STATUS, status)?;
        if !status.connection.is_connected {
            return Err(reading::not_connected(&status.connection));
        }
        // Always listed: what is unknown is not empty, so a failure is a failure.
        let wallets = link.call(methods::LIST_ACCOUNTS, Value::Null).await?;
        let wallets: Vec<Wallet> = reading::decode(methods::LIST_ACCOUNTS, wallets)?;
        Ok(reading::live(&status, &wallets))
    }

    async fn hand_over(&self, request: Request) -> Result<Value, ProviderError> {
        let Request {
            method,
            mut params,
            identity,
            ..
        } = request;
        methods::pin(&method, &mut params, &identity);
        self.current()?.call(&method, params).await
    }

    async fn end(&self, mode: CloseMode) -> Result<(), ProviderError> {
        let link = match (self.current(), mode) {
            (Ok(link), _) => link,
            (Err(_), CloseMode::Detach) => return Ok(()),
            (Err(no_link), CloseMode::Disconnect) => return Err(no_link),
        };
        // Cuts the link however this future ends.
        let _cut = Cut(self);
        match mode {
            CloseMode::Detach => Ok(()),
            CloseMode::Disconnect => link
                .call(methods::DISCONNECT, Value::Null)
                .await
                .map(|_null| ()),
        }
    }
}

impl Provider for WsProvider {
    /// `cip0103`: the protocol, whatever carries it.
    fn kind(&self) -> &str {
        crate::KIND
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn open(&self, request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(self.open_link(request, events))
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(self.ask())
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        Box::pin(self.hand_over(request))
    }

    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(self.end(mode))
    }

    /// Goes with the handshake of every connection that is opened from now on. One that stands
    /// keeps the one it was opened with.
    fn fenced(&self, fence: &Fence) {
        self.fence.set(fence);
    }
}

impl Drop for WsProvider {
    fn drop(&mut self) {
        self.replace(None);
    }
}

impl fmt::Debug for WsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WsProvider")
            .field("wallet", &self.options.shown)
            .finish_non_exhaustive()
    }
}

/// Cuts a provider's link when dropped.
struct Cut<'a>(&'a WsProvider);

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.0.replace(None);
    }
}
