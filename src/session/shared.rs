//! The machine behind its lock, and everything that carries out what it says.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use tokio::sync::watch;

use super::config::Config;
use super::event_stream::EventStream;
use super::hooks::{Hooks, Wallet};
use super::jobs::Jobs;
use super::moments::Moments;
use super::pacing::{Pacer, SessionPacing};
use super::slots::Slots;
use super::subscribers::Subscribers;
use super::thread_outbox;
use super::waiters::Waiters;
use super::writer::Known;
use crate::clock::{Moment, Mono, Timestamp};
use crate::error::OperationError;
use crate::event::Event;
use crate::identity::Identity;
use crate::machine::{Effect, Input, Machine, Outbox, Setup};
use crate::policy::{Policy, Schedule};
use crate::provider::{Epoch, Provider, ProviderEvent, ReceiveEvent, Sent};
use crate::snapshot::Snapshot;
use crate::store::{RecordName, Store};
use crate::sync::Notice;

/// One session. Handles share it; tasks and timers refer to it weakly.
pub(crate) struct Shared {
    pub(super) config: Config,
    handles: AtomicU32,
    /// Its place among the sessions of its driver.
    number: u32,
    me: Weak<Self>,
    state: Mutex<State>,
}

/// What the lock protects. It is held for as long as the machine takes for one input, never over
/// an await or a call into somebody else's code.
pub(super) struct State {
    pub(super) machine: Machine,
    pub(super) jobs: Jobs,
    /// What stands in the store, if known.
    pub(super) known: Option<Box<Known>>,
    pub(super) slots: Slots,
    /// There only while somebody waits.
    waiters: Option<Box<Waiters>>,
    subscribers: Subscribers,
    pub(super) moments: Moments,
    pacer: Pacer,
    /// When the session is woken, if it is.
    pub(super) alarm: Option<Mono>,
}

/// What is done once the lock is released: it calls into somebody else's code.
#[derive(Default)]
pub(super) struct Afterwards {
    notices: Vec<Notice>,
    wakers: Vec<Waker>,
}

