//! Operations: held in order, bound to an identity, each answered exactly once.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use statig::Outcome;

use super::context::Context;
use super::core::Core;
use super::effect::Effect;
use super::expiry;
use super::fingerprint::ahead;
use super::input::{OperationId, SubmitOptions};
use super::persist;
use super::state::State;
use super::timer::Timer;
use crate::clock::{Moment, Mono};
use crate::error::OperationError;
use crate::event::EventKind;
use crate::identity::Identity;
use crate::provider::{ProviderError, Sent};

/// The operations that are not answered yet. A session that never had one has no books of them.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Operations(Option<Box<Books>>);

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Books {
    /// By the place in the driver's table.
    table: Vec<Option<Operation>>,
    /// Those that are held, in the order in which they will go to the wallet.
    queue: VecDeque<OperationId>,
    /// How many of those that the wallet has came out of the queue.
    released: usize,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Operation {
    number: u64,
    deadline: Mono,
    /// The deadline as it was asked for.
    within: Duration,
    repeatable: bool,
    place: Place,
    /// The identity it is bound to.
    identity: u32,
    /// How often it was held again after the wallet had it.
    repeats: u8,
}

impl Operation {
    /// Whether the wallet may have acted on it: it has it, or had it once.
    fn sent(&self) -> Sent {
        match self.place {
            Place::Held if self.repeats == 0 => Sent::No,
            Place::Held | Place::InFlight | Place::Released => Sent::Maybe,
        }
    }
}

/// How often an operation is handed to the wallet anew because the link failed it.
const MAX_REPEATS: u8 = 5;

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Place {
    Held,
    InFlight,
    /// At the wallet, out of the queue.
    Released,
}

impl Operations {
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.0.as_ref().map_or(0, |books| books.queue.len())
    }

    pub(super) fn in_flight(&self) -> usize {
        let places = self.0.iter().flat_map(|books| &books.table).flatten();
        places.filter(|op| op.place != Place::Held).count()
    }

    /// Whether nothing is held, nor at the wallet out of the queue.
    #[inline]
    pub(super) fn nobody_waits(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|books| books.queue.is_empty() && books.released == 0)
    }

    /// How many came out of the queue and are at the wallet.
    #[inline]
    fn released(&self) -> usize {
        self.0.as_ref().map_or(0, |books| books.released)
    }

    pub(super) fn knows(&self, id: OperationId) -> bool {
        self.get(id).is_some()
    }

    fn get(&self, id: OperationId) -> Option<&Operation> {
        let table = &self.0.as_ref()?.table;
        let operation = table.get(id.slot as usize)?.as_ref()?;
        (operation.number == id.number).then_some(operation)
    }

    fn insert(&mut self, id: OperationId, operation: Operation) {
        let books = self.0.get_or_insert_default();
        let slot = id.slot as usize;
        if slot >= books.table.len() {
            if slot == 0 {
                // Most sessions never have more than one operation at a time.
                books.table.reserve_exact(1);
            }
            books.table.resize(slot + 1, None);
        }
        if operation.place == Place::Released {
            books.released += 1;
        }
        books.table[slot] = Some(operation);
    }

    /// Forgets an operation that the wallet has answered. Returns whether it was known.
    #[inline]
    pub(super) fn end(&mut self, id: OperationId) -> bool {
        self.remove(id).is_some()
    }

    /// Forgets an operation. One that is held must have left the queue.
    fn remove(&mut self, id: OperationId) -> Option<Operation> {
        self.get(id)?;
        let books = self.0.as_mut()?;
        let operation = books.table[id.slot as usize].take()?;
        if operation.place == Place::Released {
            books.released -= 1;
        }
        Some(operation)
    }

    /// Forgets an operation, held or not.
    fn withdraw(&mut self, id: OperationId) -> Option<Operation> {
        let operation = self.remove(id)?;
        if operation.place == Place::Held {
            self.queue().retain(|held| *held != id);
        }
        Some(operation)
    }

    fn queue(&mut self) -> &mut VecDeque<OperationId> {
        &mut self.0.get_or_insert_default().queue
    }

    fn next_held(&mut self) -> Option<OperationId> {
        self.0.as_mut()?.queue.pop_front()
    }

    /// Empties the queue.
    fn take_held(&mut self) -> VecDeque<OperationId> {
        self.0
            .as_mut()
            .map(|books| std::mem::take(&mut books.queue))
            .unwrap_or_default()
    }

    pub(super) fn fingerprint(&self, now: Moment, hasher: &mut impl Hasher) {
        for (id, operation) in self.all() {
            (
                id.slot,
                operation.repeatable,
                operation.place,
                operation.repeats,
            )
                .hash(hasher);
            ahead(operation.deadline, now).hash(hasher);
        }
        for id in self.0.iter().flat_map(|books| &books.queue) {
            id.slot.hash(hasher);
        }
    }

    /// All operations, oldest first.
    fn all(&self) -> Vec<(OperationId, Operation)> {
        let mut all: Vec<(OperationId, Operation)> = self
            .0
            .iter()
            .flat_map(|books| &books.table)
            .enumerate()
            .filter_map(|(slot, operation)| {
                let operation = (*operation)?;
                let slot = u32::try_from(slot).ok()?;
                Some((
                    OperationId {
                        slot,
                        number: operation.number,
                    },
                    operation,
                ))
            })
            .collect();
        all.sort_by_key(|(id, _)| id.number);
        all
    }
}

