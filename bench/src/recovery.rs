//! From the link being back to the first held operation answered, at the default policy.
//!
//! Two parts. The wait for the next attempt is the policy's and runs in virtual time: each sample
//! cuts the link, submits an operation, restores the link after an outage, and looks at the
//! virtual clock when the operation is answered. What the session itself takes, from the `open`
//! that succeeds to the answer in the caller's hands, is real time; its baseline is the same
//! calls of the same wallet awaited one after the other.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline::provider::{OpenMode, OpenRequest, Provider, Request};
use moorline::{Epoch, ProviderEvent, Session};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::Measured;
use crate::report::Row;
use crate::rounds::{self, Nanos};
use crate::wallet::Controlled;

type Failure = Box<dyn Error + Send + Sync>;

const SAMPLES: u64 = 400;

/// How the link comes back.
#[derive(Clone, Copy)]
enum Back {
    /// Unnoticed: the next attempt finds it.
    Silently,
    /// The wallet says so.
    Announced,
}

/// One outage.
struct Sample {
    /// Virtual, from the link back to the answer.
    wait: Duration,
    /// Real, from the successful `open` to the answer.
    own: Duration,
}

pub(crate) fn measure() -> Measured {
    let mut rows = Vec::new();
    let mut own = Vec::new();
    for (outage, back) in [
        (Duration::ZERO, Back::Silently),
        (Duration::from_secs(1), Back::Silently),
        (Duration::from_secs(5), Back::Silently),
        (Duration::from_secs(5), Back::Announced),
    ] {
        let mut waits = Vec::new();
        for seed in 0..SAMPLES {
            let sample = outage_of(outage, back, seed)?;
            waits.push(sample.wait.as_secs_f64() * 1000.0);
            own.push(sample.own.as_nanos() as f64);
        }
        rows.push(wait_row(outage, back, waits));
    }
    rows.push(own_row(&own, &bare()?));
    Ok(rows)
}

fn paused() -> Result<Runtime, Failure> {
    let mut builder = Builder::new_current_thread();
    Ok(builder.enable_time().start_paused(true).build()?)
}

fn outage_of(outage: Duration, back: Back, seed: u64) -> Result<Sample, Failure> {
    paused()?.block_on(async {
        let wallet = Arc::new(Controlled::new());
        let session = Session::builder_dyn(wallet.clone()).seed(seed).build()?;
        session.connect().await?;
        wallet.cut();
        let caller = session.clone();
        let held = tokio::spawn(async move {
            let answer = caller.request("ping", Value::Null).await;
            (answer, tokio::time::Instant::now(), Instant::now())
        });
        tokio::time::sleep(outage).await;
        wallet.restore();
        let restored = tokio::time::Instant::now();
        if matches!(back, Back::Announced) {
            wallet.say(ProviderEvent::Ready);
        }
        let (answer, answered_virtual, answered) = held.await?;
        answer?;
        let opened = wallet.opened().ok_or("answered without an open")?;
        Ok(Sample {
            wait: answered_virtual - restored,
            own: answered - opened,
        })
    })
}

/// The same calls without a session, in nanoseconds.
fn bare() -> Result<Vec<f64>, Failure> {
    let mut nanos = Vec::new();
    for _ in 0..SAMPLES {
        let took = paused()?.block_on(async {
            let wallet = Arc::new(Controlled::new());
            let session = Session::builder_dyn(wallet.clone()).build()?;
            session.connect().await?;
            let (Some(sink), Some(identity)) = (wallet.sink(), session.identity()) else {
                return Err(Failure::from("connected without sink or identity"));
            };
            let begin = Instant::now();
            wallet
                .open(OpenRequest::new(Epoch::new(2), OpenMode::Silent), sink)
                .await?;
            wallet.probe().await?;
            wallet
                .request(Request::new("ping", Value::Null, identity))
                .await?;
            Ok(begin.elapsed())
        })?;
        nanos.push(took.as_nanos() as f64);
    }
    Ok(nanos)
}

fn wait_row(outage: Duration, back: Back, mut waits: Vec<f64>) -> Row {
    waits.sort_by(f64::total_cmp);
    let at = |part: usize| waits.get((waits.len() - 1) * part / 100).copied();
    let figures: Vec<String> = [0, 50, 100]
        .into_iter()
        .filter_map(at)
        .map(|millis| format!("{millis:.0}"))
        .collect();
    let how = match back {
        Back::Silently => "",
        Back::Announced => ", announced by the wallet",
    };
    Row::new(
        format!("backoff wait after {} s{how} (virtual)", outage.as_secs()),
        format!("{} ms (least, median, most)", figures.join(", ")),
    )
}

fn own_row(own: &[f64], bare: &[f64]) -> Row {
    let summary = |samples: &[f64]| Nanos {
        median: rounds::median(samples.to_vec()),
        best: samples.iter().copied().fold(f64::INFINITY, f64::min),
    };
    let (subject, baseline) = (summary(own), summary(bare));
    Row::new("from open to the held answer (real)", subject.show())
        .against(baseline.show(), subject.median / baseline.median)
}
