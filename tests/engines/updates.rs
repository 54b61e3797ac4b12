//! No lost update, at full speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use moorline::store::Revision;
use moorline::store::backend::{Backend, BackendError};

use crate::engine::{Any, Engine, alone, blob, fresh, slot};
use crate::on_every_engine;

/// Updates in all; `MOORLINE_UPDATES` says otherwise.
const UPDATES: u64 = 100_000;
/// Connections of their own, as processes have.
const CLIENTS: u64 = 3;
/// Concurrent updates of each: so many that one flush to the disk serves many.
const TASKS: u64 = 64;
/// Few enough that updates meet thousands of times.
const SLOTS: u64 = 2000;

on_every_engine! {
    no_update_is_lost;
}

/// Adds one to a slot: reads, writes, and begins again when somebody was faster.
async fn add(backend: &Any, number: u64, conflicts: &AtomicU64) {
    let s = slot(number);
    loop {
        let found = backend.get(s).await.unwrap();
        let (revision, sum) = found.map_or((0, 0), |it| {
            let sum = u64::from_be_bytes(it.bytes[..8].try_into().unwrap());
            (it.revision.number(), sum)
        });
        let next = blob(revision + 1, &(sum + 1).to_be_bytes());
        match backend.put(s, next, Revision::new(revision)).await {
            Ok(()) => return,
            Err(BackendError::Conflict { .. }) => conflicts.fetch_add(1, Ordering::Relaxed),
            Err(other) => panic!("{other}"),
        };
    }
}

async fn no_update_is_lost(engine: Engine) {
    let _servers = alone().await;
    let updates = std::env::var("MOORLINE_UPDATES").map_or(UPDATES, |it| it.parse().unwrap());
    let name = fresh("sum");
    let (left, conflicts) = (
        Arc::new(AtomicU64::new(updates)),
        Arc::new(AtomicU64::new(0)),
    );
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CLIENTS {
        let backend = engine.open(&name).await;
        for _ in 0..TASKS {
            let (backend, left, conflicts) = (backend.clone(), left.clone(), conflicts.clone());
            tasks.push(tokio::spawn(async move {
                let one_less = |it: u64| it.checked_sub(1);
                while let Ok(number) =
                    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                {
                    // Spread, and in another order each time round.
                    add(
                        &backend,
                        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % SLOTS,
                        &conflicts,
                    )
                    .await;
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let took = begun.elapsed();
    let reader = engine.open(&name).await;
    let mut sum = 0;
    for s in reader.list().await.unwrap() {
        let found = reader.get(s).await.unwrap().unwrap();
        let added = u64::from_be_bytes(found.bytes[..8].try_into().unwrap());
        // Every write raised the revision by one, and the number by one.
        assert_eq!(added, found.revision.number());
        sum += added;
    }
    assert_eq!(sum, updates);
    let rate = updates as f64 / took.as_secs_f64();
    let conflicts = conflicts.load(Ordering::Relaxed);
    println!("{engine:?}: {updates} updates in {took:.1?} ({rate:.0}/s), {conflicts} conflicts");
}
