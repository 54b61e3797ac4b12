//! What surrounds a session: fixed when it is built.

use std::sync::{Arc, Weak};

use super::driver::Driver;
use super::hooks::Hooks;
use crate::clock::{Clock, SystemClock};
use crate::event::Event;
use crate::policy::{Policy, ReconnectBudget};
use crate::provider::Provider;
use crate::snapshot::Snapshot;
use crate::store::{RecordName, Store};
use crate::sync::Bus;

/// How many events a subscriber may be behind unless the session was told otherwise.
const EVENT_CAPACITY: usize = 256;

/// What surrounds a session: fixed when it is built.
pub(super) struct Config {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) policy: Arc<Policy>,
    pub(super) driver: Driver,
    /// Apart from the extras: all sessions of a manager have one, and most have nothing else.
    pub(super) observer: Option<Observer>,
    /// What most sessions of a crowd do not have.
    pub(super) extras: Option<Box<Extras>>,
}

/// Sees every event of sessions in the moment it is published, before any subscriber does.
///
/// Called under the session's lock, so that what it sees is exactly so at that moment: it must
/// neither wait nor call the session, nor drop a handle of one.
pub(crate) trait Observe: Send + Sync {
    /// `session` is the number that the observer gave it.
    fn observe(&self, session: u64, event: &Event, snapshot: &Arc<Snapshot>);
}

/// Who observes a session, while there is anybody, and the number of the session there.
pub(crate) struct Observer {
    /// One for all sessions that it observes: each refers to it by a thin pointer.
    pub(crate) by: Arc<Weak<dyn Observe>>,
    pub(crate) session: u64,
}

impl Observer {
    pub(super) fn observe(&self, event: &Event, snapshot: &Arc<Snapshot>) {
        if let Some(by) = self.by.upgrade() {
            by.observe(self.session, event, snapshot);
        }
    }
}

/// What a session may have besides.
#[derive(Default)]
pub(super) struct Extras {
    /// The wall clock, if not the computer's.
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) store: Option<(Arc<dyn Store>, RecordName)>,
    pub(super) hooks: Hooks,
    pub(super) bus: Option<Arc<dyn Bus>>,
    pub(super) budget: Option<ReconnectBudget>,
    pub(super) label: Arc<str>,
    pub(super) event_capacity: Option<usize>,
}

impl Extras {
    /// Whether there is anything.
    pub(super) fn is_any(&self) -> bool {
        self.clock.is_some()
            || self.store.is_some()
            || self.hooks.reauth.is_some()
            || self.hooks.invalidate.is_some()
            || self.bus.is_some()
            || self.budget.is_some()
            || !self.label.is_empty()
            || self.event_capacity.is_some()
    }
}

impl Config {
    /// The wall clock.
    #[inline]
    pub(super) fn clock(&self) -> &dyn Clock {
        let extras = self.extras.as_deref();
        let own = extras.and_then(|extras| extras.clock.as_deref());
        own.unwrap_or(&SystemClock)
    }

    pub(super) fn store(&self) -> Option<&(Arc<dyn Store>, RecordName)> {
        self.extras.as_deref()?.store.as_ref()
    }

    pub(super) fn bus(&self) -> Option<&Arc<dyn Bus>> {
        self.extras.as_deref()?.bus.as_ref()
    }

    pub(super) fn budget(&self) -> Option<&ReconnectBudget> {
        self.extras.as_deref()?.budget.as_ref()
    }

    pub(super) fn event_capacity(&self) -> usize {
        let extras = self.extras.as_deref();
        let own = extras.and_then(|extras| extras.event_capacity);
        own.unwrap_or(EVENT_CAPACITY)
    }

    pub(super) fn label(&self) -> &str {
        self.extras.as_deref().map_or("", |extras| &extras.label)
    }
}
