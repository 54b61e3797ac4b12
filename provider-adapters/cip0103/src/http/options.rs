//! How a provider connects to a gateway.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tls")]
use tokio_rustls::rustls::ClientConfig;
use url::Url;

use super::HttpProvider;
use super::client::ClientOptions;
use super::gateway::Gateway;
use crate::ConfigError;
use crate::address::{is_trustworthy, shown};
use crate::auth::Credentials;
use crate::config::{address, check_sizes, check_times, out_of_range};

/// Everything sessions on a gateway need to know.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) url: Url,
    pub(super) events: Url,
    pub(super) user_api: Option<Url>,
    /// The address without anything that may hold secrets.
    pub(super) shown: String,
    pub(super) network: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) token_in_url: bool,
    pub(super) all_transactions: bool,
    pub(super) max_request_size: usize,
    pub(super) max_response_size: usize,
    pub(super) max_event_size: usize,
    pub(super) poll_interval: Duration,
    pub(super) max_stream_age: Duration,
    pub(super) backoff_base: Duration,
    pub(super) backoff_cap: Duration,
    pub(super) stream_opens_per_second: u32,
}

/// Builds an [`HttpProvider`].
#[must_use = "a builder does nothing until `build`"]
pub struct HttpProviderBuilder {
    url: String,
    user_api: Option<String>,
    credentials: Option<Credentials>,
    client: ClientOptions,
    network: Option<String>,
    origin: Option<String>,
    token_in_url: bool,
    all_transactions: bool,
    max_request_size: usize,
    max_response_size: usize,
    max_event_size: usize,
    poll_interval: Duration,
    max_stream_age: Duration,
    backoff: (Duration, Duration),
    stream_opens_per_second: u32,
    allow_http: bool,
}

