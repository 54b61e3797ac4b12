//! What a machine remembers besides its state.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Setup;
use super::effect::{DisconnectReport, Outbox, Ticket};
use super::expiry::Expiry;
use super::input::Input;
use super::operations::Operations;
use super::persist::Persist;
use super::reconcile::Known;
use super::recovery::Retry;
use super::state::State;
use super::timer::TimerTable;
use crate::clock::{Moment, Mono, Timestamp};
use crate::event::{Event, EventKind};
use crate::identity::Account;
use crate::provider::{CloseMode, Epoch, NetworkLink, ProviderError};
use crate::snapshot::{DisconnectReason, Snapshot, Status};
use crate::store::Intent;

#[derive(Clone, Debug)]
pub(super) struct Core {
    /// Fixed surroundings; no part of equality.
    pub(super) setup: Setup,
    pub(super) intent: Intent,
    /// The present connection's number. Only its sink is listened to.
    pub(super) epoch: Epoch,
    /// The last ticket's number.
    serial: u32,
    /// What is being waited for on the way to connected (load, open, probe, re-authentication):
    /// at most one thing at a time.
    pub(super) attempt: Option<Ticket>,
    /// How many more times a probe is repeated because something changed while it was under way.
    pub(super) reprobes: u8,
    /// Whether something changed while the probe was under way.
    pub(super) probe_again: bool,
    /// Whether the probe under way follows from a notice of another member, and nothing else.
    pub(super) on_notice: bool,
    /// Whether the present epoch's connection may be open at the wallet.
    pub(super) link_open: bool,
    /// Whether the session was re-authenticated and only the proof is missing.
    pub(super) reauthenticated: bool,
    /// Whether the session was made for a shorter life than sessions have now: use does not renew
    /// it.
    pub(super) short_lived: bool,
    /// The close under way.
    pub(super) closing: Option<Ticket>,
    /// A close that must follow the one under way.
    pub(super) close_next: Option<CloseMode>,
    /// Whether an open waits for the close under way.
    pub(super) open_after_close: bool,
    /// What `disconnect` will report, while somebody waits for it.
    pub(super) disconnecting: Option<Box<DisconnectReport>>,
    pub(super) known: Known,
    pub(super) expiry: Expiry,
    pub(super) connected_at: Option<Timestamp>,
    /// Since when the session has been connected without a break.
    pub(super) connected_since: Option<Mono>,
    pub(super) retry: Retry,
    pub(super) last_error: Option<ProviderError>,
    pub(super) operations: Operations,
    pub(super) persist: Persist,
    pub(super) timers: TimerTable,
    /// The last event's number.
    pub(super) event_seq: u64,
    /// Whether the public state may differ from what is shown.
    pub(super) changed: bool,
    /// What is shown.
    pub(super) shown: Arc<Snapshot>,
}

impl Core {
    pub(super) fn new(setup: Setup) -> Self {
        let nobody: Arc<[Account]> = Arc::default();
        let shown = Snapshot {
            seq: 0,
            epoch: Epoch::default(),
            status: Status::Disconnected {
                reason: DisconnectReason::Initial,
            },
            accounts: nobody.clone(),
            network: None,
            network_link: NetworkLink::Unknown,
            stale: false,
            expires_at: None,
            connected_at: None,
            last_error: None,
        };
        Self {
            setup,
            intent: Intent::Disconnected,
            epoch: Epoch::default(),
            serial: 0,
            attempt: None,
            reprobes: 0,
            probe_again: false,
            on_notice: false,
            link_open: false,
            reauthenticated: false,
            short_lived: false,
            closing: None,
            close_next: None,
            open_after_close: false,
            disconnecting: None,
            known: Known::nobody(nobody),
            expiry: Expiry::default(),
            connected_at: None,
            connected_since: None,
            retry: Retry::default(),
            last_error: None,
            operations: Operations::default(),
            persist: Persist::default(),
            timers: TimerTable::new(),
            event_seq: 0,
            changed: false,
            shown: Arc::new(shown),
        }
    }

