//! One connection: a socket, a JSON-RPC client on it, and a task that tells of its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jsonrpsee::client_transport::ws::HeaderValue;
use jsonrpsee::core::client::async_client::{Client, ClientBuilder, PingConfig, RpcService};
use jsonrpsee::core::client::{ClientT, Error};
use jsonrpsee::core::middleware::RpcServiceBuilder;
use jsonrpsee::core::traits::ToRpcParams;
use moorline::ProviderError;
use moorline::provider::{ErrorKind, EventSink, ProviderEvent};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::task::AbortHandle;

use super::dial::dial;
use super::options::Options;
use super::outbox::{NotHandedOver, Track};
use super::tap::{Shared, TapReceiver, TapSender};
use crate::error::{answered, malformed};
use crate::redact::scrub_text;

/// How many calls may wait for the socket at once before a further one waits for its turn.
const WAITING_CALLS: usize = 1024;
/// Room for the frame around the params of a call.
const FRAME: usize = 256;

/// One connection to a wallet, for one epoch. Cut when dropped.
///
/// A call that is dropped before it left this program never leaves it. One that has left costs
/// some 235 B in the JSON-RPC client until the wallet answers it or the link ends.
pub(super) struct Link {
    client: Arc<Client<Track<RpcService>>>,
    shared: Arc<Shared>,
    options: Arc<Options>,
    lost: Arc<Lost>,
    watch: AbortHandle,
}

impl Link {
    /// Dials, and listens from the first frame on: no notification is lost between.
    ///
    /// Cancel safe: dropping the future closes the socket.
    pub(super) async fn open(
        options: &Arc<Options>,
        fence: Option<HeaderValue>,
        events: EventSink,
    ) -> Result<Self, ProviderError> {
        let (sender, receiver) = dial(options, fence).await?;
        let shared = Arc::new(Shared::new());
        let outbox = Arc::clone(&shared.outbox);
        let ping = PingConfig::new()
            .ping_interval(options.ping_interval)
            .inactive_limit(options.inactivity_limit);
        let client = ClientBuilder::new()
            .request_timeout(options.request_ceiling)
            .max_concurrent_requests(WAITING_CALLS)
            .enable_ws_ping(ping)
            .set_rpc_middleware(
                RpcServiceBuilder::new()
                    .layer_fn(move |service| Track::new(service, Arc::clone(&outbox))),
            )
            .build_with_tokio(
                TapSender {
                    inner: sender,
                    shared: Arc::clone(&shared),
                    limit: options.inactivity_limit,
                },
                TapReceiver {
                    inner: receiver,
                    shared: Arc::clone(&shared),
                    events: events.clone(),
                },
            );
        let client = Arc::new(client);
        tracing::debug!(wallet = %options.shown, epoch = %events.epoch(), "link open");
        let lost = Arc::new(Lost {
            shared: Arc::clone(&shared),
            options: Arc::clone(options),
            events,
            told: AtomicBool::new(false),
        });
        let watch = tokio::spawn(watch(Arc::clone(&client), Arc::clone(&lost)));
        Ok(Self {
            client,
            shared,
            options: Arc::clone(options),
            lost,
            watch: watch.abort_handle(),
        })
    }

    /// Calls a method. `Value::Null` stands for no params.
    ///
    /// Cancel safe in the sense of the seam: what was not handed to the socket by then never is.
    pub(super) async fn call(&self, method: &str, params: Value) -> Result<Value, ProviderError> {
        let params = Params::new(method, &params, self.options.max_message_size as usize)?;
        match self.client.request::<Value, _>(method, params).await {
            Ok(answer) => Ok(answer),
            Err(Error::Call(error)) => Err(answered(method, &error)),
            Err(Error::ParseError(problem)) => Err(malformed(method, problem)),
            Err(Error::Transport(cause)) if cause.is::<NotHandedOver>() => {
                Err(self.lost.tell(None).not_sent())
            }
            Err(Error::RequestTimeout) => Err(ProviderError::new(
                ErrorKind::TimedOut,
                format!(
                    "the wallet did not answer `{method}` within {} s",
                    self.options.request_ceiling.as_secs()
                ),
            )),
            Err(other) => Err(self.lost.tell(Some(&other))),
        }
    }

    /// Cuts the link: every call that waits ends now, and no event comes any more.
    pub(super) fn sever(&self) {
        self.watch.abort();
        self.shared.severed.send_replace(true);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.sever();
    }
}

/// Tells the session when the link ends by itself.
async fn watch(client: Arc<Client<Track<RpcService>>>, lost: Arc<Lost>) {
    let error = client.on_disconnect().await;
    lost.tell(Some(&error));
}

/// The news that a link is lost, told once.
///
/// The session hears it before any caller does: whoever tries again at once is then held until
/// there is a link again, instead of failing on the dead one as fast as it can try.
struct Lost {
    shared: Arc<Shared>,
    options: Arc<Options>,
    events: EventSink,
    told: AtomicBool,
}

impl Lost {
    /// Tells the session, unless it knows or ended the link itself. Returns what was lost.
    fn tell(&self, error: Option<&Error>) -> ProviderError {
        let lost = ProviderError::new(
            ErrorKind::Unreachable,
            format!(
                "the connection to the wallet at {} broke: {}",
                self.options.shown,
                end_of(&self.shared, error)
            ),
        );
        if !*self.shared.severed.borrow() && !self.told.swap(true, Ordering::Relaxed) {
            let (wallet, epoch) = (&self.options.shown, self.events.epoch());
            tracing::debug!(%wallet, %epoch, error = %lost, "link lost");
            self.events.send(ProviderEvent::Dropped(lost.clone()));
        }
        lost
    }
}

/// Why a link ended: what the wire saw first, else what the client says.
fn end_of(shared: &Shared, error: Option<&Error>) -> String {
    match (shared.end.get(), error) {
        (Some(end), _) => scrub_text(end),
        (None, Some(Error::RestartNeeded(cause))) => scrub_text(&cause.to_string()),
        (None, Some(error)) => scrub_text(&error.to_string()),
        (None, None) => "it had ended before".to_owned(),
    }
}

/// Params of a call, already JSON.
struct Params(Option<Box<RawValue>>);

impl Params {
    /// Refuses here what would make the JSON-RPC client drop the whole connection.
    fn new(method: &str, params: &Value, limit: usize) -> Result<Self, ProviderError> {
        let refuse = |problem: String| {
            ProviderError::new(
                ErrorKind::InvalidRequest,
                format!("the params of `{method}` {problem}"),
            )
            .not_sent()
        };
        match params {
            Value::Null => return Ok(Self(None)),
            Value::Array(_) | Value::Object(_) => {}
            _ => {
                return Err(refuse(
                    "are neither an object nor an array; JSON-RPC has no other".to_owned(),
                ));
            }
        }
        let params = serde_json::value::to_raw_value(params)
            .map_err(|problem| refuse(format!("are no JSON: {problem}")))?;
        let size = params.get().len() + method.len() + FRAME;
        if size > limit {
            return Err(refuse(format!(
                "make a message of {size} bytes, and the limit is {limit}"
            )));
        }
        Ok(Self(Some(params)))
    }
}

impl ToRpcParams for Params {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(self.0)
    }
}
