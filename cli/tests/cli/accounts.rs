//! `moorline accounts`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use moorline_dev_wallet::{Approval, Control, DevWallet, DevWalletBuilder, Profile};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{PATIENCE, Running, moorline, run};

const CLIENT_SECRET: &str = "dev-secret";

/// A store and a key file of its own, and wallets in this process.
struct Home {
    folder: PathBuf,
    runtime: Runtime,
}

/// A wallet that can be asked what it knows.
struct Wallet {
    control: Control,
    wallet: DevWallet,
}

impl Wallet {
    fn url(&self) -> String {
        self.wallet.url()
    }

    fn asked(&self) -> usize {
        self.control.log().len()
    }
}

impl Home {
    fn new(test: &str) -> Self {
        let name = format!("moorline-cli-accounts-{test}-{}", std::process::id());
        Self {
            folder: std::env::temp_dir().join(name),
            runtime: Runtime::new().unwrap(),
        }
    }

    fn wallet(&self, account: &str) -> Wallet {
        self.wallet_with(DevWallet::builder().accounts([account]))
    }

    fn wallet_with(&self, builder: DevWalletBuilder) -> Wallet {
        let wallet = self.runtime.block_on(builder.start()).unwrap();
        Wallet {
            control: wallet.control(),
            wallet,
        }
    }

    fn args(&self, args: &[&str]) -> Vec<String> {
        self.args_of(&[&["accounts"], args].concat())
    }

    fn args_of(&self, args: &[&str]) -> Vec<String> {
        let mut all: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
        all.push("--store".into());
        all.push(self.folder.join("store").display().to_string());
        all.push(format!("--keys=file:{}", self.folder.join("key").display()));
        all
    }

