//! `moorline demo`.

use serde_json::Value;

use crate::support::run;

#[test]
fn every_line_is_an_object_events_have_no_gap_and_all_checks_hold() {
    let ran = run(&["demo", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let lines = ran.json();
    let numbers: Vec<u64> = lines
        .iter()
        .filter_map(|line| line["seq"].as_u64())
        .collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    for event in [
        "session:connected",
        "reconnect:succeeded",
        "party:changed",
        "reauth:succeeded",
    ] {
        assert!(lines.iter().any(|line| line["type"] == event), "no {event}");
    }
    let checks = lines.iter().filter(|line| line["type"] == "check").count();
    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["failed"], 0);
    assert_eq!(summary["total"], Value::from(checks));
    assert_eq!(summary["passed"], Value::from(checks));
}

#[test]
fn is_what_runs_without_a_command() {
    let ran = run(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("session:connected"), "{}", ran.stdout);
    assert!(
        ran.stdout.trim_end().ends_with("checks held."),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains('\u{1b}'), "colours without a terminal");
}
