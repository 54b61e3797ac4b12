//! The lease protocol as a model: two or three processes, each running the very machine that
//! [`Leases`](moorline::sync::lease::Leases) runs, on one store, against an adversary that delays,
//! loses and repeats writes, crashes, pauses and sleeps processes, lets time pass, and a user who
//! disconnects anywhere.
//!
//! Everything that can happen within a time and a number of faults is played; both grow with
//! `MOORLINE_EXPLORE_DEPTH`. What was seen before is not played again.

#![cfg(feature = "stores")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod explorer;
mod faults;
mod process;
mod store;
mod world;

use explorer::{Explorer, bases};
use faults::{FAULTS, Fault};

/// The depth of the other exploration is counted in moves and is four by default; so is this one,
/// in faults and periods over what the default plays.
fn deeper() -> u32 {
    let depth = std::env::var("MOORLINE_EXPLORE_DEPTH");
    depth.map_or(0, |depth| depth.parse::<u32>().unwrap().saturating_sub(4))
}

#[test]
fn one_acts_a_disconnect_wins_and_nothing_is_forgotten() {
    let deeper = deeper();
    // Two at a time: each takes memory for what it has seen.
    let all = std::sync::Mutex::new(bases(deeper, false));
    let results: Vec<_> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let Some(base) = all.lock().unwrap().pop() else {
                    return done;
                };
                let mut explorer = Explorer::new();
                let result = explorer.explore(base.world.clone());
                done.push((base.name, explorer, result));
            }
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut broken = Vec::new();
    for (name, explorer, result) in results {
        println!(
            "{name}: {} situations, {} moves",
            explorer.reached(),
            explorer.played
        );
        broken.extend(result.err().map(|violation| format!("{name}: {violation}")));
        assert!(
            !broken.is_empty() || explorer.reached() > 1_000,
            "{name}: the exploration did not get anywhere"
        );
    }
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test]
fn every_check_can_fail() {
    for Fault {
        name,
        planted,
        base,
        breaks,
    } in FAULTS
    {
        let mut base = bases(0, true)
            .into_iter()
            .find(|it| it.name == *base)
            .unwrap();
        base.world.planted = Some(*planted);
        let Err(violation) = Explorer::new().explore(base.world) else {
            panic!("planted fault `{name}` was not found");
        };
        println!("{name}: {violation}\n");
        assert_eq!(violation.rule, *breaks, "{name}: {violation}");
    }
}
