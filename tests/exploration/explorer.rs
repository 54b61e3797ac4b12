//! Breadth first through everything that can happen.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moorline::machine::explore::{Move, Step, World};
use moorline::machine::{Input, Setup};
use moorline::policy::{Backoff, ExpiryPolicy, QueuePolicy};
use moorline::provider::Capabilities;
use moorline::{Policy, Status};

use crate::invariants::{self, Ledger};

/// Changes what a machine did, to see whether the checks notice. `None` leaves it.
pub(crate) type Tamper = fn(&mut Situation, &World, &mut Step);

/// A world, and what the checks remember of how it came about.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    pub(crate) world: World,
    pub(crate) ledger: Ledger,
    path: Vec<String>,
}

/// A rule that was broken, and how.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: u8,
    what: String,
    path: Vec<String>,
}

impl Violation {
    pub(crate) fn new(rule: u8, what: impl Into<String>) -> Self {
        Self {
            rule,
            what: what.into(),
            path: Vec::new(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "rule {}: {}\nafter: {}",
            self.rule,
            self.what,
            self.path.join(" > ")
        )
    }
}

pub(crate) struct Explorer {
    seen: HashSet<u64>,
    tamper: Option<Tamper>,
    pub(crate) played: u64,
    pub(crate) states: BTreeSet<&'static str>,
}

/// How many attempts the policy allows.
pub(crate) const LIMIT: u32 = 2;

/// The surroundings that are explored: with everything, with nothing optional, and with a provider
/// that re-authenticates by its own means.
pub(crate) fn setups() -> Vec<(&'static str, Setup)> {
    let policy = Policy {
        reconnect: Backoff {
            max_attempts: Some(LIMIT),
            stable_after: Duration::from_secs(5),
            ..Backoff::default()
        },
        expiry: ExpiryPolicy {
            ttl: Some(Duration::from_secs(3600)),
            update_age: Some(Duration::from_secs(600)),
            ..ExpiryPolicy::default()
        },
        queue: QueuePolicy {
            capacity: 2,
            concurrency: 1,
        },
        ..Policy::default()
    };
    let full = Setup {
        policy: Arc::new(Policy {
            retry_first_connect: true,
            ..policy.clone()
        }),
        capabilities: Capabilities::default(),
        provider: "explored".into(),
        reauth_hook: true,
        persistent: true,
    };
    let plain = Setup {
        policy: Arc::new(policy),
        reauth_hook: false,
        ..full.clone()
    };
    let own = Setup {
        capabilities: Capabilities {
            reauthentication: true,
            ..Capabilities::default()
        },
        reauth_hook: false,
        ..full.clone()
    };
    vec![("full", full), ("plain", plain), ("own means", own)]
}

impl Situation {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            world: World::new(setup.clone()),
            ledger: Ledger::new(setup),
            path: Vec::new(),
        }
    }
}

impl Explorer {
    pub(crate) fn new(tamper: Option<Tamper>) -> Self {
        Self {
            seen: HashSet::new(),
            tamper,
            played: 0,
            states: BTreeSet::new(),
        }
    }

    pub(crate) fn reached(&self) -> usize {
        self.seen.len()
    }

    /// One situation for each state of the machine and what surrounds it that cooperative play
    /// reaches: where adversarial play begins.
    pub(crate) fn bases(&mut self, setup: &Setup) -> Vec<Situation> {
        let mut seen = HashSet::new();
        let mut bases = vec![Situation::new(setup)];
        let mut next = bases.clone();
        for _ in 0..9 {
            let mut found = Vec::new();
            for situation in &next {
                for step in Move::cooperative(&situation.world) {
                    let mut after = situation.clone();
                    after.path.push(step.to_string());
                    let before = after.world.clone();
                    if let Some(step) = step.play(&mut after.world) {
                        after.ledger.note(&before, &after.world, &step);
                    }
                    let machine = &after.world.machine;
                    let live = after.world.calls.iter().filter(|call| !call.cancelled);
                    let kinds: BTreeSet<String> =
                        live.map(|call| format!("{:?}", call.kind)).collect();
                    let cause = match machine.status() {
                        Status::Reconnecting { cause } => Some(cause.as_str()),
                        _ => None,
                    };
                    let key = (machine.state_name(), cause, machine.intent(), kinds);
                    if seen.insert(key) {
                        found.push(after);
                    }
                }
            }
            bases.extend(found.iter().cloned());
            next = found;
        }
        bases
    }

    /// Plays every sequence of `depth` moves from every base.
    pub(crate) fn explore(&mut self, bases: &[Situation], depth: usize) -> Result<(), Violation> {
        let mut layer: Vec<Situation> = bases.to_vec();
        for situation in &layer {
            self.seen.insert(Self::key(situation));
        }
        for _ in 0..depth {
            let mut next = Vec::new();
            for situation in layer {
                for step in Move::all(&situation.world) {
                    let after = self.play(&situation, step)?;
                    if self.seen.insert(Self::key(&after)) {
                        next.push(after);
                    }
                }
            }
            layer = next;
        }
        Ok(())
    }

    fn key(situation: &Situation) -> u64 {
        situation.world.fingerprint() ^ situation.ledger.fingerprint().rotate_left(17)
    }

    fn play(&mut self, from: &Situation, step: Move) -> Result<Situation, Violation> {
        self.played += 1;
        let mut after = from.clone();
        after.path.push(step.to_string());
        let blame = |mut violation: Violation, path: &[String]| {
            violation.path = path.to_vec();
            violation
        };
        if let Some(mut done) = step.play(&mut after.world) {
            if let Some(tamper) = self.tamper {
                tamper(&mut after, &from.world, &mut done);
            }
            self.states.insert(after.world.machine.state_name());
            invariants::check(&from.world, &after.world, &after.ledger, &done)
                .map_err(|violation| blame(violation, &after.path))?;
            after.ledger.note(&from.world, &after.world, &done);
        }
        if !self.seen.contains(&Self::key(&after)) {
            self.fall_silent(&after)
                .map_err(|violation| blame(violation, &after.path))?;
        }
        Ok(after)
    }

    /// Rule 4: with a wallet, a store and hooks that never answer again, everything that waits
    /// ends in bounded time.
    fn fall_silent(&mut self, from: &Situation) -> Result<(), Violation> {
        let mut quiet = from.clone();
        for _ in 0..200 {
            let machine = &quiet.world.machine;
            let resting = matches!(
                machine.state_name(),
                "Disconnected" | "Connected" | "Closed"
            );
            if resting && quiet.world.operations.is_empty() && quiet.ledger.nobody_waits() {
                return Ok(());
            }
            let before = quiet.world.clone();
            let Some((at, _)) = machine.next_timeout() else {
                break;
            };
            quiet.world.advance(at.since(quiet.world.now.mono));
            let mut step = quiet.world.feed(Input::Timeout);
            if let Some(tamper) = self.tamper {
                tamper(&mut quiet, &before, &mut step);
            }
            quiet.ledger.note(&before, &quiet.world, &step);
        }
        Err(Violation::new(
            4,
            format!(
                "stuck in {} with {} operations, waiting: {:?}",
                quiet.world.machine.state_name(),
                quiet.world.operations.len(),
                quiet.ledger,
            ),
        ))
    }
}
