//! The HTTP client underneath: how it connects, and what it reads at most.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use url::Url;

use crate::address::is_local;

/// Idle connections are dropped before the common servers drop them (5 s), so that a request is
/// seldom written to a connection that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// How many idle connections are kept.
const POOL_SIZE: usize = 32;
/// How long a silent connection is left alone before the system asks whether anybody is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How to connect.
#[derive(Clone)]
pub(crate) struct ClientOptions {
    pub(crate) connect_timeout: Duration,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<std::sync::Arc<tokio_rustls::rustls::ClientConfig>>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// No client can be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("the HTTP client cannot be set up")]
    Client(#[from] reqwest::Error),
    #[cfg(feature = "tls")]
    #[error("TLS cannot be set up")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

impl ClientOptions {
    /// A client for `target`. It follows no redirects and bounds nothing but connecting: deadlines
    /// are the session's.
    pub(crate) fn build(&self, target: &Url) -> Result<Client, ClientError> {
        let mut builder = Client::builder()
            .user_agent(concat!("moorline/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .tcp_keepalive_retries(3)
            .http2_keep_alive_interval(KEEPALIVE)
            .http2_keep_alive_timeout(KEEPALIVE)
            .http2_keep_alive_while_idle(true)
            .redirect(redirect::Policy::none())
            .referer(false);
        if is_local(target) {
            // Nobody's proxy reaches this computer's own ports.
            builder = builder.no_proxy();
        }
        #[cfg(feature = "tls")]
        {
            let config = match &self.tls {
                Some(config) => (**config).clone(),
                None => system_tls()?,
            };
            builder = builder.tls_backend_preconfigured(config);
        }
        Ok(builder.build()?)
    }
}

/// `rustls` with `ring`, certificates checked the way the operating system does.
#[cfg(feature = "tls")]
fn system_tls() -> Result<tokio_rustls::rustls::ClientConfig, tokio_rustls::rustls::Error> {
    use rustls_platform_verifier::BuilderVerifierExt;
    use tokio_rustls::rustls::{ClientConfig, crypto::ring};

    let provider = std::sync::Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the connection broke in the middle of the answer")]
    Broken(#[source] reqwest::Error),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// The body of an answer, if it is no longer than `limit`.
pub(crate) async fn collect(mut response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    if response
        .content_length()
        .is_some_and(|length| length > limit as u64)
    {
        return Err(BodyError::TooLong(limit));
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                return Err(BodyError::TooLong(limit));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(problem) => return Err(BodyError::Broken(problem.without_url())),
        }
    }
}

/// `Retry-After` in seconds. Its other form, a date, is left alone: gateways send seconds, and
/// clocks differ.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    /// Nobody is believed to want more.
    const MOST: u64 = 24 * 3600;
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MOST)))
}
