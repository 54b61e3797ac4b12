//! Operations under the lock: let through, submitted, looked at, ended.

use std::sync::Arc;
use std::task::Waker;

use super::operation::{OperationOptions, Pending};
use super::shared::{Afterwards, Shared, State};
use super::slots::{Permit, SlotState};
use super::thread_outbox;
use crate::error::OperationError;
use crate::identity::Identity;
use crate::machine::{Input, LinkHint, OperationId, SubmitOptions};
use crate::provider::Epoch;

/// The round in which an operation that was never held is at the wallet.
pub(super) const FIRST_ROUND: u32 = 1;

/// A request that may go to the wallet at once.
pub(super) struct LetThrough<'a> {
    pub(super) identity: Arc<Identity>,
    /// The connection it goes to.
    pub(super) epoch: Epoch,
    /// If the machine knows of it.
    pub(super) begun: Option<Pending<'a>>,
}

impl Shared {
    /// Lets a request through that may go to the wallet at once, nothing else following from it.
    /// The machine is told of it here if the wallet let the last one wait, else when it does.
    pub(super) fn let_through(
        &self,
        options: &OperationOptions,
        waker: &Waker,
    ) -> Option<LetThrough<'_>> {
        if options.repeatable {
            return None;
        }
        let mut guard = self.lock();
        let state = &mut *guard;
        let wall = || self.config.clock().wall();
        let identity = state
            .machine
            .open_way(options.identity.as_ref(), wall)?
            .clone();
        let epoch = state.machine.epoch();
        let begun = if state.slots.wallet_waits {
            self.begin(state, options, epoch, waker)
        } else {
            None
        };
        drop(guard);
        Some(LetThrough {
            identity,
            epoch,
            begun: begun.map(|id| Pending::new(self, id)),
        })
    }

    /// Takes in a request that was let through and that the wallet lets wait. Where its connection
    /// is over meanwhile, its caller is told so.
    pub(super) fn begin_late(
        &self,
        options: &OperationOptions,
        epoch: Epoch,
        waker: &Waker,
    ) -> Result<Pending<'_>, OperationError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.slots.wallet_waits = true;
        match self.begin(state, options, epoch, waker) {
            Some(id) => Ok(Pending::new(self, id)),
            None => Err(state.machine.cut_off()),
        }
    }

    #[inline]
    fn begin(
        &self,
        state: &mut State,
        options: &OperationOptions,
        epoch: Epoch,
        waker: &Waker,
    ) -> Option<OperationId> {
        let within = options
            .deadline
            .unwrap_or_else(|| self.policy().deadlines.operation);
        let now = state.moments.mono();
        let running = SlotState::Running(FIRST_ROUND);
        let id = state.slots.open(running, Some(waker.clone()));
        if !state.machine.begin(now, id, within, epoch) {
            state.slots.close(id);
            return None;
        }
        self.set_timer(state);
        Some(id)
    }

    /// The wallet answers without having the caller wait.
    pub(super) fn wallet_answers_at_once(&self) {
        self.lock().slots.wallet_waits = false;
    }

    /// The wallet answered an operation.
    #[inline]
    pub(super) fn finish_operation(&self, id: OperationId, hint: LinkHint) {
        if hint == LinkHint::None {
            let mut guard = self.lock();
            if guard.machine.end(id) {
                let waker = guard.slots.close(id);
                drop(guard);
                drop(waker);
                return;
            }
        }
        self.end_operation(id, Input::Finished(id, hint));
    }

    #[inline]
    pub(super) fn submit_operation(&self, options: SubmitOptions) -> (OperationId, Option<Permit>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let now = self.roughly_now(state);
        let id = state.slots.open(SlotState::Held, None);
        let mut outbox = thread_outbox::take();
        self.turn(state, now, Input::Submit(id, options), &mut outbox);
        if outbox.is_dispatch_of(id)
            && let Some(identity) = state.machine.identity().cloned()
        {
            // Nearly always: nothing else follows, and the caller is here.
            thread_outbox::give_back(outbox);
            self.set_timer(state);
            let generation = state.machine.identity_generation();
            return (id, state.slots.dispatch_here(id, identity, generation));
        }
        let mut afterwards = Afterwards::default();
        self.follow(state, "submit", &mut outbox, &mut afterwards);
        drop(guard);
        thread_outbox::give_back(outbox);
        self.finish_up(afterwards);
        (id, None)
    }

    /// An operation ended; its slot is free.
    pub(super) fn end_operation(&self, id: OperationId, input: Input) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let waker = state.slots.close(id);
        let now = state.moments.now(self.config.clock());
        let mut afterwards = Afterwards::default();
        self.step(state, now, input, &mut afterwards);
        drop(guard);
        drop(waker);
        self.finish_up(afterwards);
    }

    pub(super) fn forget_operation(&self, id: OperationId) {
        let waker = self.lock().slots.close(id);
        drop(waker);
    }

    pub(super) fn look(
        &self,
        id: OperationId,
        running: Option<u32>,
        waker: &Waker,
    ) -> Option<SlotState> {
        self.lock().slots.look(id, running, waker)
    }
}
