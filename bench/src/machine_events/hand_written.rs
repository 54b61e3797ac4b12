//! The baseline: what somebody writes who needs these transitions and no others, in one `match`.
//!
//! It keeps the same books as moorline's machine (tickets, epochs, operations with deadlines, the
//! queue, the count of attempts, what is known of the wallet) and says the same, but knows
//! nothing of stores, expiry, re-authentication, user actions, other processes and closing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use moorline::clock::{Moment, Mono, Timestamp};
use moorline::error::OperationError;
use moorline::event::EventKind;
use moorline::identity::primary_account;
use moorline::machine::{
    Effect, Input, LinkHint, OperationId, RestoreOutcome, SubmitOptions, Ticket, Timer,
};
use moorline::provider::{Live, OpenMode, Opened};
use moorline::{
    Account, DisconnectReason, Epoch, Identity, NetworkId, NetworkLink, Policy, ProviderError,
    ProviderEvent, ReconnectCause, Status,
};

use super::Engine;
use super::script::BACKOFF;
use super::seen::{Seen, SeenEvent, SeenSnapshot};

#[derive(Clone, Copy, PartialEq)]
enum State {
    Disconnected,
    Opening { recovering: bool },
    Verifying { recovering: bool },
    Waiting,
    Connected,
}

#[derive(Clone, Copy)]
struct Operation {
    number: u64,
    deadline: Mono,
    within: Duration,
    repeatable: bool,
    held: bool,
}

#[derive(Clone)]
pub(super) struct HandWritten {
    policy: Arc<Policy>,
    state: State,
    epoch: u32,
    serial: u32,
    attempt: Option<Ticket>,
    accounts: Arc<[Account]>,
    network: Option<NetworkId>,
    identity: Option<Arc<Identity>>,
    link: NetworkLink,
    stale: bool,
    connected_at: Option<Timestamp>,
    connected_since: Option<Mono>,
    last_error: Option<ProviderError>,
    attempts: u32,
    attempted: bool,
    recovering_since: Mono,
    table: Vec<Option<Operation>>,
    queue: VecDeque<OperationId>,
    operations_due: Option<Mono>,
    attempt_due: Option<Mono>,
    backoff_due: Option<Mono>,
    event_seq: u64,
    shown: Arc<SeenSnapshot>,
}

#[derive(Default)]
pub(super) struct Out {
    snapshot: Option<Arc<SeenSnapshot>>,
    events: Vec<SeenEvent>,
    effects: Vec<Effect>,
    dropped: bool,
}

impl HandWritten {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        let nobody: Arc<[Account]> = Arc::new([]);
        Self {
            policy,
            state: State::Disconnected,
            epoch: 0,
            serial: 0,
            attempt: None,
            accounts: nobody.clone(),
            network: None,
            identity: None,
            link: NetworkLink::Unknown,
            stale: false,
            connected_at: None,
            connected_since: None,
            last_error: None,
            attempts: 0,
            attempted: false,
            recovering_since: Mono::default(),
            table: Vec::new(),
            queue: VecDeque::new(),
            operations_due: None,
            attempt_due: None,
            backoff_due: None,
            event_seq: 0,
            shown: Arc::new(SeenSnapshot {
                seq: 0,
                epoch: Epoch::default(),
                status: Status::Disconnected {
                    reason: DisconnectReason::Initial,
                },
                accounts: nobody,
                network: None,
                network_link: NetworkLink::Unknown,
                stale: false,
                connected_at: None,
                last_error: None,
            }),
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.serial += 1;
        Ticket {
            epoch: Epoch::new(self.epoch),
            serial: self.serial,
        }
    }

    fn tell(&mut self, now: Moment, kind: EventKind, out: &mut Out) {
        self.event_seq += 1;
        out.events.push(SeenEvent {
            seq: self.event_seq,
            epoch: Epoch::new(self.epoch),
            at: now.wall,
            kind,
        });
    }

