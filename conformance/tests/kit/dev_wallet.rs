//! The development wallet passes every MUST.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline_conformance::{Generation, Interactive, Level, Options, Report, Verdict, check};
use moorline_dev_wallet::{Approval, DevWallet};

use crate::person::AtTheWallet;

/// Ids of what did not pass, by level.
fn not_passed(report: &Report, level: Level) -> Vec<&'static str> {
    let of_level = report.outcomes.iter().filter(|it| it.check.level == level);
    of_level
        .filter(|it| !it.verdict.holds())
        .map(|it| it.check.id)
        .collect()
}

#[tokio::test]
async fn over_a_websocket_with_a_person_everything_is_checked() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let mut options = Options::new(wallet.url());
    options.person = Arc::new(AtTheWallet(wallet.control()));
    let report = check(options).await.unwrap();
    assert!(report.conforms(), "{}", report.text());
    assert_eq!(
        not_passed(&report, Level::Must),
        [""; 0],
        "{}",
        report.text()
    );
    assert_eq!(
        not_passed(&report, Level::Should),
        ["framing.params-text"],
        "{}",
        report.text()
    );
    assert_eq!(report.looks_like, Generation::Standard);
}

#[tokio::test]
async fn without_a_person_what_needs_one_is_not_checked_and_named() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let report = check(Options::new(wallet.url())).await.unwrap();
    assert!(report.conforms(), "{}", report.text());
    let Verdict::NotChecked { reason } = &report.outcome("reject.failed").unwrap().verdict else {
        panic!("{}", report.text());
    };
    assert!(reason.contains("nobody is at the wallet"), "{reason}");
    let text = report.text();
    assert!(
        text.contains("not checked") && text.contains("reject.failed"),
        "{text}"
    );
}

#[tokio::test]
async fn only_what_was_asked_for_is_reported() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let mut options = Options::new(wallet.url());
    options.only = vec!["accounts".into(), "status.shape".into()];
    let report = check(options).await.unwrap();
    assert!(
        report
            .outcomes
            .iter()
            .all(|it| it.check.area() == "accounts" || it.check.id == "status.shape")
    );
    assert_eq!(
        report
            .outcomes
            .iter()
            .filter(|it| it.check.id == "status.shape")
            .count(),
        1
    );
}

#[tokio::test]
async fn nothing_that_is_reported_holds_a_token() {
    let wallet = DevWallet::builder().start().await.unwrap();
    wallet.control().reply_errors_to(
        "getActiveNetwork",
        4100,
        "your token eyJhbGciOi.eyJzdWIi.c2ln is bad",
    );
    let report = check(Options::new(wallet.url())).await.unwrap();
    let all = format!(
        "{report:?}{}{}{}",
        report.text(),
        report.junit(),
        report.json_lines().join("\n")
    );
    assert!(!all.contains("eyJ"), "{all}");
    assert!(!report.conforms());
}

#[tokio::test]
async fn reports_are_lines_of_json_and_junit() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let control = wallet.control();
    control.reply_errors_to("getPrimaryAccount", -32603, "<broken> & \"bent\"");
    let report = check(Options::new(wallet.url())).await.unwrap();
    let lines = report.json_lines();
    let objects: Vec<serde_json::Value> = lines
        .iter()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let (summary, checks) = objects.split_last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["conforms"], false);
    assert_eq!(checks.len(), report.outcomes.len());
    let failed = checks
        .iter()
        .find(|it| it["id"] == "primary.shape")
        .unwrap();
    assert_eq!(failed["status"], "failed");
    for field in ["expected", "seen", "advice", "restsOn", "level"] {
        assert!(failed[field].is_string(), "{field}: {failed}");
    }
    let xml = report.junit();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let cases = document
        .descendants()
        .filter(|it| it.has_tag_name("testcase"))
        .count();
    assert_eq!(cases, report.outcomes.len());
    let failures = document
        .descendants()
        .filter(|it| it.has_tag_name("failure"))
        .count();
    assert_eq!(failures, report.tally(Level::Must).failed);
}

#[tokio::test]
async fn a_person_is_told_what_to_do_and_waited_for() {
    let wallet = DevWallet::builder()
        .approval(Approval::Manual)
        .start()
        .await
        .unwrap();
    let told = Arc::new(Mutex::new(Vec::<String>::new()));
    // Decides like somebody who does what they were last told.
    let (control, heard) = (wallet.control(), Arc::clone(&told));
    let person = tokio::spawn(async move {
        loop {
            control.until_pending(1).await;
            let rejects = {
                let told = heard.lock().unwrap();
                let last = told
                    .iter()
                    .rev()
                    .find(|it| it.contains("what the wallet asks next"));
                last.is_some_and(|it| it.contains("REJECT"))
            };
            if rejects {
                control.reject();
            } else {
                control.approve();
            }
        }
    });
    let tell = Arc::clone(&told);
    let mut options = Options::new(wallet.url());
    let patience = Duration::from_secs(2);
    options.person = Arc::new(Interactive::new(
        move |text: &str| tell.lock().unwrap().push(text.to_owned()),
        patience,
    ));
    let report = check(options).await.unwrap();
    person.abort();
    for id in [
        "reject.failed",
        "reject.sign-4001",
        "reject.wait-4001",
        "txChanged.ends",
        "events.login-announced",
    ] {
        let outcome = report.outcome(id).unwrap();
        assert!(outcome.verdict.holds(), "{id}\n{}", report.text());
    }
    let told = told.lock().unwrap().join("\n");
    assert!(
        told.contains("please log in at http://127.0.0.1:"),
        "{told}"
    );
    // Nobody did what they were asked: no fault of the wallet.
    for id in ["events.accounts", "events.logout"] {
        let verdict = &report.outcome(id).unwrap().verdict;
        assert!(
            matches!(verdict, Verdict::NotChecked { .. }),
            "{id}: {verdict:?}"
        );
    }
}
