//! Breadth first through everything that can happen.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use crate::process::Knows;
use crate::world::{Budget, Move, Rule, World};

/// Where play begins.
pub(crate) struct Base {
    pub(crate) name: &'static str,
    pub(crate) world: World,
}

/// A rule that was broken, and how.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    what: String,
    path: Vec<Move>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}\nafter:", self.rule, self.what)?;
        self.path.iter().try_for_each(|step| write!(f, " {step}"))
    }
}

/// Nobody there yet, or the first of them holding the lease and the others knowing it; each with
/// what may go wrong.
pub(crate) fn bases(deeper: u32, for_faults: bool) -> Vec<Base> {
    let base = |name, mut world: World, budget: Budget| {
        world.budget = Budget {
            time: budget.time + deeper,
            answers: budget.answers + deeper,
            ..budget
        };
        Base { name, world }
    };
    let none = Budget::default();
    let held = |ttls: &[u64], keep| {
        let mut world = World::new(ttls, keep);
        world.settle();
        for process in 0..ttls.len() {
            world.play(Move::Acquire(process));
            world.settle();
        }
        world.look(0);
        assert!(matches!(world.processes[0].knows, Knows::Acts(_)));
        world
    };
    let two = || held(&[2, 2], 1000);
    let mut slow = two();
    slow.slow_reads = true;
    let mut orphaned = held(&[2, 2, 2], 1000);
    orphaned.budget.crashes = 1;
    orphaned.play(Move::Crash(0));
    #[rustfmt::skip]
    let bases = vec![
        base("two after a dead one", orphaned, Budget { time: 2, ..none }),
        base("ttls differ", held(&[3, 2], 1000), Budget { time: 3, ..none }),
        base("records of the dead are removed", held(&[2, 2], 1), Budget { time: 2, ..none }),
        base("reads are slow", slow.clone(), Budget { time: 2, ..none }),
        base("released", two(), Budget { time: 1, answers: 1, releases: 1, ..none }),
        base("both start", World::new(&[2, 2], 1000), Budget { time: 1, answers: 1, ..none }),
        base("the user disconnects", two(), Budget { time: 2, disconnects: 1, saves: 1, ..none }),
        base("a process sleeps", two(), Budget { time: 2, sleeps: 1, ..none }),
        base("answers are lost", two(), Budget { time: 2, answers: 1, ..none }),
        base("a process crashes", two(), Budget { time: 2, crashes: 1, ..none }),
    ];
    let mut bases = bases;
    if for_faults {
        // Where a fault takes longer to show, on its own. The first one's renewal has taken effect,
        // the second has seen it, and its answer is under way.
        let mut late = held(&[3, 3], 1000);
        late.budget.answers = 1;
        for step in [Move::Time, Move::Wake(0), Move::Delay(0, 0), Move::Wake(1)] {
            late.play(step);
        }
        bases.push(base(
            "a stale read",
            slow,
            Budget {
                time: 2,
                answers: 1,
                ..none
            },
        ));
        bases.push(base(
            "a late confirmation",
            late,
            Budget { time: 3, ..none },
        ));
    }
    bases
}

pub(crate) struct Explorer {
    /// What was seen, and the situation and move it came from.
    seen: HashMap<u64, (u64, Option<Move>)>,
    /// From where it is known to end well if nothing more goes wrong.
    calm: HashSet<u64>,
    pub(crate) played: u64,
}

impl Explorer {
    pub(crate) fn new() -> Self {
        Self {
            seen: HashMap::new(),
            calm: HashSet::new(),
            played: 0,
        }
    }

    pub(crate) fn reached(&self) -> usize {
        self.seen.len()
    }

    /// Plays everything that can happen from here.
    pub(crate) fn explore(&mut self, from: World) -> Result<(), Violation> {
        let start = from.fingerprint();
        self.seen.insert(start, (start, None));
        let mut open = VecDeque::from([(start, from)]);
        while let Some((key, world)) = open.pop_front() {
            for step in world.moves() {
                self.played += 1;
                let mut after = world.clone();
                after.play(step);
                let reached = after.fingerprint();
                if self.seen.contains_key(&reached) {
                    continue;
                }
                self.seen.insert(reached, (key, Some(step)));
                let blame = |(rule, what)| Violation {
                    rule,
                    what,
                    path: path(&self.seen, reached),
                };
                after.check().map_err(blame)?;
                after
                    .calm_down(&mut self.calm)
                    .map_err(|(rule, what)| Violation {
                        rule,
                        what,
                        path: path(&self.seen, reached),
                    })?;
                open.push_back((reached, after));
            }
        }
        Ok(())
    }
}

impl World {
    /// Answers every call, until nobody has one.
    pub(crate) fn settle(&mut self) {
        while let Some(number) = self
            .processes
            .iter()
            .position(|process| !process.calls.is_empty())
        {
            self.play(Move::Serve(number, 0));
        }
    }

    /// Nothing goes wrong any more: if the user has not ended it and somebody lives, somebody acts
    /// for the session in bounded time; if the user has, nobody does.
    fn calm_down(&self, calm: &mut HashSet<u64>) -> Result<(), (Rule, String)> {
        let mut world = self.clone();
        world.late.clear();
        world.budget = Budget::default();
        let mut passed = Vec::new();
        for _ in 0..40 {
            if !world.processes.iter().any(|process| process.lives) {
                break;
            }
            let here = world.fingerprint();
            if calm.contains(&here) {
                break;
            }
            passed.push(here);
            world.cooperate();
            world.check()?;
            let acting = world.processes.iter();
            let acting = acting.filter_map(|process| process.acts(world.now, world.planted));
            if world.record.tombstone == (acting.count() == 0) {
                break;
            }
            world.play(Move::Time);
        }
        if passed.len() < 40 {
            calm.extend(passed);
            return Ok(());
        }
        let end = if world.record.tombstone {
            (Rule::DisconnectWins, "somebody still acts")
        } else {
            (Rule::NothingForgotten, "nobody ever acts again")
        };
        Err((end.0, end.1.into()))
    }

    /// Everybody does what it has to do now.
    fn cooperate(&mut self) {
        for number in 0..self.processes.len() {
            if self.processes[number].is_due(self.now) {
                self.play(Move::Wake(number));
            }
            self.settle();
            if self.may_acquire(number) {
                self.play(Move::Acquire(number));
                self.settle();
            }
            let process = &self.processes[number];
            if process.lives && matches!(process.knows, Knows::Unread | Knows::Acts(_)) {
                self.look(number);
                self.settle();
            }
        }
    }
}

fn path(seen: &HashMap<u64, (u64, Option<Move>)>, to: u64) -> Vec<Move> {
    let mut path = Vec::new();
    let mut at = to;
    while let Some((before, Some(step))) = seen.get(&at) {
        path.push(*step);
        at = *before;
    }
    path.reverse();
    path
}
