//! What a session adds to a request: time, allocations, and what is left of the throughput.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline::provider::{Provider, Request};
use moorline::{Identity, Policy, Session};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::Measured;
use crate::report::Row;
use crate::rounds;
use crate::wallet::{Answers, Immediate};

type Failure = Box<dyn Error + Send + Sync>;

const CALLERS: usize = 64;
const METHOD: &str = "prepareExecute";

/// A session and the wallet behind it, and who calls.
struct Bench {
    runtime: Runtime,
    session: Session,
    provider: Arc<dyn Provider>,
    identity: Arc<Identity>,
}

impl Bench {
    fn new(runtime: Runtime, answers: Answers, policy: Policy) -> Result<Self, Failure> {
        let provider: Arc<dyn Provider> = Arc::new(Immediate::new(1, answers));
        let builder = Session::builder_dyn(provider.clone()).policy(policy);
        let session = runtime.block_on(async {
            let session = builder.build()?;
            session.connect().await?;
            Ok::<_, Failure>(session)
        })?;
        let identity = session.identity().ok_or("connected without an identity")?;
        Ok(Self {
            runtime,
            session,
            provider,
            identity,
        })
    }

    /// `callers` tasks, each `requests` requests one after the other; through the session or not.
    fn round(&self, through: bool, callers: usize, requests: usize) -> Result<Duration, Failure> {
        self.runtime.block_on(async {
            let begin = Instant::now();
            let tasks: Vec<_> = (0..callers)
                .map(|_| {
                    if through {
                        let session = self.session.clone();
                        tokio::spawn(async move { with_session(&session, requests).await })
                    } else {
                        let (provider, identity) = (self.provider.clone(), self.identity.clone());
                        tokio::spawn(async move { bare(&*provider, &identity, requests).await })
                    }
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            Ok(begin.elapsed())
        })
    }

    /// What a request allocates once everything has grown: a long run less a short one.
    fn allocations(&self, through: bool, callers: usize) -> Result<f64, Failure> {
        const SHORT: usize = 100;
        const LONG: usize = 1100;
        let count = |requests| {
            let mut result = Ok(Duration::ZERO);
            let info = allocation_counter::measure(|| {
                result = self.round(through, callers, requests);
            });
            result.map(|_| info.count_total)
        };
        count(SHORT)?;
        let (short, long) = (count(SHORT)?, count(LONG)?);
        Ok((long as f64 - short as f64) / ((LONG - SHORT) * callers) as f64)
    }
}

async fn bare(
    provider: &dyn Provider,
    identity: &Arc<Identity>,
    requests: usize,
) -> Result<(), Failure> {
    for _ in 0..requests {
        let request = Request::new(METHOD, Value::Null, identity.clone());
        black_box(provider.request(request).await?);
    }
    Ok(())
}

async fn with_session(session: &Session, requests: usize) -> Result<(), Failure> {
    for _ in 0..requests {
        black_box(session.request(METHOD, Value::Null).await?);
    }
    Ok(())
}

fn current_thread() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_time().build()?)
}

fn two_workers() -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    Ok(builder.worker_threads(2).enable_time().build()?)
}

pub(crate) fn measure() -> Measured {
    let mut ttl = Policy::default();
    ttl.expiry.ttl = Some(Duration::from_secs(8 * 3600));
    let plain = Policy::default;
    let (at_once, second) = (Answers::AtOnce, Answers::SecondPoll);
    let mut rows = Vec::new();
    for (what, runtime, answers, policy, callers) in [
        (
            "1 caller, one thread",
            current_thread()?,
            at_once,
            plain(),
            1,
        ),
        ("1 caller, with a TTL", current_thread()?, at_once, ttl, 1),
        (
            "1 caller, answer at the second poll",
            current_thread()?,
            second,
            plain(),
            1,
        ),
        (
            "64 callers, one thread",
            current_thread()?,
            at_once,
            plain(),
            CALLERS,
        ),
        (
            "64 in flight, one thread",
            current_thread()?,
            second,
            plain(),
            CALLERS,
        ),
        ("1 caller, two workers", two_workers()?, at_once, plain(), 1),
        (
            "64 callers, two workers",
            two_workers()?,
            at_once,
            plain(),
            CALLERS,
        ),
        (
            "64 in flight, two workers",
            two_workers()?,
            second,
            plain(),
            CALLERS,
        ),
    ] {
        let bench = Bench::new(runtime, answers, policy)?;
        rows.extend(time(&bench, what, callers)?);
    }
    rows.extend(allocations()?);
    Ok(rows)
}

fn time(bench: &Bench, what: &str, callers: usize) -> Result<[Row; 2], Failure> {
    const ROUNDS: usize = 300;
    let requests = 6400 / callers;
    let compared = rounds::compare(
        ROUNDS,
        requests * callers,
        || bench.round(true, callers, requests),
        || bench.round(false, callers, requests),
    )?;
    let (subject, baseline) = (compared.subject, compared.baseline);
    let million = |nanos: f64| 1000.0 / nanos;
    Ok([
        Row::new(
            format!("request: {what}: adds {:.0} ns", compared.added),
            subject.show(),
        )
        .against(baseline.show(), compared.ratio)
        .goal("adds at most 100 ns", compared.added <= 100.0),
        Row::new(
            format!("request: {what}: a second"),
            format!("{:.1} M", million(subject.median)),
        )
        .against(
            format!("{:.1} M", million(baseline.median)),
            1.0 / compared.ratio,
        )
        .goal("at least 4 M", million(subject.median) >= 4.0),
    ])
}

fn allocations() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (what, answers, callers) in [
        ("1 caller", Answers::AtOnce, 1),
        (
            "1 caller, answer at the second poll",
            Answers::SecondPoll,
            1,
        ),
        ("64 callers", Answers::AtOnce, CALLERS),
        ("64 in flight", Answers::SecondPoll, CALLERS),
    ] {
        let bench = Bench::new(current_thread()?, answers, Policy::default())?;
        let ours = bench.allocations(true, callers)?;
        let theirs = bench.allocations(false, callers)?;
        rows.push(
            Row::new(
                format!("request: {what}: allocations each"),
                format!("{ours:.3}"),
            )
            .against(format!("{theirs:.3}"), ours / theirs)
            .goal("none of its own", ours <= theirs),
        );
    }
    Ok(rows)
}
