//! How a provider connects.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
#[cfg(feature = "tls")]
use std::sync::Arc;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::ClientConfig;
use url::Url;

use super::WsProvider;
use crate::ConfigError;
use crate::address::shown;
use crate::config::{address, check_sizes, check_times, out_of_range};

/// Everything a link needs to know.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) url: Url,
    /// The address without user, password, path and query, all of which may hold secrets.
    pub(super) shown: String,
    pub(super) authorization: Option<SecretString>,
    pub(super) connect_timeout: Duration,
    pub(super) ping_interval: Duration,
    pub(super) inactivity_limit: Duration,
    pub(super) request_ceiling: Duration,
    pub(super) max_message_size: u32,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// Builds a [`WsProvider`].
#[must_use = "a builder does nothing until `build`"]
pub struct WsProviderBuilder {
    url: String,
    authorization: Option<SecretString>,
    connect_timeout: Duration,
    ping_interval: Duration,
    inactivity_limit: Duration,
    request_ceiling: Duration,
    max_message_size: u32,
    #[cfg(feature = "tls")]
    tls: Option<Arc<ClientConfig>>,
}

impl WsProviderBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            authorization: None,
            connect_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(15),
            inactivity_limit: Duration::from_secs(20),
            request_ceiling: Duration::from_secs(3600),
            max_message_size: 10 * 1024 * 1024,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sends this as the `Authorization` header of the WebSocket handshake, scheme included
    /// (`Bearer …`). Default: none, or what user and password in the address make.
    pub fn authorization(mut self, value: SecretString) -> Self {
        self.authorization = Some(value);
        self
    }

    /// How long resolving, dialling, TLS and the WebSocket handshake may take together. Default
    /// 10 s; the session's own deadline for connecting comes on top.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How often a ping is sent, so that a link that died silently is noticed. Default 15 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// How long a link may be silent, answers to pings included, before it counts as dead. Default
    /// 20 s; must be longer than the ping interval. Looked at once each limit, so that a dead link
    /// is noticed within twice the limit. Writing to a wallet that does not read is given up after
    /// the same time.
    pub fn inactivity_limit(mut self, limit: Duration) -> Self {
        self.inactivity_limit = limit;
        self
    }

    /// When a request is given up even if nobody else does. Default 1 h. The session has a shorter
    /// deadline for each request; this is the net below it, measured on the computer's own clock
    /// even where the runtime's time is paused.
    pub fn request_ceiling(mut self, ceiling: Duration) -> Self {
        self.request_ceiling = ceiling;
        self
    }

    /// The longest message in bytes, either way. Default 10 MiB. A longer request is refused before
    /// it is sent; a longer message from the wallet ends the link.
    pub fn max_message_size(mut self, bytes: u32) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// How to speak TLS: for private certificate authorities. Default: `rustls` with `ring`,
    /// certificates checked the way the operating system does.
    #[cfg(feature = "tls")]
    pub fn tls_config(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// The provider. Nothing is dialled yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the address or an option cannot be right.
    pub fn build(self) -> Result<WsProvider, ConfigError> {
        let url = address(&self.url, "ws", "wss")?;
        let shown = shown(&url);
        check_times([
            ("connect_timeout", self.connect_timeout),
            ("ping_interval", self.ping_interval),
            ("inactivity_limit", self.inactivity_limit),
            ("request_ceiling", self.request_ceiling),
        ])?;
        if self.inactivity_limit <= self.ping_interval {
            return Err(out_of_range(
                "inactivity_limit",
                self.inactivity_limit,
                "longer than the ping interval",
            ));
        }
        check_sizes([("max_message_size", self.max_message_size as usize)])?;
        if let Some(value) = &self.authorization
            && !value
                .expose_secret()
                .bytes()
                .all(|byte| (b' '..=b'~').contains(&byte))
        {
            return Err(ConfigError::InvalidAuthorization);
        }
        Ok(WsProvider::from_options(Options {
            url,
            shown,
            authorization: self.authorization,
            connect_timeout: self.connect_timeout,
            ping_interval: self.ping_interval,
            inactivity_limit: self.inactivity_limit,
            request_ceiling: self.request_ceiling,
            max_message_size: self.max_message_size,
            #[cfg(feature = "tls")]
            tls: self.tls,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_is_dialled() {
        let build = |url: &str| WsProvider::new(url).map(|_| ());
        assert_eq!(build("ws://127.0.0.1:3030/api"), Ok(()));
        assert!(matches!(build("nonsense"), Err(ConfigError::InvalidUrl(_))));
        assert!(matches!(build("ws://"), Err(ConfigError::InvalidUrl(_))));
        assert_eq!(
            build("http://127.0.0.1/"),
            Err(ConfigError::UnsupportedScheme("http".to_owned()))
        );
        let tls = build("wss://wallet.example/");
        assert_eq!(tls.is_ok(), cfg!(feature = "tls"), "{tls:?}");
    }

    #[test]
    fn options_are_checked() {
        let builder = || WsProvider::builder("ws://localhost");
        for (built, option) in [
            (
                builder().connect_timeout(Duration::ZERO).build(),
                "connect_timeout",
            ),
            (
                builder().request_ceiling(Duration::MAX).build(),
                "request_ceiling",
            ),
            (
                builder().inactivity_limit(Duration::from_secs(1)).build(),
                "inactivity_limit",
            ),
            (builder().max_message_size(1).build(), "max_message_size"),
        ] {
            let error = built.unwrap_err();
            assert!(
                matches!(error, ConfigError::OutOfRange { option: of, .. } if of == option),
                "{error}"
            );
        }
        let broken = builder().authorization("Bearer a\nb".to_owned().into());
        assert_eq!(
            broken.build().unwrap_err(),
            ConfigError::InvalidAuthorization
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let provider = WsProvider::builder("ws://user:s3cret@localhost:1/s3cret?token=s3cret")
            .authorization("Bearer s3cret".to_owned().into())
            .build()
            .unwrap();
        let shown = format!("{provider:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("ws://localhost:1"), "{shown}");
    }
}
