//! Ten thousand requests, and a link that is cut under them again and again.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use moorline::OperationError;
use moorline_dev_wallet::DevWallet;
use serde_json::json;

use crate::harness::session_on;

const REQUESTS: u64 = 10_000;
const CUTS: u64 = 50;
const AT_ONCE: usize = 64;

/// What its caller was told of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// It was executed.
    Done,
    /// It certainly was not.
    NotRun,
    /// It may have been.
    Unknown,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_over_fifty_cuts_are_each_answered_once_and_run_at_most_once() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let control = wallet.control();
    let session = session_on(&wallet.url());
    session.connect().await.unwrap();
    let fates = Mutex::new(HashMap::new());
    let requests = stream::iter(0..REQUESTS).for_each_concurrent(AT_ONCE, |number| {
        let (session, fates) = (&session, &fates);
        async move {
            let message = json!({ "message": key(number) });
            let fate = match session.request("signMessage", message).await {
                Ok(_) => Fate::Done,
                Err(OperationError::Interrupted { .. }) => Fate::Unknown,
                Err(error) => {
                    assert!(!error.may_have_executed(), "{error:?}");
                    Fate::NotRun
                }
            };
            let before = fates.lock().unwrap().insert(number, fate);
            assert_eq!(before, None, "request {number} was answered twice");
        }
    });
    // A cut every so many requests that the wallet has seen, and only while a link stands.
    let cuts = AtomicU64::new(0);
    let cutting = async {
        for cut in 1..=CUTS {
            let due = cut * (REQUESTS - 1000) / CUTS;
            control.until_seen("signMessage", due).await;
            control.until_connections(1).await;
            control.cut_all().await;
            cuts.store(cut, Ordering::Relaxed);
        }
    };
    let all = async { tokio::join!(requests, cutting) };
    let finished = tokio::time::timeout(Duration::from_secs(60), all).await;
    let fates = fates.into_inner().unwrap();
    let told = |fate| fates.values().filter(|of| **of == fate).count();
    let tally = [Fate::Done, Fate::NotRun, Fate::Unknown].map(|fate| (fate, told(fate)));
    assert!(
        finished.is_ok(),
        "stuck after {cuts:?} cuts: {tally:?}, {} held, {} connections, {:?}, seen {}, run {}",
        session.held_operations(),
        control.connections(),
        session.snapshot(),
        control.seen("signMessage"),
        control.executions("signMessage"),
    );

    assert_eq!(fates.len() as u64, REQUESTS, "{tally:?}");
    assert!(
        told(Fate::Unknown) > 0,
        "the cuts hit no request: {tally:?}"
    );
    for (number, fate) in fates.iter() {
        let (seen, executed) = (
            control.seen_of(&key(*number)),
            control.executions_of(&key(*number)),
        );
        match fate {
            Fate::Done => assert_eq!((seen, executed), (1, 1), "{number}"),
            Fate::NotRun => assert_eq!((seen, executed), (0, 0), "{number}"),
            Fate::Unknown => assert!(seen <= 1 && executed <= 1, "{number}: {seen}, {executed}"),
        }
    }
    session.close().await;
}

fn key(number: u64) -> String {
    format!("request-{number}")
}
