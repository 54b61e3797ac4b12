//! What comes out of an engine, to be compared.

use std::sync::Arc;

use moorline::clock::{Mono, Timestamp};
use moorline::machine::{Effect, Timer};
use moorline::{Account, Epoch, EventKind, NetworkId, NetworkLink, ProviderError, Status};

/// Everything that followed from one input.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) snapshot: Option<SeenSnapshot>,
    pub(super) events: Vec<SeenEvent>,
    pub(super) effects: Vec<Effect>,
    pub(super) dropped: bool,
    pub(super) next_timeout: Option<(Mono, Timer)>,
}

/// An event; the hand-written machine makes these, since moorline's own are made by it alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SeenEvent {
    pub(super) seq: u64,
    pub(super) epoch: Epoch,
    pub(super) at: Timestamp,
    pub(super) kind: EventKind,
}

/// A snapshot; likewise.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SeenSnapshot {
    pub(super) seq: u64,
    pub(super) epoch: Epoch,
    pub(super) status: Status,
    pub(super) accounts: Arc<[Account]>,
    pub(super) network: Option<NetworkId>,
    pub(super) network_link: NetworkLink,
    pub(super) stale: bool,
    pub(super) connected_at: Option<Timestamp>,
    pub(super) last_error: Option<ProviderError>,
}
