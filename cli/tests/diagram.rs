//! The diagram in the README is the one that is drawn from the machine.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;

#[test]
fn the_readme_shows_the_machine_as_it_is() {
    let drawn = Command::new(env!("CARGO_BIN_EXE_moorline"))
        .arg("graph")
        .output()
        .unwrap();
    let drawn = String::from_utf8(drawn.stdout).unwrap();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let shown = readme
        .split_once("```mermaid\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(diagram, _)| diagram)
        .expect("a mermaid diagram in the README");
    assert!(
        drawn == shown,
        "the diagram in README.md is out of date; replace it by what `cargo run -- graph` prints"
    );
}
