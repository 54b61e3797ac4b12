//! Sessions to look at: development wallets in this process, which fail now and then.

use std::time::Duration;

use futures_util::future::try_join_all;
use moorline::policy::{Backoff, ExpiryPolicy};
use moorline::{Policy, SessionManager};
use moorline_cip0103::WsProvider;
use moorline_dev_wallet::{Control, DevWallet};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::live::{CAPACITY, Names, text};
use super::model::Input;
use super::show_manager;
use crate::failure::Failure;

const NAMES: [&str; 12] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory",
    "niaj",
];

/// How long a session lives before it is re-authenticated.
const TIME_TO_LIVE: Duration = Duration::from_secs(90);

pub(super) async fn run(sessions: usize, json: bool) -> Result<(), Failure> {
    let start = (0..sessions).map(|number| {
        let name = match NAMES.get(number) {
            Some(name) => (*name).to_owned(),
            None => format!("party{}", number + 1),
        };
        let second = format!("{name}-savings");
        DevWallet::builder()
            .accounts([name, second])
            .network("canton:local")
            .start()
    });
    let wallets = try_join_all(start).await?;
    let manager = SessionManager::builder()
        .policy(policy())
        .event_capacity(CAPACITY)
        .configure(|builder| {
            builder.on_reauth(|reauth| async move {
                reauth.wallet.request("status", Value::Null).await?;
                sleep(Duration::from_millis(1500)).await;
                Ok(())
            })
        })
        .build()?;
    let title = format!("demo with {sessions} development wallets");
    let play = play(&manager, &wallets);
    let shown = show_manager(title, &manager, Names::default(), json, play).await;
    manager.close().await;
    for wallet in wallets {
        wallet.stop().await;
    }
    shown
}

fn policy() -> Policy {
    Policy {
        retry_first_connect: true,
        reconnect: Backoff {
            base: Duration::from_secs(2),
            cap: Duration::from_secs(15),
            max_attempts: None,
            ..Backoff::default()
        },
        expiry: ExpiryPolicy {
            ttl: Some(TIME_TO_LIVE),
            warning: Some(Duration::from_secs(5)),
            ..ExpiryPolicy::default()
        },
        ..Policy::default()
    }
}

/// Logs in everywhere, then: a little work, some faults, and one wallet that is mostly away.
async fn play(manager: &SessionManager, wallets: &[DevWallet]) -> Vec<Input> {
    for wallet in wallets {
        let provider = match WsProvider::new(&wallet.url()) {
            Ok(provider) => provider,
            Err(error) => return vec![text("login:failed", error.to_string())],
        };
        if let Err(error) = manager.login(provider).await {
            return vec![text("login:failed", error.to_string())];
        }
    }
    let controls: Vec<_> = wallets.iter().map(DevWallet::control).collect();
    tokio::join!(work(manager), fail(&controls), stay_away(controls.last()));
    Vec::new()
}

/// Transactions, at random. Those of sessions that are not connected are held.
async fn work(manager: &SessionManager) {
    let mut number = 0_u64;
    loop {
        sleep(Duration::from_millis(fastrand::u64(100..500))).await;
        let mut sessions = manager.sessions();
        if sessions.is_empty() {
            continue;
        }
        let session = sessions.swap_remove(fastrand::usize(..sessions.len()));
        number += 1;
        let commands = json!({
            "commandId": format!("top-{number}"),
            "commands": [{ "CreateCommand": {
                "templateId": "#demo:Main:Asset",
                "createArguments": { "owner": session.account() },
            }}],
        });
        tokio::spawn(async move {
            // A session that changes its account refuses what was meant for the one before.
            let _refused = session.request("prepareExecute", commands).await;
        });
    }
}

/// Every few seconds one of the wallets does something.
async fn fail(controls: &[Control]) {
    let mut second = false;
    loop {
        sleep(Duration::from_secs(3)).await;
        let Some(others) = controls.len().checked_sub(1).filter(|others| *others > 0) else {
            continue;
        };
        let index = fastrand::usize(..others);
        let control = &controls[index];
        match fastrand::u8(..4) {
            0 | 1 => {
                control.cut_all().await;
            }
            2 => {
                control.set_network_link(false);
                sleep(Duration::from_secs(2)).await;
                control.set_network_link(true);
            }
            _ => {
                second = !second;
                let name = NAMES.get(index).copied().unwrap_or("party");
                let savings = format!("{name}-savings");
                // Wallets beyond the names stay with whom they have.
                let _unknown = control.switch_party(if second { &savings } else { name });
            }
        }
    }
}

/// One wallet is away for half a minute at a time.
async fn stay_away(control: Option<&Control>) {
    let Some(control) = control else { return };
    loop {
        sleep(Duration::from_secs(2)).await;
        control.refuse(true).await;
        control.cut_all().await;
        sleep(Duration::from_secs(30)).await;
        control.refuse(false).await;
        sleep(Duration::from_secs(10)).await;
    }
}
