//! What the wallet saw.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moorline::provider::{CloseMode, OpenMode};
use moorline::sync::Fence;
use moorline::{Epoch, Identity};
use serde_json::Value;

use crate::behaviour::On;

/// One call that reached the wallet.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Call {
    /// Its number, counted from 1.
    pub number: usize,
    /// When it came, counted from the making of the wallet.
    pub at: Duration,
    /// The connection it came through; zero before the first one.
    pub epoch: Epoch,
    /// The fence it came under, if the provider was told one.
    pub fence: Option<Fence>,
    /// What was asked for.
    pub what: What,
    /// How and when it ended, if it has.
    pub ended: Option<(Ending, Duration)>,
}

impl Call {
    /// Whether the session stopped waiting before the wallet answered.
    pub fn was_dropped(&self) -> bool {
        matches!(self.ended, Some((Ending::Dropped, _)))
    }
}

/// What was asked of the wallet.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// To open a connection.
    Open {
        /// Whether a person may be asked.
        mode: OpenMode,
        /// Whom the session acted for before.
        last_known: Option<Arc<Identity>>,
    },
    /// For the truth.
    Probe,
    /// To do something.
    Request {
        /// The method.
        method: String,
        /// Its parameters.
        params: Value,
        /// Whom it is for.
        identity: Arc<Identity>,
    },
    /// To end the connection.
    Close(CloseMode),
    /// To make the session valid again.
    Reauthenticate,
}

impl What {
    /// Whether scripts and counts for `on` are about this call.
    pub fn is(&self, on: &On) -> bool {
        match (self, on) {
            (Self::Open { .. }, On::Open)
            | (Self::Probe, On::Probe)
            | (Self::Request { .. }, On::Request)
            | (Self::Close(_), On::Close)
            | (Self::Reauthenticate, On::Reauthenticate) => true,
            (Self::Request { method, .. }, On::Method(wanted)) => method == wanted,
            _ => false,
        }
    }
}

/// `open interactive`, `open silent`, `probe`, `request signMessage`, `close disconnect`,
/// `close detach`, `reauthenticate`.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { mode, .. } => f.write_str(match mode {
                OpenMode::Interactive => "open interactive",
                OpenMode::Silent => "open silent",
            }),
            Self::Probe => f.write_str("probe"),
            Self::Request { method, .. } => write!(f, "request {method}"),
            Self::Close(CloseMode::Disconnect) => f.write_str("close disconnect"),
            Self::Close(CloseMode::Detach) => f.write_str("close detach"),
            Self::Reauthenticate => f.write_str("reauthenticate"),
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Ending {
    /// The wallet answered.
    Answered,
    /// The wallet failed it.
    Failed,
    /// The wallet's code panicked.
    Panicked,
    /// The session stopped waiting before the wallet answered.
    Dropped,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Dropped => "dropped",
        })
    }
}
