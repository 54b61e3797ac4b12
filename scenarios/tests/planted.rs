//! Expectations that are wrong on purpose must fail, and their reports must say how.

#![allow(clippy::panic, reason = "a test whose scenario cannot be read fails")]

use moorline_scenarios::{Outcome, Report, RunOptions, Summary, json_line, junit, parse, run};

/// Connect, lose the link, come back after one attempt; then these steps.
fn report(steps: &str) -> Report {
    let text = format!(
        r#"
        name = "planted"
        title = "Wrong on purpose"
        [policy.reconnect]
        base = "1s"
        jitter = false
        [[step]]
        user = "connect"
        [[step]]
        wallet = "drop"
        {steps}
        "#
    );
    let scenario = parse("planted.scenario.toml", &text).unwrap_or_else(|e| panic!("{e}"));
    run(&scenario, &RunOptions::default())
}

#[track_caller]
fn fails_with(steps: &str, parts: &[&str]) {
    let report = report(steps);
    let text = report.to_string();
    assert_eq!(report.outcome, Outcome::Failed, "{text}");
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn a_wrong_delay_fails_and_both_numbers_are_shown() {
    fails_with(
        r#"
        [[step]]
        expect.events = [
            "session:connecting",
            "session:connected",
            "session:reconnecting",
            { type = "reconnect:scheduled", attempt = 1, delayMs = 999 },
        ]
        "#,
        &[
            "step 3, line 13: events is not as expected",
            "≠ reconnect:scheduled {attempt: 1, delayMs: 999} | reconnect:scheduled {attempt: 1, \
             delayMs: 1000}",
            "wallet <- open interactive at 0s, answered",
        ],
    );
}

#[test]
fn a_wrong_time_fails() {
    let at = r#"[[step]]
        advance = "2s"
        expect.includes = [{ type = "reconnect:attempt", at = "999ms" }]"#;
    fails_with(
        at,
        &[
            "reconnect:attempt at 0.999s | -",
            "reconnect:attempt {attempt: 1} at 1s",
        ],
    );
    let after = r#"[[step]]
        advance = "2s"
        expect.events = ["session:connecting", "session:connected", "session:reconnecting",
            "reconnect:scheduled", { type = "reconnect:attempt", after = "1001ms" },
            "reconnect:succeeded", "session:connected"]"#;
    fails_with(after, &["reconnect:attempt after 1.001s", "at 1s"]);
    let elapsed = "[[step]]\nadvance = \"2s\"\nexpect.elapsed = \"2001ms\"";
    fails_with(elapsed, &["≠ 2.001s   | 2s"]);
}

#[test]
fn an_event_too_many_and_one_too_few_fail() {
    fails_with(
        "[[step]]\nexpect.events = [\"session:connecting\"]",
        &["≠ -                  | session:connected"],
    );
    fails_with(
        r#"[[step]]
        expect.events = ["session:connecting", "session:connected", "session:reconnecting",
            "reconnect:scheduled", "reconnect:attempt"]"#,
        &["≠ reconnect:attempt    | -"],
    );
    fails_with(
        "[[step]]\nexpect.never = [\"session:connected\"]",
        &["never session:connected"],
    );
}

#[test]
fn every_kind_of_expectation_can_fail() {
    for (wrong, part) in [
        (
            "status = \"connected\"",
            "connected | reconnecting (link-lost)",
        ),
        ("cause = \"restore\"", "reconnecting (restore)"),
        ("reason = \"user\"", "disconnected (user)"),
        ("accounts = []", "[\"alice\"]"),
        ("primary = \"bob\"", "bob      | alice"),
        ("network = \"none\"", "none     | canton:local"),
        (
            "identity = \"bob on canton:local\"",
            "bob on canton:local | alice on canton:local",
        ),
        ("link = \"down\"", "down     | up"),
        ("stale = false", "false    | true"),
        ("expires_at = \"1h\"", "2026-01-01T01:00:00.000Z | none"),
        ("expired = true", "true     | false"),
        ("last_error = \"none\"", "kind: unreachable"),
        ("held = 1", "1        | 0"),
        ("calls = []", "open interactive at 0s, answered"),
        (
            "calls = [\"open silent\", \"probe\"]",
            "open silent | open interactive",
        ),
        ("counts = { open = 2 }", "2        | 1"),
        ("since = { total = 0 }", "0        | 2"),
        ("executed = { sign = 1 }", "1        | 0"),
        ("pending = 1", "1        | 0"),
        ("record = \"absent\"", "absent   | accounts: [alice]"),
        (
            "record = \"tombstone user\"",
            "tombstone user | accounts: [alice]",
        ),
        (
            "record = { account = \"bob\" }",
            "account: bob | accounts: [alice]",
        ),
        ("record = { expires_at = \"1h\" }", "expires at: never"),
        ("hooks = { reauth = 1 }", "1        | 0"),
        ("invalidations = [\"party a -> b\"]", "party a -> b | -"),
        ("elapsed = \"1s\"", "1s       | 0s"),
    ] {
        let failed = report(&format!("[[step]]\nexpect.{wrong}"));
        let text = failed.to_string();
        assert_eq!(failed.outcome, Outcome::Failed, "{wrong}: {text}");
        assert!(text.contains(part), "{wrong}: no `{part}` in:\n{text}");
    }
}

#[test]
fn wrong_results_fail() {
    fails_with(
        r#"[[step]]
        user = "request"
        method = "sign"
        fail_fast = true
        expect.result = "ok""#,
        &["≠ ok", "is: not-connected, may_have_executed: false"],
    );
    fails_with(
        r#"[[step]]
        user = "request"
        method = "sign"
        as = "held"
        expect.results.held = { is = "queue-full", capacity = 2 }"#,
        &["results.held", "is: queue-full, capacity: 2 | is: pending"],
    );
}

#[test]
fn what_does_not_happen_in_time_fails() {
    fails_with(
        "[[step]]\nuntil.status = \"disconnected\"\nwithin = \"1h\"",
        &["step 3", "status `disconnected` did not come within 1h"],
    );
    fails_with(
        "[[step]]\nwallet = \"answer\"\ncall = \"probe\"",
        &["no `probe` waits for the wallet's answer"],
    );
}

#[test]
fn laws_hold_whatever_the_scenario_expects() {
    let text = r#"
        name = "law"
        title = "An event that must never come"
        never = ["reconnect:scheduled"]
        step = [{ user = "connect" }, { wallet = "drop" }]
    "#;
    let scenario = parse("law.scenario.toml", text).unwrap();
    let report = run(&scenario, &RunOptions::default());
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        report
            .to_string()
            .contains("after the last step: an event came"),
        "{report}"
    );
}

