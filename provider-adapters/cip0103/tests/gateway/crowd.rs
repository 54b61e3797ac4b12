//! A crowd of sessions on one gateway loses every stream at once, and news with them.

use std::time::Duration;

use futures_util::future::join_all;
use moorline::EventKind;
use moorline::policy::ReconnectBudget;
use moorline::session::{EventItem, EventStream};
use moorline::{Policy, Session};
use moorline_cip0103::{HttpProvider, STREAM_GAP};
use moorline_dev_wallet::DevWallet;

use crate::rig::soon;

const SESSIONS: usize = 200;
/// How many streams all of them together open in a second.
const STREAMS: u32 = 100;
/// How many attempts to reconnect all of them together make in a second.
const ATTEMPTS: u32 = 50;

/// What one session heard until it knew where the wallet is now.
#[derive(Debug, Default)]
struct Heard {
    began: usize,
    ended: usize,
    attempts: usize,
    moved: bool,
}

async fn hear(mut events: EventStream, network: &str) -> Heard {
    let mut heard = Heard::default();
    while !heard.moved || heard.ended < heard.began || heard.began == 0 {
        let item = events.next().await.expect("the session goes on");
        let EventItem::Event(event) = item else {
            panic!("the subscriber keeps up");
        };
        match &event.kind {
            EventKind::Provider(message) if &*message.name == STREAM_GAP => {
                match message.payload["phase"].as_str() {
                    Some("began") => heard.began += 1,
                    _ => heard.ended += 1,
                }
            }
            EventKind::ReconnectAttempt { .. } => heard.attempts += 1,
            EventKind::NetworkChanged { current, .. } => {
                heard.moved |= current.as_str() == network;
            }
            _ => {}
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_comes_back_within_its_budget_and_misses_nothing_unmarked() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let control = wallet.control();
    let budget = ReconnectBudget::per_second(ATTEMPTS, ATTEMPTS);
    let first = HttpProvider::builder(&wallet.http_url())
        .stream_backoff(Duration::from_millis(5), Duration::from_millis(50))
        .stream_opens_per_second(STREAMS)
        .build()
        .unwrap();
    let sessions: Vec<Session> = (0..SESSIONS)
        .map(|_| {
            Session::builder(first.another())
                .policy(Policy::default())
                .budget(budget.clone())
                .event_capacity(256)
                .build()
                .unwrap()
        })
        .collect();
    for connected in soon(join_all(sessions.iter().map(|it| it.connect()))).await {
        connected.unwrap();
    }
    soon(control.until_streams(SESSIONS)).await;
    let events: Vec<EventStream> = sessions.iter().map(|it| it.events()).collect();
    let (opened, cut) = (control.streams_opened(), tokio::time::Instant::now());
    assert_eq!(control.drop_streams(), SESSIONS);
    // Nobody is there to hear this.
    control.switch_network("canton:elsewhere");

    let heard = events.into_iter().map(|it| hear(it, "canton:elsewhere"));
    let heard = soon(join_all(heard)).await;
    let took = cut.elapsed();
    for heard in &heard {
        assert!(
            heard.began > 0 && heard.ended > 0,
            "a gap without a mark: {heard:?}"
        );
    }
    soon(control.until_streams(SESSIONS)).await;
    assert!(sessions.iter().all(|it| it.snapshot().is_connected()));
    // A second's worth may come at once.
    let seconds = took.as_secs_f64() + 1.0;
    let streams = (control.streams_opened() - opened) as f64;
    assert!(
        streams <= f64::from(STREAMS) * seconds + 1.0,
        "{streams} streams in {took:?}"
    );
    let attempts: usize = heard.iter().map(|heard| heard.attempts).sum();
    assert!(
        attempts as f64 <= f64::from(ATTEMPTS) * seconds + 1.0,
        "{attempts} attempts in {took:?}"
    );
}
