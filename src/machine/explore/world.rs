//! A machine and what surrounds it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Moment, Mono, Timestamp};
use crate::error::OperationError;
use crate::identity::Identity;
use crate::machine::{Effect, Input, Machine, OperationId, Outbox, Pacing, Setup, Ticket};
use crate::provider::{CloseMode, OpenMode};

/// A machine, the time, the calls that were started and not answered, and the operations that
/// were submitted.
#[derive(Clone, Debug)]
pub struct World {
    /// The machine.
    pub machine: Machine,
    /// The time.
    pub now: Moment,
    /// Calls that may still be answered: also those that nobody waits for any more.
    pub calls: Vec<Call>,
    /// Operations that were submitted and not answered.
    pub operations: Vec<Operation>,
    /// The number of the last operation.
    last_operation: u64,
}

/// A call that the machine started.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Call {
    /// Its ticket.
    pub ticket: Ticket,
    /// What it is.
    pub kind: CallKind,
    /// Whether the machine took it back. Its answer may come all the same.
    pub cancelled: bool,
}

/// What a call is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CallKind {
    /// Reading the record.
    Load,
    /// Opening a connection.
    Open(OpenMode),
    /// Probing the wallet.
    Probe,
    /// Re-authenticating.
    Reauthenticate,
    /// Closing a connection.
    Close(CloseMode),
    /// Writing to the store.
    Persist,
}

/// An operation that was submitted.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Whom the session acted for when it was submitted.
    pub submitted_for: Option<Arc<Identity>>,
    /// Whether it may be repeated.
    pub repeatable: bool,
    /// How often the wallet was given it.
    pub dispatched: u32,
    /// Whether the wallet has it now.
    pub at_wallet: bool,
    /// What its caller was told, if the session answered it.
    pub rejected: Option<OperationError>,
}

/// What one input did.
#[derive(Debug)]
pub struct Step {
    /// The input.
    pub input: Input,
    /// What came out.
    pub out: Outbox,
    /// The operations that this step answered, as they were.
    pub answered: Vec<Operation>,
}

/// Delays that need no randomness: one second more for each attempt.
#[derive(Clone, Copy, Debug)]
struct Steady;

impl Pacing for Steady {
    fn delay(&mut self, attempt: u32) -> Option<Duration> {
        Some(Duration::from_secs(u64::from(attempt)))
    }

    fn reserve(&mut self, now: Mono) -> Mono {
        now
    }

    fn redeem(&mut self, _: Mono) -> bool {
        true
    }
}

impl World {
    /// A new machine at the start of 2026.
    pub fn new(setup: Setup) -> Self {
        let wall = Timestamp::from_millis(1_767_225_600_000);
        Self {
            machine: Machine::new(setup),
            now: Moment {
                mono: Mono::from_millis(1000),
                wall,
            },
            calls: Vec::new(),
            operations: Vec::new(),
            last_operation: 0,
        }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&mut self, by: Duration) {
        self.now.mono = self.now.mono.after(by);
        self.now.wall = self.now.wall.saturating_add(by);
    }

    /// Hands one input to the machine and keeps the books.
    pub fn feed(&mut self, input: Input) -> Step {
        let mut out = Outbox::default();
        self.answered_call(&input);
        self.machine
            .handle(self.now, input.clone(), &mut Steady, &mut out);
        let mut answered = Vec::new();
        for effect in &out.effects {
            match effect {
                Effect::Load(ticket) => self.begin(*ticket, CallKind::Load),
                Effect::Open { ticket, mode, .. } => self.begin(*ticket, CallKind::Open(*mode)),
                Effect::Probe(ticket) => self.begin(*ticket, CallKind::Probe),
                Effect::Reauthenticate(ticket, _) => self.begin(*ticket, CallKind::Reauthenticate),
                Effect::CloseLink(ticket, mode) => self.begin(*ticket, CallKind::Close(*mode)),
                Effect::Persist(ticket, _) => self.begin(*ticket, CallKind::Persist),
                Effect::Cancel(ticket) => {
                    for call in &mut self.calls {
                        call.cancelled |= call.ticket == *ticket;
                    }
                }
                Effect::Dispatch(id) => {
                    if let Some(operation) = self.operation(*id) {
                        operation.dispatched += 1;
                        operation.at_wallet = true;
                    }
                }
                Effect::Recall(id) => {
                    if let Some(operation) = self.operation(*id) {
                        operation.at_wallet = false;
                    }
                }
                Effect::Reject(id, error) => {
                    if let Some(at) = self.operations.iter().position(|op| op.id == *id) {
                        let mut operation = self.operations.remove(at);
                        operation.rejected = Some(error.clone());
                        answered.push(operation);
                    }
                }
                _ => {}
            }
        }
        if let Input::Finished(id, _) | Input::Abandoned(id) = &input
            && let Some(at) = self.operations.iter().position(|op| op.id == *id)
        {
            answered.push(self.operations.remove(at));
        }
        Step {
            input,
            out,
            answered,
        }
    }

    /// Registers an operation that is about to be submitted.
    pub fn new_operation(&mut self, repeatable: bool) -> OperationId {
        self.last_operation += 1;
        let taken = |slot: u32| self.operations.iter().any(|op| op.id.slot == slot);
        let slot = (0..).find(|slot| !taken(*slot)).unwrap_or_default();
        let id = OperationId {
            slot,
            number: self.last_operation,
        };
        self.operations.push(Operation {
            id,
            submitted_for: self.machine.identity().cloned(),
            repeatable,
            dispatched: 0,
            at_wallet: false,
            rejected: None,
        });
        id
    }

    /// What makes this world behave differently from another: equal fingerprints, equal futures
    /// (but for absolute numbers and times).
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.machine.fingerprint(self.now, &mut hasher);
        for call in &self.calls {
            (call.kind, call.cancelled).hash(&mut hasher);
        }
        for operation in &self.operations {
            (&operation.submitted_for, operation.repeatable).hash(&mut hasher);
            (operation.dispatched.min(2), operation.at_wallet).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn begin(&mut self, ticket: Ticket, kind: CallKind) {
        // Of the calls that were taken back, the last of a kind stands for all.
        self.calls
            .retain(|call| !(call.cancelled && call.kind == kind));
        self.calls.push(Call {
            ticket,
            kind,
            cancelled: false,
        });
    }

    fn answered_call(&mut self, input: &Input) {
        let answered = match input {
            Input::Loaded(ticket, _)
            | Input::Opened(ticket, _)
            | Input::Probed(ticket, _)
            | Input::Reauthenticated(ticket, _)
            | Input::LinkClosed(ticket, _)
            | Input::Persisted(ticket, _) => *ticket,
            _ => return,
        };
        self.calls.retain(|call| call.ticket != answered);
    }

    fn operation(&mut self, id: OperationId) -> Option<&mut Operation> {
        self.operations
            .iter_mut()
            .find(|operation| operation.id == id)
    }
}
