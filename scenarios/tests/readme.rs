//! The README's examples are scenarios, and they pass.

#![allow(clippy::panic, reason = "a test whose scenario cannot be read fails")]

use moorline_scenarios::{RunOptions, parse, run};

#[test]
fn examples_can_be_played() {
    let readme = include_str!("../README.md");
    let examples: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(!examples.is_empty());
    for example in examples {
        let scenario = parse("README.md", example).unwrap_or_else(|error| panic!("{error}"));
        let report = run(&scenario, &RunOptions::default());
        assert!(report.passed(), "{report}");
    }
}
