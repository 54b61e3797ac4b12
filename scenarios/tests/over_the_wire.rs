//! Every lifecycle in this folder that a live wallet can play, against the development wallet over
//! both of its transports. Sockets and wallet are real; the clock of the program is stepped, so that
//! hours pass in moments.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot read its files fails"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::Provider;
use moorline_cip0103::{HttpProvider, WsProvider};
use moorline_dev_wallet::{Act, DevWallet};
use moorline_scenarios::{
    DevWalletControl, Outcome, Report, RunOptions, Scenario, discover, load, run, run_live_stepped,
};
use serde_json::{Value, json};

/// How many scenarios are played at once, each on a wallet of its own.
const AT_ONCE: usize = 6;

/// So many are played over a WebSocket and over HTTP at least.
const PLAYED: [usize; 2] = [77, 73];

/// No adapter looks by itself within this time: its timers would be stops for the clock.
const SELDOM: Duration = Duration::from_secs(40 * 3600);

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Transport {
    WebSocket,
    Http,
}

fn provider(transport: Transport, wallet: &DevWallet) -> Arc<dyn Provider> {
    match transport {
        Transport::WebSocket => {
            let provider = WsProvider::builder(&wallet.url())
                .ping_interval(SELDOM)
                .inactivity_limit(2 * SELDOM)
                .request_ceiling(SELDOM);
            Arc::new(provider.build().expect("a provider"))
        }
        Transport::Http => {
            let provider = HttpProvider::builder(&wallet.http_url())
                .stream_backoff(Duration::from_millis(1), Duration::from_millis(1))
                .all_transactions(true)
                .poll_interval(SELDOM)
                .max_stream_age(SELDOM);
            Arc::new(provider.build().expect("a provider"))
        }
    }
}

fn control(transport: Transport, wallet: &DevWallet) -> Arc<dyn moorline_scenarios::WalletControl> {
    let control = wallet.control();
    let acts = DevWalletControl::new(move |name, mut fields: Value| {
        let control = control.clone();
        Box::pin(async move {
            fields["do"] = json!(name);
            let act: Act = serde_json::from_value(fields).map_err(|why| why.to_string())?;
            control.act(act).await.map_err(|why| why.to_string())
        })
    });
    match transport {
        Transport::WebSocket => Arc::new(acts),
        Transport::Http => Arc::new(acts.over_http()),
    }
}

fn play(scenario: &Scenario, transport: Transport, wallets: &tokio::runtime::Handle) -> Report {
    let wallet = wallets
        .block_on(DevWallet::builder().start())
        .expect("a wallet");
    let wallet = Arc::new(wallet);
    let served = wallet.clone();
    let factory = move || Ok(provider(transport, &served));
    run_live_stepped(
        scenario,
        &factory,
        control(transport, &wallet),
        &RunOptions::default(),
    )
}

#[test]
fn what_a_live_wallet_can_play_goes_as_in_virtual_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let only = std::env::var("SCENARIO").ok();
    let files = discover([folder]).expect("the folder has scenarios");
    let scenarios: Vec<Scenario> = files
        .iter()
        .map(|file| load(file).unwrap_or_else(|error| panic!("{error}")))
        .filter(|scenario| only.as_ref().is_none_or(|only| scenario.name() == only))
        .collect();
    let wallets = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the wallets");
    let jobs: Vec<(&Scenario, Transport)> = [Transport::WebSocket, Transport::Http]
        .into_iter()
        .flat_map(|transport| scenarios.iter().map(move |scenario| (scenario, transport)))
        .collect();
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((scenario, transport)) =
                    jobs.get(next.fetch_add(1, Ordering::SeqCst))
                {
                    let start = std::time::Instant::now();
                    let report = play(scenario, *transport, wallets.handle());
                    let took = start.elapsed();
                    let mut reports = reports.lock().expect("nobody panicked");
                    reports.insert((*transport, scenario.name()), (report, took));
                }
            });
        }
    });
    let reports = reports.into_inner().expect("nobody panicked");
    let mut failed = Vec::new();
    for transport in [Transport::WebSocket, Transport::Http] {
        let mut counts = [0; 3];
        for ((_, name), (report, took)) in reports.iter().filter(|((of, _), _)| *of == transport) {
            counts[report.outcome as usize] += 1;
            println!("{transport:?} {:?} {name} {took:?}", report.outcome);
            match report.outcome {
                Outcome::Passed => {}
                Outcome::Failed => failed.push(format!("over {transport:?}: {report}")),
                Outcome::Skipped => {
                    for reason in &report.skipped {
                        println!("    {reason}");
                    }
                }
            }
        }
        let [passed, _, skipped] = counts;
        println!("{transport:?}: {passed} played, {skipped} skipped");
        if only.is_none() {
            assert!(
                passed >= PLAYED[transport as usize],
                "only {passed} are played over {transport:?}"
            );
        }
    }
    assert!(
        failed.is_empty(),
        "{} failed:\n\n{}",
        failed.len(),
        failed.join("\n\n")
    );
    for scenario in &scenarios {
        assert_eq!(
            run(scenario, &RunOptions::default()).outcome,
            Outcome::Passed
        );
    }
}