/// An operation submitted while connected: to the wallet, unless others wait before it.
pub(super) fn submit_connected(
    id: OperationId,
    options: &SubmitOptions,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    if let Some(error) = wrong_identity(options, cx) {
        return refuse(id, error, cx);
    }
    if !cx.core.operations.nobody_waits() {
        return hold(id, options, cx);
    }
    let (within, repeatable) = (options.deadline, options.repeatable);
    admit_direct(cx.core, cx.now.mono, id, within, repeatable);
    cx.effect(Effect::Dispatch(id));
    used(cx);
    Outcome::Handled
}

/// An operation submitted in any other state: held if it may be and somebody is known to hold it
/// for.
pub(super) fn submit_unconnected(
    state: &State,
    id: OperationId,
    options: &SubmitOptions,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    let status = state.status();
    if !options.hold || status.is_disconnected() || cx.core.known.identity().is_none() {
        return refuse(id, OperationError::NotConnected { status }, cx);
    }
    if let Some(error) = wrong_identity(options, cx) {
        return refuse(id, error, cx);
    }
    hold(id, options, cx)
}

fn wrong_identity(options: &SubmitOptions, cx: &Context<'_>) -> Option<OperationError> {
    let expected = options.identity.as_ref()?;
    let current = cx.core.known.identity()?;
    (expected != current).then(|| identity_changed(expected, current, Sent::No))
}

fn identity_changed(submitted: &Identity, current: &Identity, sent: Sent) -> OperationError {
    OperationError::IdentityChanged {
        submitted: Box::new(submitted.clone()),
        current: Box::new(current.clone()),
        sent,
    }
}

/// Says no to an operation that was never taken in.
pub(super) fn refuse(
    id: OperationId,
    error: OperationError,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    cx.publish(EventKind::OperationRejected {
        operation: id.number,
        error: error.clone(),
    });
    cx.effect(Effect::Reject(id, error));
    Outcome::Handled
}

/// Takes in an operation that goes to the wallet at once.
#[inline]
pub(super) fn admit_direct(
    core: &mut Core,
    now: Mono,
    id: OperationId,
    within: Duration,
    repeatable: bool,
) {
    admit(core, now, id, within, repeatable, Place::InFlight);
}

#[inline]
fn admit(
    core: &mut Core,
    now: Mono,
    id: OperationId,
    within: Duration,
    repeatable: bool,
    place: Place,
) {
    let deadline = now.after(within);
    let operation = Operation {
        number: id.number,
        deadline,
        within,
        repeatable,
        place,
        identity: core.known.generation(),
        repeats: 0,
    };
    core.operations.insert(id, operation);
    // The timer may be early for the operations that are left; it is never late.
    core.timers.set_earlier(Timer::Operations, deadline);
}

fn hold(id: OperationId, options: &SubmitOptions, cx: &mut Context<'_>) -> Outcome<State> {
    let capacity = cx.core.setup.policy.queue.capacity;
    if cx.core.operations.held() >= capacity {
        return refuse(id, OperationError::QueueFull { capacity }, cx);
    }
    let (within, repeatable) = (options.deadline, options.repeatable);
    admit(cx.core, cx.now.mono, id, within, repeatable, Place::Held);
    cx.core.operations.queue().push_back(id);
    let depth = cx.core.operations.held();
    cx.publish(EventKind::OperationQueued {
        operation: id.number,
        depth,
    });
    Outcome::Handled
}

/// Hands held operations to the wallet, as many at once as the policy says. Call it only where
/// the session is (about to be) connected.
pub(super) fn drain(cx: &mut Context<'_>) {
    let concurrency = cx.core.setup.policy.queue.concurrency;
    let mut any = false;
    while cx.core.operations.released() < concurrency {
        let Some(id) = cx.core.operations.next_held() else {
            break;
        };
        let Some(mut operation) = cx.core.operations.remove(id) else {
            continue;
        };
        if operation.identity != cx.core.known.generation() {
            // Operations of another identity were rejected when it changed; this is the lock on
            // the door.
            if let Some(current) = cx.core.known.identity().cloned() {
                refuse(
                    id,
                    identity_changed(&current, &current, operation.sent()),
                    cx,
                );
            }
            continue;
        }
        operation.place = Place::Released;
        cx.core.operations.insert(id, operation);
        cx.publish(EventKind::OperationReleased {
            operation: id.number,
        });
        cx.effect(Effect::Dispatch(id));
        any = true;
    }
    if any {
        used(cx);
    }
}

