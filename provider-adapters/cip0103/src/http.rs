//! CIP-0103 over HTTP, with server-sent events.

mod access;
mod answer;
mod client;
mod frames;
mod gateway;
mod hearing;
mod keeper;
mod login;
mod options;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline::provider::{
    Capabilities, CloseMode, ErrorKind, EventSink, Live, OpenMode, OpenRequest, Opened, Provider,
    ProviderError, ProviderEvent, ProviderFuture, Request, UserAction, UserActionKind,
};
use moorline::sync::Fence;
use serde_json::{Value, json};
use tokio::sync::watch;

use self::access::{Access, NOBODY};
#[cfg(feature = "fuzzing")]
pub(crate) use self::answer::Answer;
pub(crate) use self::client::{ClientOptions, collect, retry_after, why};
#[cfg(feature = "fuzzing")]
pub(crate) use self::frames::{Frame, Frames};
use self::gateway::{Gateway, Why};
#[cfg(feature = "fuzzing")]
pub(crate) use self::hearing::Ear;
use self::keeper::Link;
pub use self::options::HttpProviderBuilder;
pub use self::state::{Authentication, Facet, GatewaySession, GatewayState, Reach, StreamState};
use crate::auth::{Credentials, Issued};
use crate::types::ConnectResult;
use crate::{ConfigError, command_id, events, methods, reading};

/// How long a stream may take to open before the session goes on without waiting for it.
const STREAM_GRACE: Duration = Duration::from_secs(3);

/// Speaks the asynchronous dApp API of CIP-0103 with one remote gateway: JSON-RPC over HTTP, and
/// server-sent events.
///
/// Built for one [`Session`](moorline::Session), which owns deadlines, verdicts and the way back
/// from a gateway that cannot be reached. The event stream, its gaps and the renewal of credentials
/// are kept here. See the [crate documentation](crate) for how the API travels and what follows
/// from what a gateway says.
///
/// ```no_run
/// use moorline::Session;
/// use moorline_cip0103::HttpProvider;
/// use moorline_cip0103::auth::ClientCredentials;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let secret = std::env::var("CLIENT_SECRET")?.into();
/// let provider = HttpProvider::builder("https://gateway.example/api/v0/dapp")
///     .authenticator(ClientCredentials::new("https://idp.example", "backend", secret)?)
///     .network("canton:mainnet")
///     .build()?;
/// let session = Session::builder(provider).build()?;
/// session.connect().await?;
/// # Ok(())
/// # }
/// ```
pub struct HttpProvider {
    access: Arc<Access>,
    /// The event stream of the current epoch.
    link: Mutex<Option<Arc<Link>>>,
}

