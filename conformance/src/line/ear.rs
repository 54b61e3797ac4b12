//! What a connection or a stream brought so far, and waiting for more.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// An event as it travelled.
#[derive(Clone, Debug)]
pub(crate) struct RawEvent {
    pub(crate) name: String,
    pub(crate) raw: String,
}

/// Everything that came, in order of its kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought {
    /// Text frames that are no notifications.
    pub(crate) answers: Vec<String>,
    pub(crate) events: Vec<RawEvent>,
    pub(crate) pongs: usize,
    /// Comment lines of a stream.
    pub(crate) comments: usize,
    /// Events of a stream that carry an id.
    pub(crate) ids: usize,
    /// Lines of a stream that set the time to reconnect.
    pub(crate) retries: usize,
    /// Why nothing more comes.
    pub(crate) ended: Option<String>,
}

/// Listens until dropped.
#[derive(Debug)]
pub(crate) struct Ear {
    brought: watch::Receiver<Brought>,
    task: JoinHandle<()>,
    /// Events taken note of.
    noted: usize,
}

impl Ear {
    /// Listens with `task`, which says what it hears through the sender.
    pub(crate) fn listen<F>(task: impl FnOnce(watch::Sender<Brought>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, brought) = watch::channel(Brought::default());
        Self {
            brought,
            task: tokio::spawn(task(sender)),
            noted: 0,
        }
    }

    /// Reads what came so far.
    pub(crate) fn so_far<T>(&self, read: impl FnOnce(&Brought) -> T) -> T {
        read(&self.brought.borrow())
    }

    /// Waits until it is so; `false` if it was not in time.
    pub(crate) async fn wait(&self, at_most: Duration, is_so: impl Fn(&Brought) -> bool) -> bool {
        let mut brought = self.brought.clone();
        let waiting = brought.wait_for(|it| is_so(it));
        matches!(tokio::time::timeout(at_most, waiting).await, Ok(Ok(_)))
    }

    /// Events that were not taken note of yet.
    pub(crate) fn take_events(&mut self) -> Vec<RawEvent> {
        let fresh: Vec<RawEvent> =
            self.so_far(|it| it.events.iter().skip(self.noted).cloned().collect());
        self.noted += fresh.len();
        fresh
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The payload of an event: what was sent, or the only element of an array around it.
pub(crate) fn payload(raw: &str) -> Option<Value> {
    unwrapped(serde_json::from_str(raw).ok()?)
}

pub(crate) fn unwrapped(value: Value) -> Option<Value> {
    match value {
        Value::Array(mut items) if items.len() < 2 => items.pop(),
        Value::Null => None,
        other => Some(other),
    }
}
