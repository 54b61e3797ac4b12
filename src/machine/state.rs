//! The states, how they nest, and who handles what in each.

use statig::Outcome;
use statig::blocking::{self, IntoStateMachine};

use super::context::Context;
use super::input::Input;
use super::reauth::Reauth;
use super::timer::Timer;
use super::{attempt, idle, linked, operations, persist, reauth, recovery, session_end};
use crate::provider::OpenMode;
use crate::snapshot::{DisconnectReason, ReconnectCause, Status};

/// Where a session is. Each variant says how it is left.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum State {
    /// Nothing happens. Left by `connect` and by `restore`.
    Disconnected { reason: DisconnectReason },
    /// `restore` reads the record. Left by the store's answer or its deadline, and by every
    /// command of the user.
    Loading { reason: DisconnectReason },
    /// A connection is being opened (or waits for an earlier one to be closed). Left by the
    /// provider's answer, the connect deadline, a drop.
    Opening { goal: Goal },
    /// A person must do something. Left when a probe finds the session valid, when the person
    /// refuses, when the deadline passes.
    AwaitingUser,
    /// The connection is open and the wallet is asked for the truth. Left by its answer, the
    /// probe deadline, a drop.
    Verifying { goal: Goal },
    /// The next attempt waits for its time. Left when it comes, or when the wallet shows itself
    /// alive.
    Waiting { goal: Goal },
    /// The hook or the provider re-authenticates. Left by its answer or its deadline.
    Reauthenticating { reauth: Reauth },
    /// Connected; operations go straight to the wallet. Left by a drop, an expiry, a recheck.
    Connected,
    /// Connected, but something changed and the wallet is asked what; operations are held. Left
    /// by its answer, the probe deadline, a drop.
    Rechecking,
    /// The end. Never left.
    Closed,
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Goal {
    /// The user's `connect`.
    Connect,
    /// Bringing a session back.
    Recover(ReconnectCause),
    /// Re-authenticating, and proving that it took effect.
    Reauth(Reauth),
}

impl Goal {
    pub(super) fn open_mode(self) -> OpenMode {
        match self {
            Self::Connect => OpenMode::Interactive,
            Self::Recover(_) | Self::Reauth(_) => OpenMode::Silent,
        }
    }

    /// Whether a session is being restored: nobody is asked for anything then.
    pub(super) fn is_restoring(self) -> bool {
        match self {
            Self::Connect => false,
            Self::Recover(cause) => cause == ReconnectCause::Restore,
            Self::Reauth(reauth) => reauth.is_restoring(),
        }
    }

    fn status(self) -> Status {
        match self {
            Self::Connect => Status::Connecting,
            Self::Recover(cause) => Status::Reconnecting { cause },
            Self::Reauth(_) => Status::Reconnecting {
                cause: ReconnectCause::Reauthentication,
            },
        }
    }
}

impl State {
    pub(super) fn status(&self) -> Status {
        match *self {
            Self::Disconnected { reason } | Self::Loading { reason } => {
                Status::Disconnected { reason }
            }
            Self::Opening { goal } | Self::Verifying { goal } | Self::Waiting { goal } => {
                goal.status()
            }
            Self::AwaitingUser => Status::Connecting,
            Self::Reauthenticating { .. } => Status::Reconnecting {
                cause: ReconnectCause::Reauthentication,
            },
            Self::Connected | Self::Rechecking => Status::Connected,
            Self::Closed => Status::Disconnected {
                reason: DisconnectReason::Closed,
            },
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Disconnected { .. } => "Disconnected",
            Self::Loading { .. } => "Disconnected.Loading",
            Self::Opening {
                goal: Goal::Connect,
            } => "Connecting.Opening",
            Self::AwaitingUser => "Connecting.AwaitingUser",
            Self::Verifying {
                goal: Goal::Connect,
            } => "Connecting.Verifying",
            Self::Waiting {
                goal: Goal::Connect,
            } => "Connecting.Waiting",
            Self::Opening { .. } => "Reconnecting.Opening",
            Self::Verifying { .. } => "Reconnecting.Verifying",
            Self::Waiting { .. } => "Reconnecting.Waiting",
            Self::Reauthenticating { .. } => "Reconnecting.Reauthenticating",
            Self::Connected => "Connected",
            Self::Rechecking => "Connected.Rechecking",
            Self::Closed => "Closed",
        }
    }

    pub(super) fn is_linked(&self) -> bool {
        matches!(self, Self::Connected | Self::Rechecking)
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self, Self::Connected)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }

    /// Whether somebody who calls `restore` now joins one that is under way.
    pub(super) fn is_restoring(&self) -> bool {
        match *self {
            Self::Opening { goal } | Self::Verifying { goal } | Self::Waiting { goal } => {
                goal.is_restoring()
            }
            Self::Reauthenticating { reauth } => reauth.is_restoring(),
            _ => false,
        }
    }

    /// Whether somebody who calls `connect` now joins an attempt of the same kind.
    pub(super) fn is_connecting(&self) -> bool {
        self.status() == Status::Connecting
    }
}

