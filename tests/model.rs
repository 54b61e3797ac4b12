//! Long random runs of the machine beside a small reference model of what its users rely on:
//! which operation goes to the wallet, in which order, and which is refused for what reason.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use moorline::machine::explore::{Move, Step, World};
use moorline::machine::{Effect, Input, OperationId, Setup, SubmitOptions};
use moorline::policy::{Backoff, ExpiryPolicy, QueuePolicy};
use moorline::provider::Capabilities;
use moorline::{OperationError, Policy, Status};
use proptest::prelude::*;

const CAPACITY: usize = 3;

fn setup(concurrency: usize) -> Setup {
    let policy = Policy {
        reconnect: Backoff {
            max_attempts: Some(3),
            ..Backoff::default()
        },
        expiry: ExpiryPolicy {
            ttl: Some(Duration::from_secs(3600)),
            ..ExpiryPolicy::default()
        },
        queue: QueuePolicy {
            capacity: CAPACITY,
            concurrency,
        },
        ..Policy::default()
    };
    Setup {
        policy: Arc::new(policy),
        capabilities: Capabilities::default(),
        provider: "explored".into(),
        reauth_hook: true,
        persistent: true,
    }
}

/// The reference: a queue, and who is at the wallet.
#[derive(Debug, Default)]
struct Model {
    queue: VecDeque<OperationId>,
    /// At the wallet; `true` for those that came out of the queue.
    at_wallet: Vec<(OperationId, bool)>,
    concurrency: usize,
}

impl Model {
    fn released(&self) -> usize {
        self.at_wallet
            .iter()
            .filter(|(_, released)| *released)
            .count()
    }

    /// What must become of a submitted operation.
    fn on_submit(&mut self, id: OperationId, options: &SubmitOptions, world: &World) -> Expected {
        let status = world.machine.status();
        if world.machine.state_name() == "Closed" {
            return Expected::Closed;
        }
        if world.machine.state_name() == "Connected"
            && self.queue.is_empty()
            && self.released() == 0
        {
            self.at_wallet.push((id, false));
            return Expected::Dispatched;
        }
        let may_wait = status == Status::Connected && world.machine.state_name() == "Connected";
        let nobody = world.machine.identity().is_none();
        if !may_wait && (status.is_disconnected() || nobody || !options.hold) {
            return Expected::NotConnected;
        }
        if self.queue.len() >= CAPACITY {
            return Expected::QueueFull;
        }
        self.queue.push_back(id);
        Expected::Held
    }

    fn forget(&mut self, id: OperationId) {
        self.queue.retain(|held| *held != id);
        self.at_wallet.retain(|(at_wallet, _)| *at_wallet != id);
    }

    /// Follows one step and says what does not fit.
    fn follow(&mut self, world: &World, step: &Step) -> Result<(), String> {
        if let Input::Finished(id, _) | Input::Abandoned(id) = &step.input {
            self.forget(*id);
        }
        let submitted = match &step.input {
            Input::Submit(id, options) => Some((*id, options)),
            _ => None,
        };
        // What the step did to operations that were there before comes first.
        let mut recalled = Vec::new();
        let mut fate = None;
        for effect in &step.out.effects {
            let Some(id) = operation(effect) else {
                continue;
            };
            if submitted.is_some_and(|(submitted, _)| submitted == id) {
                fate = Some(effect);
                continue;
            }
            match effect {
                Effect::Recall(_) => {
                    self.forget(id);
                    recalled.push(id);
                }
                Effect::Reject(..) => {
                    self.forget(id);
                    recalled.retain(|held| *held != id);
                }
                _ => {
                    self.take_back(&mut recalled);
                    if self.queue.pop_front() != Some(id) {
                        return Err(format!("{id:?} was released out of order"));
                    }
                    self.at_wallet.push((id, true));
                    if self.released() > self.concurrency {
                        return Err("more released at once than allowed".into());
                    }
                }
            }
        }
        self.take_back(&mut recalled);
        if let Some((id, options)) = submitted {
            let expected = self.on_submit(id, options, world);
            if !expected.fits(fate) {
                return Err(format!("submitted: expected {expected:?}, seen {fate:?}"));
            }
        }
        self.agree(world)
    }

    /// Operations that are held again go to the front, oldest first.
    fn take_back(&mut self, recalled: &mut Vec<OperationId>) {
        recalled.sort_by_key(|id| std::cmp::Reverse(id.number));
        for id in recalled.drain(..) {
            self.queue.push_front(id);
        }
    }

    fn agree(&self, world: &World) -> Result<(), String> {
        let machine = &world.machine;
        let counts = (machine.held(), machine.in_flight());
        if counts != (self.queue.len(), self.at_wallet.len()) {
            return Err(format!(
                "held and at the wallet: {counts:?}, the model has {self:?}"
            ));
        }
        let stranded =
            machine.state_name() == "Connected" && !self.queue.is_empty() && self.released() == 0;
        if stranded {
            return Err("operations are held though nothing stands in their way".into());
        }
        let left = counts.0 + counts.1;
        if machine.status().is_disconnected() && left > 0 {
            return Err(format!("{left} operations are left over after the end"));
        }
        Ok(())
    }
}

