//! What a handler works with: the memory, the time, and the outbox.

use super::core::Core;
use super::effect::{Effect, Outbox};
use super::input::Pacing;
use super::timer::Timer;
use crate::clock::Moment;
use crate::event::EventKind;
use std::time::Duration;

pub(super) struct Context<'a> {
    pub(super) core: &'a mut Core,
    pub(super) now: Moment,
    pub(super) pacing: &'a mut dyn Pacing,
    pub(super) out: &'a mut Outbox,
}

impl Context<'_> {
    /// Tells subscribers. The snapshot that goes with it is shown first.
    pub(super) fn publish(&mut self, kind: EventKind) {
        self.out.events.push(self.core.event(self.now, kind));
    }

    /// Has the driver do something.
    pub(super) fn effect(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }

    /// Starts a timer that is due after `delay`.
    pub(super) fn start_timer(&mut self, timer: Timer, delay: Duration) {
        self.core.timers.set(timer, self.now.mono.after(delay));
    }

    pub(super) fn stop_timer(&mut self, timer: Timer) {
        self.core.timers.stop(timer);
    }
}
