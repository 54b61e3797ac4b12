//! From bytes to events: server-sent events, bounded.

use std::io::Cursor;
use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use sse_stream::SseByteStream;

/// One event as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    /// Its name; `message` if it has none.
    pub(crate) name: String,
    /// Its data, lines joined.
    pub(crate) data: String,
}

/// Why a stream of events ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum StreamEnd {
    #[error("the gateway ended the event stream")]
    Ended,
    #[error("the event stream broke")]
    Broken,
    #[error("an event is longer than {0} bytes")]
    TooLong(usize),
    #[error("the event stream is no text")]
    NoText,
}

/// Events, decoded as they come.
///
/// The parser keeps to the standard (chunks cut anywhere, any of the three line ends, comments) but
/// would collect an event of any length: the guard before it ends the stream instead.
pub(crate) struct Frames(Pin<Box<dyn Stream<Item = Result<Frame, StreamEnd>> + Send>>);

impl Frames {
    /// The events in these chunks. None is longer than `limit` bytes.
    pub(crate) fn new<B, E>(
        chunks: impl Stream<Item = Result<B, E>> + Send + 'static,
        limit: usize,
    ) -> Self
    where
        B: AsRef<[u8]> + Send + 'static,
        E: Send + 'static,
    {
        let mut guard = Guard::new(limit);
        let guarded = chunks.map(move |chunk| match chunk {
            Ok(chunk) => guard.pass(chunk.as_ref()).map(|()| Cursor::new(chunk)),
            Err(_) => Err(StreamEnd::Broken),
        });
        let frames = SseByteStream::new(guarded).filter_map(|block| async {
            match block {
                Ok(block) => block.data.map(|data| {
                    let name = block.event.filter(|name| !name.is_empty());
                    Ok(Frame {
                        name: name.unwrap_or_else(|| "message".to_owned()),
                        data,
                    })
                }),
                Err(sse_stream::Error::Body(cause)) => {
                    let end = cause.downcast_ref::<StreamEnd>();
                    Some(Err(end.cloned().unwrap_or(StreamEnd::Broken)))
                }
                Err(_) => Some(Err(StreamEnd::NoText)),
            }
        });
        Self(Box::pin(frames))
    }

    /// The next event, or why there will be none.
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Frame, StreamEnd> {
        self.0.next().await.unwrap_or(Err(StreamEnd::Ended))
    }

    /// The next event if it is here already.
    pub(crate) fn next_if_here(&mut self) -> Option<Frame> {
        futures_util::FutureExt::now_or_never(self.0.next())??.ok()
    }
}

/// Counts the bytes of the event that is coming in.
#[derive(Debug)]
struct Guard {
    limit: usize,
    event: usize,
    line: usize,
    comment: bool,
    after_cr: bool,
}

impl Guard {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            event: 0,
            line: 0,
            comment: false,
            after_cr: false,
        }
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<(), StreamEnd> {
        for byte in bytes {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    if self.line == 0 {
                        self.event = 0;
                    }
                    self.line = 0;
                    self.comment = false;
                    self.after_cr = *byte == b'\r';
                }
                _ => {
                    // A comment is thrown away as it comes: it may go on for ever.
                    self.comment |= self.line == 0 && *byte == b':';
                    self.line = self.line.saturating_add(1);
                    self.after_cr = false;
                    if !self.comment {
                        self.event += 1;
                        if self.event > self.limit {
                            return Err(StreamEnd::TooLong(self.limit));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    async fn decode(chunks: Vec<Vec<u8>>, limit: usize) -> (Vec<(String, String)>, StreamEnd) {
        let chunks = chunks.into_iter().map(Ok::<_, ()>);
        let mut frames = Frames::new(stream::iter(chunks), limit);
        let mut found = Vec::new();
        loop {
            match frames.next().await {
                Ok(frame) => found.push((frame.name, frame.data)),
                Err(end) => return (found, end),
            }
        }
    }

    const STREAM: &str = "\u{feff}: hello\n\nevent: connected\ndata: [{\"née\":\"☕\"}]\n\n\
        event: txChanged\r\ndata: [1,\r\ndata: 2]\r\n\r\ndata: bare\r\rretry: 5\n\nid: 7\n\n";

    fn expected() -> Vec<(String, String)> {
        [
            ("connected", "[{\"née\":\"☕\"}]"),
            ("txChanged", "[1,\n2]"),
            ("message", "bare"),
        ]
        .map(|(name, data)| (name.to_owned(), data.to_owned()))
        .into()
    }

    #[tokio::test]
    async fn events_are_the_same_however_the_bytes_are_cut() {
        let bytes = STREAM.as_bytes();
        for size in 1..=bytes.len() {
            let chunks = bytes.chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(
                decode(chunks, 100).await,
                (expected(), StreamEnd::Ended),
                "{size}"
            );
        }
    }

    #[tokio::test]
    async fn an_event_has_a_longest_length_and_a_comment_has_none() {
        let endless = vec![b": ping\n".to_vec(); 1000];
        assert_eq!(decode(endless, 10).await, (vec![], StreamEnd::Ended));
        let long = vec![b"data: 123456789".to_vec(), vec![b'x'; 100]];
        assert_eq!(decode(long, 50).await, (vec![], StreamEnd::TooLong(50)));
        let split = vec![b"data: 123456789\n".to_vec(); 100];
        assert_eq!(decode(split, 50).await, (vec![], StreamEnd::TooLong(50)));
        let many = vec![b"data: 123456789\n\n".to_vec(); 100];
        assert_eq!(decode(many, 50).await.0.len(), 100);
    }

    #[tokio::test]
    async fn what_is_no_text_ends_the_stream() {
        let (found, end) = decode(vec![b"data: \xff\xfe\n\n".to_vec()], 50).await;
        assert_eq!((found, end), (vec![], StreamEnd::NoText));
    }

    #[tokio::test]
    async fn an_event_that_was_cut_off_is_none() {
        let (found, end) = decode(vec![b"event: connected\ndata: [{}]\n".to_vec()], 50).await;
        assert_eq!((found, end), (vec![], StreamEnd::Ended));
    }
}
