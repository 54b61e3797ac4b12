//! H70: no command prints a secret that it was given or that the wallet hands out.

use moorline_dev_wallet::{DevWallet, Profile};
use secrecy::ExposeSecret;

use crate::support::{Running, folder, moorline};

const API_KEY: &str = "dev-api-key";
const CLIENT_SECRET: &str = "dev-secret";

/// Nothing of this may be printed: the secrets, and each part of a token that says something.
fn check(what: &str, printed: &str, secrets: &[String]) {
    assert!(!printed.is_empty(), "{what} prints something");
    for secret in secrets {
        let parts = secret.split('.').skip(1);
        for part in std::iter::once(secret.as_str()).chain(parts) {
            assert!(!printed.contains(part), "{what} prints a secret");
        }
    }
}

/// All lines up to one that says something.
fn lines_until(running: &Running, text: &str) -> String {
    let mut lines = String::new();
    while !lines.contains(text) {
        lines += &running.line().expect(text);
        lines.push('\n');
    }
    lines
}

#[test]
fn h70_no_command_prints_a_secret() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let wallet = DevWallet::builder().profile(Profile::G2);
    let wallet = runtime.block_on(wallet.start()).unwrap();
    let (url, control) = (wallet.http_url(), wallet.control());
    let issuer = url.replace("/api/v0/dapp", "/idp");
    let token = control.log_in("carol", "canton:local").unwrap();
    let token = token.expose_secret().to_owned();
    let secrets = [token.clone(), API_KEY.to_owned(), CLIENT_SECRET.to_owned()];
    let client = ["--issuer", &issuer, "--client-id", "moorline-backend"];
    let logins: [(&str, &str, &[&str]); 3] = [
        ("--token-env", &token, &[]),
        ("--api-key-env", API_KEY, &[]),
        ("--client-secret-env", CLIENT_SECRET, &client),
    ];
    for (option, secret, more) in logins {
        // The wallet repeats the token while a session stands; then it is disconnected.
        let mut args = vec!["connect", &url, "--json", option, "S"];
        args.extend(more);
        if option == "--client-secret-env" {
            args.extend(["--network", "canton:local"]);
        }
        let connect = Running::start_with(&args, &[("S", secret), ("RUST_LOG", "trace")]);
        let mut printed = lines_until(&connect, "session:connected");
        runtime.block_on(control.until_streams(1));
        control.stream_raw(&format!(
            "event: custom\ndata: {{\"accessToken\":\"{token}\"}}\n\n"
        ));
        printed += &lines_until(&connect, "custom");
        connect.interrupt();
        let (_, rest, stderr) = connect.end();
        printed += &rest.concat();
        printed += &stderr;
        check(&format!("connect {option}"), &printed, &secrets);

        // Some checks of each kind: all of them take minutes.
        let only = [
            "--only",
            "http.content-type",
            "framing.goes-on",
            "framing.unknown-method",
        ];
        let mut kit = moorline(&["check", &url, "--json", "--profile", "g2", option, "S"]);
        kit.args(only);
        kit.args(more).env("S", secret).env("RUST_LOG", "trace");
        let ran = kit.output().unwrap();
        let printed = [ran.stdout, ran.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        check(&format!("check {option}"), &printed, &secrets);
    }

    // Scenarios against a wallet that hands tokens out, a failing one with its timeline too.
    let strict = runtime.block_on(DevWallet::builder().start()).unwrap();
    let folder = folder("secrets");
    let file = folder.join("a.scenario.toml");
    let passing = crate::run::PASSING.replace(
        "advance = \"2s\"",
        "user = \"request\"\nmethod = \"status\"",
    );
    std::fs::write(&file, passing).unwrap();
    for live in [strict.url(), strict.http_url()] {
        let ran = moorline(&["run", "--live", &live, folder.to_str().unwrap(), "--json"])
            .output()
            .unwrap();
        let printed = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        assert!(
            !printed.contains("eyJ"),
            "run --live prints a token: {printed}"
        );
        assert!(printed.contains("summary"), "{printed}");
    }

    // The wallet itself, while somebody is connected.
    let served = Running::start(&["wallet", "--listen", "127.0.0.1:0", "--json"]);
    let line = served.line().unwrap();
    assert!(
        !line.contains("eyJ") && line.contains("wallet:listening"),
        "{line}"
    );
}
