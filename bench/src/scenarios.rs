//! Scenarios per second: the lifecycles of this workspace, loaded once and played in turn.
//!
//! A scenario is a real session over a scripted wallet in virtual time, its runtime included. No
//! baseline: nothing else plays them.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use moorline_scenarios::{RunOptions, Scenario, discover, load, run};

use crate::Measured;
use crate::report::Row;

/// For how long they are played.
const FOR: Duration = Duration::from_secs(2);

pub(crate) fn measure() -> Measured {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let scenarios = discover([folder])?
        .iter()
        .map(load)
        .collect::<Result<Vec<Scenario>, _>>()?;
    let options = RunOptions::default();
    let mut played = 0_usize;
    let mut failed = 0_usize;
    let mut slowest = Duration::ZERO;
    let begin = Instant::now();
    while begin.elapsed() < FOR {
        for scenario in &scenarios {
            let one = Instant::now();
            let report = black_box(run(scenario, &options));
            slowest = slowest.max(one.elapsed());
            played += 1;
            failed += usize::from(!report.passed());
        }
    }
    let each = begin.elapsed().as_secs_f64() / played as f64;
    Ok(vec![
        Row::new(
            format!("scenarios a second, of {}, one thread", scenarios.len()),
            format!("{:.0}", 1.0 / each),
        ),
        Row::new(
            "one scenario: mean, slowest run",
            format!(
                "{:.0} us, {:.0} us",
                each * 1e6,
                slowest.as_secs_f64() * 1e6
            ),
        ),
        Row::new(
            "scenarios that did not pass",
            format!("{failed} of {played}"),
        ),
    ])
}
