//! Every interleaving of what users, wallets, stores and other processes do to a manager, played
//! against the real one with scripted wallets, and checked after each move.
//!
//! Every sequence of moves is played, four deep unless `MOORLINE_EXPLORE_DEPTH` says otherwise, and
//! one less deep from situations that are some moves away from the beginning; each from the very
//! start in a runtime of its own. Situations that were seen before are not played on from again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod explorer;
mod invariants;
mod moves;
mod store;
mod wallets;
mod world;

use explorer::{Explorer, bases};
use invariants::Rule;
use world::{Fault, Setup};

fn depth() -> usize {
    std::env::var("MOORLINE_EXPLORE_DEPTH")
        .ok()
        .map_or(4, |depth| depth.parse().unwrap())
}

#[test]
fn the_rules_hold_in_every_interleaving() {
    let depth = depth();
    let jobs: Vec<_> = [Setup::plain(), Setup::tight()]
        .into_iter()
        .flat_map(|setup| bases().into_iter().map(move |base| (setup, base)))
        .collect();
    let jobs = std::sync::Mutex::new(jobs);
    let (mut broken, mut reached) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let Some((setup, (name, base))) = jobs.lock().unwrap().pop() else {
                            return done;
                        };
                        let mut explorer = Explorer::new(setup, None);
                        let result = explorer.explore(&base, depth);
                        println!(
                            "{}, {name}: {} situations reached by {} paths",
                            setup.name,
                            explorer.reached(),
                            explorer.played,
                        );
                        done.push((setup.name, name, explorer.reached(), result));
                    }
                })
            })
            .collect();
        for worker in workers {
            for (setup, name, found, result) in worker.join().unwrap() {
                reached += found;
                broken.extend(result.err().map(|it| format!("{setup}, {name}: {it}")));
            }
        }
    });
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
    assert!(
        reached > 1_000 || depth < 4,
        "the exploration did not get anywhere: {reached}"
    );
}

#[test]
fn every_check_can_fail() {
    let faults = [
        (Fault::SharedKey, Rule::Keys),
        (Fault::OtherActive, Rule::Active),
        (Fault::Unbound, Rule::Traffic),
        (Fault::LostTombstones, Rule::Final),
        (Fault::LostRecords, Rule::Forgotten),
        (Fault::SkippedEvent, Rule::Numbers),
        (Fault::UntoldActive, Rule::Told),
        (Fault::LeftTask, Rule::Quiet),
    ];
    for (fault, rule) in faults {
        let found = bases().into_iter().find_map(|(_, base)| {
            let mut explorer = Explorer::new(Setup::plain(), Some(fault));
            explorer.explore(&base, 3).err()
        });
        let Some(violation) = found else {
            panic!("planted fault {fault:?} was not found");
        };
        assert_eq!(violation.rule, rule, "{fault:?}: {violation}");
    }
}