impl Shared {
    pub(super) fn start(
        config: Config,
        schedule: Option<Box<dyn Schedule>>,
        seed: Option<u64>,
        kind: Option<Arc<str>>,
    ) -> Arc<Self> {
        let setup = Setup {
            policy: config.policy.clone(),
            capabilities: config.provider.capabilities(),
            // Goes into records alone.
            provider: match config.store() {
                Some(_) => kind.unwrap_or_else(|| config.provider.kind().into()),
                None => Arc::default(),
            },
            reauth_hook: config
                .extras
                .as_deref()
                .is_some_and(|extras| extras.hooks.reauth.is_some()),
            persistent: config.store().is_some(),
        };
        let state = State {
            machine: Machine::new(setup),
            jobs: Jobs::default(),
            known: None,
            slots: Slots::default(),
            waiters: None,
            subscribers: Subscribers::default(),
            moments: Moments::new(config.clock()),
            pacer: Pacer::new(schedule, seed),
            alarm: None,
        };
        let number = config.driver.number();
        let shared = Arc::new_cyclic(|me| Self {
            config,
            handles: AtomicU32::new(0),
            number,
            me: me.clone(),
            state: Mutex::new(state),
        });
        if let Some(bus) = shared.config.bus() {
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

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn provider(&self) -> &dyn Provider {
        &*self.config.provider
    }

    pub(super) fn provider_arc(&self) -> Arc<dyn Provider> {
        self.config.provider.clone()
    }

    pub(super) fn store(&self) -> Option<&(Arc<dyn Store>, RecordName)> {
        self.config.store()
    }

    pub(super) fn hooks(&self) -> Option<&Hooks> {
        self.config.extras.as_deref().map(|extras| &extras.hooks)
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.config.policy
    }

    pub(super) fn runtime(&self) -> &tokio::runtime::Handle {
        self.config.driver.runtime()
    }

    pub(super) fn label(&self) -> Arc<str> {
        self.config
            .extras
            .as_deref()
            .map(|extras| extras.label.clone())
            .unwrap_or_default()
    }

    pub(super) fn wall(&self) -> Timestamp {
        self.config.clock().wall()
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
            let now = state.moments.now(shared.config.clock());
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
    pub(super) fn finish_up(&self, afterwards: Afterwards) {
        for waker in afterwards.wakers {
            waker.wake();
        }
        if let Some(bus) = self.config.bus() {
            for notice in afterwards.notices {
                bus.send(notice);
            }
        }
    }

    /// One input: the machine's turn, then everything that follows from it.
    pub(super) fn step(
        &self,
        state: &mut State,
        now: Moment,
        input: Input,
        afterwards: &mut Afterwards,
    ) {
        let name = input.name();
        let mut outbox = thread_outbox::take();
        self.turn(state, now, input, &mut outbox);
        self.follow(state, name, &mut outbox, afterwards);
        thread_outbox::give_back(outbox);
    }

    /// The machine's turn. What follows from it is in the outbox.
    pub(super) fn turn(&self, state: &mut State, now: Moment, input: Input, outbox: &mut Outbox) {
        let mut pacing = SessionPacing {
            policy: &self.config.policy,
            budget: self.config.budget(),
            pacer: &mut state.pacer,
            moments: &state.moments,
        };
        state.machine.handle(now, input, &mut pacing, outbox);
    }

    /// Everything that follows from the machine's turn.
    pub(super) fn follow(
        &self,
        state: &mut State,
        name: &'static str,
        outbox: &mut Outbox,
        afterwards: &mut Afterwards,
    ) {
        if outbox.stale || outbox.ignored {
            tracing::trace!(
                name: "moorline.input.dropped",
                session = self.config.label(),
                input = name,
                stale = outbox.stale,
                state = state.machine.state_name(),
            );
        }
        if let Some(snapshot) = outbox.snapshot.take() {
            state.subscribers.show(&snapshot);
        }
        for event in outbox.events.drain(..) {
            self.tell(state, event);
        }
        for effect in outbox.effects.drain(..) {
            self.carry_out(state, effect, afterwards);
        }
        self.set_timer(state);
    }

    #[inline]
    fn tell(&self, state: &mut State, event: Event) {
        tracing::debug!(
            name: "moorline.event",
            session = self.config.label(),
            seq = event.seq,
            epoch = %event.epoch,
            event = event.kind.name(),
        );
        if let Some(observer) = &self.config.observer {
            observer.observe(&event, state.machine.snapshot());
        }
        state.subscribers.tell(event);
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
                state.settle(|waiters| waiters.connect.settle(&result));
            }
            Effect::SettleRestore(outcome) => {
                state.settle(|waiters| waiters.restore.settle(&outcome))
            }
            Effect::SettleDisconnect(report) => {
                state.settle(|waiters| waiters.disconnect.settle(&report))
            }
            Effect::SettleVerify(verdict) => {
                state.settle(|waiters| waiters.verify.settle(&verdict))
            }
            Effect::SettleClose => {
                state.jobs.stop();
                self.stop_alarm(state);
                state.subscribers.close();
                state.settle(|waiters| waiters.close.settle(&()));
            }
        }
    }

    /// Sets the timer to the machine's next timeout. One that would fire too early stays: firing
    /// early does no harm, and a request then never moves it.
    pub(super) fn set_timer(&self, state: &mut State) {
        let Some((next, _)) = state.machine.next_timeout() else {
            return;
        };
        if state.alarm.is_some_and(|at| at <= next) {
            return;
        }
        let before = state.alarm.replace(next);
        let before = before.map(|at| state.moments.instant(at));
        let at = state.moments.instant(next);
        self.config.driver.arm(at, self, before);
    }

    fn stop_alarm(&self, state: &mut State) {
        if let Some(at) = state.alarm.take() {
            let at = state.moments.instant(at);
            self.config.driver.disarm(at, self);
        }
    }

    pub(super) fn timer_fired(&self) {
        // What fired may have been replaced just then.
        self.stop_alarm(&mut self.lock());
        self.handle(Input::Timeout);
    }

    /// The time, as exactly as the machine needs it where nothing but an expiry depends on the wall
    /// clock.
    #[inline]
    pub(super) fn roughly_now(&self, state: &mut State) -> Moment {
        if state.machine.watches_wall_clock() {
            state.moments.now(self.config.clock())
        } else {
            state.moments.roughly_now(self.config.clock())
        }
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

    /// Joins those who wait for something, then feeds the machine: the answer may be immediate.
    pub(super) fn ask<T>(&self, input: Input, join: impl FnOnce(&mut Waiters) -> T) -> T {
        self.with_state(|shared, state, afterwards| {
            let waiter = join(state.waiters.get_or_insert_default());
            let now = state.moments.now(shared.config.clock());
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
        self.lock().subscribers.events(self.config.event_capacity())
    }
}

impl State {
    fn settle(&mut self, settle: impl FnOnce(&mut Waiters)) {
        if let Some(waiters) = &mut self.waiters {
            settle(waiters);
            if waiters.is_empty() {
                self.waiters = None;
            }
        }
    }
}

impl ReceiveEvent for Shared {
    fn receive(&self, epoch: Epoch, mut event: ProviderEvent) -> bool {
        if let ProviderEvent::Message(message) = event {
            // There may be many of these, and nearly always nothing follows but to tell them.
            let mut guard = self.lock();
            let state = &mut *guard;
            let now = self.roughly_now(state);
            match state.machine.pass_on(now, epoch, message) {
                Ok(event) => {
                    self.tell(state, event);
                    return true;
                }
                Err(message) => event = ProviderEvent::Message(message),
            }
        }
        self.with_state(|shared, state, afterwards| {
            let now = state.moments.now(shared.config.clock());
            shared.step(state, now, Input::Provider(epoch, event), afterwards);
            state.machine.epoch() == epoch
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("label", &self.config.label())
            .finish_non_exhaustive()
    }
}
