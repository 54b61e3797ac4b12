//! A WebSocket, frame by frame.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;
use soketto::handshake::client::Header;
use soketto::handshake::{Client, ServerResponse};
use soketto::{Incoming, Receiver, Sender};
use tokio::sync::watch;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};
use url::Url;

use super::ear::{Brought, Ear, RawEvent};
use super::wire::Wire;
use crate::evidence::Trouble;
use crate::options::Credential;
use crate::reply::Reply;

type Socket = Compat<Box<dyn Wire>>;

/// The longest message a wallet may send.
const LONGEST: usize = 8 * 1024 * 1024;

/// A connection. Events go to [`ear`](Self::ear).
pub(crate) struct WsLine {
    sender: Sender<Socket>,
    pub(crate) ear: Ear,
    /// Answers taken.
    taken: usize,
    /// Ids of requests that were given up: their answers may come late.
    given_up: Vec<Value>,
}

impl WsLine {
    /// Connects.
    pub(crate) async fn open(
        url: &Url,
        credential: &Credential,
        at_most: Duration,
    ) -> Result<Self, Trouble> {
        match tokio::time::timeout(at_most, connect(url, credential)).await {
            Ok(Ok((sender, receiver))) => Ok(Self {
                sender,
                ear: Ear::listen(|brought| read(receiver, brought)),
                taken: 0,
                given_up: Vec::new(),
            }),
            Ok(Err(why)) => Err(Trouble::Broken(format!("no WebSocket: {why}"))),
            Err(_) => Err(Trouble::Silent),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) -> Result<(), Trouble> {
        let sent = match self.sender.send_text(text).await {
            Ok(()) => self.sender.flush().await,
            failed => failed,
        };
        sent.map_err(|_| Trouble::Broken("the connection is closed".into()))
    }

    /// Sends a frame and takes the next answer for its answer: one request at a time.
    pub(crate) async fn exchange(
        &mut self,
        text: &str,
        id: &Value,
        at_most: Duration,
    ) -> Result<Reply, Trouble> {
        self.send(text).await?;
        let answer = self.answer(at_most).await;
        if answer.is_err() {
            self.given_up.push(id.clone());
        }
        answer
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self, at_most: Duration) -> Result<Reply, Trouble> {
        let deadline = tokio::time::Instant::now() + at_most;
        loop {
            let taken = self.taken;
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let more = |it: &Brought| it.answers.len() > taken || it.ended.is_some();
            if !self.ear.wait(left, more).await {
                return Err(Trouble::Silent);
            }
            let next = self.ear.so_far(|it| it.answers.get(taken).cloned());
            let Some(text) = next else {
                let ended = self.ear.so_far(|it| it.ended.clone());
                return Err(Trouble::Broken(ended.unwrap_or_default()));
            };
            self.taken += 1;
            let reply = Reply::new(None, text);
            if !reply.id().is_some_and(|id| self.given_up.contains(id)) {
                return Ok(reply);
            }
        }
    }

    /// Whether a ping is answered.
    pub(crate) async fn ping(&mut self, at_most: Duration) -> Result<bool, Trouble> {
        let broken = |_| Trouble::Broken("the connection is closed".into());
        let data: &[u8] = b"moorline";
        let data = data.try_into().map_err(|_| Trouble::Silent)?;
        let before = self.ear.so_far(|it| it.pongs);
        self.sender.send_ping(data).await.map_err(broken)?;
        self.sender.flush().await.map_err(broken)?;
        Ok(self.ear.wait(at_most, |it| it.pongs > before).await)
    }
}

async fn connect(
    url: &Url,
    credential: &Credential,
) -> Result<(Sender<Socket>, Receiver<Socket>), String> {
    let (host, port) = super::http::host_and_port(url);
    let wire = super::wire::dial(url).await?;
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let authority = format!("{host}:{port}");
    let authorization = credential.authorization();
    let headers: Vec<Header<'_>> = authorization
        .iter()
        .map(|value| Header {
            name: "Authorization",
            value: value.expose_secret().as_bytes(),
        })
        .collect();
    let mut handshake = Client::new(wire.compat(), &authority, &path);
    handshake.set_headers(&headers);
    match handshake.handshake().await {
        Ok(ServerResponse::Accepted { .. }) => {}
        Ok(ServerResponse::Rejected { status_code }) => {
            return Err(format!(
                "the handshake was answered with HTTP {status_code}"
            ));
        }
        Ok(ServerResponse::Redirect { status_code, .. }) => {
            return Err(format!("the handshake was redirected (HTTP {status_code})"));
        }
        Err(problem) => return Err(problem.to_string()),
    }
    let mut builder = handshake.into_builder();
    builder.set_max_message_size(LONGEST);
    builder.set_max_frame_size(LONGEST);
    Ok(builder.finish())
}

/// Reads until the connection ends.
async fn read(mut receiver: Receiver<Socket>, brought: watch::Sender<Brought>) {
    let mut frame = Vec::new();
    let ended = loop {
        frame.clear();
        match receiver.receive(&mut frame).await {
            Ok(Incoming::Data(_)) => {
                let text = String::from_utf8_lossy(&frame).into_owned();
                brought.send_modify(|it| take_in(it, text));
            }
            Ok(Incoming::Pong(_)) => brought.send_modify(|it| it.pongs += 1),
            Ok(Incoming::Closed(reason)) => {
                break format!("the wallet closed the connection (code {})", reason.code);
            }
            Err(_) => break "the wallet dropped the connection".to_owned(),
        }
    };
    brought.send_modify(|it| it.ended = Some(ended));
}

/// A notification is an event; everything else answers something.
fn take_in(brought: &mut Brought, text: String) {
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    match value.get("method").and_then(Value::as_str) {
        Some(name) => brought.events.push(RawEvent {
            name: name.to_owned(),
            raw: text,
        }),
        None => brought.answers.push(text),
    }
}