impl HttpProvider {
    /// A provider for the gateway whose dApp API is at `url` (`http://` or `https://`), with default
    /// options and without credentials.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if no gateway can be there.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Self::builder(url).build()
    }

    /// A provider for the gateway whose dApp API is at `url`, with options.
    pub fn builder(url: &str) -> HttpProviderBuilder {
        HttpProviderBuilder::new(url)
    }

    /// Another provider for the same gateway, with the same options and the same credentials, for
    /// another session: it shares the connections and the renewals of this one. A session with its
    /// stream takes some 35 KB.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::on(Arc::clone(&self.access.gateway))
    }

    /// Another provider for the same gateway with credentials of its own, for another user: it
    /// shares the connections of this one.
    #[must_use]
    pub fn another_as(&self, credentials: impl Into<Credentials>) -> Self {
        let gateway = &self.access.gateway;
        Self::on(Arc::new(Gateway::new(
            gateway.client.clone(),
            gateway.options.clone(),
            Some(credentials.into()),
        )))
    }

    fn on(gateway: Arc<Gateway>) -> Self {
        Self {
            access: Arc::new(Access::new(gateway)),
            link: Mutex::new(None),
        }
    }

    /// What is known of the gateway now.
    pub fn status(&self) -> GatewayState {
        self.access.state().borrow().clone()
    }

    /// Tells of every change of [`status`](Self::status). Take it before the provider goes into a
    /// session.
    pub fn watch(&self) -> watch::Receiver<GatewayState> {
        self.access.state().subscribe()
    }

    fn replace(&self, link: Option<Arc<Link>>) {
        let mut place = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let _earlier = std::mem::replace(&mut *place, link);
    }

    fn events(&self) -> Option<EventSink> {
        let place = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        place.as_ref().map(|link| link.events.clone())
    }

    async fn open_link(
        &self,
        request: OpenRequest,
        events: EventSink,
    ) -> Result<Opened, ProviderError> {
        self.replace(None);
        self.access.ear().learn(None);
        let asking = events.clone();
        let prompt = move |action| {
            asking.send(ProviderEvent::UserActionRequired(action));
        };
        let mut issued = self.access.credential(request.mode, &prompt).await?;
        // Held here until the gateway has agreed: dropping this future cuts it. Open before
        // anything is asked for: events are not kept for those who come late.
        let link = Link::start(&self.access, events);
        let mut refusal = link.attempt(STREAM_GRACE).await;
        if refusal
            .as_ref()
            .is_some_and(|it| it.why == Why::Unauthenticated)
            && let Some(better) = self.access.better(issued.as_ref()).await
        {
            issued = Some(better);
            refusal = link.again(STREAM_GRACE).await;
        }
        let opened = match (request.mode, &issued) {
            (_, None) => self.open_anonymously(request.mode).await?,
            (OpenMode::Silent, Some(issued)) => {
                if let Some(refusal) = refusal.filter(|it| it.why == Why::NoSession) {
                    self.access.note(None, Some(&refusal.error));
                    return Err(refusal.error);
                }
                self.access.connected_status(Some(issued)).await?;
                Opened::Established
            }
            (OpenMode::Interactive, Some(issued)) => {
                if let Some(refusal) = refusal.as_ref().filter(|it| it.why == Why::Unauthenticated)
                {
                    // No login at the gateway helps: who the program is cannot be told there.
                    let error = access::not_taken(&refusal.error);
                    self.access.note(Some(&issued.credential), Some(&error));
                    return Err(error);
                }
                self.access.log_in(&issued.credential).await?;
                if refusal.is_some_and(|refusal| refusal.why == Why::NoSession) {
                    let _open = link.again(STREAM_GRACE).await;
                }
                self.connect(issued).await?
            }
        };
        self.replace(Some(Arc::new(link)));
        Ok(opened)
    }

    /// For gateways that need no credential, or send a person to a login.
    async fn open_anonymously(&self, mode: OpenMode) -> Result<Opened, ProviderError> {
        if mode == OpenMode::Silent {
            self.access.connected_status(None).await?;
            return Ok(Opened::Established);
        }
        let answer = self.access.call(methods::CONNECT, &Value::Null).await?;
        reading::opened(mode, &reading::decode(methods::CONNECT, answer)?)
    }

    async fn connect(&self, issued: &Issued) -> Result<Opened, ProviderError> {
        let method = methods::CONNECT;
        let answer = self.access.call_with(Some(issued), method, &Value::Null);
        let answer: ConnectResult = reading::decode(method, answer.await?)?;
        if answer.is_connected {
            return Ok(Opened::Established);
        }
        // A person is sent to log in only if that is what is missing: not while the gateway cannot
        // reach its identity provider.
        match self.access.not_connected(Some(issued), &answer).await {
            gone if gone.kind() == ErrorKind::SessionGone && answer.user_url.is_some() => {
                reading::opened(OpenMode::Interactive, &answer)
            }
            error => Err(error),
        }
    }

    async fn hand_over(&self, request: Request) -> Result<Value, ProviderError> {
        let Request {
            method,
            mut params,
            identity,
            ..
        } = request;
        methods::pin(&method, &mut params, &identity);
        let submits = methods::is_submission(&method);
        if submits {
            let id = methods::name_submission(&mut params, command_id::draw);
            self.expect(id.as_deref());
        }
        let answer = self.access.call(&method, &params).await;
        match answer {
            Ok(answer) if submits || method == methods::SIGN_MESSAGE => {
                self.expect(answer.get("messageId").and_then(Value::as_str));
                Ok(self.act(&method, answer))
            }
            Err(error) if error.kind() == ErrorKind::Unauthorized => {
                // No session that is well says so: it is looked at.
                self.tell(ProviderEvent::Recheck);
                Err(error)
            }
            answer => answer,
        }
    }

    /// This session's own submissions are told apart from all others by their ids.
    fn expect(&self, id: Option<&str>) {
        if let Some(id) = id {
            let early = self.access.ear().expect(id);
            early.into_iter().for_each(|event| self.tell(event));
        }
    }

    /// A person must approve at the address in the answer. An address nobody should open does not
    /// get further than here.
    fn act(&self, method: &str, mut answer: Value) -> Value {
        let Some(url) = answer.get("userUrl").filter(|url| !url.is_null()) else {
            return answer;
        };
        match reading::user_url(url.as_str().unwrap_or_default()) {
            Ok(url) => {
                answer["userUrl"] = json!(url);
                let action = UserAction::new(UserActionKind::Approve, url);
                self.tell(ProviderEvent::UserActionRequired(action));
            }
            Err(error) => {
                self.tell(events::malformed(method, error.message()));
                if let Some(fields) = answer.as_object_mut() {
                    fields.remove("userUrl");
                }
            }
        }
        answer
    }

    fn tell(&self, event: ProviderEvent) {
        if let Some(events) = self.events() {
            events.send(event);
        }
    }

    async fn end(&self, mode: CloseMode) -> Result<(), ProviderError> {
        // Cuts the stream however this future ends.
        let _cut = Cut(self);
        match mode {
            CloseMode::Detach => Ok(()),
            CloseMode::Disconnect => {
                // With a credential that has ended the gateway says yes and does nothing.
                let issued = self.access.credential(OpenMode::Silent, NOBODY).await?;
                let method = methods::DISCONNECT;
                self.access
                    .call_with(issued.as_ref(), method, &Value::Null)
                    .await
                    .map(|_null| ())
            }
        }
    }

    async fn renew(&self) -> Result<(), ProviderError> {
        let issued = self.access.credential(OpenMode::Silent, NOBODY).await?;
        let Some(issued) = issued else {
            let text = "there are no credentials to authenticate with; set an authenticator";
            return Err(ProviderError::new(ErrorKind::Unsupported, text).not_sent());
        };
        self.access.log_in(&issued.credential).await
    }
}

