//! `--help`.

use crate::support::run;

fn mentions(args: &[&str], words: &[&str]) {
    let ran = run(args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains('\u{1b}'), "colours without a terminal");
    for word in words {
        assert!(
            ran.stdout.contains(word),
            "{args:?} does not say {word}:\n{}",
            ran.stdout
        );
    }
}

#[test]
fn every_command_says_what_it_takes() {
    mentions(
        &["--help"],
        &[
            "demo",
            "run",
            "connect",
            "check",
            "wallet",
            "accounts",
            "top",
            "graph",
            "--version",
        ],
    );
    mentions(&["demo", "--help"], &["--json"]);
    mentions(
        &["run", "--help"],
        &[
            "PATH",
            "--live",
            "--json",
            "--junit",
            "--seed",
            "Exits with 1",
        ],
    );
    mentions(
        &["connect", "--help"],
        &["URL", "--json", "--retry", "--ttl", "--detach", "Ctrl-C"],
    );
    mentions(
        &["check", "--help"],
        &[
            "URL",
            "--profile",
            "--json",
            "--junit",
            "--only",
            "--list",
            "--token-env",
            "--client-id",
            "--interactive",
            "--drive-dev-wallet",
            "--timeout",
            "Exits with 1",
        ],
    );
    mentions(
        &["wallet", "--help"],
        &["--listen", "--json", "--account", "--network", "--approval"],
    );
    mentions(
        &["accounts", "--help"],
        &["list", "login", "logout", "switch", "--store", "--json"],
    );
    mentions(
        &["accounts", "login", "--help"],
        &["URL", "--label", "--watch", "--token-env", "--issuer"],
    );
    mentions(
        &["top", "--help"],
        &["URL", "--store", "--watch", "--demo", "--json"],
    );
    mentions(&["graph", "--help"], &["--format", "mermaid", "dot"]);
}

#[test]
fn an_unknown_command_is_bad_input() {
    assert_eq!(run(&["dmeo"]).code, 2);
}
