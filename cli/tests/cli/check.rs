//! `moorline check`.

use std::fs;

use serde_json::Value;

use crate::support::{folder, moorline, nobody, run, wallet};

#[test]
fn the_development_wallet_conforms() {
    let (_wallet, url) = wallet();
    let file = folder("check").join("report.xml");
    let ran = run(&["check", &url, "--junit", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains('\u{1b}'), "colours without a terminal");
    for word in ["framing", "MUST", "not checked", "conforms"] {
        assert!(ran.stdout.contains(word), "no {word} in\n{}", ran.stdout);
    }
    let xml = fs::read_to_string(file).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert!(
        document
            .descendants()
            .filter(|it| it.has_tag_name("testcase"))
            .count()
            > 100
    );
}

#[test]
fn the_kit_plays_the_person_at_the_development_wallet() {
    let (_wallet, url) = wallet();
    let ran = run(&["check", &url, "--drive-dev-wallet", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let lines = ran.json();
    let rejected = lines.iter().find(|it| it["id"] == "reject.failed").unwrap();
    assert_eq!(rejected["status"], "passed");
    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["conforms"], true);
    assert_eq!(summary["must"]["failed"], 0);
}

#[test]
fn a_wallet_that_does_not_conform_is_a_failure_and_one_that_is_not_there_is_bad_input() {
    // A port that takes connections, and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let ran = run(&["check", &url, "--timeout", "200ms", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let summary: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["must"]["passed"], 0);
    assert!(ran.stderr.contains("does not conform"), "{}", ran.stderr);

    let ran = run(&["check", &nobody()]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("cannot be reached"), "{}", ran.stderr);
}

#[test]
fn bad_input_is_told() {
    for (args, word) in [
        (&["check"][..], "URL"),
        (&["check", "wallet"], "no address of a wallet"),
        (
            &["check", "ws://127.0.0.1:1", "--only", "nonsense"],
            "--list",
        ),
        (
            &[
                "check",
                "ws://127.0.0.1:1",
                "--token-env",
                "MOORLINE_NO_SUCH_VARIABLE",
            ],
            "MOORLINE_NO_SUCH_VARIABLE",
        ),
        (
            &["check", "ws://127.0.0.1:1", "--client-id", "x"],
            "--issuer",
        ),
        (
            &[
                "check",
                "ws://127.0.0.1:1",
                "--api-key-env",
                "PATH",
                "--client-secret-env",
                "PATH",
            ],
            "cannot be used with",
        ),
        (
            &["check", "ws://127.0.0.1:1", "--commands", "/no/such/file"],
            "/no/such/file",
        ),
        (
            &["check", "https://wallet.example/", "--drive-dev-wallet"],
            "not on this computer",
        ),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn every_check_can_be_listed() {
    let ran = run(&["check", "--list"]);
    assert_eq!(ran.code, 0);
    for word in [
        "`connect.shape`",
        "MUST",
        "CIP-0103",
        "G1-error-without-message",
    ] {
        assert!(ran.stdout.contains(word), "no {word}");
    }
}

#[test]
fn a_token_from_the_environment_is_never_printed() {
    let (_wallet, url) = wallet();
    let http = format!("{}/api/v0/dapp", url.replace("ws:", "http:"));
    let secret = "a-very-secret-token-of-the-test";
    let out = moorline(&["check", &http, "--token-env", "CHECK_TOKEN"])
        .env("CHECK_TOKEN", secret)
        .output()
        .unwrap();
    let all = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(!all.contains(secret), "{all}");
    assert!(all.contains("MUST"), "{all}");
}
