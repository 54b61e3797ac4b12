//! Why a provider could not be built.

/// Why a [`WsProvider`](super::WsProvider) could not be built.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The authorization is no valid header value.
    #[error("the authorization holds characters that a header cannot carry")]
    InvalidAuthorization,
    /// The address is no URL.
    #[error("the wallet's address is no URL: {0}")]
    InvalidUrl(url::ParseError),
    /// The address names no host.
    #[error("the wallet's address names no host")]
    NoHost,
    /// An option is out of range.
    #[error("`{option}` is {value}: {expected}")]
    OutOfRange {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A `wss` address, and TLS is not built in.
    #[error("`wss` needs the feature `tls` of moorline-cip0103; enable it, or use `ws`")]
    TlsNotBuilt,
    /// The address is neither `ws` nor `wss`.
    #[error("the wallet's address begins with `{0}:`; a WebSocket begins with `ws:` or `wss:`")]
    UnsupportedScheme(String),
}
