//! Server-sent events.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::faults::{Struck, strike};
use super::reply::Payload;
use super::{Asked, Broken, Place, Reply};
use crate::fences::Malformed;
use crate::gateway::{Caller, Frame, Listener, Stream};
use crate::idp::Token;
use crate::state::{DevWalletState, Inner};

/// How many events may wait for a listener that does not read, before it is cut off.
const BACKLOG: usize = 65_536;

/// Opens a stream.
pub(crate) async fn serve(state: &DevWalletState, asked: Asked) -> Result<Reply, Broken> {
    let caller = asked.caller(state);
    let Ok(fence) = asked.fence() else {
        return Ok(Reply::json(400, &json!({ "error": Malformed::TEXT })));
    };
    let allowance = state.lock().count(&caller, asked.line.peer);
    if let Some(refusal) = allowance
        .as_ref()
        .and_then(|it| it.refusal(state, &Value::Null))
    {
        return Ok(refusal);
    }
    match strike(state, &asked, Place::Events, None, &Value::Null)? {
        Struck::Answered(reply) => return Ok(reply),
        Struck::No | Struck::Altered(_) => {}
    }
    state.until(|inner| !inner.faults.hang).await;
    let (listener, expires) = match listener(&mut state.lock(), &caller) {
        Ok(listener) => listener,
        Err(why) => return Ok(Reply::json(401, &json!({ "error": why }))),
    };
    let (sender, frames) = mpsc::channel(BACKLOG);
    let number = state.change(|inner| {
        inner.opens_under(fence.as_ref());
        inner.gateway.streams_opened += 1;
        let number = inner.gateway.streams_opened;
        inner.record("stream", "opened", number.to_string());
        let stream = Stream {
            listener,
            sender,
            dead: false,
        };
        inner.gateway.streams.insert(number, stream);
        number
    });
    let (chunks, body) = mpsc::channel(1);
    let open = Open {
        state: state.clone(),
        number,
    };
    tokio::spawn(pass_on(open, frames, chunks, expires));
    let mut reply = Reply::new(200, "", "");
    *reply.response = hyper::Response::new(Payload::stream(body));
    let headers = reply.response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    Ok(reply)
}

/// Who listens; why they may not.
fn listener(
    inner: &mut Inner,
    caller: &Caller,
) -> Result<(Listener, Option<String>), &'static str> {
    match caller {
        Caller::Nobody(_) => Err("Unauthenticated"),
        Caller::Everybody => Ok((Listener::Everybody, None)),
        Caller::User(known) => {
            inner.ensure_api_session(known);
            let session = inner.session_of(known).ok_or("No session")?.id.clone();
            let token = secrecy::ExposeSecret::expose_secret(&known.token).to_owned();
            let watched =
                (!inner.dialect().streams_outlive_token && !known.api_key).then_some(token);
            let known = known.clone();
            Ok((Listener::User { known, session }, watched))
        }
    }
}

/// A stream that is open for as long as this lives.
struct Open {
    state: DevWalletState,
    number: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.state.change(|inner| {
            inner.gateway.streams.remove(&self.number);
            inner.record("stream", "closed", self.number.to_string());
        });
    }
}

async fn pass_on(
    open: Open,
    mut frames: mpsc::Receiver<Frame>,
    chunks: mpsc::Sender<Result<Bytes, Broken>>,
    watched: Option<String>,
) {
    let state = &open.state;
    let heartbeat = state.lock().gateway.heartbeat;
    let mut expiry = pin!(expiry(watched.as_deref()));
    loop {
        let frame = tokio::select! {
            frame = frames.recv() => frame,
            () = chunks.closed() => return,
            () = &mut expiry => Some(Frame::End),
            // Between events, never within one.
            () = silence(heartbeat) => Some(Frame::Text(": still here\n\n".into())),
        };
        let text = match frame {
            Some(Frame::Text(text)) => text,
            Some(Frame::Break) => {
                chunks.send(Err(Broken)).await.ok();
                return;
            }
            Some(Frame::End) | None => return,
        };
        let (slow, piece) = {
            let inner = state.lock();
            (inner.faults.slow_events, inner.faults.split_events)
        };
        if let Some(delay) = slow {
            tokio::time::sleep(delay).await;
        }
        let bytes = Bytes::from(text);
        let piece = if piece == 0 {
            bytes.len().max(1)
        } else {
            piece
        };
        for part in bytes.chunks(piece) {
            if chunks.send(Ok(bytes.slice_ref(part))).await.is_err() {
                return;
            }
        }
    }
}

/// Returns once nothing was sent for as long as a heartbeat takes; never, if there is none.
async fn silence(heartbeat: Option<Duration>) {
    match heartbeat {
        Some(interval) => tokio::time::sleep(interval.max(Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}

/// Returns once a token's time has passed; never, if none is watched.
async fn expiry(token: Option<&str>) {
    let left = token.and_then(Token::read).and_then(|it| it.time_left());
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}