/// The session was used: its expiry may move.
fn used(cx: &mut Context<'_>) {
    if cx.core.setup.policy.expiry.update_age.is_some() && expiry::renew_by_use(cx) {
        persist::save(false, cx);
    }
}

/// An operation ended.
pub(super) fn end(id: OperationId, cx: &mut Context<'_>) {
    cx.core.operations.end(id);
}

/// An operation ended while the session was not connected.
pub(super) fn finished(id: OperationId, cx: &mut Context<'_>) -> Outcome<State> {
    end(id, cx);
    Outcome::Handled
}

/// Nobody waits for an operation any more.
pub(super) fn abandoned(id: OperationId, cx: &mut Context<'_>) -> Outcome<State> {
    let Some(operation) = cx.core.operations.withdraw(id) else {
        return Outcome::Handled;
    };
    if operation.place == Place::Held {
        cx.publish(EventKind::OperationAbandoned {
            operation: id.number,
        });
    }
    Outcome::Handled
}

pub(super) fn deadline_passed(cx: &mut Context<'_>) -> Outcome<State> {
    expire_deadlines(cx);
    Outcome::Handled
}

/// Rejects the operations whose deadline has passed and sets the timer for the others.
pub(super) fn expire_deadlines(cx: &mut Context<'_>) {
    for (id, operation) in cx.core.operations.all() {
        if operation.deadline <= cx.now.mono {
            let after = operation.within;
            let sent = operation.sent();
            reject(id, OperationError::DeadlineExceeded { after, sent }, cx);
        } else {
            cx.core
                .timers
                .set_earlier(Timer::Operations, operation.deadline);
        }
    }
}

/// Answers an operation that was taken in.
fn reject(id: OperationId, error: OperationError, cx: &mut Context<'_>) {
    if cx.core.operations.withdraw(id).is_some() {
        refuse(id, error, cx);
    }
}

/// The link broke: what the wallet had may have been executed. What may be repeated is held
/// again, ahead of what was submitted later.
pub(super) fn interrupt(cause: &ProviderError, cx: &mut Context<'_>) {
    let at_wallet = cx
        .core
        .operations
        .all()
        .into_iter()
        .filter(|(_, op)| op.place != Place::Held);
    // Youngest first: each goes to the front of the queue.
    for (id, operation) in at_wallet.rev() {
        if !operation.repeatable || !hold_again(id, operation, cx) {
            reject(
                id,
                OperationError::Interrupted {
                    cause: cause.clone(),
                },
                cx,
            );
        }
    }
}

/// The link failed one operation, which was not executed or may be repeated.
pub(super) fn broken(
    id: OperationId,
    error: &ProviderError,
    cx: &mut Context<'_>,
) -> Outcome<State> {
    // One that is held again already was told by the link itself: its answer comes too late.
    if let Some(operation) = cx.core.operations.get(id).copied()
        && operation.place != Place::Held
        && (cx.core.known.identity().is_none() || !hold_again(id, operation, cx))
    {
        reject(id, OperationError::Provider(error.clone()), cx);
    }
    Outcome::Handled
}

/// Puts an operation that the wallet had back at the front of the queue, if there is room and it
/// was not done too often.
fn hold_again(id: OperationId, operation: Operation, cx: &mut Context<'_>) -> bool {
    let room = cx.core.operations.held() < cx.core.setup.policy.queue.capacity;
    if !room || operation.repeats >= MAX_REPEATS {
        return false;
    }
    cx.core.operations.remove(id);
    let repeats = operation.repeats + 1;
    cx.core.operations.insert(
        id,
        Operation {
            place: Place::Held,
            repeats,
            ..operation
        },
    );
    cx.core.operations.queue().push_front(id);
    let depth = cx.core.operations.held();
    cx.effect(Effect::Recall(id));
    cx.publish(EventKind::OperationQueued {
        operation: id.number,
        depth,
    });
    true
}

/// The session now acts for somebody else: what is held for `before` never runs.
pub(super) fn reject_for_identity(before: &Identity, now: &Identity, cx: &mut Context<'_>) {
    for id in cx.core.operations.take_held() {
        let sent = cx.core.operations.get(id).map_or(Sent::No, Operation::sent);
        reject(id, identity_changed(before, now, sent), cx);
    }
}

/// The session is over: every operation is answered, by what `error` makes of whether the wallet
/// may have acted on it.
pub(super) fn reject_all(error: impl Fn(Sent) -> OperationError, cx: &mut Context<'_>) {
    for (id, operation) in cx.core.operations.all() {
        reject(id, error(operation.sent()), cx);
    }
    cx.stop_timer(Timer::Operations);
}
