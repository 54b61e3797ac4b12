//! JSON-RPC over POST: from a body to an answer.

use hyper::Method;
use hyper::header::{ALLOW, CONTENT_TYPE};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Map, Value, json};

use super::faults::{Struck, alter, strike};
use super::{Asked, Broken, Place, Reply, dapp, user};
use crate::error::plain;
use crate::fences::Malformed;
use crate::gateway::Caller;
use crate::log;
use crate::profile::Dialect;
use crate::state::DevWalletState;
use crate::treat::Fate;

/// Which API is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Api {
    Dapp,
    User,
}

/// How a method ended, if not well.
pub(crate) enum Refusal {
    /// With an error.
    Error(ErrorObjectOwned),
    /// With something that is no JSON-RPC at all.
    Page(Reply),
}

impl From<ErrorObjectOwned> for Refusal {
    fn from(error: ErrorObjectOwned) -> Self {
        Self::Error(error)
    }
}

/// A method's answer.
pub(crate) type Answer = Result<Value, Refusal>;

/// A request that was understood.
pub(crate) struct Call {
    pub(crate) id: Value,
    pub(crate) method: String,
    /// `Null` for none.
    pub(crate) params: Value,
    pub(crate) caller: Caller,
    pub(crate) origin: Option<String>,
}

/// Answers a POST (or what is none).
pub(crate) async fn serve(state: &DevWalletState, asked: Asked, api: Api) -> Result<Reply, Broken> {
    let dialect = state.lock().dialect();
    let caller = match asked.caller(state) {
        Caller::User(known) if known.api_key && api == Api::User => {
            Caller::Nobody("API keys are for the dApp API")
        }
        caller => caller,
    };
    let allowance = state.lock().count(&caller, asked.line.peer);
    if let Some(refusal) = allowance
        .as_ref()
        .and_then(|it| it.refusal(state, &Value::Null))
    {
        return Ok(refusal);
    }
    let mut reply = match understand(&asked, dialect) {
        Ok(Value::Array(batch)) => serve_batch(state, &asked, api, &caller, batch).await?,
        Ok(request) => match serve_one(state, &asked, api, &caller, request).await? {
            Some(reply) => reply,
            None => Reply::new(204, "", ""),
        },
        Err(reply) => reply,
    };
    if let Some(allowance) = allowance
        && dialect.rate_limit_headers
    {
        allowance.announce(reply.response.headers_mut());
    }
    Ok(reply)
}

/// The JSON of a request, or the answer to one that has none.
fn understand(asked: &Asked, dialect: Dialect) -> Result<Value, Reply> {
    if asked.method != Method::POST {
        return Err(if dialect.get_is_invalid_request {
            refuse(dialect, &Value::Null, -32600, "invalid request")
        } else if dialect.api_keys {
            Reply::crash(404, &format!("Cannot {} {}", asked.method, asked.path))
        } else {
            Reply::text(405, "JSON-RPC is spoken by POST\n").header(ALLOW, "POST")
        });
    }
    let Some(body) = &asked.body else {
        return Err(if dialect.html_errors {
            Reply::crash(413, "PayloadTooLargeError: request entity too large")
        } else {
            let message = "limit exceeded: the request is too large";
            let error = json!({ "code": -32005, "message": message });
            Reply::json(
                413,
                &json!({ "jsonrpc": "2.0", "id": null, "error": error }),
            )
        });
    };
    let content_type = asked.headers.get(CONTENT_TYPE).map(|it| it.to_str());
    let json = match content_type {
        Some(Ok(text)) => {
            let media_type = text.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/json")
        }
        Some(Err(_)) => false,
        None => !dialect.html_errors,
    };
    if !json {
        return Err(if dialect.html_errors {
            let what = "TypeError: Cannot read properties of undefined (reading 'method')";
            Reply::crash(500, what)
        } else {
            let message = "invalid request: the content type must be application/json";
            let error = json!({ "code": -32600, "message": message });
            Reply::json(
                415,
                &json!({ "jsonrpc": "2.0", "id": null, "error": error }),
            )
        });
    }
    serde_json::from_slice(body).map_err(|problem| {
        if dialect.html_errors {
            Reply::crash(400, "SyntaxError: Unexpected end of JSON input")
        } else if dialect.vague_parse_errors {
            let error = json!({ "code": -32603, "message": "Something went wrong" });
            Reply::json(
                500,
                &json!({ "jsonrpc": "2.0", "id": null, "error": error }),
            )
        } else {
            refuse(
                dialect,
                &Value::Null,
                -32700,
                &format!("parse error: {problem}"),
            )
        }
    })
}

async fn serve_batch(
    state: &DevWalletState,
    asked: &Asked,
    api: Api,
    caller: &Caller,
    batch: Vec<Value>,
) -> Result<Reply, Broken> {
    let dialect = state.lock().dialect();
    if dialect.no_batch || batch.is_empty() {
        return Ok(refuse(
            dialect,
            &Value::Null,
            -32600,
            "invalid request: an empty batch",
        ));
    }
    let mut answers = Vec::new();
    for request in batch {
        let Some(reply) = serve_one(state, asked, api, caller, request).await? else {
            continue;
        };
        // Answers of single requests are whole.
        let collected = http_body_util::BodyExt::collect(reply.response.into_body()).await?;
        let answer = serde_json::from_slice(&collected.to_bytes()).map_err(|_| Broken)?;
        answers.push(answer);
    }
    Ok(if answers.is_empty() {
        Reply::new(204, "", "")
    } else {
        Reply::json(200, &Value::Array(answers))
    })
}

