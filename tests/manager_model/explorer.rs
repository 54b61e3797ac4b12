//! Breadth first through everything that can happen.

use std::collections::HashSet;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::invariants::{Violation, check, end};
use crate::moves::Move;
use crate::world::{ACCOUNTS, Fault, Setup, World, record_of};

/// Situations to begin with: from all but the first one, play is one move less deep.
pub(crate) fn bases() -> Vec<(&'static str, Vec<Move>)> {
    use Move::{Begin, Crash, CrashHeld, DropLink, Hold, Login, Step, Switch, Watch};
    vec![
        ("nobody", vec![]),
        ("two", vec![Login("a"), Login("b")]),
        (
            "three",
            vec![Login("a"), Login("b"), Watch("c"), Switch("a")],
        ),
        ("racing", vec![Begin("a"), Begin("a")]),
        ("cut off", vec![Login("a"), Login("b"), DropLink("a")]),
        ("unwritten", vec![Login("a"), Hold, Login("b")]),
        // Both have joined, and wait for what is stored of them.
        (
            "restoring",
            vec![Login("a"), Login("b"), CrashHeld, Step, Step, Step, Step],
        ),
        ("crashed", vec![Login("a"), Hold, Login("b"), Crash]),
    ]
}

pub(crate) struct Explorer {
    setup: Setup,
    fault: Option<Fault>,
    seen: HashSet<u64>,
    pub(crate) played: u64,
}

impl Explorer {
    pub(crate) fn new(setup: Setup, fault: Option<Fault>) -> Self {
        Self {
            setup,
            fault,
            seen: HashSet::new(),
            played: 0,
        }
    }

    pub(crate) fn reached(&self) -> usize {
        self.seen.len()
    }

    /// Plays every sequence of moves after those of the base: `depth` of them after none.
    pub(crate) fn explore(&mut self, base: &[Move], depth: usize) -> Result<(), Violation> {
        let mut layer = vec![base.to_vec()];
        let depth = depth - usize::from(!base.is_empty() && depth > 0);
        for left in (0..=depth).rev() {
            let mut next = Vec::new();
            for path in layer {
                let (situation, moves) = self.play(&path)?;
                if !self.seen.insert(situation) || left == 0 {
                    continue;
                }
                for step in moves {
                    let mut path = path.clone();
                    path.push(step);
                    next.push(path);
                }
            }
            layer = next;
        }
        Ok(())
    }

    /// Plays one path from the very start.
    fn play(&mut self, path: &[Move]) -> Result<(u64, Vec<Move>), Violation> {
        self.played += 1;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (setup, fault, seen) = (self.setup, self.fault, &self.seen);
        let played = runtime.block_on(async {
            let mut world = World::new(setup, fault);
            for step in path {
                step.play(&mut world).await;
                check(&mut world)?;
            }
            let found = (situation(&mut world), Move::all(&world));
            // How it ends was seen with the situation.
            if !seen.contains(&found.0) {
                end(world).await?;
            }
            Ok(found)
        });
        played.map_err(|mut violation: Violation| {
            violation.path = path.iter().map(ToString::to_string).collect();
            violation
        })
    }
}

/// What tells one situation from another, as far as it can be seen.
fn situation(world: &mut World) -> u64 {
    let mut text = String::new();
    let mut sessions = world.manager.sessions();
    for session in &sessions {
        let snapshot = session.snapshot();
        let key = session.key();
        let _written = write!(text, "{key} {:?} {:?};", snapshot.status, snapshot.stale);
    }
    sessions.sort_by_key(|it| it.last_active());
    let active = world.manager.active().ok().map(|it| it.key().clone());
    let order: Vec<_> = sessions.iter().map(|it| it.account().to_string()).collect();
    let logins: Vec<_> = world
        .logins
        .iter()
        .map(|it| (it.account, it.held))
        .collect();
    let logouts: Vec<_> = world.logouts.iter().map(|it| it.0.clone()).collect();
    let _written = write!(
        text,
        "{active:?} {order:?} {logins:?} {logouts:?} {:?} {:?} {} {}",
        world.standing,
        world.unwritten,
        world.store.is_held(),
        world.restoring.is_some(),
    );
    for account in ACCOUNTS {
        let stored = world.store.memory.peek(&record_of(account));
        let kind = match stored {
            moorline::store::Stored::Record { record, .. } => format!("{:?}", record.provider),
            moorline::store::Stored::Tombstone { tombstone, .. } => {
                format!("{:?}", tombstone.reason)
            }
            _ => "nothing".into(),
        };
        let _written = write!(text, "{kind};");
    }
    let own = world.store.memory.peek(&"moorline/manager".into());
    if let moorline::store::Stored::Record { record, .. } = own {
        let names = record
            .accounts
            .iter()
            .map(|it| (it.id.to_string(), it.primary));
        let _written = write!(text, "{:?}", names.collect::<Vec<_>>());
    }
    let stale = world.handles.iter().map(|it| it.key().to_string());
    let stale: std::collections::BTreeSet<_> = stale.collect();
    let _written = write!(text, "{stale:?}");
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