/// What is dispatched to states: an input, a timer that fired, or the expiry that passed.
#[derive(Debug)]
pub(super) enum StateEvent {
    Input(Input),
    Timer(Timer),
    Expired,
}

/// States that share handlers. Every state but `Closed` is [`Superstate::Open`] in the end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Superstate {
    /// On the way to connected.
    Trying(State),
    /// Connected.
    Linked(State),
    /// Not closed.
    Open(State),
    /// Everything; what arrives here was not handled.
    Root,
}

/// The machine as statig sees it. All memory is in the [`Context`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules;

impl IntoStateMachine for Rules {
    type Event<'evt> = StateEvent;
    type Context<'ctx> = Context<'ctx>;
    type State = State;
    type Superstate<'sub> = Superstate;

    fn initial() -> State {
        State::Disconnected {
            reason: DisconnectReason::Initial,
        }
    }

    fn after_transition(&mut self, _: &State, _: &State, cx: &mut Context<'_>) {
        cx.core.changed = true;
    }
}

impl blocking::State<Rules> for State {
    fn call_handler(
        &mut self,
        _: &mut Rules,
        event: &StateEvent,
        cx: &mut Context<'_>,
    ) -> Outcome<Self> {
        match *self {
            Self::Disconnected { reason } => idle::disconnected(reason, event, cx),
            Self::Loading { reason } => idle::loading(reason, event, cx),
            Self::Opening { goal } => attempt::opening(goal, event, cx),
            Self::AwaitingUser => attempt::awaiting_user(event, cx),
            Self::Verifying { goal } => attempt::verifying(goal, event, cx),
            Self::Waiting { goal } => recovery::waiting(goal, event, cx),
            Self::Reauthenticating { reauth } => reauth::reauthenticating(reauth, event, cx),
            Self::Connected => linked::connected(event, cx),
            Self::Rechecking => linked::rechecking(event, cx),
            Self::Closed => session_end::closed(event, cx),
        }
    }

    fn superstate(&mut self) -> Option<Superstate> {
        Some(match self {
            Self::Disconnected { .. } => Superstate::Open(*self),
            Self::Loading { .. }
            | Self::Opening { .. }
            | Self::AwaitingUser
            | Self::Verifying { .. }
            | Self::Waiting { .. }
            | Self::Reauthenticating { .. } => Superstate::Trying(*self),
            Self::Connected | Self::Rechecking => Superstate::Linked(*self),
            Self::Closed => Superstate::Root,
        })
    }
}

impl blocking::Superstate<Rules> for Superstate {
    fn call_handler(
        &mut self,
        _: &mut Rules,
        event: &StateEvent,
        cx: &mut Context<'_>,
    ) -> Outcome<State> {
        match self {
            Self::Trying(state) => attempt::trying(state, event, cx),
            Self::Linked(_) => linked::linked(event, cx),
            Self::Open(state) => open(state, event, cx),
            Self::Root => {
                cx.out.ignored = true;
                Outcome::Handled
            }
        }
    }

    fn superstate(&mut self) -> Option<Self> {
        match self {
            Self::Trying(state) | Self::Linked(state) => Some(Self::Open(*state)),
            Self::Open(_) => Some(Self::Root),
            Self::Root => None,
        }
    }
}

/// What every state that is not closed does the same way.
fn open(state: &State, event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        StateEvent::Input(input) => match input {
            Input::Connect => attempt::connect(cx),
            Input::Restore => idle::refuse_restore(cx),
            Input::Disconnect(mode) => session_end::disconnect(*mode, cx),
            Input::Close { flush } => session_end::close(*flush, cx),
            Input::Verify => idle::refuse_verify(cx),
            Input::Save => persist::save_again(cx),
            Input::Submit(id, options) => operations::submit_unconnected(state, *id, options, cx),
            Input::Finished(id, _) => operations::finished(*id, cx),
            Input::Broken(id, error) => operations::broken(*id, error, cx),
            Input::Abandoned(id) => operations::abandoned(*id, cx),
            Input::LinkClosed(_, result) => session_end::link_closed(result.clone(), cx),
            Input::Persisted(_, result) => persist::persisted(result, cx),
            Input::HookFailed(hook, error) => session_end::hook_failed(*hook, error, cx),
            Input::Notice(notice) => session_end::notice(state, notice, cx),
            Input::Provider(_, event) => linked::pass_through(event, cx),
            Input::Loaded(..)
            | Input::Opened(..)
            | Input::Probed(..)
            | Input::Reauthenticated(..)
            | Input::Timeout => Outcome::Super,
        },
        StateEvent::Timer(timer) => match timer {
            Timer::Operations => operations::deadline_passed(cx),
            Timer::CloseLink => session_end::close_timed_out(cx),
            Timer::Persist => persist::timed_out(cx),
            Timer::PersistRetry => persist::retry(cx),
            Timer::Expiry
            | Timer::Attempt
            | Timer::UserAction
            | Timer::UserActionPoll
            | Timer::Backoff => Outcome::Super,
        },
        StateEvent::Expired => Outcome::Super,
    }
}
