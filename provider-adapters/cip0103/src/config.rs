//! What a provider can be built from, and why one could not be.

use std::fmt::Debug;
use std::time::Duration;

use url::Url;

/// The longest time any option takes: beyond it timers overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
const SHORTEST: Duration = Duration::from_millis(1);

/// The smallest limit of a size, in bytes.
const SMALLEST: usize = 1024;

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

/// An address that begins with `plain`, or with `tls` where TLS is built in.
pub(crate) fn address(text: &str, plain: &str, tls: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(ConfigError::InvalidUrl)?;
    match url.scheme() {
        scheme if scheme == plain => {}
        scheme if scheme == tls && cfg!(feature = "tls") => {}
        scheme if scheme == tls => return Err(ConfigError::TlsNotBuilt),
        other => return Err(ConfigError::UnsupportedScheme(other.to_owned())),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(ConfigError::NoHost);
    }
    Ok(url)
}

/// Whether options are times that timers take.
pub(crate) fn check_times<const N: usize>(
    options: [(&'static str, Duration); N],
) -> Result<(), ConfigError> {
    for (option, time) in options {
        if !(SHORTEST..=LONGEST).contains(&time) {
            return Err(out_of_range(option, time, "from 1 ms to 365 days"));
        }
    }
    Ok(())
}

/// Whether options are limits, in bytes, that leave room for anything.
pub(crate) fn check_sizes<const N: usize>(
    options: [(&'static str, usize); N],
) -> Result<(), ConfigError> {
    for (option, bytes) in options {
        if bytes < SMALLEST {
            return Err(out_of_range(option, bytes, "at least 1024 bytes"));
        }
    }
    Ok(())
}

pub(crate) fn out_of_range(
    option: &'static str,
    value: impl Debug,
    expected: &'static str,
) -> ConfigError {
    ConfigError::OutOfRange {
        option,
        value: format!("{value:?}"),
        expected,
    }
}