impl HttpProviderBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            user_api: None,
            credentials: None,
            client: ClientOptions::default(),
            network: None,
            origin: Some("moorline".to_owned()),
            token_in_url: false,
            all_transactions: false,
            max_request_size: 1024 * 1024,
            max_response_size: 16 * 1024 * 1024,
            max_event_size: 4 * 1024 * 1024,
            poll_interval: Duration::from_secs(30),
            max_stream_age: Duration::from_secs(15 * 60),
            backoff: (Duration::from_millis(500), Duration::from_secs(30)),
            stream_opens_per_second: 100,
            allow_http: false,
        }
    }

    /// Who this program is: an [`Authenticator`](crate::auth::Authenticator), or
    /// [`Credentials`] to share one among providers. Default: nobody; gateways that want a login
    /// then answer with the address of one.
    pub fn authenticator(mut self, credentials: impl Into<Credentials>) -> Self {
        self.credentials = Some(credentials.into());
        self
    }

    /// Has a session made on this network through the gateway's user API, wherever there is none:
    /// when the program connects, and when a session is re-authenticated. Never on the way back
    /// from a lost link: a session that ended at the gateway ended. Default: none is made.
    pub fn network(mut self, id: impl Into<String>) -> Self {
        self.network = Some(id.into());
        self
    }

    /// The origin sessions are made with. Newer gateways keep one session for each user and origin,
    /// and end it when another is made: programs that run at the same time for the same user want
    /// different ones. Default `moorline`; `None` for gateways that refuse the field.
    pub fn origin(mut self, origin: Option<String>) -> Self {
        self.origin = origin;
        self
    }

    /// Where the gateway's user API is. Default: where the gateway says, if that is on the same
    /// host, else `user` beside the dApp API.
    pub fn user_api(mut self, url: impl Into<String>) -> Self {
        self.user_api = Some(url.into());
        self
    }

    /// Shows the token of the event stream in its address (`?token=`) instead of the header, where
    /// it ends up in logs of everything on the way: for gateways that read it only there. Default
    /// no.
    pub fn token_in_url(mut self, yes: bool) -> Self {
        self.token_in_url = yes;
        self
    }

    /// Passes on events of transactions and signatures that this provider did not ask for: those of
    /// an earlier run of the program; at gateways of the first generation those of all programs of
    /// the user, too. Default no.
    pub fn all_transactions(mut self, yes: bool) -> Self {
        self.all_transactions = yes;
        self
    }

    /// How long resolving, dialling and TLS may take together. Default 10 s; deadlines for answers
    /// are the session's.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.client.connect_timeout = timeout;
        self
    }

    /// The longest request in bytes; a longer one is refused before it is sent. Default 1 MiB,
    /// which is what gateways take.
    pub fn max_request_size(mut self, bytes: usize) -> Self {
        self.max_request_size = bytes;
        self
    }

    /// The longest answer in bytes; a longer one counts as malformed. Default 16 MiB.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// The longest event in bytes; a longer one ends the stream, which is opened again. Default
    /// 4 MiB.
    pub fn max_event_size(mut self, bytes: usize) -> Self {
        self.max_event_size = bytes;
        self
    }

    /// How often the gateway is asked whether it is still connected, as its streams have no
    /// heartbeat. Default 30 s, ± 20 % at random; each time costs the gateway a look at its ledger
    /// and its identity provider.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// How old an event stream may get before it is replaced, without a gap, by a new one: a stream
    /// can be dead without anybody noticing. Default 15 min, ± 20 % at random.
    pub fn max_stream_age(mut self, age: Duration) -> Self {
        self.max_stream_age = age;
        self
    }

    /// How long to wait before a lost stream is opened again: at random up to `base`, doubled with
    /// each failure, at most `cap`; at least what the gateway's `Retry-After` says. Default 500 ms
    /// and 30 s.
    pub fn stream_backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.backoff = (base, cap);
        self
    }

    /// How many streams all sessions on this gateway open in a second, after a burst of as many.
    /// Default 100.
    pub fn stream_opens_per_second(mut self, streams: u32) -> Self {
        self.stream_opens_per_second = streams;
        self
    }

    /// Lets credentials travel over plain `http` to other computers: for networks on which nobody
    /// else is. Default no: building then fails with [`ConfigError::Insecure`].
    pub fn allow_http(mut self, yes: bool) -> Self {
        self.allow_http = yes;
        self
    }

    /// How to speak TLS: for private certificate authorities. Set `alpn_protocols` in it for
    /// HTTP/2. Default: `rustls` with `ring`, certificates checked the way the operating system
    /// does.
    #[cfg(feature = "tls")]
    pub fn tls_config(mut self, config: Arc<ClientConfig>) -> Self {
        self.client.tls = Some(config);
        self
    }

    /// The provider. Nothing is dialled yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an address or an option cannot be right.
    pub fn build(self) -> Result<HttpProvider, ConfigError> {
        self.check()?;
        let address = |text: &str| address(text, "http", "https");
        let url = address(&self.url)?;
        let mut events = url.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        events.set_path(&format!("{path}/events"));
        let user_api = self.user_api.as_deref().map(address).transpose()?;
        if self.credentials.is_some() && !self.allow_http {
            let mut addresses = std::iter::once(&url).chain(&user_api);
            if addresses.any(|url| !is_trustworthy(url)) {
                return Err(ConfigError::Insecure);
            }
        }
        let client = self.client.build(&url).map_err(|problem| {
            tracing::debug!(%problem, "no HTTP client");
            ConfigError::NoClient
        })?;
        let (backoff_base, backoff_cap) = self.backoff;
        let options = Options {
            shown: shown(&url),
            url,
            events,
            user_api,
            network: self.network,
            origin: self.origin,
            token_in_url: self.token_in_url,
            all_transactions: self.all_transactions,
            max_request_size: self.max_request_size,
            max_response_size: self.max_response_size,
            max_event_size: self.max_event_size,
            poll_interval: self.poll_interval,
            max_stream_age: self.max_stream_age,
            backoff_base,
            backoff_cap,
            stream_opens_per_second: self.stream_opens_per_second,
        };
        let gateway = Gateway::new(client, options, self.credentials);
        Ok(HttpProvider::on(Arc::new(gateway)))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let (base, cap) = self.backoff;
        check_times([
            ("connect_timeout", self.client.connect_timeout),
            ("poll_interval", self.poll_interval),
            ("max_stream_age", self.max_stream_age),
            ("stream_backoff", base),
            ("stream_backoff", cap),
        ])?;
        check_sizes([
            ("max_request_size", self.max_request_size),
            ("max_response_size", self.max_response_size),
            ("max_event_size", self.max_event_size),
        ])?;
        match self.stream_opens_per_second {
            0 => Err(out_of_range("stream_opens_per_second", 0, "at least 1")),
            _ => Ok(()),
        }
    }
}