    fn status(&self) -> Status {
        match self.state {
            State::Disconnected => Status::Disconnected {
                reason: DisconnectReason::GaveUp,
            },
            State::Opening { recovering: false } | State::Verifying { recovering: false } => {
                Status::Connecting
            }
            State::Opening { .. } | State::Verifying { .. } | State::Waiting => {
                Status::Reconnecting {
                    cause: ReconnectCause::LinkLost,
                }
            }
            State::Connected => Status::Connected,
        }
    }

    fn show(&mut self, out: &mut Out) {
        let next = SeenSnapshot {
            seq: self.shown.seq,
            epoch: Epoch::new(self.epoch),
            status: self.status(),
            accounts: self.accounts.clone(),
            network: self.network.clone(),
            network_link: self.link,
            stale: self.stale,
            connected_at: self.connected_at,
            last_error: self.last_error.clone(),
        };
        if next != *self.shown {
            self.shown = Arc::new(SeenSnapshot {
                seq: next.seq + 1,
                ..next
            });
            out.snapshot = Some(self.shown.clone());
        }
    }

    fn start_open(&mut self, now: Moment, recovering: bool, out: &mut Out) {
        self.epoch += 1;
        let ticket = self.ticket();
        self.attempt = Some(ticket);
        let mode = if recovering {
            OpenMode::Silent
        } else {
            OpenMode::Interactive
        };
        out.effects.push(Effect::Open {
            ticket,
            mode,
            last_known: self.identity.clone(),
        });
        self.attempt_due = Some(now.mono.after(self.policy.deadlines.connect));
        self.state = State::Opening { recovering };
    }

    fn fail(&mut self, now: Moment, error: ProviderError, out: &mut Out) {
        self.last_error = Some(error.clone());
        let attempt = self.attempts + 1;
        let delay = BACKOFF.max(error.retry_after().unwrap_or_default());
        let elapsed = now.mono.since(self.recovering_since);
        let policy = &self.policy.reconnect;
        if policy.max_attempts.is_some_and(|max| attempt > max)
            || policy.max_elapsed.is_some_and(|max| elapsed + delay > max)
        {
            let attempts = self.attempts;
            let last_error = Some(error);
            self.tell(
                now,
                EventKind::ReconnectGaveUp {
                    attempts,
                    last_error,
                },
                out,
            );
            self.state = State::Disconnected;
            return;
        }
        self.backoff_due = Some(now.mono.after(delay));
        let delay_ms = delay.as_millis() as u64;
        self.tell(
            now,
            EventKind::ReconnectScheduled { attempt, delay_ms },
            out,
        );
        self.state = State::Waiting;
    }

    fn drop_link(&mut self, now: Moment, error: ProviderError, out: &mut Out) {
        out.effects.push(Effect::SettleVerify(error.verdict()));
        self.interrupt(&error, out);
        self.stale = true;
        let held = self.connected_since.take().map(|at| now.mono.since(at));
        if held.unwrap_or_default() >= self.policy.reconnect.stable_after || self.attempts == 0 {
            self.attempts = 0;
            self.recovering_since = now.mono;
        }
        self.attempted = false;
        self.tell(
            now,
            EventKind::Reconnecting {
                cause: ReconnectCause::LinkLost,
                error: Some(error.clone()),
            },
            out,
        );
        self.fail(now, error, out);
    }

