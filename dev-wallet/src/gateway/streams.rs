//! Who listens, and what reaches them.

use serde_json::Value;
use tokio::sync::mpsc;

use super::Known;
use crate::control::Control;
use crate::state::DevWalletState;

/// Whom an event concerns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// Whoever needs no login: WebSockets, and streams without a token.
    Everybody,
    /// One session of a user.
    User {
        /// The user.
        user: String,
        /// The session's id.
        session: String,
    },
}

/// Who opened a stream.
#[derive(Clone, Debug)]
pub(crate) enum Listener {
    /// Whoever needs no login.
    Everybody,
    /// A user, and the session they had then.
    User {
        /// The user, and the token they showed.
        known: Known,
        /// The session's id.
        session: String,
    },
}

impl Listener {
    pub(crate) fn is_of(&self, id: &str) -> bool {
        matches!(self, Self::User { session, .. } if session == id)
    }
}

/// Something for a stream.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// Bytes to send: an event, or anything else.
    Text(String),
    /// The end of the stream, in good order.
    End,
    /// The connection breaks.
    Break,
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) listener: Listener,
    pub(crate) sender: mpsc::Sender<Frame>,
    /// Nothing reaches it any more, and nobody is told.
    pub(crate) dead: bool,
}

impl Stream {
    /// Sends something; a listener that takes nothing for long is cut off.
    pub(crate) fn send(&mut self, frame: Frame) {
        if !self.dead {
            self.dead = self.sender.try_send(frame).is_err();
        }
    }

    fn hears(&self, owner: &Owner, name: &str, user_wide: bool) -> bool {
        match (&self.listener, owner) {
            (Listener::Everybody, Owner::Everybody) => true,
            (Listener::User { known, session }, Owner::User { user, session: of }) => {
                known.user == *user && (user_wide || session == of || name == "accountsChanged")
            }
            _ => false,
        }
    }
}

/// An event as it travels in a stream: its arguments in an array.
pub(crate) fn event(name: &str, payload: &Value) -> String {
    format!("event: {name}\ndata: [{payload}]\n\n")
}

impl DevWalletState {
    /// Sends an event to whom it concerns, as far as the faults let it through.
    pub(crate) fn emit(&self, owner: &Owner, name: &str, payload: Value) {
        let due = self.lock().due_at_event(name);
        for act in due {
            Control::new(self.clone()).act_within(act);
        }
        let pass = self.change(|inner| {
            inner.record("event", name, event_note(owner, &payload));
            inner.faults.events.pass(owner.clone(), name, payload)
        });
        for (owner, name, payload) in pass {
            self.deliver(&owner, &name, payload);
        }
    }

    pub(crate) fn deliver(&self, owner: &Owner, name: &str, payload: Value) {
        let text = event(name, &payload);
        {
            let mut inner = self.lock();
            let user_wide = inner.dialect().user_wide_streams;
            for stream in inner.gateway.streams.values_mut() {
                if stream.hears(owner, name, user_wide) {
                    stream.send(Frame::Text(text.clone()));
                }
            }
        }
        if *owner == Owner::Everybody {
            self.push(&crate::events::notification(name, payload));
        }
    }

    /// Sends something to every stream.
    pub(crate) fn stream_all(&self, frame: &Frame) -> usize {
        let mut inner = self.lock();
        for stream in inner.gateway.streams.values_mut() {
            stream.send(frame.clone());
        }
        inner.gateway.streams.len()
    }
}

/// What the log says of an event: never a token.
fn event_note(owner: &Owner, payload: &Value) -> String {
    let mut note = match owner {
        Owner::Everybody => String::from("to everybody"),
        Owner::User { user, .. } => format!("to {user}"),
    };
    for field in ["status", "commandId", "messageId"] {
        if let Some(text) = payload.get(field).and_then(Value::as_str) {
            note.push_str(&format!(" {field}={text}"));
        }
    }
    if let Some(connected) = payload.pointer("/connection/isConnected") {
        note.push_str(&format!(" isConnected={connected}"));
    }
    note
}
