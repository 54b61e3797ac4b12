//! The machine behind its lock, and everything that carries out what it says.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::watch;

use super::driver::{Driver, TimerKey};
use super::event_stream::EventStream;
use super::hooks::{Hooks, Wallet};
use super::jobs::Jobs;
use super::moments::Moments;
use super::slots::{Permit, SlotState, Slots};
use super::subscribers::Subscribers;
use super::waiters::Waiters;
use crate::clock::{Clock, Moment, Mono, Timestamp};
use crate::error::{ConnectError, OperationError};
use crate::identity::Identity;
use crate::machine::{
    DisconnectReport, Effect, Input, Machine, OperationId, Outbox, Pacing, RestoreOutcome, Setup,
    SubmitOptions,
};
use crate::policy::{Policy, ReconnectBudget, Schedule};
use crate::provider::{CloseMode, Epoch, Provider, ProviderEvent, ReceiveEvent, Sent, Verdict};
use crate::snapshot::Snapshot;
use crate::store::{RecordName, Revision, Store};
use crate::sync::{Bus, Notice};

/// What surrounds a session: fixed when it is built.
pub(super) struct Config {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) policy: Arc<Policy>,
    pub(super) store: Option<(Arc<dyn Store>, RecordName)>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hooks: Hooks,
    pub(super) bus: Option<Arc<dyn Bus>>,
    pub(super) budget: Option<ReconnectBudget>,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) driver: Driver,
    pub(super) label: Arc<str>,
    pub(super) event_capacity: usize,
}

/// One session. Handles share it; tasks and timers refer to it weakly.
pub(crate) struct Shared {
    config: Config,
    handles: AtomicUsize,
    me: Weak<Self>,
    state: Mutex<State>,
}

/// What the lock protects. It is held for as long as the machine takes for one input, never over
/// an await or a call into somebody else's code.
pub(super) struct State {
    pub(super) machine: Machine,
    pub(super) jobs: Jobs,
    /// The store's revision of the record, if known.
    pub(super) revision: Option<Revision>,
    outbox: Outbox,
    slots: Slots,
    waiters: Waiters,
    subscribers: Subscribers,
    moments: Moments,
    pacer: Pacer,
    timer: TimerHandle,
}

#[derive(Default)]
struct TimerHandle {
    key: Option<TimerKey>,
    /// When it fires, if it is set.
    at: Option<Mono>,
}

/// What is done once the lock is released: it calls into somebody else's code.
#[derive(Default)]
struct Afterwards {
    notices: Vec<Notice>,
    wakers: Vec<Waker>,
}

/// Delays: the policy's, or the application's own schedule.
struct Pacer {
    schedule: Option<Box<dyn Schedule>>,
    random: fastrand::Rng,
}

impl Shared {
    pub(super) fn start(
        config: Config,
        schedule: Option<Box<dyn Schedule>>,
        seed: Option<u64>,
    ) -> Arc<Self> {
        let setup = Setup {
            policy: config.policy.clone(),
            capabilities: config.provider.capabilities(),
            provider: config.provider.kind().into(),
            reauth_hook: config.hooks.reauth.is_some(),
            persistent: config.store.is_some(),
        };
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let state = State {
            machine: Machine::new(setup),
            jobs: Jobs::default(),
            revision: None,
            outbox: Outbox::default(),
            slots: Slots::default(),
            waiters: Waiters::default(),
            subscribers: Subscribers::default(),
            moments: Moments::new(&*config.clock),
            pacer: Pacer { schedule, random },
            timer: TimerHandle::default(),
        };
        let shared = Arc::new_cyclic(|me| Self {
            config,
            handles: AtomicUsize::new(0),
            me: me.clone(),
            state: Mutex::new(state),
        });
        if let Some(bus) = &shared.config.bus {
            let session = Arc::downgrade(&shared);
            bus.subscribe(Box::new(move |notice| {
                let Some(session) = session.upgrade() else {
                    return false;
                };
                session.handle(Input::Notice(notice));
                true
            }));
        }
        shared
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // What panicked while it held the lock was a subscriber's waker at the worst: the machine
        // itself is whole after every input.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn weak(&self) -> Weak<Self> {
        self.me.clone()
    }