    fn connected(&mut self, now: Moment, recovering: bool, live: &Live, out: &mut Out) {
        if !recovering {
            self.connected_at = Some(now.wall);
        }
        self.connected_since = Some(now.mono);
        self.last_error = None;
        self.stale = false;
        if std::mem::take(&mut self.attempted) {
            let attempt = self.attempts;
            self.tell(now, EventKind::ReconnectSucceeded { attempt }, out);
        }
        if live.link != NetworkLink::Unknown {
            self.link = live.link;
        }
        if *self.accounts != *live.accounts || self.network != live.network {
            self.accounts = live.accounts.as_slice().into();
            self.network.clone_from(&live.network);
            self.identity = primary_account(&self.accounts)
                .map(|account| Arc::new(Identity::new(account.id.clone(), self.network.clone())));
        }
        if let Some(identity) = self.identity.clone() {
            self.tell(
                now,
                EventKind::Connected {
                    account: identity.account.clone(),
                    network: identity.network.clone(),
                    expires_at: None,
                },
                out,
            );
        }
        out.effects.push(Effect::SettleConnect(Ok(())));
        out.effects
            .push(Effect::SettleRestore(RestoreOutcome::Restored));
        self.state = State::Connected;
        self.drain(now, out);
    }

    fn insert(&mut self, id: OperationId, operation: Operation) {
        let slot = id.slot as usize;
        if slot >= self.table.len() {
            self.table.resize(slot + 1, None);
        }
        self.table[slot] = Some(operation);
        if self
            .operations_due
            .is_none_or(|due| operation.deadline < due)
        {
            self.operations_due = Some(operation.deadline);
        }
    }

    fn submit(&mut self, now: Moment, id: OperationId, options: &SubmitOptions, out: &mut Out) {
        if let (Some(expected), Some(current)) = (&options.identity, &self.identity)
            && expected != current
        {
            let error = OperationError::IdentityChanged {
                submitted: Box::new(Identity::clone(expected)),
                current: Box::new(Identity::clone(current)),
                sent: moorline::provider::Sent::No,
            };
            out.effects.push(Effect::Reject(id, error));
            return;
        }
        let direct = self.state == State::Connected && self.queue.is_empty();
        let operation = Operation {
            number: id.number,
            deadline: now.mono.after(options.deadline),
            within: options.deadline,
            repeatable: options.repeatable,
            held: !direct,
        };
        if direct {
            self.insert(id, operation);
            out.effects.push(Effect::Dispatch(id));
            return;
        }
        let capacity = self.policy.queue.capacity;
        if self.queue.len() >= capacity {
            let error = OperationError::QueueFull { capacity };
            out.effects.push(Effect::Reject(id, error));
            return;
        }
        self.insert(id, operation);
        self.queue.push_back(id);
        let (operation, depth) = (id.number, self.queue.len());
        self.tell(now, EventKind::OperationQueued { operation, depth }, out);
    }

    fn drain(&mut self, now: Moment, out: &mut Out) {
        while let Some(id) = self.queue.pop_front() {
            if let Some(Some(operation)) = self.table.get_mut(id.slot as usize) {
                operation.held = false;
                let operation = id.number;
                self.tell(now, EventKind::OperationReleased { operation }, out);
                out.effects.push(Effect::Dispatch(id));
            }
        }
    }

    fn finish(&mut self, id: OperationId) -> bool {
        match self.table.get_mut(id.slot as usize) {
            Some(place @ Some(_)) if place.is_some_and(|known| known.number == id.number) => {
                *place = None;
                true
            }
            _ => false,
        }
    }

    fn interrupt(&mut self, error: &ProviderError, out: &mut Out) {
        for (slot, place) in self.table.iter_mut().enumerate() {
            let Some(operation) = place else { continue };
            if operation.held || operation.repeatable {
                continue;
            }
            let id = OperationId {
                slot: slot as u32,
                number: operation.number,
            };
            *place = None;
            let cause = error.clone();
            out.effects
                .push(Effect::Reject(id, OperationError::Interrupted { cause }));
        }
    }

