//! What a wallet says by itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ProviderError;
use crate::clock::Timestamp;
use crate::identity::{Account, NetworkId};

/// Something a wallet said without being asked, sent through an [`EventSink`](super::EventSink).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ProviderEvent {
    /// The link is lost, or the wallet says it is no longer connected. With
    /// [`ErrorKind::SessionGone`](super::ErrorKind::SessionGone) the session is over for certain;
    /// with any other error it is recovered.
    Dropped(ProviderError),
    /// The wallet says it is connected (a login finished, it came back by itself). Never believed:
    /// the session probes.
    Ready,
    /// A person must do something: before the connection that is being opened can stand, or, with
    /// [`UserActionKind::Approve`], before an operation of a connected session can end.
    UserActionRequired(UserAction),
    /// A person refused what they were asked for while connecting.
    UserRejected(ProviderError),
    /// The complete list of accounts.
    Accounts(Vec<Account>),
    /// The network changed.
    Network(NetworkId),
    /// Whether the wallet reaches its network changed.
    Link(NetworkLink),
    /// The wallet's credentials now end at this time.
    Expires(Timestamp),
    /// Something about accounts, network or session changed and the event does not say what. No
    /// operation is dispatched until a probe has said.
    Recheck,
    /// What the provider needs to be built again is another by now: its
    /// [`payload`](super::Provider::payload) is asked for and stored again. Several in a row are
    /// one write.
    PayloadChanged,
    /// The wallet sent something that cannot be understood. Reported; changes nothing.
    Malformed {
        /// What it was meant to be, such as `statusChanged`.
        what: Arc<str>,
        /// What is wrong with it, for people. No secrets.
        problem: Arc<str>,
    },
    /// Anything else, passed through to subscribers: transactions and the like.
    Message(Message),
}

/// An event of the wallet's protocol that moorline passes through.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
pub struct Message {
    /// Its name in the wallet's protocol, such as `txChanged`.
    pub name: Arc<str>,
    /// Its payload, freed of secrets by the adapter.
    pub payload: Arc<Value>,
}

impl Message {
    /// An event called `name`.
    pub fn new(name: impl Into<Arc<str>>, payload: Value) -> Self {
        Self {
            name: name.into(),
            payload: Arc::new(payload),
        }
    }
}

/// Something a person must do elsewhere.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UserAction {
    /// What kind of thing it is.
    pub action: UserActionKind,
    /// Where to do it.
    pub url: Arc<str>,
}

impl UserAction {
    /// An action to be taken at `url`.
    pub fn new(action: UserActionKind, url: impl Into<Arc<str>>) -> Self {
        Self {
            action,
            url: url.into(),
        }
    }
}

/// The kinds of [`UserAction`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UserActionKind {
    /// Log in at the wallet.
    Login,
    /// Approve something the program asked for.
    Approve,
}

/// Whether the wallet reaches the network behind it. Apart from the session's own connection: a
/// wallet that is cut off from its network is still connected.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkLink {
    /// The wallet did not say.
    #[default]
    Unknown,
    /// It reaches its network.
    Up,
    /// It does not.
    Down,
}
