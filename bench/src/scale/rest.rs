//! What the process uses of the CPU while nothing happens.

use std::time::{Duration, Instant};

use super::Failure;

const LOOK: Duration = Duration::from_secs(5);
/// What Linux tells times of processes in, a second.
const TICKS: f64 = 100.0;

/// The share of one core over some seconds of real time.
pub(super) async fn cpu_share() -> Result<f64, Failure> {
    tokio::time::resume();
    // What is left of making them.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, begun) = (used()?, Instant::now());
    tokio::time::sleep(LOOK).await;
    let share = (used()? - before) / begun.elapsed().as_secs_f64();
    Ok(share)
}

/// Seconds of CPU this process has used, in the kernel for it included.
fn used() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name stands in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || -> Result<f64, Failure> {
        let field = fields.next().ok_or("too few fields in /proc/self/stat")?;
        Ok(field.parse()?)
    };
    Ok((ticks()? + ticks()?) / TICKS)
}
