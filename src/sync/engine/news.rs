//! One feed of changes from an engine, for all who listen in this process.

use futures_util::stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::store::{Change, Changes};

/// How much news a reader may leave unread before it is told to read everything again.
const BUFFER: usize = 1024;

/// Hands on what an engine tells. A reader that is too slow loses what it did not read and is told
/// so; it never holds up the others. The readers' streams end when this is dropped.
#[derive(Clone, Debug)]
pub(in crate::sync) struct News(broadcast::Sender<Change>);

impl News {
    pub(in crate::sync) fn new() -> Self {
        Self(broadcast::Sender::new(BUFFER))
    }

    pub(in crate::sync) fn tell(&self, change: Change) {
        // Nobody listens: nobody has to know.
        let _nobody = self.0.send(change);
    }

    /// Everything that is told from now on, after one [`Change::Resync`].
    pub(in crate::sync) fn listen(&self) -> Changes {
        let state = (self.0.subscribe(), true);
        Box::pin(stream::unfold(state, |(mut news, first)| async move {
            if first {
                return Some((Change::Resync, (news, false)));
            }
            match news.recv().await {
                Ok(change) => Some((change, (news, false))),
                Err(RecvError::Lagged(_)) => Some((Change::Resync, (news, false))),
                Err(RecvError::Closed) => None,
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::store::{Revision, Slot};

    fn written(number: u64) -> Change {
        Change::Written {
            slot: Slot::new([7; 32]),
            revision: Revision::new(number),
        }
    }

    #[tokio::test]
    async fn a_reader_begins_with_resync_hears_everything_and_ends_with_the_feed() {
        let news = News::new();
        news.tell(written(1));
        let mut changes = news.listen();
        news.tell(written(2));
        assert_eq!(changes.next().await, Some(Change::Resync));
        assert_eq!(changes.next().await, Some(written(2)));
        drop(news);
        assert_eq!(changes.next().await, None);
    }

    #[tokio::test]
    async fn a_reader_too_slow_is_told_to_read_everything_again() {
        let news = News::new();
        let mut changes = news.listen();
        let told = BUFFER as u64 + 10;
        for number in 1..=told {
            news.tell(written(number));
        }
        assert_eq!(changes.next().await, Some(Change::Resync), "the first");
        assert_eq!(changes.next().await, Some(Change::Resync), "the gap");
        // What is still there follows; the newest is never lost.
        let mut last = None;
        for _ in 0..BUFFER {
            last = changes.next().await;
        }
        assert_eq!(last, Some(written(told)));
    }
}
