//! The pure state machine of a session: inputs in, effects out.
//!
//! It has no clock, no randomness, no locks and does no input or output; time comes in with each
//! input, randomness through [`Pacing`]. The contract is one mutation at a time:
//!
//! 1. [`Machine::handle`] one input,
//! 2. drain the [`Outbox`]: show its snapshot, publish its events, carry out its effects, in this
//!    order,
//! 3. ask [`Machine::next_timeout`] and hand in [`Input::Timeout`] when that time has come (earlier
//!    does no harm).
//!
//! Every effect that starts something carries a [`Ticket`]; the answer hands it back. Answers and
//! provider events that belong to something older are dropped here, in one place.
//!
//! A machine is a value: clone it to explore what would happen. Payloads and reply channels stay
//! with the driver; operations are known here by their [`OperationId`] alone. The driver inside
//! [`Session`](crate::Session) is built on it, and so are the exhaustive explorer of the tests and
//! `moorline graph`. Applications rarely need it.

mod attempt;
mod context;
mod core;
mod effect;
mod expiry;
pub mod explore;
mod fingerprint;
mod idle;
mod input;
mod linked;
mod operations;
mod persist;
mod reauth;
mod reconcile;
mod recovery;
mod session_end;
mod shortcut;
mod state;
mod timer;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use statig::blocking::{IntoStateMachineExt, StateMachine};

use self::context::Context;
use self::core::Core;
pub use self::effect::{
    DisconnectReport, Effect, Need, Outbox, ReauthRequest, RestoreOutcome, Ticket, Write,
};
pub use self::input::{Input, LinkHint, OperationId, Pacing, SubmitOptions};
use self::state::{Rules, StateEvent};
pub use self::timer::Timer;
use crate::clock::{Moment, Mono};
use crate::identity::Identity;
use crate::policy::Policy;
use crate::provider::{Capabilities, Epoch};
use crate::snapshot::{Snapshot, Status};
use crate::store::Intent;

/// What surrounds a machine: fixed when it is made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How to behave.
    pub policy: Arc<Policy>,
    /// What the wallet can do.
    pub capabilities: Capabilities,
    /// What the provider calls itself; a stored session of another kind is not restored.
    pub provider: Arc<str>,
    /// Whether the application set a re-authentication hook.
    pub reauth_hook: bool,
    /// Whether there is a store.
    pub persistent: bool,
}

/// The state machine of one session. See the [module documentation](self) for its contract.
#[derive(Clone)]
pub struct Machine {
    rules: StateMachine<Rules>,
    core: Core,
}

impl Machine {
    /// A machine for a session that has not been connected yet.
    pub fn new(setup: Setup) -> Self {
        Self {
            rules: Rules.state_machine(),
            core: Core::new(setup),
        }
    }

    /// Takes one input and says in `out` what follows from it.
    pub fn handle(&mut self, now: Moment, input: Input, pacing: &mut dyn Pacing, out: &mut Outbox) {
        let Self { rules, core } = self;
        let mut cx = Context {
            core,
            now,
            pacing,
            out,
        };
        // The wall clock may have moved while nothing happened here: an expiry that was reached
        // takes effect before anything else does.
        if cx.core.expiry.is_over(now.wall) && rules.state().is_linked() {
            rules.handle_with_context(&StateEvent::Expired, &mut cx);
        }
        if cx.core.is_stale(&input) {
            cx.out.stale = true;
        } else if rules.state().is_connected() && linked::daily(&input, &mut cx) {
            // Nearly every input of a busy session: handled as the state would have it handled,
            // without the way there.
        } else if matches!(input, Input::Timeout) {
            while let Some(timer) = cx.core.timers.pop_due(now.mono) {
                rules.handle_with_context(&StateEvent::Timer(timer), &mut cx);
            }
        } else {
            rules.handle_with_context(&StateEvent::Input(input), &mut cx);
        }
        if cx.core.changed {
            cx.core.show(rules.state(), cx.out);
        }
    }

    /// When the next [`Input::Timeout`] is due, and why.
    pub fn next_timeout(&self) -> Option<(Mono, Timer)> {
        self.core.timers.next()
    }

    /// The public state.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.core.shown
    }

    /// What the session is doing.
    pub fn status(&self) -> Status {
        self.core.shown.status
    }

    /// The name of the present state: finer than the status, for diagrams and traces.
    pub fn state_name(&self) -> &'static str {
        self.rules.state().name()
    }

    /// What the user last asked for.
    pub fn intent(&self) -> Intent {
        self.core.intent
    }

    /// The present connection's number.
    pub fn epoch(&self) -> Epoch {
        self.core.epoch
    }

    /// Whom the session acts for, or last acted for.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.core.known.identity()
    }

    /// Counts the identities this session has had: unchanged means nobody else came between.
    pub fn identity_generation(&self) -> u32 {
        self.core.known.generation()
    }

    /// How many operations are held.
    pub fn held(&self) -> usize {
        self.core.operations.held()
    }

    /// How many operations the wallet has.
    pub fn in_flight(&self) -> usize {
        self.core.operations.in_flight()
    }

    /// Whether the wall clock matters to the next input: only then need it be read exactly.
    pub fn watches_wall_clock(&self) -> bool {
        self.core.expiry.is_set()
    }

    /// Whether nothing more will ever come out of this machine.
    pub fn is_finished(&self) -> bool {
        self.rules.state().is_closed() && self.core.is_flushed()
    }
}

impl PartialEq for Machine {
    fn eq(&self, other: &Self) -> bool {
        self.rules.state() == other.rules.state() && self.core == other.core
    }
}

impl Eq for Machine {}

impl Hash for Machine {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rules.state().hash(state);
        self.core.hash(state);
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("state", self.rules.state())
            .field("core", &self.core)
            .finish()
    }
}
