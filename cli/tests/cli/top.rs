//! `moorline top` without a terminal; `tests/terminal/run` looks at it in one.

use moorline_dev_wallet::DevWallet;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{Running, folder, nobody, run};

/// The next line in which something holds.
fn until(top: &Running, holds: impl Fn(&Value) -> bool) -> Value {
    loop {
        let line = top.until("top");
        if holds(&line) {
            return line;
        }
    }
}

/// Options for a store of its own.
fn store(test: &str) -> [String; 4] {
    let folder = folder(test);
    let at = |name: &str| folder.join(name).display().to_string();
    [
        "--store".into(),
        at("store"),
        "--keys".into(),
        format!("file:{}", at("key")),
    ]
}

fn with<'a>(args: &[&'a str], store: &'a [String]) -> Vec<&'a str> {
    let store = store.iter().map(String::as_str);
    args.iter().copied().chain(store).collect()
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let ran = run(&["top", "--demo"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("terminal") && ran.stderr.contains("--json"),
        "{}",
        ran.stderr
    );
    for args in [
        &["top", "--json"][..],
        &["top", "--demo", "--watch", "--json"],
        &["top", "ws://127.0.0.1:1", "--demo", "--json"],
        &["top", "ws://127.0.0.1:1", "--sessions", "3", "--json"],
        &["top", "nonsense", "--json"],
        &["top", "--watch", "/nonexistent/moorline", "--json"],
    ] {
        let ran = run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn sessions_with_wallets_are_followed_and_ended() {
    let runtime = Runtime::new().unwrap();
    let wallet = runtime.block_on(DevWallet::builder().start()).unwrap();
    let control = wallet.control();
    let top = Running::start(&["top", &wallet.url(), &nobody(), "--json"]);
    let both = |line: &Value| {
        let totals = &line["totals"];
        totals["connected"] == 1 && totals["connecting"] == 1
    };
    let line = until(&top, both);
    let sessions = line["sessions"].as_array().unwrap();
    let mut sessions = sessions.iter();
    let alice = sessions.find(|it| it["status"] == "connected").unwrap();
    assert!(alice["account"].as_str().unwrap().starts_with("alice::"));
    assert_eq!(alice["network"], "canton:local");
    runtime.block_on(async {
        control.refuse(true).await;
        control.cut_all().await;
    });
    let line = until(&top, |line| line["totals"]["reconnecting"] == 1);
    assert!(line["eventsPerSecond"].as_f64().unwrap() > 0.0);
    runtime.block_on(control.refuse(false));
    until(&top, |line| line["totals"]["connected"] == 1);
    assert!(control.has_session());
    top.interrupt();
    let (status, _, stderr) = top.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(!control.has_session(), "the wallet knows");
}

#[test]
fn stored_accounts_are_restored_and_stay_and_others_can_watch() {
    let runtime = Runtime::new().unwrap();
    let wallet = runtime.block_on(DevWallet::builder().start()).unwrap();
    let control = wallet.control();
    let store = store("top-store");
    let url = wallet.url();
    let login = run(&with(
        &["accounts", "login", &url, "--label", "work"],
        &store,
    ));
    assert_eq!(login.code, 0, "{}", login.stderr);

    let asked = control.log().len();
    let [_, folder, _, keys] = &store;
    let watch = Running::start(&["top", "--json", "--watch", folder, "--keys", keys]);
    let line = until(&watch, |line| line["totals"]["stored"] == 1);
    let session = &line["sessions"][0];
    assert_eq!(session["label"], "work");
    assert_eq!(session["active"], true);
    assert_eq!(control.log().len(), asked, "watching asks no wallet");

    let top = Running::start(&with(&["top", "--json"], &store));
    let line = until(&top, |line| line["totals"]["connected"] == 1);
    assert_eq!(line["sessions"][0]["label"], "work");
    assert_eq!(line["sessions"][0]["place"], Value::from(url));
    top.interrupt();
    assert_eq!(top.end().0.code(), Some(0));
    assert!(control.has_session(), "left standing");

    let logout = run(&with(&["accounts", "logout"], &store));
    assert_eq!(logout.code, 0, "{}", logout.stderr);
    let line = until(&watch, |line| line["totals"]["ended"] == 1);
    assert_eq!(line["sessions"][0]["why"], "user");
    watch.interrupt();
    assert_eq!(watch.end().0.code(), Some(0));
}

#[test]
fn the_demo_has_as_many_sessions_as_are_asked_for() {
    let top = Running::start(&["top", "--demo", "--sessions", "3", "--json"]);
    until(&top, |line| line["sessions"].as_array().unwrap().len() == 3);
    until(&top, |line| line["totals"]["reconnecting"] == 1);
    top.interrupt();
    assert_eq!(top.end().0.code(), Some(0));
}
