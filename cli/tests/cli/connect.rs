//! `moorline connect` and `moorline wallet`.

use moorline_dev_wallet::{Approval, Control, DevWallet, Profile};
use serde_json::Value;

use crate::sessions::Home;
use crate::support::{Running, nobody, run, wallet};

/// A wallet in this process, so that it can be asked what it knows.
struct Wallet {
    control: Control,
    url: String,
    _runtime: tokio::runtime::Runtime,
    _wallet: DevWallet,
}

fn own_wallet(approval: Approval) -> Wallet {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let start = DevWallet::builder().approval(approval).start();
    let wallet = runtime.block_on(start).unwrap();
    Wallet {
        control: wallet.control(),
        url: wallet.url(),
        _runtime: runtime,
        _wallet: wallet,
    }
}

fn types(lines: &[String]) -> Vec<Value> {
    let read = |line: &String| serde_json::from_str::<Value>(line).unwrap()["type"].clone();
    lines.iter().map(read).collect()
}

#[test]
fn ctrl_c_disconnects_and_the_wallet_knows() {
    let wallet = own_wallet(Approval::Auto);
    let connect = Running::start(&["connect", &wallet.url, "--json"]);
    let connected = connect.until("session:connected");
    assert!(
        connected["account"]
            .as_str()
            .unwrap()
            .starts_with("alice::")
    );
    assert!(wallet.control.has_session());
    connect.interrupt();
    let disconnected = connect.until("session:disconnected");
    assert_eq!(disconnected["reason"], "user");
    let (status, rest, stderr) = connect.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(rest, [""; 0]);
    assert!(!wallet.control.has_session());
    assert_eq!(wallet.control.seen("disconnect"), 1);
}

#[test]
fn detached_the_wallet_keeps_its_session() {
    let wallet = own_wallet(Approval::Auto);
    let connect = Running::start(&["connect", &wallet.url, "--json", "--detach"]);
    connect.until("session:connected");
    connect.interrupt();
    assert_eq!(connect.until("session:disconnected")["reason"], "detached");
    let (status, ..) = connect.end();
    assert_eq!(status.code(), Some(0));
    assert!(wallet.control.has_session());
    assert_eq!(wallet.control.seen("disconnect"), 0);
}