    fn run(&self, args: &[&str], vars: &[(&str, &str)]) -> Output {
        let args = self.args(args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        moorline(&args).envs(vars.iter().copied()).output().unwrap()
    }

    fn start(&self, args: &[&str]) -> Running {
        let args = self.args(args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Running::start(&args)
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args, &[]);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args, &[]);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn json(&self, args: &[&str]) -> Vec<Value> {
        let lines = self.ok(&[args, &["--json"]].concat());
        let lines = lines.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The same store, with `moorline sessions`.
    fn sessions(&self, args: &[&str]) -> Vec<Value> {
        let args = self.args_of(&[&["sessions", "--json"], args].concat());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(&args).json()
    }

    /// The only session does.
    fn stands(&self) {
        let checked = self.json(&["list", "--check"]);
        let summary = checked.last().unwrap();
        assert_eq!(
            (&summary["total"], &summary["failed"]),
            (&1.into(), &0.into()),
            "{checked:?}"
        );
    }

    /// How often the only session was written.
    fn revision(&self) -> u64 {
        self.sessions(&["list"])[0]["revision"].as_u64().unwrap()
    }

    /// Who is active, by the begin of the id.
    fn active(&self) -> String {
        let listed = self.json(&["list"]);
        let mut active = listed.iter().filter(|line| line["active"] == true);
        let one = active
            .next()
            .map(|it| it["account"].as_str().unwrap().to_owned());
        assert!(active.next().is_none(), "{listed:?}");
        let one = one.unwrap_or_default();
        one.split("::").next().unwrap().to_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn accounts_come_are_switched_and_go_and_only_their_own_wallets_are_asked() {
    let home = Home::new("life");
    assert!(home.ok(&["list"]).contains("no accounts"));
    let (alices, bobs) = (home.wallet("alice"), home.wallet("bob"));
    let printed = home.ok(&["login", &alices.url(), "--label", "work"]);
    assert!(
        printed.contains("called work is logged in and active"),
        "{printed}"
    );
    home.ok(&["login", &bobs.url()]);
    assert_eq!(home.active(), "bob");
    assert!(alices.control.has_session() && bobs.control.has_session());

    let asked = (alices.asked(), bobs.asked());
    let listed = home.json(&["list"]);
    assert_eq!(listed[0]["label"], "work");
    assert_eq!(listed[0]["place"], Value::from(alices.url()));
    assert_eq!(listed[0]["network"], "canton:local");
    assert!(listed[0]["lastUsed"].is_string() && listed[0]["expiresAt"].is_string());
    assert_eq!(listed[1]["label"], Value::Null);
    assert_eq!(listed[2]["accounts"], 2);
    let verified = home.sessions(&["verify"]);
    assert_eq!(verified[0]["total"], 2, "who is active is no session");
    let shown = home.ok(&["list"]);
    assert!(
        shown.contains("  work ") && shown.contains("* bob::"),
        "{shown}"
    );
    home.ok(&["switch", "wo"]);
    assert_eq!(home.active(), "alice");
    assert_eq!((alices.asked(), bobs.asked()), asked, "no wallet was asked");

    let gone = home.json(&["logout"]);
    assert_eq!(gone[0]["walletTold"], true);
    assert_eq!(home.active(), "bob", "the one that is left");
    assert!(!alices.control.has_session() && bobs.control.has_session());
    assert_eq!(bobs.asked(), asked.1, "another's wallet was not asked");
    assert!(!home.ok(&["list"]).contains("work"));

    home.ok(&["login", &alices.url()]);
    home.ok(&["logout", "--all"]);
    assert!(home.ok(&["list"]).contains("no accounts"));
    assert!(!alices.control.has_session() && !bobs.control.has_session());
}

#[test]
fn an_account_that_logs_in_again_is_there_once_and_keeps_its_name() {
    let home = Home::new("again");
    let alices = home.wallet("alice");
    home.ok(&["login", &alices.url(), "--label", "work"]);
    home.ok(&["login", &alices.url()]);
    let listed = home.json(&["list"]);
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[0]["label"], "work");
    home.ok(&["login", &alices.url(), "--label", "home"]);
    assert_eq!(home.json(&["list"])[0]["label"], "home");
    // Nor does restoring lose it.
    home.ok(&["list", "--check"]);
    assert_eq!(home.json(&["list"])[0]["label"], "home");
}

#[test]
fn who_cannot_be_told_apart_is_asked_for() {
    let home = Home::new("who");
    let error = home.fails(&["logout"], 2);
    assert!(error.contains("no account is active"), "{error}");
    home.ok(&["login", "--watch", "alice::1220aa", "--on", "canton:local"]);
    home.ok(&["login", "--watch", "alice::1220ab", "--label", "spare"]);
    let error = home.fails(&["switch", "alice"], 2);
    let both = error.contains("alice::1220aa on canton:local") && error.contains("spare (alice::");
    assert!(both, "{error}");
    let error = home.fails(&["switch", "carol"], 2);
    assert!(
        error.contains("`carol`") && error.contains("accounts list"),
        "{error}"
    );
    assert_eq!(home.active(), "alice", "who was active still is");
    home.fails(&["login"], 2);
    home.fails(&["login", "ws://127.0.0.1:1", "--watch", "x"], 2);
    home.fails(&["login", "nonsense"], 2);
    home.fails(&["login", "ws://127.0.0.1:1"], 1);
    assert_eq!(home.json(&["list"]).len(), 3, "nothing is left of them");
}

#[test]
fn an_account_that_expired_is_not_switched_to() {
    let home = Home::new("over");
    let ttl = Duration::from_secs(1);
    let builder = DevWallet::builder().accounts(["alice"]).session_ttl(ttl);
    let short = home.wallet_with(builder);
    home.ok(&["login", &short.url()]);
    home.ok(&["login", "--watch", "bob::1220bb"]);
    let begun = Instant::now();
    while !home.ok(&["list"]).contains("expired") {
        assert!(begun.elapsed() < PATIENCE, "it does not expire");
    }
    let error = home.fails(&["switch", "alice"], 1);
    assert!(error.contains("expired"), "{error}");
    assert_eq!(home.active(), "bob");
}

#[test]
fn a_login_that_is_stopped_leaves_nothing() {
    let home = Home::new("stopped");
    let builder = DevWallet::builder().approval(Approval::Manual);
    let wallet = home.wallet_with(builder);
    let login = home.start(&["login", &wallet.url(), "--json"]);
    login.until("user:action-required");
    login.interrupt();
    let (status, _, stderr) = login.end();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("stopped"), "{stderr}");
    assert!(home.ok(&["list"]).contains("no accounts"));
}

#[test]
fn an_account_is_watched_without_a_wallet() {
    let home = Home::new("watch");
    let came = home.json(&["login", "--watch", "alice::1220aa", "--on", "canton:local"]);
    assert_eq!(came[0]["readOnly"], true);
    home.ok(&["login", "--watch", "bob::1220bb", "--label", "theirs"]);
    let listed = home.json(&["list"]);
    assert_eq!(listed[0]["provider"], "read-only");
    assert_eq!(listed[1]["label"], "theirs");
    assert_eq!(home.json(&["list", "--check"]).last().unwrap()["failed"], 0);
    home.ok(&["switch", "alice"]);
    home.ok(&["login", "--watch", "bob::1220bb"]);
    assert_eq!(home.json(&["list"])[1]["label"], "theirs");
    home.ok(&["switch", "alice"]);
    home.ok(&["logout", "theirs"]);
    assert_eq!(home.active(), "alice");
}

#[test]
fn every_account_says_how_it_is() {
    let home = Home::new("check");
    let (alices, bobs) = (home.wallet("alice"), home.wallet("bob"));
    home.ok(&["login", &alices.url(), "--label", "work"]);
    home.ok(&["login", &bobs.url()]);
    let printed = home.ok(&["list", "--check"]);
    assert!(
        printed.contains("✓ work") && printed.contains("2 of 2"),
        "{printed}"
    );
    assert!(!printed.contains('\r'), "a bar without a terminal");
    home.runtime.block_on(async {
        alices.control.cut_all().await;
        alices.control.refuse(true).await;
    });
    let output = home.run(&["list", "--check", "--json"], &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let of = |kind: &str| {
        lines
            .iter()
            .filter(|it| it["type"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("progress").last().unwrap()["done"], 2);
    let checked = of("checked");
    assert_eq!(checked[0]["label"], "work");
    assert_eq!(checked[0]["result"]["outcome"]["outcome"], "unreachable");
    assert_eq!(checked[1]["stands"], true);
    // It is kept, and stands again when its wallet is back.
    home.runtime.block_on(alices.control.refuse(false));
    home.ok(&["list", "--check"]);
    assert_eq!(alices.control.seen("connect"), 1, "without a prompt");
}

#[test]
fn a_wallet_that_is_away_does_not_keep_its_account_here() {
    let home = Home::new("away");
    let alices = home.wallet("alice");
    home.ok(&["login", &alices.url()]);
    home.runtime.block_on(async {
        alices.control.cut_all().await;
        alices.control.refuse(true).await;
    });
    let printed = home.ok(&["logout", "alice"]);
    assert!(printed.contains("the wallet did not take it"), "{printed}");
    assert!(home.ok(&["list"]).contains("no accounts"));
    home.runtime.block_on(alices.control.refuse(false));
    home.ok(&["list", "--check"]);
    assert!(
        home.ok(&["list"]).contains("no accounts"),
        "it does not come back"
    );
}

/// A gateway that wants to know who comes, its address and its identity provider's.
fn gateway(home: &Home) -> (DevWallet, String, String) {
    let start = DevWallet::builder().profile(Profile::G2).start();
    let wallet = home.runtime.block_on(start).unwrap();
    let url = wallet.http_url();
    let issuer = url.replace("/api/v0/dapp", "/idp");
    (wallet, url, issuer)
}

#[test]
fn h70_credentials_are_kept_sealed_serve_again_and_are_not_shown() {
    let home = Home::new("secrets");
    let (wallet, url, issuer) = gateway(&home);
    let login = [
        "login",
        &url,
        "--issuer",
        &issuer,
        "--client-id",
        "moorline-backend",
        "--client-secret-env",
        "S",
        "--network",
        "canton:local",
    ];
    let mut printed = home.run(&login, &[("S", CLIENT_SECRET)]).stdout;
    assert_eq!(wallet.control().user_sessions(), 1);
    // The environment no longer has it.
    for args in [
        &["list", "--json"][..],
        &["list"],
        &["list", "--check"],
        &["logout"],
    ] {
        let output = home.run(args, &[("RUST_LOG", "trace")]);
        assert!(output.status.success(), "{args:?}: {output:?}");
        printed.extend([output.stdout, output.stderr].concat());
    }
    assert_eq!(wallet.control().user_sessions(), 0, "ended at the gateway");
    let printed = String::from_utf8(printed).unwrap();
    assert!(
        !printed.contains(CLIENT_SECRET) && !printed.contains("eyJ"),
        "{printed}"
    );
    for entry in std::fs::read_dir(home.folder.join("store")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(CLIENT_SECRET));
        }
    }
}

/// Logs in as a person does.
fn log_in_with_a_browser(home: &Home, url: &str, issuer: &str) {
    let who = ["--login", "--issuer", issuer, "--network", "canton:local"];
    let login = home.start(&[&["login", url, "--json"], &who[..]].concat());
    let asked = login.until("user:action-required");
    browse(asked["url"].as_str().unwrap());
    login.until("logged-in");
    assert_eq!(login.end().0.code(), Some(0));
}

#[test]
fn a_browser_is_needed_once() {
    let home = Home::new("browser");
    let (_wallet, url, issuer) = gateway(&home);
    log_in_with_a_browser(&home, &url, &issuer);
    // The refresh token was kept; and the one that took its place is, too.
    for _ in 0..2 {
        home.stands();
    }
}

#[test]
fn a_kill_after_the_refresh_token_was_replaced_costs_no_login() {
    let home = Home::new("killed");
    let (wallet, url, issuer) = gateway(&home);
    log_in_with_a_browser(&home, &url, &issuer);
    let before = home.revision();
    // The identity provider answers at once, and the gateway not for now.
    wallet.control().slow(10 * PATIENCE);
    let top = home.args_of(&["top", "--json"]);
    let top: Vec<&str> = top.iter().map(String::as_str).collect();
    let top = Running::start(&top);
    let begun = Instant::now();
    while home.revision() == before {
        assert!(begun.elapsed() < PATIENCE, "the new token is not stored");
    }
    // Killed.
    drop(top);
    wallet.control().slow(Duration::ZERO);
    home.stands();
}

/// Follows an address to where it ends.
fn browse(url: &str) {
    let mut url = url.to_owned();
    for _ in 0..5 {
        let rest = url.strip_prefix("http://").unwrap();
        let (place, path) = rest.split_once('/').unwrap();
        let mut stream = TcpStream::connect(place).unwrap();
        let get = format!("GET /{path} HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\n\r\n");
        stream.write_all(get.as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let location = page.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location").then_some(value)
        });
        match location {
            Some(next) if next.starts_with('/') => url = format!("http://{place}{next}"),
            Some(next) => url = next.to_owned(),
            None => return,
        }
    }
    panic!("too many redirects");
}
