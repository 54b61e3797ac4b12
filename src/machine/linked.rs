//! Connected: operations flow, and every change is noticed.

use statig::Outcome;

use super::attempt;
use super::context::Context;
use super::effect::{Effect, Need};
use super::expiry;
use super::input::{Input, LinkHint};
use super::operations;
use super::persist;
use super::reconcile;
use super::recovery;
use super::state::{Goal, State, StateEvent};
use super::timer::Timer;
use crate::event::EventKind;
use crate::provider::{ProviderEvent, UserActionKind, Verdict};
use crate::snapshot::ReconnectCause;
use crate::sync::Notice;

pub(super) fn announce_connected(cx: &mut Context<'_>) {
    let Some(identity) = cx.core.known.identity().cloned() else {
        return;
    };
    let expires_at = cx.core.expiry.at();
    cx.publish(EventKind::Connected {
        account: identity.account.clone(),
        network: identity.network.clone(),
        expires_at,
    });
}

/// What a connected session is there for: an operation that begins or ends, a message of the
/// wallet that is passed on. It never leads to another state. Returns whether the input is such.
pub(super) fn daily(input: &Input, cx: &mut Context<'_>) -> bool {
    match input {
        Input::Provider(_, event @ ProviderEvent::Message(_)) => {
            pass_through(event, cx);
            true
        }
        Input::Submit(id, options) => {
            operations::submit_connected(*id, options, cx);
            true
        }
        Input::Finished(id, LinkHint::None) => {
            operations::end(*id, cx);
            if cx.core.operations.held() > 0 {
                operations::drain(cx);
            }
            true
        }
        _ => false,
    }
}

pub(super) fn connected(event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        StateEvent::Input(input) => match input {
            Input::Submit(..)
            | Input::Finished(_, LinkHint::None)
            | Input::Provider(_, ProviderEvent::Message(_)) => {
                daily(input, cx);
                Outcome::Handled
            }
            Input::Finished(id, LinkHint::Suspect) => {
                operations::end(*id, cx);
                operations::drain(cx);
                recheck(cx)
            }
            Input::Broken(id, error) => {
                operations::broken(*id, error, cx);
                recheck(cx)
            }
            Input::Abandoned(id) => {
                operations::abandoned(*id, cx);
                operations::drain(cx);
                Outcome::Handled
            }
            Input::Verify | Input::Provider(_, ProviderEvent::Recheck) => recheck(cx),
            Input::Notice(Notice::PartyChanged { .. } | Notice::NetworkChanged { .. }) => {
                // What is found is known elsewhere already: receiving never sends.
                let next = recheck(cx);
                cx.core.on_notice = true;
                next
            }
            Input::Provider(_, ProviderEvent::Accounts(accounts)) => {
                if accounts.is_empty() {
                    // Unknown is not empty: the wallet is asked.
                    return recheck(cx);
                }
                let changed = reconcile::apply(Some(accounts), None, false, cx);
                after_change(changed, cx)
            }
            Input::Provider(_, ProviderEvent::Network(network)) => {
                let changed = reconcile::apply(None, Some(network), false, cx);
                after_change(changed, cx)
            }
            _ => Outcome::Super,
        },
        StateEvent::Timer(Timer::Operations) => {
            operations::expire_deadlines(cx);
            operations::drain(cx);
            Outcome::Handled
        }
        _ => Outcome::Super,
    }
}

fn after_change(changed: bool, cx: &mut Context<'_>) -> Outcome<State> {
    if changed {
        persist::save(false, cx);
        operations::drain(cx);
    }
    Outcome::Handled
}

/// Something changed, and only the wallet knows what.
fn recheck(cx: &mut Context<'_>) -> Outcome<State> {
    cx.core.on_notice = false;
    attempt::start_first_probe(cx);
    Outcome::Transition(State::Rechecking)
}