#[test]
fn ctrl_c_while_a_person_is_asked_ends_it() {
    let wallet = own_wallet(Approval::Manual);
    let connect = Running::start(&["connect", &wallet.url, "--json"]);
    let asked = connect.until("user:action-required");
    assert!(
        asked["url"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:")
    );
    connect.interrupt();
    assert_eq!(connect.until("session:disconnected")["reason"], "user");
    let (status, _, stderr) = connect.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn two_processes_one_connects_to_the_other() {
    let (wallet, url) = wallet();
    let connect = Running::start(&["connect", &url]);
    let greeting = connect.line().unwrap();
    assert!(greeting.contains(&url), "{greeting}");
    while !connect
        .line()
        .expect("it connects")
        .contains("session:connected")
    {}
    connect.interrupt();
    let (status, rest, _) = connect.end();
    assert_eq!(status.code(), Some(0));
    let rest = rest.join("\n");
    assert!(rest.contains("session:disconnected"), "{rest}");
    assert!(!rest.contains('\u{1b}'), "colours without a terminal");
    wallet.interrupt();
    let (status, rest, stderr) = wallet.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(rest, [""; 0]);
}

#[test]
fn a_wallet_that_goes_away_is_reconnected_to() {
    let wallet = own_wallet(Approval::Auto);
    let connect = Running::start(&["connect", &wallet.url, "--json"]);
    connect.until("session:connected");
    wallet._runtime.block_on(wallet.control.cut_all());
    connect.until("reconnect:succeeded");
    connect.until("session:connected");
    connect.interrupt();
    assert_eq!(connect.end().0.code(), Some(0));
}

#[test]
fn a_session_that_ends_by_itself_is_a_failure() {
    let wallet = own_wallet(Approval::Auto);
    let connect = Running::start(&["connect", &wallet.url, "--json"]);
    connect.until("session:connected");
    wallet.control.end_session();
    let (status, rest, stderr) = connect.end();
    assert_eq!(status.code(), Some(1));
    assert_eq!(types(&rest).last().unwrap(), "session:disconnected");
    assert!(stderr.contains("revoked"), "{stderr}");
}

#[test]
fn a_refused_connection_is_a_failure_in_plain_words() {
    let url = nobody();
    let ran = run(&["connect", &url]);
    assert_eq!(ran.code, 1);
    let port = url.rsplit(':').next().unwrap();
    assert!(ran.stderr.starts_with("moorline: "), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("refused") && ran.stderr.contains(port),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

#[test]
fn a_rejected_connection_is_a_failure() {
    let wallet = own_wallet(Approval::Reject);
    let ran = run(&["connect", &wallet.url, "--json"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.json().last().unwrap()["reason"], "connect-failed");
    assert!(ran.stderr.contains("rejected"), "{}", ran.stderr);
}

#[test]
fn an_address_that_is_none_is_bad_input() {
    for address in ["nonsense", "ftp://127.0.0.1:1", "ws://"] {
        let ran = run(&["connect", address]);
        assert_eq!(ran.code, 2, "{address}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("moorline: "), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_wallet_tells_where_it_is_and_who_is_in_it() {
    let args = [
        "wallet",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--account",
        "carol",
    ];
    let wallet = Running::start(&args);
    let listening = wallet.until("wallet:listening");
    let url = listening["url"].as_str().unwrap();
    assert!(
        url.starts_with("ws://127.0.0.1:") && !url.ends_with(":0"),
        "{url}"
    );
    assert_eq!(listening["network"], "canton:local");
    assert_eq!(listening["reachableFromOutside"], false);
    assert_eq!(listening["accounts"].as_array().unwrap().len(), 1);
    assert!(
        listening["accounts"][0]
            .as_str()
            .unwrap()
            .starts_with("carol::")
    );
}

#[test]
fn a_port_that_is_taken_is_a_failure_in_plain_words() {
    let (_wallet, url) = wallet();
    let address = url.strip_prefix("ws://").unwrap();
    let ran = run(&["wallet", "--listen", address]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(address), "{}", ran.stderr);
}

/// A wallet in this process whose gateway side wants to know who comes.
fn own_gateway() -> (DevWallet, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let start = DevWallet::builder().profile(Profile::G2).start();
    let wallet = runtime.block_on(start).unwrap();
    (wallet, runtime)
}

#[test]
fn a_remote_gateway_is_connected_to_with_a_secret_from_the_environment() {
    let (wallet, _runtime) = own_gateway();
    let (url, issuer) = (
        wallet.http_url(),
        wallet.http_url().replace("/api/v0/dapp", "/idp"),
    );
    let args = [
        "connect",
        &url,
        "--json",
        "--issuer",
        &issuer,
        "--client-id",
        "moorline-backend",
        "--client-secret-env",
        "TEST_SECRET",
        "--network",
        "canton:local",
    ];
    let connect = Running::start_with(&args, &[("TEST_SECRET", "dev-secret")]);
    let connected = connect.until("session:connected");
    assert_eq!(connected["network"], "canton:local");
    assert_eq!(wallet.control().user_sessions(), 1);
    connect.interrupt();
    connect.until("session:disconnected");
    let (status, ..) = connect.end();
    assert_eq!(status.code(), Some(0));
    assert_eq!(wallet.control().user_sessions(), 0);
}

#[test]
fn a_login_with_a_browser_is_printed() {
    let (wallet, _runtime) = own_gateway();
    let (url, issuer) = (
        wallet.http_url(),
        wallet.http_url().replace("/api/v0/dapp", "/idp"),
    );
    let connect = Running::start(&["connect", &url, "--json", "--login", "--issuer", &issuer]);
    let asked = connect.until("user:action-required");
    assert!(
        asked["url"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{issuer}/authorize?"))
    );
    assert_eq!(asked["action"], "login");
    connect.interrupt();
    connect.until("session:disconnected");
    assert_eq!(connect.end().0.code(), Some(0));
}

#[test]
fn logins_that_cannot_be_right_are_input_errors() {
    let far = "http://gateway.example/api";
    for (args, word) in [
        (
            vec!["connect", far, "--token-env", "NO_SUCH_VARIABLE"],
            "NO_SUCH_VARIABLE",
        ),
        (vec!["connect", far, "--token-env", "PATH"], "https"),
        (
            vec!["connect", "ws://127.0.0.1:1", "--token-env", "PATH"],
            "remote",
        ),
        (vec!["connect", far, "--login"], "--issuer"),
        (
            vec!["connect", far, "--login", "--token-env", "PATH"],
            "cannot be used with",
        ),
        (
            vec![
                "connect",
                far,
                "--token-env",
                "PATH",
                "--issuer",
                "https://i",
            ],
            "cannot be used with",
        ),
        (vec!["connect", far, "--network", "n"], "required"),
        (
            vec!["connect", far, "--login", "--issuer", "http://idp.example"],
            "https",
        ),
    ] {
        let ran = run(&args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_kept_session_survives_a_restart_without_a_prompt() {
    let wallet = own_wallet(Approval::Auto);
    let home = Home::new("kept");
    let keys = format!("file:{}", home.join("key").display());
    let store = home.join("store").display().to_string();
    let args = |more: &[&'static str]| {
        let mut args = vec!["connect", &wallet.url, "--json", "--store", &store];
        args.extend(["--keys", &keys, "--name", "alice"]);
        args.extend(more);
        Running::start(&args)
    };
    let first = args(&[]);
    first.until("session:connected");
    first.interrupt();
    let (status, _, stderr) = first.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(wallet.control.has_session(), "left standing");
    assert_eq!(wallet.control.seen("connect"), 1);

    let second = args(&["--end"]);
    let restoring = second.until("session:reconnecting");
    assert_eq!(restoring["cause"], "restore");
    second.until("session:connected");
    assert_eq!(wallet.control.seen("connect"), 1, "no second prompt");
    second.interrupt();
    second.until("session:disconnected");
    assert_eq!(second.end().0.code(), Some(0));
    assert!(!wallet.control.has_session(), "ended at the wallet, too");

    let third = args(&[]);
    third.until("session:connecting");
    third.until("session:connected");
    assert_eq!(
        wallet.control.seen("connect"),
        2,
        "the user's word was final"
    );
    third.interrupt();
    third.end();
    let listed = run(&["sessions", "list", "--store", &store, "--keys", &keys]);
    assert!(listed.stdout.contains("alice"), "{}", listed.stdout);
}

#[test]
fn a_kept_session_is_not_given_up_while_the_wallet_is_away() {
    let wallet = own_wallet(Approval::Auto);
    let home = Home::new("away");
    let keys = format!("file:{}", home.join("key").display());
    let store = home.join("store").display().to_string();
    let args = [
        "connect",
        &wallet.url,
        "--json",
        "--store",
        &store,
        "--keys",
        &keys,
    ];
    let first = Running::start(&args);
    first.until("session:connected");
    first.interrupt();
    first.end();
    wallet._runtime.block_on(async {
        wallet.control.cut_all().await;
        wallet.control.refuse(true).await;
    });
    // The user does not wait for all attempts.
    let second = Running::start(&args);
    second.until("reconnect:scheduled");
    second.interrupt();
    second.end();
    wallet._runtime.block_on(wallet.control.refuse(false));
    let third = Running::start(&args);
    third.until("session:connected");
    assert_eq!(
        wallet.control.seen("connect"),
        1,
        "restored, not connected anew"
    );
    third.interrupt();
    third.end();
}
