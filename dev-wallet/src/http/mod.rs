//! The HTTP side: JSON-RPC by POST, server-sent events, the routes around them.

mod dapp;
mod envelope;
mod events;
mod faults;
mod ledger;
mod limits;
mod reply;
mod serve;
mod status;
mod user;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS};
use hyper::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, ORIGIN};
use hyper::{HeaderMap, Method, Request};
use serde_json::json;

pub(crate) use self::faults::Misbehaviour;
pub use self::faults::{HttpFault, Place};
pub(crate) use self::reply::{Broken, Reply};
pub(crate) use self::serve::{Handle, Line, serve};
pub(crate) use self::wire::Meddling;

use crate::fences::{self, Fence, Malformed};
use crate::gateway::Caller;
use crate::state::DevWalletState;

/// Where the dApp API is.
pub(crate) const DAPP_PATH: &str = "/api/v0/dapp";
/// Where the user API is.
pub(crate) const USER_PATH: &str = "/api/v0/user";
/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// What is read of a body that is too large, before the answer says so.
const DRAINED: usize = 64 * 1024 * 1024;

/// A request, read.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// `None` if it is too large.
    pub(crate) body: Option<Bytes>,
    pub(crate) line: Line,
}

impl Asked {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let mut query = self.query.iter();
        query.find(|(it, _)| it == name).map(|(_, it)| it.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What the client says it acts under.
    pub(crate) fn fence(&self) -> Result<Option<Fence>, Malformed> {
        Fence::read(self.headers.get(fences::HEADER).map(|it| it.as_bytes()))
    }

    pub(crate) fn caller(&self, state: &DevWalletState) -> Caller {
        state.lock().identify(&self.headers, self.query("token"))
    }

    /// The fields of a form.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let body = self.body.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(body).into_owned().collect()
    }
}

/// Whether a path is served by HTTP alone.
pub(crate) fn is_taken(path: &str) -> bool {
    let beneath = |root: &str| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    [
        "/api",
        "/.well-known",
        "/idp",
        "/admin",
        "/ledger",
        "/login",
        "/approve",
    ]
    .into_iter()
    .any(beneath)
        || matches!(path, "/healthz" | "/readyz")
}

/// Answers a request.
pub(crate) async fn route(
    request: Request<Incoming>,
    state: DevWalletState,
    line: Line,
) -> Result<Reply, Broken> {
    let (head, body) = request.into_parts();
    let limit = state.lock().gateway.body_limit;
    let mut asked = Asked {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        headers: head.headers,
        body: None,
        line,
    };
    asked.body = read(body, limit).await?;
    let foreign = asked.headers.get(ORIGIN).is_some();
    let path = asked.path.clone();
    let mut reply = dispatch(&state, asked, &path).await?;
    if foreign && path.starts_with("/api/") {
        reply = reply.header(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    }
    Ok(reply)
}

async fn read(body: Incoming, limit: usize) -> Result<Option<Bytes>, Broken> {
    let collecting = Limited::new(body, DRAINED).collect();
    let collected = tokio::time::timeout(BODY_PATIENCE, collecting).await;
    let bytes = match collected {
        Ok(Ok(collected)) => collected.to_bytes(),
        // Broken off, far too large, or too slow.
        _ => return Err(Broken),
    };
    Ok((bytes.len() <= limit).then_some(bytes))
}

async fn dispatch(state: &DevWalletState, asked: Asked, path: &str) -> Result<Reply, Broken> {
    if asked.method == Method::OPTIONS && path.starts_with("/api/") {
        return Ok(preflight(&asked));
    }
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    match trimmed {
        DAPP_PATH => envelope::serve(state, asked, envelope::Api::Dapp).await,
        USER_PATH => envelope::serve(state, asked, envelope::Api::User).await,
        "/api/v0/dapp/events" if asked.method == Method::GET => events::serve(state, asked).await,
        "/healthz" | "/readyz" => Ok(Reply::text(200, "OK")),
        "/.well-known/wallet-gateway-config" => {
            let user = format!("{}{USER_PATH}", state.lock().base_url());
            Ok(Reply::json(200, &json!({ "userPath": user })))
        }
        "/.well-known/wallet-gateway-version" => {
            let version = env!("CARGO_PKG_VERSION");
            Ok(Reply::json(200, &json!({ "version": version })))
        }
        _ if path.starts_with("/ledger/") => Ok(ledger::serve(state, &asked)),
        _ if path.starts_with("/idp/") => crate::idp::serve(state, asked).await,
        _ if path.starts_with("/admin") => Ok(crate::admin::serve(state, asked).await),
        _ if path.starts_with("/api/v0/dapp/") && state.lock().dialect().html_errors => {
            let what = "TypeError: Cannot read properties of undefined";
            Ok(Reply::crash(500, what))
        }
        _ => Ok(crate::pages::serve(state, &asked)),
    }
}

/// Lets the faults strike a request to the identity provider.
pub(crate) fn strike_idp(state: &DevWalletState, asked: &Asked) -> Result<Option<Reply>, Broken> {
    let struck = faults::strike(state, asked, Place::Idp, None, &serde_json::Value::Null)?;
    Ok(match struck {
        faults::Struck::Answered(reply) => Some(reply),
        faults::Struck::No | faults::Struck::Altered(_) => None,
    })
}

fn preflight(asked: &Asked) -> Reply {
    let mut reply = Reply::new(204, "", "")
        .header(
            ACCESS_CONTROL_ALLOW_METHODS,
            "GET,HEAD,PUT,PATCH,POST,DELETE",
        )
        .header(ALLOW, "GET, POST");
    if let Some(wanted) = asked.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        let wanted = wanted.clone();
        (reply.response.headers_mut()).insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
    reply
}