pub(super) fn rechecking(event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        StateEvent::Input(Input::Probed(_, result)) => {
            cx.core.attempt = None;
            cx.stop_timer(Timer::Attempt);
            if attempt::repeated_probe(cx) {
                return Outcome::Handled;
            }
            let on_notice = std::mem::take(&mut cx.core.on_notice);
            let error = match result {
                Ok(live) if !live.accounts.is_empty() => {
                    let changed = reconcile::apply_live(live, on_notice, cx);
                    let moved = live
                        .expires_at
                        .is_some_and(|at| expiry::credentials_moved(at, cx));
                    cx.effect(Effect::SettleVerify(Verdict::Valid));
                    match (on_notice, moved, changed) {
                        (false, _, _) => persist::save(false, cx),
                        (true, true, _) => persist::save_what_was_told(Need::IfDifferent, cx),
                        (true, false, true) => persist::save_what_was_told(Need::IfOthers, cx),
                        (true, false, false) => {}
                    }
                    if expiry::is_over(cx) {
                        return expire(cx);
                    }
                    operations::drain(cx);
                    return Outcome::Transition(State::Connected);
                }
                Ok(_) => attempt::no_account(),
                Err(error) => error.clone(),
            };
            cx.effect(Effect::SettleVerify(error.verdict()));
            recovery::link_lost(error, cx)
        }
        StateEvent::Timer(Timer::Attempt) => {
            let error = attempt::time_out("a probe", cx.core.setup.policy.deadlines.probe, cx);
            cx.effect(Effect::SettleVerify(Verdict::Unknown));
            recovery::link_lost(error, cx)
        }
        StateEvent::Input(Input::Verify) => Outcome::Handled,
        StateEvent::Input(Input::Provider(
            _,
            ProviderEvent::Recheck | ProviderEvent::Accounts(_) | ProviderEvent::Network(_),
        )) => {
            cx.core.on_notice = false;
            attempt::note_change(cx);
            Outcome::Handled
        }
        StateEvent::Input(Input::Notice(
            Notice::PartyChanged { .. } | Notice::NetworkChanged { .. },
        )) => {
            attempt::note_change(cx);
            Outcome::Handled
        }
        _ => Outcome::Super,
    }
}

/// What both states of a connection do the same way.
pub(super) fn linked(event: &StateEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        StateEvent::Expired => {
            cx.effect(Effect::SettleVerify(Verdict::Unknown));
            expire(cx)
        }
        StateEvent::Timer(Timer::Expiry) => {
            expiry::look(cx);
            Outcome::Handled
        }
        StateEvent::Input(input) => match input {
            Input::Connect => {
                cx.effect(Effect::SettleConnect(Ok(())));
                Outcome::Handled
            }
            Input::Provider(_, event) => match event {
                ProviderEvent::Dropped(error) => {
                    cx.effect(Effect::SettleVerify(error.verdict()));
                    recovery::link_lost(error.clone(), cx)
                }
                ProviderEvent::Link(link) => {
                    reconcile::set_link(*link, cx);
                    Outcome::Handled
                }
                // An operation waits for a person; the session goes on.
                ProviderEvent::UserActionRequired(action)
                    if action.action == UserActionKind::Approve =>
                {
                    cx.publish(EventKind::UserActionRequired {
                        action: action.clone(),
                    });
                    Outcome::Handled
                }
                ProviderEvent::Expires(at) => {
                    if expiry::credentials_moved(*at, cx) {
                        persist::save(false, cx);
                    }
                    Outcome::Handled
                }
                _ => Outcome::Super,
            },
            _ => Outcome::Super,
        },
        StateEvent::Timer(_) => Outcome::Super,
    }
}

/// A session that is connected expires: means to re-authenticate are the same as after a link
/// was lost, only that the link stands.
fn expire(cx: &mut Context<'_>) -> Outcome<State> {
    expiry::expire(Goal::Recover(ReconnectCause::LinkLost), cx)
}

/// What the wallet says that changes nothing here.
pub(super) fn pass_through(event: &ProviderEvent, cx: &mut Context<'_>) -> Outcome<State> {
    match event {
        ProviderEvent::Message(message) => {
            cx.publish(EventKind::Provider(message.clone()));
            Outcome::Handled
        }
        ProviderEvent::Malformed { what, problem } => {
            let (what, problem) = (what.clone(), problem.clone());
            cx.publish(EventKind::Malformed { what, problem });
            Outcome::Handled
        }
        ProviderEvent::PayloadChanged => persist::save_again(cx),
        _ => Outcome::Super,
    }
}
