//! Answers that are wrong on purpose.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use serde_json::json;

use super::{Asked, Broken, Reply};
use crate::state::{DevWalletState, Inner};

/// One way to answer an HTTP request wrongly.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum HttpFault {
    /// 429, with `Retry-After` in whole seconds if there is one.
    RateLimit {
        /// When to try again.
        retry_after: Option<Duration>,
    },
    /// An HTML page with this status.
    Html {
        /// The status, such as 500 or 502.
        status: u16,
    },
    /// A JSON-RPC error with a code and no message.
    BareError {
        /// The code.
        code: i32,
    },
    /// `{"error": "…"}`: an error that is a string, with status 401.
    StringError {
        /// The string.
        message: String,
    },
    /// 307 to another address.
    Redirect {
        /// Where to.
        to: String,
    },
    /// An answer that is far too long: valid JSON with a string of this many bytes.
    Oversized {
        /// How many.
        bytes: usize,
    },
    /// The right answer with a wrong content type.
    ContentType {
        /// The content type.
        value: String,
    },
    /// No body at all, with this status.
    Empty {
        /// The status.
        status: u16,
    },
    /// Something that is no JSON, with status 200.
    Garbage,
    /// The right answer, broken off after this many bytes on the wire, head included.
    Truncated {
        /// How many.
        bytes: usize,
    },
    /// The connection is closed instead of executing the request.
    CloseUnanswered,
    /// The request is executed and the connection closed instead of an answer.
    CloseExecuted,
}

impl HttpFault {
    /// What is noted of it: not what it is to say, which may hold anything.
    pub(crate) fn name(&self) -> String {
        let whole = format!("{self:?}");
        let name = whole.split([' ', '{']).next().unwrap_or_default();
        name.to_owned()
    }
}

/// Where an [`HttpFault`] strikes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Place {
    /// The dApp API. The default.
    #[default]
    Dapp,
    /// Opening a stream.
    Events,
    /// The user API.
    User,
    /// The identity provider.
    Idp,
}

/// A fault that is switched on.
#[derive(Clone, Debug)]
pub(crate) struct Misbehaviour {
    pub(crate) fault: HttpFault,
    pub(crate) place: Place,
    /// Only requests of this method.
    pub(crate) method: Option<String>,
    /// How often still; `None` until it is switched off.
    pub(crate) times: Option<u32>,
}

impl Inner {
    /// The fault that strikes a request, used up by it.
    fn next_fault(&mut self, place: Place, method: Option<&str>) -> Option<HttpFault> {
        let faults = &mut self.faults.http;
        let position = faults.iter().position(|it| {
            it.place == place && it.method.as_deref().is_none_or(|only| Some(only) == method)
        })?;
        let misbehaviour = faults.get_mut(position)?;
        let fault = misbehaviour.fault.clone();
        if let Some(times) = &mut misbehaviour.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                faults.remove(position);
            }
        }
        self.record("fault", method.unwrap_or("-"), fault.name());
        Some(fault)
    }
}

/// What a fault leaves of a request.
pub(crate) enum Struck {
    /// It is answered as it should be.
    No,
    /// It is answered with this.
    Answered(Reply),
    /// It is executed, and its answer altered.
    Altered(HttpFault),
}

/// Lets the faults strike a request.
pub(crate) fn strike(
    state: &DevWalletState,
    asked: &Asked,
    place: Place,
    method: Option<&str>,
    id: &serde_json::Value,
) -> Result<Struck, Broken> {
    let Some(fault) = state.change(|inner| inner.next_fault(place, method)) else {
        return Ok(Struck::No);
    };
    tracing::info!(fault = %fault.name(), ?place, "a request is answered wrongly");
    let reply = match fault {
        HttpFault::RateLimit { retry_after } => {
            let reply = super::limits::too_many(state, id);
            match retry_after {
                Some(after) => {
                    let seconds = after.as_secs_f64().ceil() as u64;
                    reply.header_value(RETRY_AFTER, &seconds.to_string())
                }
                None => reply,
            }
        }
        HttpFault::Html { status } => Reply::crash(status, "Error: this wallet fails on purpose."),
        HttpFault::BareError { code } => {
            let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code } });
            Reply::json(super::envelope::status_of(code), &body)
        }
        HttpFault::StringError { message } => Reply::json(401, &json!({ "error": message })),
        HttpFault::Redirect { to } => Reply::new(307, "", "").header_value(LOCATION, &to),
        HttpFault::Oversized { bytes } => {
            let body = json!({ "jsonrpc": "2.0", "id": id, "result": "x".repeat(bytes) });
            Reply::json(200, &body)
        }
        HttpFault::Empty { status } => Reply::new(status, "", ""),
        HttpFault::Garbage => Reply::new(200, "application/json", "{\"jsonrpc\":\"2.0\",\"id\":"),
        HttpFault::CloseUnanswered => return Err(Broken),
        HttpFault::Truncated { bytes } => {
            // 1 is "no more", 0 is "never".
            let after = bytes.saturating_add(1);
            (asked.line.meddling.break_after).store(after, Ordering::Relaxed);
            return Ok(Struck::No);
        }
        fault @ (HttpFault::ContentType { .. } | HttpFault::CloseExecuted) => {
            return Ok(Struck::Altered(fault));
        }
    };
    Ok(Struck::Answered(reply))
}

/// Alters an answer as a fault demands.
pub(crate) fn alter(fault: &HttpFault, mut reply: Reply) -> Result<Reply, Broken> {
    match fault {
        HttpFault::CloseExecuted => Err(Broken),
        HttpFault::ContentType { value } => {
            if let Ok(value) = HeaderValue::from_str(value) {
                reply.response.headers_mut().insert(CONTENT_TYPE, value);
            }
            Ok(reply)
        }
        _ => Ok(reply),
    }
}
