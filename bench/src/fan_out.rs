//! Events to many subscribers, against a bare `async-broadcast` channel with the same item type.
//!
//! The wallet says something, and every subscriber has it: a round is a burst of events and the
//! reading of all of them by all. The baseline hands copies of the same events to a channel of
//! the same capacity, and its readers poll it the same way.

use std::error::Error;
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_broadcast::{Receiver, Sender};
use futures_util::FutureExt;
use moorline::provider::{EventSink, Message};
use moorline::session::{EventItem, EventStream};
use moorline::{Event, ProviderEvent, Session};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use crate::Measured;
use crate::report::Row;
use crate::rounds;
use crate::wallet::Controlled;

type Failure = Box<dyn Error + Send + Sync>;

const CAPACITY: usize = 256;
/// Events in a burst.
const BURST: usize = 64;

pub(crate) fn measure() -> Measured {
    let mut rows = Vec::new();
    for (subscribers, rounds) in [(1, 2000), (100, 200), (1000, 40)] {
        rows.push(read_behind(subscribers, rounds)?);
        rows.push(waiting(subscribers, rounds)?);
    }
    Ok(rows)
}

/// A connected session whose wallet talks.
struct Talk {
    runtime: Runtime,
    session: Session,
    sink: EventSink,
    message: Message,
    /// An event as the session publishes it, for the bare channel to copy.
    sample: Event,
}

impl Talk {
    fn new() -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let wallet = Arc::new(Controlled::new());
        let builder = Session::builder_dyn(wallet.clone()).event_capacity(CAPACITY);
        let message = Message::new("txChanged", json!({ "status": "executed" }));
        let session = runtime.block_on(async {
            let session = builder.build()?;
            session.connect().await?;
            Ok::<_, Failure>(session)
        })?;
        let sink = wallet.sink().ok_or("the wallet was never opened")?;
        let mut events = session.events();
        sink.send(ProviderEvent::Message(message.clone()));
        let sample = match events.try_next() {
            Some(EventItem::Event(event)) => Event::clone(&event),
            other => return Err(format!("expected the wallet's event, got {other:?}").into()),
        };
        Ok(Self {
            runtime,
            session,
            sink,
            message,
            sample,
        })
    }

    fn burst(&self) {
        for _ in 0..BURST {
            self.sink.send(ProviderEvent::Message(self.message.clone()));
        }
    }

    fn bare_burst(&self, sender: &Sender<Arc<Event>>) {
        for _ in 0..BURST {
            // Fails only without a reader.
            let _unheard = sender.try_broadcast(Arc::new(self.sample.clone()));
        }
    }
}

fn bare_channel() -> (Sender<Arc<Event>>, Receiver<Arc<Event>>) {
    let (mut sender, receiver) = async_broadcast::broadcast(CAPACITY);
    sender.set_overflow(true);
    sender.set_await_active(false);
    (sender, receiver)
}

/// The next item of a bare receiver, polled as cheaply as it can be.
async fn next(receiver: &mut Receiver<Arc<Event>>) -> Option<Arc<Event>> {
    let item = poll_fn(|cx| Pin::new(&mut *receiver).poll_recv(cx)).await;
    item.and_then(Result::ok)
}

/// Nobody waits: the burst is read once it is there.
fn read_behind(subscribers: usize, rounds: usize) -> Result<Row, Failure> {
    let talk = Talk::new()?;
    let mut streams: Vec<EventStream> = (0..subscribers).map(|_| talk.session.events()).collect();
    let (sender, receiver) = bare_channel();
    let mut receivers: Vec<Receiver<Arc<Event>>> =
        (0..subscribers).map(|_| receiver.new_receiver()).collect();
    drop(receiver);
    let compared = rounds::compare(
        rounds,
        BURST,
        || {
            let begin = Instant::now();
            talk.burst();
            for stream in &mut streams {
                for _ in 0..BURST {
                    let item = stream.next().now_or_never().flatten();
                    black_box(item.ok_or("an event is missing")?);
                }
            }
            Ok::<_, Failure>(begin.elapsed())
        },
        || {
            let begin = Instant::now();
            talk.bare_burst(&sender);
            for receiver in &mut receivers {
                for _ in 0..BURST {
                    let item = next(receiver).now_or_never().flatten();
                    black_box(item.ok_or("an event is missing")?);
                }
            }
            Ok(begin.elapsed())
        },
    )?;
    Ok(row("read behind", subscribers, compared))
}

/// Every subscriber is a task that waits for the next event.
fn waiting(subscribers: usize, rounds: usize) -> Result<Row, Failure> {
    let talk = Talk::new()?;
    let done = Arc::new(Barrier::new(subscribers + 1));
    let bare_done = Arc::new(Barrier::new(subscribers + 1));
    let (sender, receiver) = bare_channel();
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();
    for _ in 0..subscribers {
        let (mut stream, barrier) = (talk.session.events(), done.clone());
        tasks.push(talk.runtime.spawn(async move {
            let mut seen = 0;
            while let Some(item) = stream.next().await {
                black_box(item);
                seen += 1;
                if seen % BURST == 0 {
                    barrier.wait().await;
                }
            }
        }));
        let (mut receiver, barrier) = (receiver.new_receiver(), bare_done.clone());
        tasks.push(talk.runtime.spawn(async move {
            let mut seen = 0;
            while let Some(item) = next(&mut receiver).await {
                black_box(item);
                seen += 1;
                if seen % BURST == 0 {
                    barrier.wait().await;
                }
            }
        }));
    }
    drop(receiver);
    let compared = rounds::compare(
        rounds,
        BURST,
        || Ok::<_, Failure>(talk.timed(&done, || talk.burst())),
        || Ok(talk.timed(&bare_done, || talk.bare_burst(&sender))),
    )?;
    for task in tasks {
        task.abort();
    }
    Ok(row("waiting tasks", subscribers, compared))
}

impl Talk {
    /// From the burst until everybody has read it. Readers are given the time to wait first.
    fn timed(&self, done: &Barrier, burst: impl FnOnce()) -> Duration {
        self.runtime.block_on(async {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            let begin = Instant::now();
            burst();
            done.wait().await;
            begin.elapsed()
        })
    }
}

fn row(how: &str, subscribers: usize, compared: rounds::Compared) -> Row {
    let (subject, baseline) = (compared.subject, compared.baseline);
    Row::new(
        format!("event to {subscribers} subscribers, {how}"),
        subject.show(),
    )
    .against(baseline.show(), compared.ratio)
    .goal("at most 1.5x", compared.ratio <= 1.5)
}
