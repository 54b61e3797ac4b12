//! Planted faults: for every rule, something that breaks it, to see the check fail.

use moorline::machine::explore::{Step, World};
use moorline::machine::{Effect, Input, Ticket, Write};
use moorline::provider::{ErrorKind, ProviderError};
use moorline::store::Tombstone;
use moorline::{DisconnectReason, Event, EventKind, OperationError, Status};

use crate::explorer::{Situation, Tamper};

pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) rule: u8,
    pub(crate) tamper: Tamper,
}

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "comes back after a disconnect",
        rule: 1,
        tamper: comes_back,
    },
    Fault {
        name: "a stale answer is announced",
        rule: 2,
        tamper: stale_answer,
    },
    Fault {
        name: "a second probe beside the first",
        rule: 3,
        tamper: second_probe,
    },
    Fault {
        name: "timers are forgotten",
        rule: 4,
        tamper: lost_timers,
    },
    Fault {
        name: "a hook is called after close",
        rule: 5,
        tamper: hook_after_close,
    },
    Fault {
        name: "a drop ends the session",
        rule: 6,
        tamper: drop_disconnects,
    },
    Fault {
        name: "an empty answer is believed",
        rule: 7,
        tamper: forgets_accounts,
    },
    Fault {
        name: "an outage is taken for a refusal",
        rule: 7,
        tamper: outage_refuses,
    },
    Fault {
        name: "a session that is given up is erased",
        rule: 7,
        tamper: erases_what_is_given_up,
    },
    Fault {
        name: "a party change is not told",
        rule: 8,
        tamper: silent_change,
    },
    Fault {
        name: "an interrupted operation is said not to have run",
        rule: 9,
        tamper: denies,
    },
    Fault {
        name: "an operation is answered twice",
        rule: 10,
        tamper: answers_twice,
    },
    Fault {
        name: "an expired session serves",
        rule: 11,
        tamper: serves_expired,
    },
    Fault {
        name: "an event's number is skipped",
        rule: 16,
        tamper: skips_number,
    },
];

fn comes_back(after: &mut Situation, _: &World, step: &mut Step) {
    if matches!(step.input, Input::Disconnect(_)) {
        let mut more = after.world.feed(Input::Connect);
        step.out.effects.append(&mut more.out.effects);
    }
}

fn stale_answer(_: &mut Situation, _: &World, step: &mut Step) {
    if step.out.stale {
        step.out.effects.push(Effect::SettleConnect(Ok(())));
    }
}

fn second_probe(after: &mut Situation, _: &World, step: &mut Step) {
    if step
        .out
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Probe(_)))
        && let Some(call) = after.world.calls.last().copied()
    {
        after.world.calls.push(call);
    }
}

fn lost_timers(after: &mut Situation, before: &World, step: &mut Step) {
    if matches!(step.input, Input::Timeout) && before.machine.status() == Status::Connecting {
        let now = after.world.now;
        after.world = before.clone();
        after.world.now = now;
    }
}

fn hook_after_close(after: &mut Situation, before: &World, step: &mut Step) {
    if before.machine.state_name() == "Closed"
        && let Some(identity) = after.world.machine.identity().cloned()
    {
        step.out
            .effects
            .push(Effect::Invalidate(moorline::event::Invalidation::Party {
                previous: identity.account.clone(),
                current: identity.account.clone(),
            }));
    }
}

fn drop_disconnects(after: &mut Situation, before: &World, step: &mut Step) {
    if matches!(&step.input, Input::Provider(_, event) if step.input.name() == "link lost" && matches!(event, moorline::ProviderEvent::Dropped(_)))
        && before.machine.status() == Status::Connected
        && matches!(after.world.machine.status(), Status::Reconnecting { .. })
    {
        // Seen from outside: the session starts over instead of reconnecting.
        after.world.feed(Input::Connect);
    }
}

fn forgets_accounts(after: &mut Situation, before: &World, step: &mut Step) {
    if matches!(&step.input, Input::Probed(_, Ok(live)) if live.accounts.is_empty())
        && !step.out.stale
        && !before.machine.snapshot().accounts.is_empty()
        && after.world.machine.status() != Status::Connected
        && !after.world.machine.status().is_disconnected()
    {
        // A machine that never knew anybody, in the place of this one.
        let (_, setup) = crate::explorer::setups().remove(0);
        after.world = World::new(setup);
    }
}

fn outage_refuses(after: &mut Situation, before: &World, step: &mut Step) {
    if let Input::Reauthenticated(ticket, Err(error)) = &step.input
        && error.is_retryable()
        && !step.out.stale
    {
        let refusal = ProviderError::new(ErrorKind::Refused, "as the fault wants it");
        let mut world = before.clone();
        let done = world.feed(Input::Reauthenticated(*ticket, Err(refusal)));
        (step.out, step.answered) = (done.out, done.answered);
        after.world = world;
    }
}

fn erases_what_is_given_up(_: &mut Situation, _: &World, step: &mut Step) {
    let gave_up = |event: &&Event| matches!(event.kind, EventKind::ReconnectGaveUp { .. });
    if let Some(event) = step.out.events.iter().find(gave_up) {
        let ticket = Ticket {
            epoch: event.epoch,
            serial: 0,
        };
        let tombstone = Tombstone::new(DisconnectReason::GaveUp, event.at);
        let erase = Effect::Persist(ticket, Write::Erase(tombstone));
        step.out.effects.push(erase);
    }
}

fn silent_change(_: &mut Situation, _: &World, step: &mut Step) {
    step.out
        .events
        .retain(|event| !matches!(event.kind, EventKind::PartyChanged { .. }));
}

fn denies(_: &mut Situation, _: &World, step: &mut Step) {
    for operation in &mut step.answered {
        if let Some(error @ OperationError::Interrupted { .. }) = &mut operation.rejected {
            *error = OperationError::QueueFull { capacity: 2 };
        }
    }
}

fn answers_twice(_: &mut Situation, _: &World, step: &mut Step) {
    let rejects = |effect: &&Effect| matches!(effect, Effect::Reject(..));
    if let Some(reject) = step.out.effects.iter().find(rejects).cloned() {
        step.out.effects.push(reject);
    }
}

fn serves_expired(after: &mut Situation, before: &World, step: &mut Step) {
    let expired = before
        .machine
        .snapshot()
        .expires_at
        .is_some_and(|at| at <= before.now.wall);
    if expired
        && let Input::Submit(id, _) = &step.input
        && before.machine.state_name() == "Reconnecting.Waiting"
    {
        step.out
            .effects
            .retain(|effect| !matches!(effect, Effect::Reject(..)));
        step.out.effects.push(Effect::Dispatch(*id));
        after.world.operations.clear();
    }
}

fn skips_number(_: &mut Situation, _: &World, step: &mut Step) {
    if let [_, second, ..] = &mut step.out.events[..] {
        second.seq += 1;
    }
}
