//! `moorline run`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Ran, folder, run, wallet};

pub(crate) const PASSING: &str = r#"
name = "passing"
title = "A lost link is back after one attempt"
policy.reconnect = { base = "2s" }

[[step]]
user = "connect"
expect.status = "connected"

[[step]]
wallet = "drop"
expect.status = "reconnecting"

[[step]]
advance = "2s"
expect.status = "connected"
"#;

/// What any wallet can be asked for.
const LIVE: &str = r#"
name = "live"
title = "Connects and disconnects"

[[step]]
user = "connect"
expect.status = "connected"

[[step]]
user = "disconnect"
expect.status = "disconnected"
expect.reason = "user"
"#;

/// A file with one wrong expectation.
fn failing() -> String {
    let status = r#"expect.status = "reconnecting""#;
    assert!(PASSING.contains(status));
    PASSING
        .replace(status, r#"expect.status = "disconnected""#)
        .replace("passing", "failing")
}

fn play(options: &[&str], paths: &[&Path]) -> Ran {
    let paths = paths.iter().map(|path| path.to_str().unwrap());
    let args: Vec<&str> = ["run"]
        .into_iter()
        .chain(options.iter().copied())
        .chain(paths)
        .collect();
    run(&args)
}

#[test]
fn a_passing_file_passes_whatever_it_is_called() {
    let file = folder("any-name").join("what ever");
    fs::write(&file, PASSING).unwrap();
    let ran = play(&[], &[&file]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("passing"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("1 passed, 0 failed, 0 skipped"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_failing_file_says_what_was_expected_and_what_was_seen() {
    let file = folder("failing").join("failing.scenario.toml");
    fs::write(&file, failing()).unwrap();
    let ran = play(&[], &[&file]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    for word in [
        "expected",
        "disconnected",
        "seen",
        "reconnecting",
        "line 10",
    ] {
        assert!(ran.stdout.contains(word), "no {word} in\n{}", ran.stdout);
    }
    assert!(
        ran.stderr.contains("1 of 1 scenarios failed"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stdout.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn a_bad_file_is_refused_by_line_with_a_suggestion_and_nothing_is_played() {
    let folder = folder("bad");
    let (good, bad) = (folder.join("good.toml"), folder.join("bad.toml"));
    fs::write(&good, PASSING).unwrap();
    fs::write(
        &bad,
        PASSING.replace(
            "expect.status = \"connected\"",
            "expect.statsu = \"connected\"",
        ),
    )
    .unwrap();
    let ran = play(&[], &[&good, &bad]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
    let place = format!("{}:8:", bad.display());
    let complaint = ran.stderr.lines().find(|line| line.starts_with(&place));
    let complaint = complaint.unwrap_or_else(|| panic!("no {place} in {}", ran.stderr));
    let column = complaint[place.len()..].split(':').next().unwrap();
    assert!(column.parse::<usize>().is_ok(), "{complaint}");
    assert!(
        complaint.contains("statsu") && complaint.contains("`status`"),
        "{complaint}"
    );
    assert!(!ran.stdout.contains("passed"), "{}", ran.stdout);
}

#[test]
fn every_bad_file_is_told_at_once() {
    let folder = folder("bad-ones");
    fs::write(folder.join("one.scenario.toml"), "name = ").unwrap();
    fs::write(folder.join("two.scenario.toml"), "nmae = \"two\"").unwrap();
    let ran = play(&["--json"], &[&folder]);
    assert_eq!(ran.code, 2);
    let lines = ran.json();
    assert_eq!(lines.len(), 2, "{}", ran.stdout);
    assert!(lines.iter().all(|line| line["type"] == "error"));
    assert!(
        ran.stderr.contains("one.scenario.toml:1:"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("two.scenario.toml:1:"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_missing_path_is_bad_input() {
    let path = folder("missing").join("nothing-here");
    let ran = play(&[], &[&path]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("nothing-here"), "{}", ran.stderr);
}

#[test]
fn no_path_is_bad_input() {
    assert_eq!(run(&["run"]).code, 2);
}

#[test]
fn folders_are_searched_for_scenarios() {
    let folder = folder("searched");
    let inner = folder.join("theme/deeper");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("passing.scenario.toml"), PASSING).unwrap();
    fs::write(folder.join("failing.scenario.toml"), failing()).unwrap();
    fs::write(folder.join("not-one.toml"), "this is none").unwrap();
    let ran = play(&["--json"], &[&folder]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.json().len(), 3);
    let summary = r#"{"type":"summary","total":2,"passed":1,"failed":1,"skipped":0}"#;
    assert_eq!(ran.stdout.lines().last(), Some(summary));
}

#[test]
fn a_folder_without_scenarios_is_bad_input() {
    let folder = folder("empty");
    let ran = play(&[], &[&folder]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains(".scenario.toml"), "{}", ran.stderr);
}

#[test]
fn json_ends_with_the_summary_to_the_letter() {
    let file = folder("summary").join("passing.toml");
    fs::write(&file, PASSING).unwrap();
    let ran = play(&["--json"], &[&file]);
    assert_eq!(ran.code, 0);
    let lines = ran.json();
    assert_eq!(lines[0]["type"], "scenario");
    assert_eq!(lines[0]["status"], "passed");
    let summary = r#"{"type":"summary","total":1,"passed":1,"failed":0,"skipped":0}"#;
    assert_eq!(ran.stdout.lines().last(), Some(summary));
}

#[test]
fn the_same_seed_gives_the_same_output_to_the_byte() {
    let folder = folder("seed");
    fs::write(folder.join("a.scenario.toml"), PASSING).unwrap();
    // With a timeline, which tells every jittered delay.
    fs::write(folder.join("b.scenario.toml"), failing()).unwrap();
    let seed = |seed| play(&["--json", "--seed", seed], &[&folder]).stdout;
    let first = seed("7");
    assert!(first.contains(r#""seed":7"#), "{first}");
    assert_eq!(first, seed("7"));
    assert_ne!(first, seed("8"));
}

#[test]
fn the_junit_report_is_xml_and_says_the_same() {
    let folder = folder("junit");
    fs::write(
        folder.join("a.scenario.toml"),
        PASSING.replace("A lost", "<A> & \\\"lost\\\""),
    )
    .unwrap();
    fs::write(folder.join("b.scenario.toml"), failing()).unwrap();
    let report = folder.join("report.xml");
    let ran = play(&["--junit", report.to_str().unwrap()], &[&folder]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    let text = fs::read_to_string(&report).unwrap();
    let xml = roxmltree::Document::parse(&text).unwrap();
    let suite = xml
        .descendants()
        .find(|node| node.has_tag_name("testsuite"))
        .unwrap();
    let counts = ["tests", "failures", "skipped"].map(|name| suite.attribute(name));
    assert_eq!(counts, [Some("2"), Some("1"), Some("0")]);
    let cases: Vec<_> = suite
        .children()
        .filter(|node| node.has_tag_name("testcase"))
        .collect();
    let names: Vec<_> = cases
        .iter()
        .map(|case| case.attribute("name").unwrap())
        .collect();
    assert_eq!(names, ["passing", "failing"]);
    let failure = cases[1]
        .children()
        .find(|node| node.has_tag_name("failure"))
        .unwrap();
    assert!(failure.text().unwrap().contains("disconnected"));
    assert!(
        cases[0]
            .children()
            .all(|node| !node.has_tag_name("failure"))
    );
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let folder = folder("no-report");
    let file = folder.join("passing.toml");
    fs::write(&file, PASSING).unwrap();
    let report = folder.join("nowhere/report.xml");
    let ran = play(&["--junit", report.to_str().unwrap()], &[&file]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("report.xml"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_played_live_is_skipped_not_passed() {
    let folder = folder("live");
    fs::write(folder.join("a.scenario.toml"), LIVE).unwrap();
    let unplayable = PASSING.replace("policy.", "virtual_only = \"it says so\"\npolicy.");
    fs::write(folder.join("b.scenario.toml"), unplayable).unwrap();
    let (_wallet, url) = wallet();
    let report = folder.join("report.xml");
    let options = [
        "--json",
        "--live",
        &url,
        "--junit",
        report.to_str().unwrap(),
    ];
    let ran = play(&options, &[&folder]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let lines = ran.json();
    let status: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
    assert_eq!(status[..2], ["passed", "skipped"]);
    assert!(lines[1]["reasons"][0]["reason"].is_string(), "{}", lines[1]);
    let summary = r#"{"type":"summary","total":2,"passed":1,"failed":0,"skipped":1}"#;
    assert_eq!(ran.stdout.lines().last(), Some(summary));
    let text = fs::read_to_string(&report).unwrap();
    let xml = roxmltree::Document::parse(&text).unwrap();
    let skipped = xml
        .descendants()
        .filter(|node| node.has_tag_name("skipped"));
    assert_eq!(skipped.count(), 1);
}

#[test]
fn a_live_wallet_that_is_not_there_is_a_failure() {
    let file = folder("live-nobody").join("live.toml");
    fs::write(&file, LIVE).unwrap();
    let ran = play(&["--live", &crate::support::nobody()], &[&file]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_live_address_that_is_none_is_bad_input() {
    let file = folder("live-nonsense").join("live.toml");
    fs::write(&file, LIVE).unwrap();
    let ran = play(&["--live", "nonsense"], &[&file]);
    assert_eq!(ran.code, 2, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_development_wallet_is_told_what_a_scenario_says_over_both_transports() {
    let folder = folder("live-told");
    fs::write(folder.join("a.scenario.toml"), PASSING).unwrap();
    let (_wallet, url) = wallet();
    let http = format!("{}/api/v0/dapp", url.replace("ws://", "http://"));
    let admin = format!("{}/admin", url.replace("ws://", "http://"));
    for options in [
        vec!["--json", "--live", &url],
        vec!["--json", "--live", &http],
        vec!["--json", "--live", &http, "--admin", &admin],
    ] {
        let ran = play(&options, &[&folder]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        let summary = r#"{"type":"summary","total":1,"passed":1,"failed":0,"skipped":0}"#;
        assert_eq!(ran.stdout.lines().last(), Some(summary));
    }
    let nowhere = format!(
        "{}/admin",
        crate::support::nobody().replace("ws://", "http://")
    );
    let ran = play(&["--live", &url, "--admin", &nowhere], &[&folder]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("admin endpoint"), "{}", ran.stderr);
}
