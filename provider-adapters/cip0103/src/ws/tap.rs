//! The wire between the socket and the JSON-RPC client.
//!
//! Notifications are taken off here, in the order they came, and go straight to the session: there
//! is no queue that could overflow and lose one. Answers wait in the outbox, and the JSON-RPC client
//! learns only that they came: it writes whole frames to its trace log, tokens included, and dies
//! of answers that are not quite right. Writing is bounded: the client would wait forever for a wallet that does not read.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jsonrpsee::core::client::{ReceivedMessage, TransportReceiverT, TransportSenderT};
use moorline::provider::EventSink;
use tokio::sync::watch;

use super::frame::{self, Frame};
use super::outbox::Outbox;
use crate::events;

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What both halves of a link share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) outbox: Arc<Outbox>,
    /// Why the link ended, where that is known here.
    pub(super) end: OnceLock<String>,
    /// Set once: the link is no longer wanted.
    pub(super) severed: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            outbox: Arc::default(),
            end: OnceLock::new(),
            severed: watch::Sender::new(false),
        }
    }

    fn end(&self, why: String) -> LinkEnd {
        LinkEnd(self.end.get_or_init(|| why).clone())
    }
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct LinkEnd(String);

/// The receiving half.
pub(super) struct TapReceiver<R> {
    pub(super) inner: R,
    pub(super) shared: Arc<Shared>,
    pub(super) events: EventSink,
}

impl<R: TransportReceiverT + Send> TapReceiver<R> {
    async fn next(&mut self) -> Result<ReceivedMessage, LinkEnd> {
        let mut severed = self.shared.severed.subscribe();
        loop {
            let received = tokio::select! {
                biased;
                _ = severed.wait_for(|severed| *severed) => {
                    return Err(self.shared.end("it was closed on this side".to_owned()));
                }
                received = self.inner.receive() => received,
            };
            let text = match received {
                Ok(ReceivedMessage::Text(text)) => text,
                Ok(ReceivedMessage::Bytes(bytes)) => String::from_utf8(bytes).map_err(|_| {
                    self.shared
                        .end("the wallet sent bytes, not text".to_owned())
                })?,
                Ok(ReceivedMessage::Pong) => return Ok(ReceivedMessage::Pong),
                Err(problem) => return Err(self.shared.end(problem.to_string())),
            };
            match frame::read(&text, || self.shared.outbox.only()) {
                Frame::Answer { id, mended } => {
                    if let Ok(id) = id.parse() {
                        self.shared.outbox.keep(id, mended.unwrap_or(text));
                    }
                    let empty = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":null}}"#);
                    return Ok(ReceivedMessage::Text(empty));
                }
                Frame::Notification { name, params } => {
                    for event in events::read(&name, params) {
                        // Unheard once the epoch is over. The link stays: a `disconnect` may be
                        // under way on it, and whoever ends the epoch cuts it.
                        let _heard = self.events.send(event);
                    }
                }
                Frame::Unreadable(problem) => {
                    let why = format!("the wallet sent a frame that cannot be read: {problem}");
                    return Err(self.shared.end(why));
                }
            }
        }
    }
}

impl<R: TransportReceiverT + Send> TransportReceiverT for TapReceiver<R> {
    type Error = LinkEnd;

    fn receive(&mut self) -> impl Future<Output = Result<ReceivedMessage, Self::Error>> + Send {
        self.next()
    }
}

/// The sending half.
pub(super) struct TapSender<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
    /// How long one write may take.
    pub(super) limit: Duration,
}

impl<S: TransportSenderT + Send> TransportSenderT for TapSender<S> {
    type Error = LinkEnd;

    async fn send(&mut self, text: String) -> Result<(), LinkEnd> {
        if let Some(id) = frame::id_of_call(&text)
            && !self.shared.outbox.hand_over(id)
        {
            // Its caller has gone, and was told that it did not leave.
            return Ok(());
        }
        bounded(&self.shared, self.limit, self.inner.send(text)).await
    }

    async fn send_ping(&mut self) -> Result<(), LinkEnd> {
        bounded(&self.shared, self.limit, self.inner.send_ping()).await
    }

    async fn close(&mut self) -> Result<(), LinkEnd> {
        bounded(&self.shared, GOODBYE, self.inner.close()).await
    }
}

/// A write that takes no longer than `limit`.
async fn bounded<E: std::error::Error>(
    shared: &Shared,
    limit: Duration,
    write: impl Future<Output = Result<(), E>>,
) -> Result<(), LinkEnd> {
    match tokio::time::timeout(limit, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(problem)) => Err(shared.end(problem.to_string())),
        Err(_) => Err(shared.end(format!(
            "the wallet read nothing for {} ms",
            limit.as_millis()
        ))),
    }
}