    fn timeout(&mut self, now: Moment, out: &mut Out) {
        if self.backoff_due.is_some_and(|due| due <= now.mono) {
            self.backoff_due = None;
            self.attempts += 1;
            self.attempted = true;
            let attempt = self.attempts;
            self.start_open(now, true, out);
            self.tell(now, EventKind::ReconnectAttempt { attempt }, out);
            self.show(out);
        }
        if self.operations_due.is_some_and(|due| due <= now.mono) {
            self.operations_due = None;
            for slot in 0..self.table.len() {
                let Some(operation) = self.table[slot] else {
                    continue;
                };
                if operation.deadline > now.mono {
                    let due = self.operations_due.unwrap_or(operation.deadline);
                    self.operations_due = Some(due.min(operation.deadline));
                    continue;
                }
                self.table[slot] = None;
                let id = OperationId {
                    slot: slot as u32,
                    number: operation.number,
                };
                let error = OperationError::DeadlineExceeded {
                    after: operation.within,
                    sent: moorline::provider::Sent::Maybe,
                };
                out.effects.push(Effect::Reject(id, error));
            }
        }
    }
}

impl Engine for HandWritten {
    type Out = Out;

    fn step(&mut self, now: Moment, input: Input, out: &mut Out) {
        match (self.state, input) {
            (_, Input::Submit(id, options)) => self.submit(now, id, &options, out),
            (_, Input::Finished(id, LinkHint::None)) => out.dropped = !self.finish(id),
            (State::Disconnected, Input::Connect) => {
                self.attempts = 0;
                self.recovering_since = now.mono;
                out.effects
                    .push(Effect::SettleRestore(RestoreOutcome::Superseded));
                self.start_open(now, false, out);
                self.tell(now, EventKind::Connecting, out);
                self.show(out);
            }
            (_, Input::Provider(epoch, _)) if epoch.number() != self.epoch => out.dropped = true,
            (State::Connected, Input::Provider(_, ProviderEvent::Link(link))) => {
                if link != NetworkLink::Unknown && link != self.link {
                    self.link = link;
                    self.tell(now, EventKind::NetworkLinkChanged { link }, out);
                    self.show(out);
                }
            }
            (State::Connected, Input::Provider(_, ProviderEvent::Dropped(error))) => {
                self.drop_link(now, error, out);
                self.show(out);
            }
            (_, Input::Timeout) => self.timeout(now, out),
            (State::Opening { recovering }, Input::Opened(ticket, result))
                if self.attempt == Some(ticket) =>
            {
                self.attempt = None;
                self.attempt_due = None;
                match result {
                    Ok(Opened::Established) => {
                        let ticket = self.ticket();
                        self.attempt = Some(ticket);
                        out.effects.push(Effect::Probe(ticket));
                        self.attempt_due = Some(now.mono.after(self.policy.deadlines.probe));
                        self.state = State::Verifying { recovering };
                    }
                    Ok(_) => out.dropped = true,
                    Err(error) => self.fail(now, error, out),
                }
                self.show(out);
            }
            (State::Verifying { recovering }, Input::Probed(ticket, result))
                if self.attempt == Some(ticket) =>
            {
                self.attempt = None;
                self.attempt_due = None;
                match result {
                    Ok(live) if !live.accounts.is_empty() => {
                        self.connected(now, recovering, &live, out);
                    }
                    Ok(_) => out.dropped = true,
                    Err(error) => self.fail(now, error, out),
                }
                self.show(out);
            }
            _ => out.dropped = true,
        }
    }

    fn next_timeout(&self) -> Option<(Mono, Timer)> {
        let mut first = self.operations_due.map(|due| (due, Timer::Operations));
        for (due, timer) in [
            (self.attempt_due, Timer::Attempt),
            (self.backoff_due, Timer::Backoff),
        ] {
            if let Some(due) = due
                && first.is_none_or(|(known, _)| due < known)
            {
                first = Some((due, timer));
            }
        }
        first
    }

    fn clear(out: &mut Out) {
        out.snapshot = None;
        out.events.clear();
        out.effects.clear();
        out.dropped = false;
    }

    fn seen(&self, out: &Out) -> Seen {
        Seen {
            snapshot: out.snapshot.as_deref().cloned(),
            events: out.events.clone(),
            effects: out.effects.clone(),
            dropped: out.dropped,
            next_timeout: self.next_timeout(),
        }
    }
}
