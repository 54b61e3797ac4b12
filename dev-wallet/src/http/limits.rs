//! How many requests a caller may make.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};

use super::Reply;
use crate::gateway::Caller;
use crate::state::{DevWalletState, Inner};

/// What limits are counted over.
const WINDOW: Duration = Duration::from_secs(60);

/// How a caller stands with the limit.
pub(crate) struct Allowance {
    limit: u32,
    remaining: u32,
    reset: u64,
    exceeded: bool,
}

impl Inner {
    /// Counts a request. `None` where nothing is limited.
    pub(crate) fn count(&mut self, caller: &Caller, peer: Option<IpAddr>) -> Option<Allowance> {
        let limit = self.gateway.rate_limit?;
        let window = self.gateway.clock.real(WINDOW);
        let whose = match caller {
            Caller::User(known) => known.user.clone(),
            Caller::Everybody | Caller::Nobody(_) => {
                peer.map_or_else(String::new, |it| it.to_string())
            }
        };
        let now = Instant::now();
        let bucket = self.gateway.buckets.entry(whose).or_insert((now, 0));
        if now.duration_since(bucket.0) >= window {
            *bucket = (now, 0);
        }
        bucket.1 = bucket.1.saturating_add(1);
        let left = window.saturating_sub(now.duration_since(bucket.0));
        Some(Allowance {
            limit,
            remaining: limit.saturating_sub(bucket.1),
            reset: left.as_secs_f64().ceil() as u64,
            exceeded: bucket.1 > limit,
        })
    }
}

impl Allowance {
    /// The refusal, if the limit is exceeded.
    pub(crate) fn refusal(&self, state: &DevWalletState, id: &Value) -> Option<Reply> {
        self.exceeded.then(|| {
            let seconds = self.reset.to_string();
            too_many(state, id).header_value(RETRY_AFTER, &seconds)
        })
    }

    /// Says how the caller stands.
    pub(crate) fn announce(&self, headers: &mut HeaderMap) {
        let fields = [
            ("ratelimit-policy", format!("{};w=60", self.limit)),
            ("ratelimit-limit", self.limit.to_string()),
            ("ratelimit-remaining", self.remaining.to_string()),
            ("ratelimit-reset", self.reset.to_string()),
        ];
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// 429.
pub(crate) fn too_many(state: &DevWalletState, id: &Value) -> Reply {
    if state.lock().dialect().plain_rate_limit {
        let text = "Too many requests, please try again later.";
        return Reply::new(429, "text/html; charset=utf-8", text);
    }
    let error = json!({ "code": -32005, "message": "limit exceeded: too many requests" });
    Reply::json(429, &json!({ "jsonrpc": "2.0", "id": id, "error": error }))
}
