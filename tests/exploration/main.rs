//! Every interleaving of the machine with an adversarial environment, checked against the rules.
//!
//! From each situation that cooperative play reaches, every sequence of adversarial moves is
//! played: four deep unless `MOORLINE_EXPLORE_DEPTH` says otherwise. What was seen before is not
//! played again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod ends;
mod explorer;
mod faults;
mod invariants;

use std::time::Duration;

use explorer::{Explorer, Situation, setups};
use faults::FAULTS;

fn depth() -> usize {
    std::env::var("MOORLINE_EXPLORE_DEPTH")
        .ok()
        .map_or(4, |depth| depth.parse().unwrap())
}

#[test]
fn the_rules_hold_in_every_interleaving() {
    let depth = depth();
    let explorers: Vec<_> = setups()
        .into_iter()
        .map(|(name, setup)| {
            std::thread::spawn(move || {
                let mut explorer = Explorer::new(None);
                let bases = explorer.bases(&setup);
                let result = explorer.explore(&bases, depth);
                (name, bases.len(), explorer, result)
            })
        })
        .collect();
    let (mut broken, mut shallow) = (Vec::new(), false);
    for explorer in explorers {
        let (name, bases, explorer, result) = explorer.join().unwrap();
        // Without means to re-authenticate and retries of the first connect two states fall away.
        let states = if name == "plain" { 11 } else { 13 };
        println!(
            "{name}: {bases} situations to begin with, {} reached, {} moves played, {} deep",
            explorer.reached(),
            explorer.played,
            depth,
        );
        broken.extend(result.err().map(|violation| format!("{name}: {violation}")));
        shallow |= explorer.reached() < 10_000 || explorer.states.len() < states;
    }
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
    assert!(!shallow, "the exploration did not get anywhere");
}

#[test]
fn every_check_can_fail() {
    for fault in FAULTS {
        let found = setups().into_iter().any(|(_, setup)| {
            let mut explorer = Explorer::new(Some(fault.tamper));
            let bases = explorer.bases(&setup);
            match explorer.explore(&bases, 3) {
                Err(violation) if violation.rule == fault.rule => true,
                Err(violation) => panic!("{}: another rule broke: {violation}", fault.name),
                Ok(()) => false,
            }
        });
        assert!(
            found,
            "planted fault `{}` was not found by rule {}",
            fault.name, fault.rule
        );
    }
}

#[test]
fn a_machine_is_a_value() {
    use std::hash::{BuildHasher, RandomState};
    let (_, setup) = setups().remove(0);
    let mut situation = Situation::new(&setup);
    let before = situation.world.machine.clone();
    assert_eq!(before, situation.world.machine);
    situation.world.feed(moorline::machine::Input::Connect);
    assert_ne!(before, situation.world.machine);
    let hash = RandomState::new();
    let again = situation.world.machine.clone();
    assert_eq!(
        hash.hash_one(&again),
        hash.hash_one(&situation.world.machine)
    );
    situation.world.advance(Duration::from_secs(1));
}
