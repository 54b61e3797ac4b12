//! One gateway: what every session on it shares, and the two things that can be asked of it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moorline::ProviderError;
use moorline::provider::ErrorKind;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::answer::Answer;
use super::client::{BodyError, collect, retry_after, why};
use super::frames::Frames;
use super::login::Login;
use super::options::Options;
use crate::auth::{Credential, Credentials};
use crate::fence;

/// The longest body of an answer that opens no stream, in bytes.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// One gateway, for any number of sessions: they share its connections.
pub(super) struct Gateway {
    pub(super) client: Client,
    pub(super) options: Options,
    pub(super) credentials: Option<Credentials>,
    pub(super) login: Login,
    pace: Pace,
    next_id: AtomicU64,
}

/// Who asks: what every request shows of that.
#[derive(Clone, Copy, Default)]
pub(super) struct Caller<'a> {
    pub(super) credential: Option<&'a Credential>,
    pub(super) fence: Option<&'a HeaderValue>,
}

/// Why the gateway gave no stream.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// What is certain of it.
    pub(super) why: Why,
    pub(super) error: ProviderError,
}

/// What a refusal of the event stream says. Nothing else tells these apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// The credential was taken, and there is no session for it.
    NoSession,
    /// The credential was not taken.
    Unauthenticated,
    /// The gateway cannot be reached.
    Unreachable,
    /// Anything else: too many requests, a failure inside, no such address.
    Failing,
}

impl Gateway {
    pub(super) fn new(client: Client, options: Options, credentials: Option<Credentials>) -> Self {
        Self {
            client,
            pace: Pace::new(options.stream_opens_per_second),
            options,
            credentials,
            login: Login::default(),
            next_id: AtomicU64::new(1),
        }
    }

    /// Calls a method of the dApp API. `Value::Null` stands for no params.
    ///
    /// A call that does no harm twice is made once more if its connection turns out to be closed:
    /// servers drop idle connections, and a request may meet that on its way.
    pub(super) async fn call(
        &self,
        caller: Caller<'_>,
        method: &str,
        params: &Value,
    ) -> Result<Value, ProviderError> {
        self.call_at(&self.options.url, caller, method, params)
            .await
    }

    /// The same, at another address of the gateway.
    pub(super) async fn call_at(
        &self,
        url: &Url,
        caller: Caller<'_>,
        method: &str,
        params: &Value,
    ) -> Result<Value, ProviderError> {
        let body = self.write(method, params)?;
        match self.post(url, caller, method, &body).await {
            Err(Failure::Closed(_)) if is_harmless(method, params) => {
                tracing::trace!(method, "the connection was closed; once more");
                self.post(url, caller, method, &body).await
            }
            answer => answer,
        }
        .map_err(Failure::into_error)
    }

    fn write(&self, method: &str, params: &Value) -> Result<String, ProviderError> {
        let refuse = |problem: String| {
            let text = format!("the params of `{method}` {problem}");
            ProviderError::new(ErrorKind::InvalidRequest, text).not_sent()
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let request = match params {
            Value::Null => json!({ "jsonrpc": "2.0", "id": id, "method": method }),
            Value::Array(_) | Value::Object(_) => {
                json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
            }
            _ => {
                let problem = "are neither an object nor an array; JSON-RPC has no other";
                return Err(refuse(problem.to_owned()));
            }
        };
        let body = request.to_string();
        let limit = self.options.max_request_size;
        if body.len() > limit {
            return Err(refuse(format!(
                "make a request of {} bytes, and the limit is {limit}",
                body.len()
            )));
        }
        Ok(body)
    }

    async fn post(
        &self,
        url: &Url,
        caller: Caller<'_>,
        method: &str,
        body: &str,
    ) -> Result<Value, Failure> {
        let request = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body.to_owned());
        let response = self
            .show(request, caller)?
            .send()
            .await
            .map_err(|problem| self.not_answered(problem))?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = collect(response, self.options.max_response_size).await;
        let body = body.map_err(|problem| self.half_answered(method, problem))?;
        let answer = Answer {
            status: status.as_u16(),
            retry_after,
            body: &body,
            secret: caller.credential.map(Credential::secret),
        };
        answer.read(method).map_err(Failure::Other)
    }