impl Provider for HttpProvider {
    /// `cip0103`: the protocol, whatever carries it.
    fn kind(&self) -> &str {
        crate::KIND
    }

    fn capabilities(&self) -> Capabilities {
        let credentials = self.access.gateway.credentials.as_ref();
        Capabilities {
            reauthentication: credentials.is_some_and(Credentials::renews),
            ..Capabilities::default()
        }
    }

    fn open(&self, request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(self.open_link(request, events))
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(self.access.ask())
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        Box::pin(self.hand_over(request))
    }

    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(self.end(mode))
    }

    /// Fetches a fresh credential if the present one has ended or was rejected, and has a session
    /// made for it if a [network](HttpProviderBuilder::network) is configured.
    fn reauthenticate(&self) -> ProviderFuture<'_, ()> {
        Box::pin(self.renew())
    }

    /// Goes with every call and with the event stream from now on. A stream that is open keeps the
    /// one it was opened with.
    fn fenced(&self, fence: &Fence) {
        self.access.fence.set(fence);
    }
}

impl fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProvider")
            .field("gateway", &self.access.gateway.options.shown)
            .field("credentials", &self.access.gateway.credentials)
            .finish_non_exhaustive()
    }
}

/// Cuts a provider's stream when dropped.
struct Cut<'a>(&'a HttpProvider);

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        self.0.replace(None);
    }
}
