//! Why a provider could not be built.

/// Why a provider could not be built.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The authorization is no valid header value.
    #[error("the authorization holds characters that a header cannot carry")]
    InvalidAuthorization,
    /// A credential would travel unprotected.
    #[error(
        "credentials go to `https` addresses only, or to `http` on this computer; anybody on the way could read them"
    )]
    Insecure,
    /// The address is no URL.
    #[error("the wallet's address is no URL: {0}")]
    InvalidUrl(url::ParseError),
    /// The HTTP client cannot be set up: the system has no certificates, for one.
    #[error("the HTTP client cannot be set up; does the system have root certificates?")]
    NoClient,
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
    /// A `wss` or `https` address, and TLS is not built in.
    #[error(
        "`wss` and `https` need the feature `tls` of moorline-cip0103; enable it, or go without TLS"
    )]
    TlsNotBuilt,
    /// The address begins with something this transport does not speak.
    #[error(
        "the wallet's address begins with `{0}:`; a WebSocket begins with `ws:` or `wss:`, a remote gateway with `http:` or `https:`"
    )]
    UnsupportedScheme(String),
}
