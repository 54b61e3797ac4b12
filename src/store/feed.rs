//! The news of one process: told where something is written, heard by whoever listens.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::{Change, Changes};

/// How far a listener may be behind. One that is further behind is told to read everything again.
const LONGEST: usize = 1024;

/// Passes news on to any number of listeners. Clones share them. The streams end when the last
/// clone is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feed {
    listeners: Arc<Listeners>,
}

#[derive(Debug, Default)]
struct Listeners(Mutex<Vec<Weak<Listener>>>);

#[derive(Debug)]
struct Listener(Mutex<Pending>);

#[derive(Debug)]
struct Pending {
    changes: VecDeque<Change>,
    ended: bool,
    waker: Option<Waker>,
}

impl Feed {
    /// Tells everybody. Does not wait.
    pub(crate) fn tell(&self, change: Change) {
        let mut wakers = Vec::new();
        self.listeners.lock().retain(|listener| {
            let Some(listener) = listener.upgrade() else {
                return false;
            };
            let mut pending = listener.lock();
            if pending.changes.len() >= LONGEST || change == Change::Resync {
                // Everything is read again: what was to be looked at is looked at with it.
                pending.changes.clear();
                pending.changes.push_back(Change::Resync);
            } else {
                pending.changes.push_back(change);
            }
            wakers.extend(pending.waker.take());
            true
        });
        // Outside the lock: a waker is somebody else's code.
        wakers.into_iter().for_each(Waker::wake);
    }

    /// What is told from now on, after a first [`Change::Resync`].
    pub(crate) fn listen(&self) -> Changes {
        self.listen_with(())
    }

    /// As [`listen`](Self::listen); `kept` lives as long as the stream.
    pub(crate) fn listen_with<T: Send + Unpin + 'static>(&self, kept: T) -> Changes {
        let listener = Arc::new(Listener(Mutex::new(Pending {
            changes: VecDeque::from([Change::Resync]),
            ended: false,
            waker: None,
        })));
        self.listeners.lock().push(Arc::downgrade(&listener));
        Box::pin(News {
            listener,
            _kept: kept,
        })
    }
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Listener>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        let listeners = std::mem::take(&mut *self.lock());
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            let waker = {
                let mut pending = listener.lock();
                pending.ended = true;
                pending.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl Listener {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listener's stream.
struct News<T> {
    listener: Arc<Listener>,
    _kept: T,
}

impl<T: Unpin> Stream for News<T> {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        let mut pending = self.listener.lock();
        match pending.changes.pop_front() {
            Some(change) => Poll::Ready(Some(change)),
            None if pending.ended => Poll::Ready(None),
            None => {
                pending.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;
    use crate::store::{Revision, Slot};

    fn written(number: u64) -> Change {
        Change::Written {
            slot: Slot::new([0; 32]),
            revision: Revision::new(number),
        }
    }

    #[test]
    fn a_stream_begins_with_a_resync_and_ends_with_the_feed() {
        let feed = Feed::default();
        feed.tell(written(1));
        let mut changes = feed.listen();
        feed.tell(written(2));
        let next = |changes: &mut Changes| changes.next().now_or_never();
        assert_eq!(next(&mut changes), Some(Some(Change::Resync)));
        assert_eq!(next(&mut changes), Some(Some(written(2))));
        assert_eq!(next(&mut changes), None, "it waits");
        drop(feed.clone());
        assert_eq!(next(&mut changes), None, "a clone is left");
        feed.tell(written(3));
        drop(feed);
        assert_eq!(
            next(&mut changes),
            Some(Some(written(3))),
            "nothing is lost"
        );
        assert_eq!(next(&mut changes), Some(None));
    }

    #[test]
    fn a_listener_that_does_not_read_holds_a_bounded_number_and_is_told_to_read_again() {
        let feed = Feed::default();
        let (mut slow, mut quick) = (feed.listen(), feed.listen());
        assert_eq!(quick.next().now_or_never(), Some(Some(Change::Resync)));
        for number in 0..10_000 {
            feed.tell(written(number));
            let heard = quick.next().now_or_never();
            assert_eq!(
                heard,
                Some(Some(written(number))),
                "the other is not held up"
            );
        }
        let mut heard = Vec::new();
        while let Some(Some(change)) = slow.next().now_or_never() {
            heard.push(change);
        }
        assert!(heard.len() <= LONGEST, "{}", heard.len());
        assert_eq!(heard[0], Change::Resync);
        assert_eq!(heard.last(), Some(&written(9_999)));
        assert!(!heard[1..].contains(&Change::Resync), "once is enough");
    }

    #[test]
    fn listeners_that_are_gone_are_forgotten() {
        let feed = Feed::default();
        for _ in 0..100 {
            drop(feed.listen());
        }
        feed.tell(written(1));
        assert_eq!(feed.listeners.lock().len(), 0);
    }
}
