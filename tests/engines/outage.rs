//! Servers killed, paused and cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use moorline::store::backend::{Backend, BackendError};
use moorline::store::{Change, Revision};

use crate::engine::{Any, Engine, SLACK, TIMEOUT, alone, blob, fresh, slot};
use crate::on_every_engine;
use crate::proxy::{Network, Proxy};

on_every_engine! {
    what_was_acknowledged_survives_a_killed_server;
    a_paused_server_is_waited_for_until_the_deadline;
    a_network_that_is_cut_costs_calls_but_no_more;
}

/// A call that must not take longer than its deadline.
async fn in_time<T>(call: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = call.await;
    let took = begun.elapsed();
    assert!(took < TIMEOUT + SLACK, "a call took {took:?}");
    result
}

fn unavailable<T: std::fmt::Debug>(result: &Result<T, BackendError>) -> bool {
    matches!(result, Err(BackendError::Unavailable { .. }))
}

/// Calls until one succeeds; how long that took.
async fn comes_back(backend: &Any) -> Duration {
    let begun = Instant::now();
    while let Err(error) = in_time(backend.get(slot(0))).await {
        assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
    }
    begun.elapsed()
}

/// Counts a slot up, one revision after another, until told to stop. What is uncertain is read.
async fn count_up(
    backend: Any,
    number: u64,
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> u64 {
    let s = slot(number);
    let mut outages = 0;
    let mut revision = 0;
    while !stop.load(Ordering::Relaxed) {
        let next = revision + 1;
        let put = backend.put(s, blob(next, &next.to_be_bytes()), Revision::new(revision));
        match in_time(put).await {
            Ok(()) => {
                acknowledged.store(next, Ordering::Relaxed);
                revision = next;
            }
            Err(BackendError::Unavailable { .. }) => {
                outages += 1;
                if let Ok(found) = in_time(backend.get(s)).await {
                    revision = found.map_or(0, |it| it.revision.number());
                }
            }
            // Its own, that was uncertain.
            Err(BackendError::Conflict { found }) if found.number() == next => revision = next,
            Err(other) => panic!("slot {number}, writing {next}: {other}"),
        }
    }
    outages
}

async fn what_was_acknowledged_survives_a_killed_server(engine: Engine) {
    let _servers = alone().await;
    let backend = engine
        .try_open(engine.address(), &fresh("killed"))
        .await
        .unwrap();
    let changes = backend.changes().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged: Vec<_> = (0..16).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let writers: Vec<_> = acknowledged
        .iter()
        .zip(1..)
        .map(|(acknowledged, number)| {
            let work = count_up(backend.clone(), number, acknowledged.clone(), stop.clone());
            tokio::spawn(work)
        })
        .collect();

    for round in 0..2 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        engine.control("kill").await;
        let at_the_kill: Vec<u64> = acknowledged
            .iter()
            .map(|it| it.load(Ordering::Relaxed))
            .collect();
        assert!(at_the_kill.iter().all(|it| *it > 0), "{at_the_kill:?}");
        // Long enough for calls to run into their deadline.
        let call = in_time(backend.get(slot(1))).await;
        assert!(unavailable(&call), "{call:?}");
        engine.control("start").await;
        let took = comes_back(&backend).await;
        println!("{engine:?}, kill {round}: back after {took:?}");
        for (number, before) in (1..).zip(&at_the_kill) {
            let found = backend.get(slot(number)).await;
            let found = found.unwrap().unwrap();
            assert!(found.revision.number() >= *before, "slot {number}: lost");
            assert_eq!(found.bytes, found.revision.number().to_be_bytes());
        }
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    stop.store(true, Ordering::Relaxed);
    let mut outages = 0;
    for writer in writers {
        outages += writer.await.unwrap();
    }
    assert!(outages > 0, "nobody noticed");
    for (number, acknowledged) in (1..).zip(&acknowledged) {
        let found = backend.get(slot(number)).await.unwrap().unwrap();
        assert!(found.revision.number() >= acknowledged.load(Ordering::Relaxed));
    }
    // The first item, the first connection, and one for each outage, unless the reader was slow
    // and was told at once.
    drop(backend);
    let told = changes
        .filter(|it| std::future::ready(*it == Change::Resync))
        .count()
        .await;
    assert!(told >= 1, "{told}");
}

async fn a_paused_server_is_waited_for_until_the_deadline(engine: Engine) {
    let _servers = alone().await;
    let backend = engine
        .try_open(engine.address(), &fresh("paused"))
        .await
        .unwrap();
    backend
        .put(slot(0), blob(1, b"a"), Revision::NONE)
        .await
        .unwrap();
    engine.control("pause").await;
    let begun = Instant::now();
    let (read, write) = tokio::join!(
        in_time(backend.get(slot(0))),
        in_time(backend.put(slot(0), blob(2, b"b"), Revision::new(1)))
    );
    let waited = begun.elapsed();
    engine.control("resume").await;
    assert!(unavailable(&read), "{read:?}");
    assert!(unavailable(&write), "{write:?}");
    assert!(waited >= TIMEOUT, "{waited:?}");
    let why = write.unwrap_err().to_string();
    assert!(why.contains("may have taken effect"), "{why}");
    comes_back(&backend).await;
    // Whatever became of the write, the truth can be read and written against.
    let found = backend.get(slot(0)).await.unwrap().unwrap().revision;
    let next = blob(found.number() + 1, b"c");
    match backend.put(slot(0), next, found).await {
        Ok(()) => {}
        // It took effect only now.
        Err(BackendError::Conflict { found }) => assert_eq!(found, Revision::new(2)),
        Err(other) => panic!("{other}"),
    }
}

async fn a_network_that_is_cut_costs_calls_but_no_more(engine: Engine) {
    let _servers = alone().await;
    let proxy = Proxy::to(engine.place()).await;
    let address = engine.address_at(&proxy.place());
    let backend = engine.try_open(address, &fresh("cut")).await.unwrap();
    backend
        .put(slot(0), blob(1, b"a"), Revision::NONE)
        .await
        .unwrap();
    for network in [Network::Cut, Network::Stalled] {
        proxy.set(network);
        for _ in 0..3 {
            let read = in_time(backend.get(slot(0))).await;
            assert!(unavailable(&read), "{network:?}: {read:?}");
            let text = read.unwrap_err().to_string();
            assert!(text.contains(&proxy.place()), "{text}");
        }
        proxy.set(Network::Whole);
        let took = comes_back(&backend).await;
        println!("{engine:?}, {network:?}: back after {took:?}");
        assert_eq!(backend.get(slot(0)).await, Ok(Some(blob(1, b"a"))));
    }
    // A call made while it is down succeeds if it comes back before the deadline.
    proxy.set(Network::Cut);
    let begun = Instant::now();
    while in_time(backend.get(slot(0))).await.is_ok() {
        assert!(begun.elapsed() < SLACK, "nobody noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mending = async {
        tokio::time::sleep(TIMEOUT / 4).await;
        proxy.set(Network::Whole);
    };
    let (read, ()) = tokio::join!(in_time(backend.get(slot(0))), mending);
    assert_eq!(read, Ok(Some(blob(1, b"a"))));
}