    pub(super) fn provider(&self) -> &dyn Provider {
        &*self.config.provider
    }

    pub(super) fn provider_arc(&self) -> Arc<dyn Provider> {
        self.config.provider.clone()
    }

    pub(super) fn store(&self) -> Option<&(Arc<dyn Store>, RecordName)> {
        self.config.store.as_ref()
    }

    pub(super) fn hooks(&self) -> &Hooks {
        &self.config.hooks
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.config.policy
    }

    pub(super) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.config.runtime
    }

    pub(super) fn label(&self) -> &Arc<str> {
        &self.config.label
    }

    pub(super) fn wall(&self) -> Timestamp {
        self.config.clock.wall()
    }

    pub(super) fn wallet(&self, identity: Arc<Identity>, generation: Option<u32>) -> Wallet {
        Wallet::new(self.provider_arc(), self.weak(), identity, generation)
    }

    pub(super) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// Stops everything with the last handle.
    pub(super) fn drop_handle(&self) {
        if self.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.handle(Input::Close { flush: false });
        }
    }

    /// Feeds the machine and carries out what it says.
    pub(super) fn handle(&self, input: Input) {
        self.with_state(|shared, state, afterwards| {
            let now = state.moments.now(&*shared.config.clock);
            shared.step(state, now, input, afterwards);
        });
    }

    fn with_state<T>(&self, f: impl FnOnce(&Self, &mut State, &mut Afterwards) -> T) -> T {
        let mut afterwards = Afterwards::default();
        let result = f(self, &mut self.lock(), &mut afterwards);
        self.finish_up(afterwards);
        result
    }

    /// What is done without the lock.
    fn finish_up(&self, afterwards: Afterwards) {
        for waker in afterwards.wakers {
            waker.wake();
        }
        if let Some(bus) = &self.config.bus {
            for notice in afterwards.notices {
                bus.send(notice);
            }
        }
    }

    /// One input: the machine's turn, then everything that follows from it.
    fn step(&self, state: &mut State, now: Moment, input: Input, afterwards: &mut Afterwards) {
        let name = input.name();
        self.turn(state, now, input);
        self.follow(state, name, afterwards);
    }

    /// The machine's turn. What follows from it is in the outbox.
    fn turn(&self, state: &mut State, now: Moment, input: Input) {
        let mut pacing = SessionPacing {
            policy: &self.config.policy,
            budget: self.config.budget.as_ref(),
            pacer: &mut state.pacer,
            moments: &state.moments,
        };
        state
            .machine
            .handle(now, input, &mut pacing, &mut state.outbox);
    }

    /// Everything that follows from the machine's turn.
    fn follow(&self, state: &mut State, name: &'static str, afterwards: &mut Afterwards) {
        let outbox = &state.outbox;
        if outbox.stale || outbox.ignored {
            tracing::trace!(
                name: "moorline.input.dropped",
                session = %self.config.label,
                input = name,
                stale = outbox.stale,
                state = state.machine.state_name(),
            );
        }
        if !outbox.is_empty() {
            self.deliver(state, afterwards);
        }
        state.outbox.clear();
        self.set_timer(state);
    }

    /// Empties the outbox.
    fn deliver(&self, state: &mut State, afterwards: &mut Afterwards) {
        let mut outbox = std::mem::take(&mut state.outbox);
        if let Some(snapshot) = outbox.snapshot.take() {
            state.subscribers.show(&snapshot);
        }
        for event in outbox.events.drain(..) {
            tracing::debug!(
                name: "moorline.event",
                session = %self.config.label,
                seq = event.seq,
                epoch = %event.epoch,
                event = event.kind.name(),
            );
            state.subscribers.tell(event);
        }
        for effect in outbox.effects.drain(..) {
            self.carry_out(state, effect, afterwards);
        }
        state.outbox = outbox;
    }

    fn carry_out(&self, state: &mut State, effect: Effect, afterwards: &mut Afterwards) {
        match effect {
            Effect::Dispatch(id) => {
                let generation = state.machine.identity_generation();
                if let Some(identity) = state.machine.identity().cloned() {
                    let waker = state.slots.dispatch(id, identity, generation);
                    afterwards.wakers.extend(waker);
                }
            }
            Effect::Reject(id, error) => {
                afterwards.wakers.extend(state.slots.reject(id, error));
            }
            Effect::Recall(id) => afterwards.wakers.extend(state.slots.hold_again(id)),
            Effect::Load(ticket) => self.start_load(state, ticket),
            Effect::Open {
                ticket,
                mode,
                last_known,
            } => {
                self.start_open(state, ticket, mode, last_known);
            }
            Effect::Probe(ticket) => self.start_probe(state, ticket),
            Effect::Reauthenticate(ticket, request) => self.start_reauth(state, ticket, request),
            Effect::CloseLink(ticket, mode) => self.start_close(state, ticket, mode),
            Effect::Persist(ticket, write) => self.start_write(state, ticket, write),
            Effect::Cancel(ticket) => state.jobs.cancel(ticket),
            Effect::Invalidate(what) => self.start_invalidation(state, what),
            Effect::Broadcast(notice) => afterwards.notices.push(notice),
            Effect::SettleConnect(result) => {
                let result = result.map(|()| state.machine.snapshot().clone());
                state.waiters.connect.settle(&result);
            }
            Effect::SettleRestore(outcome) => state.waiters.restore.settle(&outcome),
            Effect::SettleDisconnect(report) => state.waiters.disconnect.settle(&report),
            Effect::SettleVerify(verdict) => state.waiters.verify.settle(&verdict),
            Effect::SettleClose => {
                state.jobs.stop();
                self.config.driver.disarm(&mut state.timer.key);
                state.timer.at = None;
                state.subscribers.close();
                state.waiters.close.settle(&());
            }
        }
    }

    /// Sets the timer to the machine's next timeout. One that would fire too early stays: firing
    /// early does no harm, and a request then never moves it.
    fn set_timer(&self, state: &mut State) {
        let Some((next, _)) = state.machine.next_timeout() else {
            return;
        };
        if state.timer.at.is_some_and(|at| at <= next) {
            return;
        }
        state.timer.at = Some(next);
        let at = state.moments.instant(next);
        self.config.driver.arm(&mut state.timer.key, &self.me, at);
    }

    pub(super) fn timer_fired(&self) {
        {
            let mut state = self.lock();
            state.timer = TimerHandle::default();
        }
        self.handle(Input::Timeout);
    }

    #[inline]
    pub(super) fn submit_operation(&self, options: SubmitOptions) -> (OperationId, Option<Permit>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let now = if state.machine.watches_wall_clock() {
            state.moments.now(&*self.config.clock)
        } else {
            state.moments.roughly_now()
        };
        let id = state.slots.open();
        self.turn(state, now, Input::Submit(id, options));
        if state.outbox.is_dispatch_of(id)
            && let Some(identity) = state.machine.identity().cloned()
        {
            // Nearly always: nothing else follows, and the caller is here.
            state.outbox.effects.clear();
            self.set_timer(state);
            let generation = state.machine.identity_generation();
            return (id, state.slots.dispatch_here(id, identity, generation));
        }
        let mut afterwards = Afterwards::default();
        self.follow(state, "submit", &mut afterwards);
        drop(guard);
        self.finish_up(afterwards);
        (id, None)
    }

    /// An operation ended; its slot is free.
    #[inline]
    pub(super) fn end_operation(&self, id: OperationId, input: Input) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.slots.close(id);
        // Only what waits behind it depends on the time.
        let now = if state.machine.held() == 0 && matches!(input, Input::Finished(..)) {
            state.moments.last()
        } else {
            state.moments.now(&*self.config.clock)
        };
        let name = input.name();
        self.turn(state, now, input);
        if state.outbox.is_empty() && !state.outbox.stale && !state.outbox.ignored {
            return;
        }
        let mut afterwards = Afterwards::default();
        self.follow(state, name, &mut afterwards);
        drop(guard);
        self.finish_up(afterwards);
    }

    pub(super) fn forget_operation(&self, id: OperationId) {
        self.lock().slots.close(id);
    }

    pub(super) fn look(
        &self,
        id: OperationId,
        running: Option<u32>,
        waker: &Waker,
    ) -> Option<SlotState> {
        self.lock().slots.look(id, running, waker)
    }

    /// Whether the session still acts for whom an operation was begun for.
    pub(super) fn check_identity(
        &self,
        identity: &Identity,
        generation: Option<u32>,
    ) -> Result<(), OperationError> {
        let state = self.lock();
        if state.machine.is_finished() {
            return Err(OperationError::Closed { sent: Sent::No });
        }
        match (generation, state.machine.identity()) {
            (None, _) => Ok(()),
            (Some(bound), _) if bound == state.machine.identity_generation() => Ok(()),
            (Some(_), Some(current)) => Err(OperationError::IdentityChanged {
                submitted: Box::new(identity.clone()),
                current: Box::new(Identity::clone(current)),
                // This request was not; what the operation sent before, it knows itself.
                sent: Sent::No,
            }),
            (Some(_), None) => Err(OperationError::NotConnected {
                status: state.machine.status(),
            }),
        }
    }

    pub(super) async fn connect(&self) -> Result<Arc<Snapshot>, ConnectError> {
        let waiter = self.ask(Input::Connect, |state| state.waiters.connect.join());
        waiter.await.unwrap_or(Err(ConnectError::Closed))
    }

    pub(super) async fn restore(&self) -> RestoreOutcome {
        let waiter = self.ask(Input::Restore, |state| state.waiters.restore.join());
        waiter.await.unwrap_or(RestoreOutcome::Superseded)
    }

    pub(super) async fn disconnect(&self, mode: CloseMode) -> DisconnectReport {
        let waiter = self.ask(Input::Disconnect(mode), |state| {
            state.waiters.disconnect.join()
        });
        waiter.await.unwrap_or_default()
    }

    pub(super) async fn verify(&self) -> Verdict {
        let waiter = self.ask(Input::Verify, |state| state.waiters.verify.join());
        waiter.await.unwrap_or(Verdict::Unknown)
    }

    pub(super) async fn close(&self) {
        let waiter = self.ask(Input::Close { flush: true }, |state| {
            state.waiters.close.join()
        });
        // An error means that it is closed for longer.
        let _closed = waiter.await;
    }

    /// Joins those who wait for something, then feeds the machine: the answer may be immediate.
    fn ask<T>(&self, input: Input, join: impl FnOnce(&mut State) -> T) -> T {
        self.with_state(|shared, state, afterwards| {
            let waiter = join(state);
            let now = state.moments.now(&*shared.config.clock);
            shared.step(state, now, input, afterwards);
            waiter
        })
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.lock().machine.snapshot().clone()
    }

    pub(super) fn identity(&self) -> Option<Arc<Identity>> {
        self.lock().machine.identity().cloned()
    }

    pub(super) fn held(&self) -> usize {
        self.lock().machine.held()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        let state = &mut *self.lock();
        state.subscribers.watch(state.machine.snapshot())
    }

    pub(super) fn events(&self) -> EventStream {
        self.lock().subscribers.events(self.config.event_capacity)
    }
}

impl ReceiveEvent for Shared {
    fn receive(&self, epoch: Epoch, event: ProviderEvent) -> bool {
        self.handle(Input::Provider(epoch, event));
        self.lock().machine.epoch() == epoch
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("label", &self.config.label)
            .finish_non_exhaustive()
    }
}

/// The machine's pacing, as a session provides it.
struct SessionPacing<'a> {
    policy: &'a Policy,
    budget: Option<&'a ReconnectBudget>,
    pacer: &'a mut Pacer,
    moments: &'a Moments,
}

impl Pacing for SessionPacing<'_> {
    fn delay(&mut self, attempt: u32) -> Option<Duration> {
        match &mut self.pacer.schedule {
            Some(schedule) => schedule.next_delay(attempt),
            None => Some(
                self.policy
                    .reconnect
                    .delay(attempt, self.pacer.random.u64(..)),
            ),
        }
    }

    fn reserve(&mut self, now: Mono) -> Mono {
        match self.budget {
            Some(budget) => {
                let slot = budget.reserve(self.moments.instant(now));
                self.moments.mono_of(slot).max(now)
            }
            None => now,
        }
    }
}
