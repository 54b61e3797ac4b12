//! `moorline wallet`: what files say, and what it says.

use std::path::PathBuf;

use crate::support::{Running, run};

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn it_says_where_it_is_and_whose_manners_it_has() {
    let config = file(
        "wallet.toml",
        "listen = \"127.0.0.1:0\"\nprofile = \"g2\"\naccounts = [\"carol\"]\n\
         network = \"canton:file\"\napproval = \"manual\"\n",
    );
    let scenario = file(
        "faults.toml",
        "[[step]]\nwhen = { after = \"1h\" }\ndo = \"cut-all\"\n",
    );
    let (config, scenario) = (config.to_str().unwrap(), scenario.to_str().unwrap());
    let args = [
        "wallet",
        "--json",
        "--config",
        config,
        "--scenario",
        scenario,
    ];
    let wallet = Running::start(&args);
    let told = wallet.until("wallet:listening");
    assert!(told["url"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
    let http = told["httpUrl"].as_str().unwrap();
    assert!(
        http.starts_with("http://127.0.0.1:") && http.ends_with("/api/v0/dapp"),
        "{http}"
    );
    assert!(told["adminUrl"].as_str().unwrap().ends_with("/admin"));
    assert_eq!(
        (&told["profile"], &told["network"]),
        (&"g2".into(), &"canton:file".into())
    );
    assert!(told["accounts"][0].as_str().unwrap().starts_with("carol::"));
    assert_eq!(told["reachableFromOutside"], false);
}

#[test]
fn the_command_line_counts_for_more_than_the_file() {
    let config = file(
        "profile.toml",
        "listen = \"127.0.0.1:0\"\nprofile = \"g2\"\n",
    );
    let config = config.to_str().unwrap();
    let args = [
        "wallet",
        "--json",
        "--config",
        config,
        "--profile",
        "g1",
        "--no-admin",
    ];
    let told = Running::start(&args).until("wallet:listening");
    assert_eq!(told["profile"], "g1");
    assert!(told["adminUrl"].is_null());
}

#[test]
fn mistakes_in_files_are_pointed_at() {
    let config = file("typo.toml", "profile = \"g1\"\nacounts = [\"a\"]\n");
    let ran = run(&["wallet", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("typo.toml:2:"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("did you mean `accounts`?"),
        "{}",
        ran.stderr
    );
    let scenario = file(
        "typo-plan.toml",
        "[[step]]\nwhen = { request = 1 }\ndo = \"cutall\"\n",
    );
    let ran = run(&["wallet", "--scenario", scenario.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("did you mean `cut-all`?"),
        "{}",
        ran.stderr
    );
    let ran = run(&["wallet", "--config", "no/such/file.toml"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
