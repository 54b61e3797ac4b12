//! From a frame to an answer.

use std::sync::Arc;

use jsonrpsee::core::server::ConnectionId;
use jsonrpsee::core::server::{MethodResponse, ResponsePayload};
use jsonrpsee::types::{ErrorCode, Id, Request};
use jsonrpsee::{Extensions, MethodCallback, Methods};
use serde_json::Value;

use crate::connection::Client;
use crate::error::plain;
use crate::log;
use crate::state::DevWalletState;
use crate::treat::Fate;

/// What a frame from a client asks for.
pub(crate) enum Incoming {
    /// A request, to be executed.
    Call(Call),
    /// Nothing that could be executed; the answer says why.
    Refused(String),
    /// Nothing to answer: a notification.
    Nothing,
}

/// A request that was seen, and not yet executed.
pub(crate) struct Call {
    connection: u64,
    id: Id<'static>,
    method: String,
    params: Option<String>,
}

/// Reads a frame, and notes the request it holds.
pub(crate) fn read(state: &DevWalletState, client: &Client, frame: &[u8]) -> Incoming {
    let refuse = |code: ErrorCode| {
        Incoming::Refused(
            MethodResponse::error(Id::Null, code)
                .into_json()
                .get()
                .to_owned(),
        )
    };
    let text: &serde_json::value::RawValue = match serde_json::from_slice(frame) {
        Ok(text) => text,
        Err(_) => return refuse(ErrorCode::ParseError),
    };
    let request: Request<'_> = match serde_json::from_str(text.get()) {
        Ok(request) => request,
        Err(_) if is_notification(text.get()) => return Incoming::Nothing,
        Err(_) => return refuse(ErrorCode::InvalidRequest),
    };
    let params = request
        .params
        .as_ref()
        .map(|params| params.get().to_owned());
    let read: Value = params
        .as_deref()
        .and_then(|params| serde_json::from_str(params).ok())
        .unwrap_or_default();
    let id = serde_json::to_value(&request.id).unwrap_or_default();
    let in_time = state.change(|inner| {
        inner.log.saw(client.number, id, &request.method, read);
        inner.record("request", &request.method, "over a WebSocket".to_owned());
        inner.acts_under(client.fence.as_ref(), &request.method)
    });
    if let Err(error) = in_time {
        let refusal = MethodResponse::error(request.id, error).into_json();
        return Incoming::Refused(refusal.get().to_owned());
    }
    Incoming::Call(Call {
        connection: client.number,
        id: request.id.clone().into_owned(),
        method: request.method.to_string(),
        params,
    })
}

fn is_notification(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    value.get("method").is_some_and(Value::is_string) && value.get("id").is_none()
}

/// Executes a request and answers it. Goes on when the connection it came over is gone: a wallet
/// executes what it has.
pub(crate) async fn execute(state: DevWalletState, methods: Arc<Methods>, call: Call) -> String {
    state.strike_request(&call.method);
    if let Err(error) = state.suffer(&call.method).await {
        return MethodResponse::error(call.id, error)
            .into_json()
            .get()
            .to_owned();
    }
    let params: Value = call
        .params
        .as_deref()
        .and_then(|params| serde_json::from_str(params).ok())
        .unwrap_or_default();
    let held = match state.fate(&call.method, log::key(&params)).await {
        Fate::Executed => None,
        Fate::AnswerHeld(number) => Some(number),
        Fate::Answered(answer) => {
            let response = match answer {
                Ok(value) => {
                    MethodResponse::response(call.id, ResponsePayload::success(value), usize::MAX)
                }
                Err(error) => MethodResponse::error(call.id, error),
            };
            return response.into_json().get().to_owned();
        }
        Fate::Closed => {
            state.change(|inner| inner.connections.remove(&call.connection));
            return String::new();
        }
    };
    let id = call.id.clone();
    let connection = ConnectionId(usize::try_from(call.connection).unwrap_or_default());
    let response = match methods.method(&call.method) {
        Some(MethodCallback::Async(method)) => {
            let params = jsonrpsee::types::Params::new(call.params.as_deref()).into_owned();
            method(call.id, params, connection, usize::MAX, Extensions::new()).await
        }
        Some(_) | None => {
            let unknown = plain(-32601, &format!("method not found: {}", call.method));
            MethodResponse::error(call.id, unknown)
        }
    };
    if response.is_success() {
        state.change(|inner| inner.log.executed(&call.method, log::key(&params)));
    }
    if let Some(held) = held
        && let Err(error) = state.released(held).await
    {
        return MethodResponse::error(id, error)
            .into_json()
            .get()
            .to_owned();
    }
    response.into_json().get().to_owned()
}
