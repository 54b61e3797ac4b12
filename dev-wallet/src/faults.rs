//! What is wrong with the wallet at the moment.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::Value;

use crate::control::Control;
use crate::error::plain;
use crate::gateway::Owner;
use crate::http::{Meddling, Misbehaviour};
use crate::state::DevWalletState;
use crate::treat::Treatments;

/// The faults switched on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Requests wait, unanswered.
    pub(crate) hang: bool,
    /// Every request takes this long before it is executed.
    pub(crate) slow: Option<Duration>,
    /// Every request is answered with this error.
    pub(crate) error: Option<(i32, String)>,
    /// Requests of these methods are answered with these errors.
    pub(crate) errors: HashMap<String, (i32, String)>,
    /// Signed transactions fail on the ledger.
    pub(crate) fail_transactions: bool,
    /// The ledger prepares nothing.
    pub(crate) fail_prepare: bool,
    /// HTTP requests that are answered wrongly.
    pub(crate) http: Vec<Misbehaviour>,
    /// What happens to events on their way.
    pub(crate) events: EventFaults,
    /// Every event of a stream waits this long.
    pub(crate) slow_events: Option<Duration>,
    /// Events of streams travel in pieces of this many bytes; 0 for whole.
    pub(crate) split_events: usize,
    /// Everything written travels in pieces of this many bytes, on new connections; 0 for whole.
    pub(crate) split_writes: usize,
    /// Requests that are treated apart.
    pub(crate) treatments: Treatments,
}

impl Faults {
    /// How a new socket misbehaves.
    pub(crate) fn meddling(&self) -> Meddling {
        let meddling = Meddling::default();
        meddling.piece.store(self.split_writes, Ordering::Relaxed);
        meddling
    }
}

/// An event on its way: whom it concerns, its name, its payload.
pub(crate) type Event = (Owner, String, Value);

/// What happens to events on their way.
#[derive(Debug, Default)]
pub(crate) struct EventFaults {
    /// So many more are lost.
    pub(crate) lose: u32,
    /// So many more arrive twice.
    pub(crate) duplicate: u32,
    /// So many more are overtaken by the next one.
    pub(crate) reorder: u32,
    /// The one that is being overtaken.
    held: Option<Event>,
}

impl EventFaults {
    /// What arrives, now that this event was sent.
    pub(crate) fn pass(&mut self, owner: Owner, name: &str, payload: Value) -> Vec<Event> {
        let event = (owner, name.to_owned(), payload);
        if self.lose > 0 {
            self.lose -= 1;
            return Vec::new();
        }
        if self.reorder > 0 && self.held.is_none() {
            self.reorder -= 1;
            self.held = Some(event);
            return Vec::new();
        }
        let mut arriving = vec![event.clone()];
        if self.duplicate > 0 {
            self.duplicate -= 1;
            arriving.push(event);
        }
        arriving.extend(self.held.take());
        arriving
    }
}

impl DevWalletState {
    /// Does what the plan has for this request.
    pub(crate) fn strike_request(&self, method: &str) {
        let due = self.lock().due_at_request(method);
        for act in due {
            Control::new(self.clone()).act_within(act);
        }
    }

    /// Does to a request what the faults demand; an error if it is to be answered with one.
    pub(crate) async fn suffer(&self, method: &str) -> Result<(), ErrorObjectOwned> {
        let slow = self.lock().faults.slow;
        if let Some(delay) = slow {
            tokio::time::sleep(delay).await;
        }
        self.until(|inner| !inner.faults.hang).await;
        let inner = self.lock();
        let error = inner.faults.errors.get(method);
        match error.or(inner.faults.error.as_ref()) {
            Some((code, message)) => Err(plain(*code, message)),
            None => Ok(()),
        }
    }
}
