//! Entry points for fuzzing: bytes in, nothing out but a panic. Not part of the public interface.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::stream;

use crate::http::{Answer, Ear, Frame, Frames};
use crate::redact::scrub_text;

/// Decodes server-sent events from chunks: each is as long as the byte before it says.
pub fn sse(bytes: &[u8]) {
    let whole = decode(vec![payload(bytes)]);
    let torn = decode(chunks(bytes));
    // The same bytes are the same events, however they were cut.
    assert_eq!(whole, torn);
}

/// Reads an answer: the first two bytes are its status.
pub fn answer(bytes: &[u8]) {
    let (status, body) = match bytes {
        [high, low, body @ ..] => (u16::from_be_bytes([*high, *low]) % 600, body),
        _ => return,
    };
    let secret = "s3cret-token-of-this-program".to_owned().into();
    let answer = Answer {
        status,
        retry_after: None,
        body,
        secret: Some(&secret),
    };
    if let Err(error) = answer.read("status") {
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("s3cret-token-of-this-program"),
            "a secret is shown"
        );
        assert_eq!(
            scrub_text(error.message()),
            error.message(),
            "a token is shown"
        );
    }
}

/// Hears events: the stream's own decoding, then what each means.
pub fn events(bytes: &[u8]) {
    let mut ear = Ear::new(bytes.first().is_some_and(|first| first % 2 == 0));
    for frame in decode(vec![bytes.to_vec()]) {
        for event in ear.expect("command") {
            drop(event);
        }
        for event in ear.hear(&frame) {
            let shown = format!("{event:?}");
            assert!(shown.len() < 64 * (frame.data.len() + frame.name.len()) + 1024);
        }
    }
}

fn decode(chunks: Vec<Vec<u8>>) -> Vec<Frame> {
    let chunks = chunks.into_iter().map(Ok::<_, ()>);
    let mut frames = Frames::new(stream::iter(chunks), 4096);
    let mut found = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let next = pin!(frames.next()).poll(&mut cx);
        match next {
            Poll::Ready(Ok(frame)) => found.push(frame),
            Poll::Ready(Err(_)) | Poll::Pending => return found,
        }
    }
}

fn payload(bytes: &[u8]) -> Vec<u8> {
    chunks(bytes).concat()
}

fn chunks(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    while let [length, rest @ ..] = bytes {
        let (chunk, after) = rest.split_at(rest.len().min(usize::from(*length)));
        chunks.push(chunk.to_vec());
        bytes = after;
    }
    chunks
}
