//! Wallets that cost as little as a wallet can: what is measured is the session.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use moorline::provider::{
    CloseMode, ErrorKind, EventSink, Live, OpenRequest, Opened, Provider, ProviderFuture, Request,
};
use moorline::{Account, NetworkLink, ProviderError, ProviderEvent};
use serde_json::Value;

/// The network of all wallets here.
pub(crate) const NETWORK: &str = "canton:da-mainnet";

/// A party id as long as real ones are.
pub(crate) fn party(number: usize) -> String {
    format!("party-{number:06}::1220{number:064x}")
}

fn live(party: &str) -> Live {
    Live::new(vec![Account::primary(party)])
        .on_network(NETWORK)
        .with_link(NetworkLink::Up)
}

/// When a wallet answers a request.
#[derive(Clone, Copy)]
pub(crate) enum Answers {
    /// When it is first polled.
    AtOnce,
    /// When it is polled a second time: the task gives way in between, so that all callers have
    /// a request at the wallet at once.
    SecondPoll,
}

/// A wallet that answers `null` to everything.
pub(crate) struct Immediate {
    party: String,
    answers: Answers,
}

impl Immediate {
    pub(crate) fn new(number: usize, answers: Answers) -> Self {
        Self {
            party: party(number),
            answers,
        }
    }
}

impl Provider for Immediate {
    fn kind(&self) -> &str {
        "immediate"
    }

    fn open(&self, _: OpenRequest, _: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(async { Ok(Opened::Established) })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async { Ok(live(&self.party)) })
    }

    fn request(&self, _: Request) -> ProviderFuture<'_, Value> {
        match self.answers {
            Answers::AtOnce => Box::pin(async { Ok(Value::Null) }),
            Answers::SecondPoll => Box::pin(async {
                GiveWay { given: false }.await;
                Ok(Value::Null)
            }),
        }
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// Pending once.
struct GiveWay {
    given: bool,
}

impl Future for GiveWay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.given {
            return Poll::Ready(());
        }
        self.given = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A wallet whose link can be cut and restored, and that says things by itself.
pub(crate) struct Controlled {
    party: String,
    reachable: AtomicBool,
    sink: Mutex<Option<EventSink>>,
    opened: Mutex<Option<Instant>>,
}

impl Controlled {
    pub(crate) fn new() -> Self {
        Self::of(1)
    }

    /// The wallet of a party of its own.
    pub(crate) fn of(number: usize) -> Self {
        Self {
            party: party(number),
            reachable: AtomicBool::new(true),
            sink: Mutex::new(None),
            opened: Mutex::new(None),
        }
    }

    /// Cuts the link.
    pub(crate) fn cut(&self) {
        self.reachable.store(false, Ordering::Relaxed);
        self.say(ProviderEvent::Dropped(unreachable()));
    }

    /// The link could be opened again. Nobody is told.
    pub(crate) fn restore(&self) {
        self.reachable.store(true, Ordering::Relaxed);
    }

    /// Says something to the session.
    pub(crate) fn say(&self, event: ProviderEvent) -> bool {
        let sink = lock(&self.sink).clone();
        sink.is_some_and(|sink| sink.send(event))
    }

    /// The sink of the present connection.
    pub(crate) fn sink(&self) -> Option<EventSink> {
        lock(&self.sink).clone()
    }

    /// When the last `open` that succeeded began, in real time.
    pub(crate) fn opened(&self) -> Option<Instant> {
        *lock(&self.opened)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of a link that is cut.
pub(crate) fn unreachable() -> ProviderError {
    ProviderError::new(ErrorKind::Unreachable, "the link is cut").not_sent()
}

impl Provider for Controlled {
    fn kind(&self) -> &str {
        "controlled"
    }

    fn open(&self, _: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(async move {
            *lock(&self.sink) = Some(events);
            if !self.reachable.load(Ordering::Relaxed) {
                return Err(unreachable());
            }
            *lock(&self.opened) = Some(Instant::now());
            Ok(Opened::Established)
        })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async { Ok(live(&self.party)) })
    }

    fn request(&self, _: Request) -> ProviderFuture<'_, Value> {
        Box::pin(async { Ok(Value::Null) })
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
