//! Plays every lifecycle in this folder, and holds the folder to what it must cover.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot read its files fails"
)]

use std::collections::BTreeSet;
use std::path::Path;

use moorline_scenarios::{Report, RunOptions, Scenario, discover, load, run};

fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = discover([folder]).expect("the folder has scenarios");
    files
        .iter()
        .map(|file| load(file).unwrap_or_else(|error| panic!("{error}")))
        .collect()
}

#[test]
fn every_lifecycle_goes_as_it_must() {
    let reports: Vec<Report> = scenarios()
        .iter()
        .map(|scenario| run(scenario, &RunOptions::default()))
        .collect();
    let failed: Vec<String> = reports
        .iter()
        .filter(|report| !report.passed())
        .map(ToString::to_string)
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} scenarios failed:\n\n{}",
        failed.len(),
        reports.len(),
        failed.join("\n\n")
    );
}

#[test]
fn every_hazard_and_lifecycle_has_a_file() {
    let hazards = (1..=13).chain(20..=32).chain(40..=50);
    let wanted: BTreeSet<String> = hazards
        .map(|number| format!("H{number:02}"))
        .chain(["4", "5", "6", "7", "8", "9", "10", "11", "inv"].map(|id| format!("PL-{id}")))
        .collect();
    let covered: BTreeSet<String> = scenarios()
        .iter()
        .flat_map(|scenario| scenario.covers().to_vec())
        .collect();
    let missing: Vec<&String> = wanted.difference(&covered).collect();
    assert!(missing.is_empty(), "no scenario covers {missing:?}");
}

#[test]
fn names_are_unique_and_are_those_of_the_files() {
    let mut names = BTreeSet::new();
    for scenario in scenarios() {
        let file = scenario.file().file_name().unwrap_or_default();
        let name = scenario.name();
        assert_eq!(*file, *format!("{name}.scenario.toml"));
        assert!(names.insert(name.to_owned()), "`{name}` is there twice");
    }
}

#[test]
fn the_same_seed_gives_the_same_report_to_the_byte() {
    let played = |seed| -> String {
        scenarios()
            .iter()
            .map(|scenario| {
                run(
                    scenario,
                    &RunOptions::default().with_seed(seed).with_trace(),
                )
            })
            .map(|report| moorline_scenarios::json_line(&report))
            .collect()
    };
    assert_eq!(played(7), played(7));
}
