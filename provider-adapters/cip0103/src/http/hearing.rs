//! What the events of a gateway mean for one session. Pure; knows nothing of streams.
//!
//! Gateways of the first generation send everything to every stream of a user: what other logins
//! say, with their tokens, and the transactions of other programs. So an event is a hint at most:
//! whatever it says of the connection is asked again, with this session's own token; and only the
//! transactions and signatures this program asked for are passed on.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use moorline::NetworkLink;
use moorline::provider::{Live, ProviderEvent};
use serde_json::Value;

use super::frames::Frame;
use crate::events::{
    ACCOUNTS_CHANGED, CONNECTED, MESSAGE_SIGNATURE, STATUS_CHANGED, TX_CHANGED, malformed, payload,
    read, status,
};
use crate::reading;

/// How many submissions are remembered.
const REMEMBERED: usize = 1024;
/// How many events are kept to tell repetitions from news, and how many for a request whose answer
/// they overtook.
const RECENT: usize = 32;

/// What one session asked for and heard: what it needs to know to understand what it hears next.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    /// What the gateway said when it was asked last.
    known: Option<Live>,
    /// What an event said that the gateway is being asked about.
    asked: Option<(bool, Option<String>, NetworkLink)>,
    /// Ids of commands and messages this program handed over, the oldest first.
    ours: VecDeque<String>,
    /// Fingerprints of events that were passed on.
    recent: VecDeque<u64>,
    /// Events of signatures nobody asked for yet: they may overtake the answer with their id.
    early: VecDeque<(String, Value)>,
    /// Whether events of other programs are passed on as well.
    all: bool,
}

impl Ear {
    /// An ear that has heard nothing; `all` if it passes other programs' events on.
    pub(crate) fn new(all: bool) -> Self {
        Self {
            all,
            ..Self::default()
        }
    }

    /// The gateway was asked, and said this.
    pub(crate) fn learn(&mut self, live: Option<Live>) {
        self.known = live;
        self.asked = None;
    }

    /// The gateway was asked, and it is not known how things stand.
    pub(crate) fn learn_nothing(&mut self) {
        self.asked = None;
    }

    /// What the gateway said last.
    pub(crate) fn known(&self) -> Option<&Live> {
        self.known.as_ref()
    }

    /// The session acts on a submission of its own from here on. Returns what came too early.
    pub(crate) fn expect(&mut self, id: &str) -> Vec<ProviderEvent> {
        if !self.ours.iter().any(|ours| ours == id) {
            self.ours.push_back(id.to_owned());
            if self.ours.len() > REMEMBERED {
                self.ours.pop_front();
            }
        }
        // Under an id that is used again, the same event is news again.
        self.recent.clear();
        let early = self.early.drain(..);
        let (mine, others): (Vec<_>, Vec<_>) = early.partition(|(of, _)| of == id);
        self.early = others.into();
        mine.into_iter()
            .flat_map(|(_, payload)| read(MESSAGE_SIGNATURE, Some(payload)))
            .collect()
    }

    /// What an event says, in order.
    pub(crate) fn hear(&mut self, frame: &Frame) -> Vec<ProviderEvent> {
        let Ok(data) = serde_json::from_str::<Value>(&frame.data) else {
            return vec![malformed(&frame.name, "its data is no JSON")];
        };
        match frame.name.as_str() {
            STATUS_CHANGED | CONNECTED => self.connection(&frame.name, data),
            ACCOUNTS_CHANGED => read(ACCOUNTS_CHANGED, Some(data)),
            TX_CHANGED => self.own(frame, data, "commandId"),
            MESSAGE_SIGNATURE => self.own(frame, data, "messageId"),
            // A name this version does not know.
            name => read(name, Some(data)),
        }
    }

    /// Something about the connection changed, or did not: the session asks, unless the event says
    /// what it knows already.
    fn connection(&mut self, name: &str, data: Value) -> Vec<ProviderEvent> {
        let said = match status(name, Some(data)) {
            Ok(said) => said,
            // `connected` without a readable payload is a hint all the same.
            Err(_) if name == CONNECTED => {
                return vec![ProviderEvent::Ready, ProviderEvent::Recheck];
            }
            Err(malformed) => return vec![malformed],
        };
        let network = said.network.as_ref().map(|it| it.network_id.as_str());
        let link = reading::link(&said.connection);
        let no_news = self.known.as_ref().is_some_and(|known| {
            said.connection.is_connected
                && network.is_none_or(|it| {
                    known
                        .network
                        .as_ref()
                        .is_some_and(|known| known.as_str() == it)
                })
                && (link == NetworkLink::Unknown || link == known.link)
        });
        // `connected` repeats what `statusChanged` said, and gateways repeat both.
        let asked = (
            said.connection.is_connected,
            network.map(str::to_owned),
            link,
        );
        if no_news || self.asked.as_ref() == Some(&asked) {
            return Vec::new();
        }
        let connected = asked.0;
        self.asked = Some(asked);
        match connected {
            true => vec![ProviderEvent::Ready, ProviderEvent::Recheck],
            false => vec![ProviderEvent::Recheck],
        }
    }

    /// An event of a transaction or a signature: passed on once, if it is this program's own.
    fn own(&mut self, frame: &Frame, data: Value, id_field: &str) -> Vec<ProviderEvent> {
        let Some(payload) = payload(Some(data)) else {
            return vec![malformed(&frame.name, "it carries no payload")];
        };
        let Some(id) = payload.get(id_field).and_then(Value::as_str) else {
            return vec![malformed(
                &frame.name,
                &format!("its payload has no `{id_field}`"),
            )];
        };
        if !self.all && !self.ours.iter().any(|ours| ours == id) {
            if frame.name == MESSAGE_SIGNATURE {
                if self.early.len() == RECENT {
                    self.early.pop_front();
                }
                self.early.push_back((id.to_owned(), payload));
            }
            return Vec::new();
        }
        let mut hasher = DefaultHasher::new();
        (&frame.name, &frame.data).hash(&mut hasher);
        let fingerprint = hasher.finish();
        if self.recent.contains(&fingerprint) {
            return Vec::new();
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(fingerprint);
        read(&frame.name, Some(payload))
    }
}
