//! What cannot be left out: the parts that any session behind a lock needs for a request or an
//! event, with nothing done in between. A goal below such a sum is out of reach on this machine.

use std::error::Error;
use std::future::poll_fn;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant as Stopwatch;

use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::Measured;
use crate::report::Row;
use crate::rounds::Nanos;

const ROUNDS: usize = 200;
const REPEATS: u32 = 10_000;

pub(crate) fn measure() -> Measured {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    // In a task of its own: its waker is what a session keeps.
    runtime.block_on(async {
        let rows = tokio::spawn(poll_fn(|cx| Poll::Ready(rows(cx.waker()))));
        Ok::<_, Box<dyn Error + Send + Sync>>(rows.await?)
    })
}

fn rows(waker: &Waker) -> Vec<Row> {
    let (mutex, begun, shared) = (Mutex::new(0_u64), Instant::now(), Arc::new(0_u64));
    let weak = Arc::downgrade(&shared);
    let lock = || {
        *black_box(&mutex)
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
    };
    let clock = || {
        black_box(black_box(begun).elapsed());
    };
    let keep = || drop(black_box(black_box(waker).clone()));
    let reach = || drop(black_box(black_box(&weak).upgrade()));
    vec![
        row("a lock taken and given back", lock),
        row("a clock reading", clock),
        row("a waker kept and dropped", keep),
        row("a session reached through its sink", reach),
        row("a request that waits: two locks, clock, waker", || {
            lock();
            clock();
            keep();
            lock();
        }),
        row("an event: sink, lock, clock", || {
            reach();
            lock();
            clock();
        }),
    ]
}

fn row(what: &str, part: impl Fn()) -> Row {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begin = Stopwatch::now();
            for _ in 0..REPEATS {
                part();
            }
            begin.elapsed().as_nanos() as f64 / f64::from(REPEATS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let (best, median) = (rounds[0], rounds[ROUNDS / 2]);
    Row::new(what, Nanos { median, best }.show())
}
