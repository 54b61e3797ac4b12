//! The HTTP client underneath: how it connects, and what it reads at most.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, redirect};
use url::Url;

use crate::address::is_local;
use crate::redact::scrub_text;

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
                None => {
                    let mut config = crate::tls::system()?;
                    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                    config
                }
            };
            builder = builder.tls_backend_preconfigured(config);
        }
        Ok(builder.build()?)
    }
}

/// Why there is no answer, in one line.
pub(crate) fn why(problem: &reqwest::Error) -> String {
    #[cfg(feature = "tls")]
    if let Some(why) = crate::tls::distrust(problem) {
        return why;
    }
    let mut error: &dyn std::error::Error = problem;
    while let Some(source) = error.source() {
        error = source;
    }
    scrub_text(&error.to_string())
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

/// How long `Retry-After` says to wait: seconds, or a date. A date is set against the answer's own
/// `Date`, if it has one: clocks differ. What is past is no time at all; nobody is believed to want
/// more than a day.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    retry_after_at(headers, SystemTime::now())
}

fn retry_after_at(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    const MOST: Duration = Duration::from_secs(24 * 3600);
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if is_number {
        // A number that is too long for a number is too long a time.
        value.parse().map_or(MOST, Duration::from_secs)
    } else {
        let sent = headers.get(DATE).and_then(|date| date.to_str().ok());
        let sent = sent.and_then(|date| httpdate::parse_http_date(date).ok());
        let until = httpdate::parse_http_date(value).ok()?;
        until
            .duration_since(sent.unwrap_or(now))
            .unwrap_or_default()
    };
    Some(wait.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is waited after an answer with these headers, at 1994-11-06 08:49:37 here.
    fn wait(after: &str, date: Option<&str>) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after_at(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_taken_up_to_a_day() {
        assert_eq!(wait("7", None), Some(7));
        assert_eq!(wait(" 0 ", None), Some(0));
        assert_eq!(wait("86401", None), Some(86_400));
        assert_eq!(wait("99999999999999999999999999", None), Some(86_400));
    }

    #[test]
    fn dates_are_taken_in_all_their_forms() {
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:07 GMT", None), Some(30));
        assert_eq!(wait("Sunday, 06-Nov-94 08:50:07 GMT", None), Some(30));
        assert_eq!(wait("Sun Nov  6 08:50:07 1994", None), Some(30));
    }

    #[test]
    fn dates_far_away_and_in_the_past_are_bounded() {
        assert_eq!(wait("Fri, 31 Dec 9999 23:59:59 GMT", None), Some(86_400));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:00 GMT", None), Some(0));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", None), Some(0));
    }

    #[test]
    fn the_clock_of_the_gateway_counts_for_its_dates() {
        let after = "Sun, 06 Nov 2016 09:00:10 GMT";
        let date = "Sun, 06 Nov 2016 09:00:00 GMT";
        assert_eq!(wait(after, Some(date)), Some(10));
        assert_eq!(wait(date, Some(after)), Some(0));
        // A `Date` that is none is as good as no `Date`.
        assert_eq!(wait(after, Some("yesterday")), Some(86_400));
    }

    #[test]
    fn what_is_neither_is_left_alone() {
        for odd in ["", "soon", "-1", "1.5", "+3", "2016-11-06T09:00:00Z"] {
            assert_eq!(wait(odd, None), None, "{odd}");
        }
    }
}
