//! `moorline sessions`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const PARTY: &str = "alice::1220c0ffee";
const SECRET: &str = "s3cret-t0ken";

/// A computer of its own: data, settings and no keyring.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new(test: &str) -> Self {
        let name = format!("moorline-cli-sessions-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_moorline"))
            .arg("sessions")
            .args(args)
            .env("HOME", &self.0)
            .env("XDG_DATA_HOME", self.0.join("data"))
            .env("XDG_CONFIG_HOME", self.0.join("config"))
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("XDG_RUNTIME_DIR")
            .output()
            .unwrap()
    }

    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn fails(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) fn json(&self, args: &[&str]) -> Vec<Value> {
        let mut args = args.to_vec();
        args.push("--json");
        let lines = self.ok(&args);
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    pub(crate) fn records(&self) -> Vec<PathBuf> {
        let folder = self.0.join("data/moorline/sessions");
        let paths = std::fs::read_dir(folder).unwrap();
        let paths = paths.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|it| it == "rec"))
            .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn v1() -> String {
    format!(
        r#"{{"version":1,"account":{{"primary":true,"partyId":"{PARTY}"}},"accounts":[{{"primary":true,"partyId":"{PARTY}","publicKey":"cHVi"}}],"networkId":"canton:local","connectedAt":1773144000000,"token":"{SECRET}"}}"#
    )
}

fn import(home: &Home, name: &str) -> PathBuf {
    let file = home.write("v1.json", &v1());
    home.ok(&["import", file.to_str().unwrap(), "--name", name]);
    file
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_session_comes_in_is_shown_and_goes_out_again() {
    let home = Home::new("round");
    assert!(home.ok(&["list"]).contains("no sessions"));
    import(&home, "alice");
    let list = home.ok(&["list"]);
    assert!(
        list.contains("the key file") && list.contains(PARTY),
        "{list}"
    );
    let shown = home.ok(&["show", "alice"]);
    assert!(shown.contains("token, publicKey (hidden)"), "{shown}");

    let out = home.join("out.json");
    home.ok(&[
        "export",
        "alice",
        "--out",
        out.to_str().unwrap(),
        "--format",
        "v1",
    ]);
    assert_eq!(mode(&out), 0o600);
    let exported: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let original: Value = serde_json::from_str(&v1()).unwrap();
    assert_eq!(exported["token"], original["token"]);
    assert_eq!(exported["accounts"][0]["publicKey"], "cHVi");
    assert_eq!(exported["connectedAt"], original["connectedAt"]);
    // A file that is there is not written over.
    let error = home.fails(&["export", "alice", "--out", out.to_str().unwrap()], 1);
    assert!(error.contains("out.json"), "{error}");
}

#[test]
fn h70_what_may_be_secret_is_not_printed_and_nothing_is_stored_in_clear() {
    let home = Home::new("secrets");
    import(&home, "alice");
    for args in [&["list"][..], &["show", "alice"], &["verify"]] {
        for json in [&[][..], &["--json"]] {
            let printed = home.ok(&[args, json].concat());
            assert!(!printed.contains(SECRET), "{args:?}: {printed}");
        }
    }
    let error = home.fails(&["show", "alice", "--reveal-secrets"], 2);
    assert!(error.contains("terminal"), "{error}");
    for path in home.records() {
        assert_eq!(mode(&path), 0o600);
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(SECRET) && !text.contains(PARTY));
    }
    assert_eq!(mode(&home.join("config/moorline/session.key")), 0o600);
}

