//! Heap of idle connected sessions, the transport not counted.
//!
//! Counted exactly, as requested from the allocator: everything that building and connecting
//! leaves behind, the session's own share of runtime and driver included. Each session has a
//! party id of its own, as long as real ones are. The wallets are made before counting begins, and
//! so is the list of handles. Time is virtual: it is counted a minute and a half later, when what
//! connecting needed is over.
//!
//! The baseline is what is usually written: a task for each connection, with a command channel of
//! 32 places and a watch for its status.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use moorline::provider::Provider;
use moorline::session::{Driver, EventStream};
use moorline::{Policy, Session};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};

use crate::Measured;
use crate::report::Row;
use crate::wallet::{Answers, Immediate};

type Failure = Box<dyn Error + Send + Sync>;

const SESSIONS: usize = 100_000;
/// With a subscriber, sessions are larger and the figure is the same with fewer.
const WITH_SUBSCRIBER: usize = 20_000;
const GOAL: f64 = 1024.0;

/// What is counted.
#[derive(Clone, Copy)]
struct Case {
    shared_driver: bool,
    ttl: bool,
    subscriber: bool,
    /// Whether each session has made a request, which the wallet had wait, before it is left idle.
    used: bool,
}

/// Heap of one.
struct Each {
    bytes: f64,
    allocations: f64,
}

pub(crate) fn measure() -> Measured {
    let baseline = tasks()?;
    let mut rows = Vec::new();
    for shared_driver in [true, false] {
        for (ttl, subscriber, used) in [
            (false, false, false),
            (false, false, true),
            (true, false, false),
            (false, true, false),
            (true, true, true),
        ] {
            let case = Case {
                shared_driver,
                ttl,
                subscriber,
                used,
            };
            let each = sessions(case)?;
            rows.push(
                Row::new(case.name(), each.show())
                    .against(baseline.show(), each.bytes / baseline.bytes)
                    .goal("at most 1024 B", each.bytes <= GOAL),
            );
        }
    }
    Ok(rows)
}

impl Case {
    fn name(self) -> String {
        format!(
            "idle session: {} driver{}{}{}",
            if self.shared_driver {
                "shared"
            } else {
                "default"
            },
            if self.ttl { ", TTL" } else { "" },
            if self.subscriber {
                ", 1 subscriber"
            } else {
                ""
            },
            if self.used { ", after a request" } else { "" },
        )
    }

    fn sessions(self) -> usize {
        if self.subscriber {
            WITH_SUBSCRIBER
        } else {
            SESSIONS
        }
    }
}

impl Each {
    fn show(&self) -> String {
        format!("{:.0} B, {:.2} allocations", self.bytes, self.allocations)
    }
}

/// Runs `work` and says what it left on the heap, for each of `count`.
fn left_behind<T>(
    count: usize,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<(T, Each), Failure> {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(work()));
    let kept = result.ok_or("nothing was done")??;
    let each = Each {
        bytes: info.bytes_current as f64 / count as f64,
        allocations: info.count_current as f64 / count as f64,
    };
    Ok((kept, each))
}

fn runtime() -> Result<Runtime, Failure> {
    let mut builder = Builder::new_current_thread();
    Ok(builder.enable_time().start_paused(true).build()?)
}

fn sessions(case: Case) -> Result<Each, Failure> {
    let runtime = runtime()?;
    let mut policy = Policy::default();
    policy.expiry.ttl = case.ttl.then_some(Duration::from_secs(8 * 3600));
    let policy = Arc::new(policy);
    let count = case.sessions();
    let providers: Vec<Arc<dyn Provider>> = (0..count)
        .map(|number| Arc::new(Immediate::new(number, Answers::SecondPoll)) as Arc<dyn Provider>)
        .collect();
    let mut handles: Vec<(Session, Option<EventStream>)> = Vec::with_capacity(count);
    let (_driver, each) = left_behind(count, || {
        runtime.block_on(async {
            let driver = Driver::new()?;
            for provider in &providers {
                let mut builder = Session::builder_dyn(provider.clone()).policy(policy.clone());
                if case.shared_driver {
                    builder = builder.driver(&driver);
                }
                let session = builder.build()?;
                let events = case.subscriber.then(|| session.events());
                session.connect().await?;
                if case.used {
                    session.request("ping", Value::Null).await?;
                }
                handles.push((session, events));
            }
            // The subscribers have read everything, and the timers of connecting are over.
            for events in handles.iter_mut().filter_map(|(_, events)| events.as_mut()) {
                while events.try_next().is_some() {}
            }
            tokio::time::sleep(Duration::from_secs(90)).await;
            Ok(driver)
        })
    })?;
    Ok(each)
}

/// One task for each connection.
fn tasks() -> Result<Each, Failure> {
    let runtime = runtime()?;
    let providers: Vec<Arc<dyn Provider>> = (0..SESSIONS)
        .map(|number| Arc::new(Immediate::new(number, Answers::AtOnce)) as Arc<dyn Provider>)
        .collect();
    let mut handles = Vec::with_capacity(SESSIONS);
    let ((), each) = left_behind(SESSIONS, || {
        runtime.block_on(async {
            for provider in &providers {
                let (commands, inbox) = mpsc::channel::<Command>(32);
                let (status, watched) = watch::channel(false);
                tokio::spawn(serve(provider.clone(), inbox, status));
                handles.push((commands, watched));
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    })?;
    Ok(each)
}

struct Command {
    request: moorline::provider::Request,
    answer: oneshot::Sender<Option<Value>>,
}

async fn serve(
    provider: Arc<dyn Provider>,
    mut inbox: mpsc::Receiver<Command>,
    status: watch::Sender<bool>,
) {
    let Ok(live) = provider.probe().await else {
        return;
    };
    status.send_replace(true);
    while let Some(command) = inbox.recv().await {
        let answer = provider.request(command.request).await.ok();
        // A caller that is gone is no loss.
        let _gone = command.answer.send(answer);
    }
    drop(live);
}