fn operation(effect: &Effect) -> Option<OperationId> {
    match effect {
        Effect::Dispatch(id) | Effect::Recall(id) | Effect::Reject(id, _) => Some(*id),
        _ => None,
    }
}

#[derive(Debug)]
enum Expected {
    Dispatched,
    Held,
    NotConnected,
    QueueFull,
    Closed,
}

impl Expected {
    fn fits(&self, seen: Option<&Effect>) -> bool {
        matches!(
            (self, seen),
            (Self::Dispatched, Some(Effect::Dispatch(_)))
                | (Self::Held, None)
                | (
                    Self::NotConnected,
                    Some(Effect::Reject(_, OperationError::NotConnected { .. }))
                )
                | (
                    Self::QueueFull,
                    Some(Effect::Reject(_, OperationError::QueueFull { .. }))
                )
                | (
                    Self::Closed,
                    Some(Effect::Reject(_, OperationError::Closed { .. }))
                )
        )
    }
}

/// Ways into another status, and what may lead there.
fn transition_is_allowed(before: Status, after: Status, input: &Input) -> bool {
    use Status::{Connected, Connecting, Disconnected, Reconnecting};
    match (before, after) {
        (Disconnected { .. }, Disconnected { .. }) | (Connecting, Connecting) => true,
        (Reconnecting { .. }, Reconnecting { .. }) | (Connected, Connected) => true,
        (Disconnected { .. } | Reconnecting { .. }, Connecting) => matches!(input, Input::Connect),
        (Disconnected { .. }, Reconnecting { .. }) => matches!(input, Input::Loaded(..)),
        (Connecting | Reconnecting { .. }, Connected) => matches!(input, Input::Probed(..)),
        (Connecting | Reconnecting { .. } | Connected, Disconnected { .. }) => true,
        (Connected, Reconnecting { .. }) => true,
        _ => false,
    }
}

/// Picks a move: half of the time one that gets somewhere, seldom one that ends the session, so
/// that runs are about what happens in between.
fn pick(world: &World, choice: u32) -> Move {
    const ENDS: [&str; 6] = [
        "close",
        "disconnect",
        "detach",
        "remote disconnect",
        "session gone",
        "user rejected",
    ];
    const GETS_ON: [&str; 8] = [
        "connect",
        "opened",
        "probe valid",
        "re-authenticated",
        "persisted",
        "link closed",
        "submit",
        "finished",
    ];
    let mut moves = Move::all(world);
    if choice & 1 == 0 {
        moves.retain(|next| GETS_ON.contains(&&*next.to_string()));
    }
    let rest = (choice >> 1) as usize;
    if !rest.is_multiple_of(61) {
        moves.retain(|next| !ENDS.contains(&&*next.to_string()));
    }
    moves.swap_remove(rest / 61 % moves.len())
}

fn play(choices: &[u32], concurrency: usize) -> Result<(), TestCaseError> {
    let mut world = World::new(setup(concurrency));
    let mut model = Model {
        concurrency,
        ..Model::default()
    };
    let mut path = Vec::new();
    let mut last_event = 0;
    for choice in choices {
        let next = pick(&world, *choice);
        path.push(next.to_string());
        let before = world.machine.status();
        let Some(step) = next.play(&mut world) else {
            continue;
        };
        let tail = || path[path.len().saturating_sub(12)..].join(" > ");
        if let Err(problem) = model.follow(&world, &step) {
            return Err(TestCaseError::fail(format!(
                "{problem}\nafter ... {}",
                tail()
            )));
        }
        let after = world.machine.status();
        // An expiry that passed takes its effect with whatever comes next.
        let expired = before == Status::Connected && after != Status::Connected;
        prop_assert!(
            expired || transition_is_allowed(before, after, &step.input),
            "{before} to {after} by {}\nafter ... {}",
            step.input.name(),
            tail()
        );
        for event in &step.out.events {
            prop_assert_eq!(event.seq, last_event + 1, "a gap in the events");
            last_event = event.seq;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn long_runs_agree_with_the_model(
        choices in prop::collection::vec(any::<u32>(), 100..1500),
        concurrency in 1_usize..3,
    ) {
        play(&choices, concurrency)?;
    }
}

/// The random runs are worth something only if they get around.
#[test]
fn random_runs_reach_every_state_and_move_operations() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut states, mut released, mut recalled) = (std::collections::BTreeSet::new(), 0, 0);
    for _ in 0..50 {
        let mut world = World::new(setup(1));
        for _ in 0..1000 {
            let Some(step) = pick(&world, random.u32(..)).play(&mut world) else {
                continue;
            };
            states.insert(world.machine.state_name());
            let count = |which: fn(&Effect) -> bool| {
                step.out
                    .effects
                    .iter()
                    .filter(|effect| which(effect))
                    .count()
            };
            released += count(|effect| matches!(effect, Effect::Dispatch(_)));
            recalled += count(|effect| matches!(effect, Effect::Recall(_)));
        }
    }
    assert_eq!(states.len(), 12, "{states:?}");
    assert!(
        released > 200 && recalled > 20,
        "{released} released, {recalled} recalled"
    );
}