    /// Opens the event stream. The future ends once the gateway has said yes or no.
    pub(super) async fn listen(&self, caller: Caller<'_>) -> Result<Frames, Refusal> {
        let unreachable = |error: ProviderError| Refusal {
            why: match error.kind() {
                ErrorKind::Unreachable | ErrorKind::TimedOut => Why::Unreachable,
                _ => Why::Failing,
            },
            error,
        };
        let mut url = self.options.events.clone();
        let mut shown = caller;
        if self.options.token_in_url
            && let Some(credential) = shown.credential.take()
        {
            let secret = credential.secret().expose_secret();
            url.query_pairs_mut().append_pair("token", secret);
        }
        let request = self.show(self.client.get(url), shown);
        let response = request
            .map_err(|failure| unreachable(failure.into_error()))?
            .header(ACCEPT, "text/event-stream")
            .send()
            .await
            .map_err(|problem| unreachable(self.not_answered(problem).into_error()))?;
        let kind = response.headers().get(CONTENT_TYPE);
        let is_stream = kind
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"));
        if response.status() == StatusCode::OK && is_stream {
            let limit = self.options.max_event_size;
            return Ok(Frames::new(response.bytes_stream(), limit));
        }
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let body = collect(response, LONGEST_REFUSAL).await.unwrap_or_default();
        let answer = Answer {
            status,
            retry_after,
            body: &body,
            secret: caller.credential.map(Credential::secret),
        };
        let error = match answer.read("events") {
            Err(error) => error,
            Ok(_) => ProviderError::new(ErrorKind::Malformed, "the gateway has no event stream")
                .answered(),
        };
        let why = match error.kind() {
            ErrorKind::SessionGone => Why::NoSession,
            ErrorKind::Unauthorized => Why::Unauthenticated,
            ErrorKind::Unreachable | ErrorKind::TimedOut => Why::Unreachable,
            _ => Why::Failing,
        };
        Err(Refusal { why, error })
    }

    /// When the next stream may be opened: however many sessions lost theirs at once, the gateway
    /// is not overrun.
    pub(super) fn next_opening(&self) -> Instant {
        self.pace.reserve()
    }

    fn show(
        &self,
        mut request: RequestBuilder,
        caller: Caller<'_>,
    ) -> Result<RequestBuilder, Failure> {
        if let Some(fence) = caller.fence {
            request = request.header(fence::HEADER, fence);
        }
        let Some(credential) = caller.credential else {
            return Ok(request);
        };
        let mut value =
            HeaderValue::from_str(credential.header().expose_secret()).map_err(|_| {
                let text = "the credential holds characters that a header cannot carry";
                Failure::Other(ProviderError::new(ErrorKind::InvalidRequest, text).not_sent())
            })?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    fn not_answered(&self, problem: reqwest::Error) -> Failure {
        let never_left = problem.is_connect() || problem.is_builder();
        let kind = match problem.is_timeout() {
            true => ErrorKind::TimedOut,
            false => ErrorKind::Unreachable,
        };
        // The address may hold a token.
        let problem = problem.without_url();
        let shown = &self.options.shown;
        let why = why(&problem);
        let text = format!("the gateway at {shown} cannot be reached: {why}");
        let error = ProviderError::new(kind, text).with_source(problem);
        if never_left {
            Failure::Other(error.not_sent())
        } else {
            Failure::Closed(error)
        }
    }

    fn half_answered(&self, method: &str, problem: BodyError) -> Failure {
        let kind = match problem {
            BodyError::Broken(_) => ErrorKind::Unreachable,
            BodyError::TooLong(_) => ErrorKind::Malformed,
        };
        let text = format!("the gateway's answer to `{method}` cannot be read: {problem}");
        Failure::Other(ProviderError::new(kind, text).with_source(problem))
    }
}

/// Why a call failed.
enum Failure {
    /// The connection was closed before an answer began. The gateway may have the request.
    Closed(ProviderError),
    Other(ProviderError),
}

impl Failure {
    fn into_error(self) -> ProviderError {
        match self {
            Self::Closed(error) | Self::Other(error) => error,
        }
    }
}

/// Whether a method does no harm when it is called twice.
fn is_harmless(method: &str, params: &Value) -> bool {
    match method {
        "connect" | "disconnect" | "getActiveNetwork" | "getPrimaryAccount" | "isConnected"
        | "listAccounts" | "status" => true,
        "ledgerApi" => params
            .get("requestMethod")
            .and_then(Value::as_str)
            .is_some_and(|method| method.eq_ignore_ascii_case("get")),
        _ => false,
    }
}

/// Spaces the opening of streams out, after a burst.
struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    fn new(per_second: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second.max(1),
            next: Mutex::new(None),
        }
    }

    /// The next free moment. A second's worth of moments may be taken at once.
    fn reserve(&self) -> Instant {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let burst = Duration::from_secs(1);
        let earliest = now.checked_sub(burst).unwrap_or(now);
        let slot = next.map_or(earliest, |next| next.max(earliest)) + self.interval;
        *next = Some(slot);
        slot.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_the_rest_is_spaced() {
        tokio::time::advance(Duration::from_secs(10)).await;
        let pace = Pace::new(10);
        let now = Instant::now();
        let waits: Vec<_> = (0..20)
            .map(|_| (pace.reserve() - now).as_millis())
            .collect();
        assert!(waits[..10].iter().all(|wait| *wait == 0), "{waits:?}");
        assert_eq!(waits[19], 1000);
    }

    #[test]
    fn only_what_reads_is_harmless() {
        for method in ["prepareExecute", "signMessage", "addSession", "unknown"] {
            assert!(!is_harmless(method, &Value::Null), "{method}");
        }
        assert!(is_harmless("ledgerApi", &json!({ "requestMethod": "GET" })));
        assert!(!is_harmless(
            "ledgerApi",
            &json!({ "requestMethod": "post" })
        ));
    }
}