/// Answers one request; `None` for a notification.
async fn serve_one(
    state: &DevWalletState,
    asked: &Asked,
    api: Api,
    caller: &Caller,
    request: Value,
) -> Result<Option<Reply>, Broken> {
    let dialect = state.lock().dialect();
    let (id, method, params) = match take_apart(request) {
        Ok(parts) => parts,
        Err((id, why)) => {
            let why = format!("invalid request: {why}");
            return Ok(Some(refuse(dialect, &id, -32600, &why)));
        }
    };
    let fence = asked.fence();
    let silent = id.is_none() && !dialect.answers_notifications;
    let call = Call {
        id: id.unwrap_or_default(),
        method,
        params,
        caller: caller.clone(),
        origin: asked.header("origin").map(str::to_owned),
    };
    let in_time = state.change(|inner| {
        let (id, params) = (call.id.clone(), call.params.clone());
        inner.log.saw(asked.line.number, id, &call.method, params);
        inner.record("request", &call.method, who(&call.caller));
        match &fence {
            Ok(fence) => inner.acts_under(fence.as_ref(), &call.method),
            Err(_) => Err(plain(-32600, Malformed::TEXT)),
        }
    });
    if let Err(error) = in_time {
        return Ok((!silent).then(|| write_error(dialect, &call.id, &error)));
    }
    state.strike_request(&call.method);
    let place = match api {
        Api::Dapp => Place::Dapp,
        Api::User => Place::User,
    };
    let altered = match strike(state, asked, place, Some(&call.method), &call.id)? {
        Struck::No => None,
        Struck::Answered(reply) => return Ok(Some(reply)),
        Struck::Altered(fault) => Some(fault),
    };
    let fate = match state.suffer(&call.method).await {
        Ok(()) => state.fate(&call.method, log::key(&call.params)).await,
        Err(error) => Fate::Answered(Err(error)),
    };
    let mut answer = match (&fate, api) {
        (Fate::Closed, _) => return Err(Broken),
        (Fate::Answered(answer), _) => answer.clone().map_err(Refusal::Error),
        (_, Api::Dapp) => dapp::call(state, &call).await,
        (_, Api::User) => user::call(state, &call).await,
    };
    if answer.is_ok() && !matches!(fate, Fate::Answered(_)) {
        state.change(|inner| inner.log.executed(&call.method, log::key(&call.params)));
    }
    if let Fate::AnswerHeld(number) = fate
        && let Err(error) = state.released(number).await
    {
        answer = Err(Refusal::Error(error));
    }
    let reply = match answer {
        Ok(result) => Reply::json(
            200,
            &json!({ "jsonrpc": "2.0", "id": call.id, "result": result }),
        ),
        Err(Refusal::Page(page)) => page,
        Err(Refusal::Error(error)) => write_error(dialect, &call.id, &error),
    };
    let reply = match &altered {
        Some(fault) => alter(fault, reply)?,
        None => reply,
    };
    Ok((!silent).then_some(reply))
}

/// The id (`None` for a notification), the method and the params of a request.
#[allow(clippy::type_complexity)]
fn take_apart(request: Value) -> Result<(Option<Value>, String, Value), (Value, &'static str)> {
    let Value::Object(mut request) = request else {
        return Err((Value::Null, "not an object"));
    };
    let id = request.remove("id");
    let told = match &id {
        Some(id @ (Value::String(_) | Value::Number(_))) => id.clone(),
        _ => Value::Null,
    };
    let refused = |why| Err((told.clone(), why));
    if request.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return refused("`jsonrpc` is not \"2.0\"");
    }
    if matches!(
        &id,
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_))
    ) {
        return refused("`id` is neither a string nor a number");
    }
    let Some(Value::String(method)) = request.remove("method") else {
        return refused("`method` is not a string");
    };
    let params = match request.remove("params") {
        None => Value::Null,
        Some(params @ (Value::Object(_) | Value::Array(_))) => params,
        Some(_) => return refused("`params` is neither an object nor an array"),
    };
    Ok((id, method, params))
}

/// Refuses a request that is none.
fn refuse(dialect: Dialect, id: &Value, code: i32, why: &str) -> Reply {
    let id = if dialect.null_id_on_refusal {
        &Value::Null
    } else {
        id
    };
    write_error(dialect, id, &plain(code, why))
}

fn write_error(dialect: Dialect, id: &Value, error: &ErrorObjectOwned) -> Reply {
    let code = error.code();
    let mut object = Map::new();
    object.insert("code".into(), json!(code));
    if !(dialect.bare_errors && matches!(code, 4100 | -32600 | -32601)) {
        object.insert("message".into(), json!(error.message()));
        if let Some(data) = error.data() {
            let data: Value = serde_json::from_str(data.get()).unwrap_or_default();
            object.insert("data".into(), data);
        }
    }
    let unknown = code == -32601;
    let id = if unknown && dialect.null_id_on_refusal {
        &Value::Null
    } else {
        id
    };
    let reply = Reply::json(
        status_of(code),
        &json!({ "jsonrpc": "2.0", "id": id, "error": object }),
    );
    if unknown && dialect.close_after_unknown_method {
        reply.closing()
    } else {
        reply
    }
}

/// The HTTP status that goes with an error.
pub(crate) fn status_of(code: i32) -> u16 {
    match code {
        -32600 | -32602 | -32000 | -32700 => 400,
        4100 => 401,
        -32601 => 404,
        -32005 => 429,
        // The person's word and the API's limits: the request itself was in order.
        4001 | 4200 | 4900 | 4901 => 200,
        _ => 500,
    }
}

fn who(caller: &Caller) -> String {
    match caller {
        Caller::Nobody(why) => format!("by nobody: {why}"),
        Caller::Everybody => "without a login".to_owned(),
        Caller::User(known) => format!("by {}", known.user),
    }
}
