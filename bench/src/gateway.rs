//! Many sessions on one gateway over HTTP with event streams: what each costs, and how long it takes
//! until all are back when every stream is cut at once.
//!
//! The gateway is a development wallet in this process, on a runtime of its own. Its sockets are
//! real. The heap of a session is what connecting left behind on the thread of the sessions, their
//! half of each connection included; the wallet's half is not.

use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use moorline::policy::ReconnectBudget;
use moorline::session::{EventItem, EventStream};
use moorline::{EventKind, Session};
use moorline_cip0103::{HttpProvider, STREAM_GAP};
use moorline_dev_wallet::{Control, DevWallet};
use tokio::runtime::Runtime;

use crate::Measured;
use crate::report::Row;

type Failure = Box<dyn Error + Send + Sync>;

const SESSIONS: usize = 1000;
/// How many streams all sessions together open in a second; as many may come at once.
const STREAMS: u32 = 100;
/// How many attempts to reconnect they make in a second; as many may come at once.
const ATTEMPTS: u32 = 100;

/// What one session heard until its gap was over.
#[derive(Default)]
struct Heard {
    marks: usize,
    attempts: usize,
    missed: u64,
}

async fn until_back(mut events: EventStream) -> Heard {
    let mut heard = Heard::default();
    while heard.marks < 2 {
        match events.next().await {
            None => break,
            Some(EventItem::Missed(count)) => heard.missed += count,
            Some(EventItem::Event(event)) => match &event.kind {
                EventKind::Provider(message) if &*message.name == STREAM_GAP => heard.marks += 1,
                EventKind::ReconnectAttempt { .. } => heard.attempts += 1,
                _ => {}
            },
        }
    }
    heard
}

pub(crate) fn measure() -> Measured {
    let wallets = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let wallet = wallets.block_on(DevWallet::builder().start())?;
    let control = wallet.control();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let first = HttpProvider::builder(&wallet.http_url())
        .stream_opens_per_second(STREAMS)
        .build()?;
    let (sessions, bytes) = connect(&runtime, &first, &control)?;
    let events: Vec<EventStream> = sessions.iter().map(Session::events).collect();
    let opened = control.streams_opened();
    let cut = Instant::now();
    let (heard, took) = runtime.block_on(async {
        control.drop_streams();
        let heard = join_all(events.into_iter().map(until_back)).await;
        let took = cut.elapsed();
        control.until_streams(SESSIONS).await;
        (heard, took)
    });
    let seconds = took.as_secs_f64();
    let streams = control.streams_opened() - opened;
    let attempts: usize = heard.iter().map(|heard| heard.attempts).sum();
    let connected = sessions.iter().filter(|it| it.snapshot().is_connected());
    let connected = connected.count();
    let marked = heard.iter().filter(|it| it.marks >= 2 && it.missed == 0);
    let marked = marked.count();
    // A second's worth may come at once.
    let within = |count: f64, budget: u32| count <= f64::from(budget) * (seconds + 1.0) + 1.0;
    runtime.block_on(join_all(sessions.iter().map(Session::close)));
    let rate = |count: f64| format!("{:.0} per second, {count:.0} in all", count / seconds);
    Ok(vec![
        Row::new(
            format!("a session of {SESSIONS} on a gateway, connected"),
            format!("{:.1} KB of heap", bytes / 1000.0),
        ),
        Row::new(
            format!("every stream of {SESSIONS} cut at once: until the last is back"),
            format!("{seconds:.2} s"),
        )
        .goal(
            "all connected, every gap marked",
            connected == SESSIONS && marked == SESSIONS,
        ),
        Row::new("streams opened meanwhile", rate(streams as f64)).goal(
            format!("at most {STREAMS} per second after a burst"),
            within(streams as f64, STREAMS),
        ),
        Row::new("attempts to reconnect meanwhile", rate(attempts as f64)).goal(
            format!("at most {ATTEMPTS} per second after a burst"),
            within(attempts as f64, ATTEMPTS),
        ),
    ])
}

/// Connects all, and says what each left on the heap.
fn connect(
    runtime: &Runtime,
    first: &HttpProvider,
    control: &Control,
) -> Result<(Vec<Session>, f64), Failure> {
    let budget = ReconnectBudget::per_second(ATTEMPTS, ATTEMPTS);
    let mut sessions = Vec::with_capacity(SESSIONS);
    let mut failed = None;
    let info = allocation_counter::measure(|| {
        let connected: Result<(), Failure> = runtime.block_on(async {
            for _ in 0..SESSIONS {
                let session = Session::builder(first.another()).budget(budget.clone());
                sessions.push(session.build()?);
            }
            // Not all at once: that would be a measure of the wallet's backlog.
            for some in sessions.chunks(50) {
                for connected in join_all(some.iter().map(Session::connect)).await {
                    connected?;
                }
            }
            control.until_streams(SESSIONS).await;
            // What connecting needed is over, idle connections are closed.
            tokio::time::sleep(Duration::from_secs(6)).await;
            Ok(())
        });
        failed = connected.err();
    });
    match failed {
        Some(failure) => Err(failure),
        None => Ok((sessions, info.bytes_current as f64 / SESSIONS as f64)),
    }
}
