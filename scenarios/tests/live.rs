//! The live seam: what a live wallet cannot be made to do is skipped with the reason, never passed.
//! The wallet here is a scripted one in disguise, and the clock is paused: nothing really waits.

#![allow(clippy::panic, reason = "a test whose scenario cannot be read fails")]

use std::sync::Arc;

use moorline::provider::{ErrorKind, ProviderError};
use moorline::{NetworkLink, Provider};
use moorline_scenarios::{
    CommandFuture, Outcome, RunOptions, Scenario, WalletCommand, WalletControl, parse,
    playable_live, run_live,
};
use moorline_scripted::{Control, ScriptedWallet};

fn scenario(steps: &str) -> Scenario {
    let text =
        format!("name = \"live\"\ntitle = \"Live\"\npolicy.reconnect.base = \"1s\"\n{steps}");
    parse("live.scenario.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// A wallet that somebody controls from outside.
struct Remote(Control);

impl WalletControl for Remote {
    fn supports(&self, command: &WalletCommand) -> bool {
        !matches!(command, WalletCommand::Revoke { .. })
    }

    fn carry_out(&self, command: WalletCommand) -> CommandFuture<'_> {
        Box::pin(async move {
            let down = ProviderError::new(ErrorKind::Unreachable, "cut");
            match command {
                WalletCommand::Prepare {
                    accounts,
                    network,
                    link,
                    ..
                } => {
                    self.0.set_accounts(accounts);
                    self.0.set_network(network);
                    self.0.set_link(link);
                }
                WalletCommand::Accounts { accounts, .. } => {
                    self.0.change_accounts(accounts);
                }
                WalletCommand::Cut => {
                    self.0.drop_link(down);
                }
                other => return Err(format!("{other:?} is not known here")),
            }
            Ok(())
        })
    }
}

fn wallet() -> (Arc<dyn Provider>, Remote) {
    let (provider, control) = ScriptedWallet::new().link(NetworkLink::Unknown).build();
    (Arc::new(provider), Remote(control))
}

const STORY: &str = r#"
    [wallet]
    accounts = ["carol", "dave"]
    [[step]]
    user = "connect"
    expect.identity = "carol on canton:local"
    [[step]]
    wallet = "accounts"
    accounts = ["dave"]
    expect.identity = "dave on canton:local"
    expect.record = { account = "dave" }
    expect.includes = [{ type = "party:changed", current = "dave" }]
    [[step]]
    wallet = "drop"
    expect.status = "connected"
    [[step]]
    user = "disconnect"
    expect.reason = "user"
"#;

#[tokio::test(start_paused = true)]
async fn what_can_be_played_is_played() {
    let (provider, control) = wallet();
    let scenario = scenario(STORY);
    assert_eq!(playable_live(&scenario), Ok(()));
    let factory = move || Ok(provider.clone());
    let report = run_live(
        &scenario,
        &factory,
        Some(Arc::new(control)),
        &RunOptions::default(),
    )
    .await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.played, 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_so_fails_live_too() {
    let (provider, control) = wallet();
    let scenario = scenario("[[step]]\nuser = \"connect\"\nexpect.status = \"connecting\"");
    let factory = move || Ok(provider.clone());
    let report = run_live(
        &scenario,
        &factory,
        Some(Arc::new(control)),
        &RunOptions::default(),
    )
    .await;
    assert_eq!(report.outcome, Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn without_control_a_scenario_that_needs_it_is_skipped_with_the_reasons() {
    let (provider, _) = wallet();
    let scenario = scenario(STORY);
    let factory = move || Ok(provider.clone());
    let report = run_live(&scenario, &factory, None, &RunOptions::default()).await;
    assert_eq!(report.outcome, Outcome::Skipped);
    let reasons: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        [
            "accounts or network are expected by name, and nobody can give this wallet the \
             scenario's",
            "step 2 (line 10): nobody can tell this wallet: accounts [dave]",
            "step 3 (line 16): nobody can tell this wallet: drop: scripted: unreachable",
        ]
    );
}

#[test]
fn what_only_virtual_time_can_show_is_not_playable() {
    let scenario = scenario(
        r#"
        [[step]]
        user = "connect"
        expect.counts = { probe = 1 }
        [[step]]
        sleep = "1h"
        [[step]]
        advance = "30d"
        [[step]]
        wallet = "script"
        call = "open"
        does = "panic"
        [[step]]
        expect.includes = [{ type = "session:connected", at = "0s" }]
        "#,
    );
    let reasons: Vec<String> = playable_live(&scenario)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        reasons,
        [
            "step 1 (line 5): a live wallet says more, and the session looks more often: probes are \
             not counted",
            "step 3 (line 10): it would take 30days of real time",
            "step 4 (line 12): a live wallet cannot be told to panic, or to fail in the words of this \
             program",
            "step 5 (line 16): exact times are known with a clock that is stepped only",
        ]
    );
}