#[test]
fn reports_are_one_line_of_json_and_junit() {
    let failed = report("[[step]]\nexpect.held = 1");
    let line = json_line(&failed);
    assert!(!line.contains('\n'));
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(json["type"], "scenario");
    assert_eq!(json["status"], "failed");
    assert_eq!(json["failures"][0]["rows"][0]["expected"], "1");
    let passed = report("[[step]]\nexpect.held = 0");
    let summary = Summary::of([&failed, &passed]);
    assert_eq!(
        summary.json_line(),
        r#"{"type":"summary","total":2,"passed":1,"failed":1,"skipped":0}"#
    );
    let xml = junit([&failed, &passed]);
    assert!(
        xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"),
        "{xml}"
    );
    assert!(
        xml.contains("tests=\"2\" failures=\"1\" skipped=\"0\""),
        "{xml}"
    );
    assert!(
        xml.contains("<failure message=\"step 3, line 12: held\">"),
        "{xml}"
    );
}

#[test]
fn a_seed_decides_about_jitter() {
    let text = r#"
        name = "jitter"
        title = "Random delays"
        step = [{ user = "connect" }, { wallet = "away" }, { until.status = "disconnected" }]
    "#;
    let scenario = parse("jitter.scenario.toml", text).unwrap();
    let line = |seed| {
        let options = RunOptions::default().with_seed(seed).with_trace();
        json_line(&run(&scenario, &options)).replace(&format!("\"seed\":{seed}"), "")
    };
    assert_eq!(line(1), line(1));
    assert_ne!(line(1), line(2));
}