    /// The next event.
    #[inline]
    pub(super) fn event(&mut self, now: Moment, kind: EventKind) -> Event {
        self.event_seq += 1;
        Event::new(self.event_seq, self.epoch, now.wall, kind)
    }

    /// A ticket for something that is about to be started.
    pub(super) fn ticket(&mut self) -> Ticket {
        self.serial = self.serial.wrapping_add(1);
        Ticket {
            epoch: self.epoch,
            serial: self.serial,
        }
    }

    /// Whether an input belongs to something that is over. The one place where it is decided.
    pub(super) fn is_stale(&self, input: &Input) -> bool {
        match input {
            Input::Loaded(ticket, _)
            | Input::Opened(ticket, _)
            | Input::Probed(ticket, _)
            | Input::Reauthenticated(ticket, _) => self.attempt != Some(*ticket),
            Input::LinkClosed(ticket, _) => self.closing != Some(*ticket),
            Input::Persisted(ticket, _) => !self.persist.is_waiting_for(*ticket),
            Input::Provider(epoch, _) => self.epoch != *epoch,
            Input::Finished(id, _) | Input::Broken(id, _) | Input::Abandoned(id) => {
                !self.operations.knows(*id)
            }
            Input::Connect
            | Input::Restore
            | Input::Disconnect(_)
            | Input::Verify
            | Input::Close { .. }
            | Input::Save
            | Input::Submit(..)
            | Input::HookFailed(..)
            | Input::Notice(_)
            | Input::Timeout => false,
        }
    }

    /// Whether the wallet may hold a connection of the present epoch: one that is open, or one
    /// that is being opened (or talked to) and may have got there.
    pub(super) fn may_hold_link(&self) -> bool {
        // Without a status that shows it, only the store is being asked.
        let asking_wallet = self.attempt.is_some() && !self.shown.status.is_disconnected();
        self.link_open || asking_wallet
    }

    /// Whether neither the store nor the wallet is waited for.
    pub(super) fn is_flushed(&self) -> bool {
        self.closing.is_none() && self.persist.is_idle()
    }

    /// Puts a new snapshot into `out` if the public state differs from what is shown.
    pub(super) fn show(&mut self, state: &State, out: &mut Outbox) {
        self.changed = false;
        let next = Snapshot {
            seq: self.shown.seq,
            epoch: self.epoch,
            status: state.status(),
            accounts: self.known.accounts.clone(),
            network: self.known.network.clone(),
            network_link: self.known.link,
            stale: self.known.stale,
            expires_at: self.expiry.at(),
            connected_at: self.connected_at,
            last_error: self.last_error.clone(),
        };
        if next != *self.shown {
            self.shown = Arc::new(Snapshot {
                seq: next.seq + 1,
                ..next
            });
            out.snapshot = Some(self.shown.clone());
        }
    }
}

/// The parts in which two machines can differ. The snapshot shown is left out: it follows from
/// them.
macro_rules! compared {
    ($apply:ident) => {
        $apply!(
            intent,
            epoch,
            serial,
            attempt,
            reprobes,
            probe_again,
            on_notice,
            link_open,
            reauthenticated,
            short_lived,
            closing,
            close_next,
            open_after_close,
            disconnecting,
            known,
            expiry,
            connected_at,
            connected_since,
            retry,
            last_error,
            operations,
            persist,
            timers,
            event_seq
        )
    };
}

impl PartialEq for Core {
    fn eq(&self, other: &Self) -> bool {
        macro_rules! all_equal {
            ($($field:ident),*) => { $(self.$field == other.$field)&&* };
        }
        compared!(all_equal)
    }
}

impl Eq for Core {}

impl Hash for Core {
    fn hash<H: Hasher>(&self, state: &mut H) {
        macro_rules! hash_all {
            ($($field:ident),*) => { $(self.$field.hash(state);)* };
        }
        compared!(hash_all);
    }
}