#[test]
fn verify_finds_what_cannot_be_read_and_changes_nothing() {
    let home = Home::new("verify");
    import(&home, "alice");
    import(&home, "bob");
    assert!(home.ok(&["verify"]).contains("2 sessions"));
    let path = home.records().remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = home.fails(&["verify"], 1);
    assert!(error.contains("1 of 2"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let listed = home.json(&["list"]);
    let kinds: Vec<_> = listed
        .iter()
        .map(|line| line["type"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"unreadable") && kinds.contains(&"session"),
        "{kinds:?}"
    );
}

#[test]
fn a_new_key_seals_everything_anew() {
    let home = Home::new("rotate");
    import(&home, "alice");
    let before = std::fs::read(home.records().remove(0)).unwrap();
    let rotated = home.json(&["rotate-key"]);
    assert_eq!(rotated[0]["rewritten"], 1);
    assert_ne!(std::fs::read(home.records().remove(0)).unwrap(), before);
    assert!(home.ok(&["list"]).contains(PARTY));
}

#[test]
fn a_forgotten_session_leaves_its_end_and_a_purged_one_nothing() {
    let home = Home::new("forget");
    let file = import(&home, "alice");
    let taken = home.fails(&["import", file.to_str().unwrap(), "--name", "alice"], 1);
    assert!(taken.contains("--replace"), "{taken}");
    home.ok(&["forget", "alice"]);
    assert!(home.ok(&["list"]).contains("ended"));
    home.fails(&["export", "alice", "--out", "-"], 1);
    home.ok(&["forget", "alice", "--purge"]);
    assert!(home.ok(&["list"]).contains("no sessions"));
    let error = home.fails(&["show", "alice"], 2);
    assert!(error.contains("moorline sessions list"), "{error}");
}

#[test]
fn a_key_that_is_not_there_is_asked_for_and_not_replaced() {
    let home = Home::new("nokey");
    import(&home, "alice");
    let key = home.join("config/moorline/session.key");
    std::fs::remove_file(&key).unwrap();
    let error = home.fails(&["list"], 1);
    assert!(
        error.contains("session.key") && error.contains("wait"),
        "{error}"
    );
    assert!(!key.exists());
}

#[test]
fn what_is_no_session_is_refused_with_its_reason() {
    let home = Home::new("bad");
    let file = home.write("bad.json", &v1().replace(PARTY, ""));
    let error = home.fails(&["import", file.to_str().unwrap(), "--name", "x"], 2);
    assert!(error.contains("`partyId` is empty"), "{error}");
    assert!(!error.contains(SECRET), "{error}");
}

#[test]
fn what_is_known_of_a_session_is_shown_and_its_client_only_where_asked_for() {
    let home = Home::new("about");
    let session = r#"{"version":2,"record":{"provider":"cip0103","intent":"connected",
        "accounts":[{"id":"alice::1220aa","primary":true}],"network":"canton:local",
        "connectedAt":"2026-03-10T12:00:00.000Z","expiresAt":null,"generation":1,
        "about":{"createdAt":"2026-03-10T12:00:00.000Z","updatedAt":"2026-03-11T12:00:00.000Z",
        "lastActiveAt":"2026-03-11T11:00:00.000Z","label":"a laptop",
        "clientAddress":"203.0.113.7","clientAgent":"Browser/1"}}}"#;
    let own = r#"{"version":2,"record":{"provider":"moorline-manager","intent":"connected",
        "accounts":[],"network":null,"connectedAt":"2026-03-10T12:00:00.000Z",
        "expiresAt":null,"generation":0}}"#;
    for (name, text) in [("shop/session", session), ("shop/manager", own)] {
        let file = home.write(&name.replace('/', "-"), text);
        home.ok(&["import", file.to_str().unwrap(), "--name", name]);
    }
    let shown = home.ok(&["show", "shop/session"]);
    for text in [
        "created    2026-03-10T12:00:00",
        "updated    2026-03-11T12:00:00",
        "last used  2026-03-11T11:00:00",
        "label      a laptop",
        "address    203.0.113.7",
        "agent      Browser/1",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let listed = home.ok(&["list"]);
    assert!(listed.contains("a laptop, used"), "{listed}");
    assert!(!listed.contains("shop/manager"), "{listed}");
    let objects = home.json(&["list"]);
    let sessions: Vec<_> = objects
        .iter()
        .filter(|it| it["type"] == "session")
        .collect();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0]["content"]["about"]["label"], "a laptop");
    assert_eq!(objects.last().unwrap()["sessions"], 1);
    for text in ["203.0.113.7", "Browser/1"] {
        assert!(!listed.contains(text) && !format!("{objects:?}").contains(text));
    }
    // What leaves the store leaves without them.
    let exported = home.ok(&["export", "shop/session", "--out", "-"]);
    assert!(exported.contains("a laptop"), "{exported}");
    assert!(!exported.contains("203.0.113.7") && !exported.contains("Browser/1"));
}
