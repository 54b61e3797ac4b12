//! Many sessions in one process, all of one manager.
//!
//! Wallets are as small as can be, are made before anything is counted, and stand for the
//! transport, which is not counted. The runtime has one thread, so that every allocation is
//! counted. Creation is timed with virtual time standing still, heap is counted a minute and a half
//! later, when what connecting needed is over; from then on time is real.

mod outage;
mod population;
mod rest;
mod stream;

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use self::population::{Kind, Population};
use crate::Measured;
use crate::report::Row;

pub(super) type Failure = Box<dyn Error + Send + Sync>;

const GOAL: f64 = 1024.0;

pub(crate) fn hundred_thousand() -> Measured {
    measure(100_000)
}

pub(crate) fn million() -> Measured {
    measure(1_000_000)
}

fn measure(sessions: usize) -> Measured {
    let mut rows = Vec::new();
    for kind in [Kind::Bare, Kind::Managed, Kind::Stored, Kind::Expiring] {
        rows.extend(idle(sessions, kind)?);
    }
    rows.extend(outage::measure(100_000, true)?);
    rows.extend(outage::measure(100_000, false)?);
    rows.extend(stream::measure(sessions.min(100_000))?);
    Ok(rows)
}

/// One thread, and time that stands still until it is let go.
fn runtime() -> Result<Runtime, Failure> {
    let mut builder = Builder::new_current_thread();
    Ok(builder.enable_time().start_paused(true).build()?)
}

/// Sessions that have come to rest.
struct Rested {
    population: Population,
    /// How long it took to connect them, in real time.
    took: Duration,
    /// Heap of one.
    bytes: f64,
    allocations: f64,
}

fn rested(runtime: &Runtime, sessions: usize, kind: Kind) -> Result<Rested, Failure> {
    let wallets = population::wallets(sessions);
    let mut made = None;
    let mut took = None;
    let info = allocation_counter::measure(|| {
        let begun = Instant::now();
        let population = runtime.block_on(Population::new(&wallets, kind));
        took = Some(begun.elapsed());
        // What connecting needed is over then.
        runtime.block_on(async { tokio::time::sleep(Duration::from_secs(90)).await });
        made = Some(population);
    });
    Ok(Rested {
        population: made.ok_or("nothing was made")??,
        took: took.ok_or("not timed")?,
        bytes: info.bytes_current as f64 / sessions as f64,
        allocations: info.count_current as f64 / sessions as f64,
    })
}

fn idle(sessions: usize, kind: Kind) -> Measured {
    let runtime = runtime()?;
    let Rested {
        population,
        took,
        bytes,
        allocations,
    } = rested(&runtime, sessions, kind)?;
    let rate = sessions as f64 / took.as_secs_f64();
    let name = kind.name();
    let mut rows = vec![
        Row::new(
            format!("{sessions} idle sessions, {name}: heap each"),
            format!("{bytes:.0} B, {allocations:.2} allocations"),
        )
        .goal("at most 1024 B", bytes <= GOAL),
        Row::new(
            format!("{sessions} idle sessions, {name}: connected a second"),
            format!("{rate:.0}"),
        ),
    ];
    let begun = Instant::now();
    let connected = population.connected();
    let took = begun.elapsed();
    if connected != sessions {
        return Err(format!("{connected} of {sessions} sessions are connected").into());
    }
    let millis = took.as_secs_f64() * 1e3;
    rows.push(Row::new(
        format!("{sessions} idle sessions, {name}: snapshot of all"),
        format!("{millis:.1} ms"),
    ));
    let share = runtime.block_on(rest::cpu_share())?;
    rows.push(
        Row::new(
            format!("{sessions} idle sessions, {name}: CPU at rest"),
            format!("{:.2} %", share * 100.0),
        )
        .goal("under 1 %", share < 0.01),
    );
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_takes_a_kibibyte_at_most_managed_or_not() {
        for kind in [Kind::Bare, Kind::Managed, Kind::Expiring] {
            let runtime = runtime().unwrap();
            let rested = rested(&runtime, 10_000, kind).unwrap();
            assert_eq!(rested.population.connected(), 10_000);
            let (bytes, name) = (rested.bytes, kind.name());
            assert!(bytes <= GOAL, "{name}: {bytes} B a session");
        }
    }
}
