//! Answers: how they are built, and how they travel.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use super::serve::Activity;

/// The connection is to break.
#[derive(Debug, thiserror::Error)]
#[error("the connection is to break")]
pub(crate) struct Broken;

/// What an answer carries.
#[derive(Debug)]
pub(crate) struct Payload {
    content: Content,
    /// The connection is in use for as long as this lives.
    pub(crate) busy: Option<Busy>,
}

#[derive(Debug)]
enum Content {
    Whole(Option<Bytes>),
    Stream(mpsc::Receiver<Result<Bytes, Broken>>),
}

/// Keeps a connection from being taken for idle; tells when its answer is complete.
#[derive(Debug)]
pub(crate) struct Busy {
    pub(crate) activity: Arc<Activity>,
    /// The connection is closed after the answer.
    pub(crate) then_close: bool,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.activity.done(self.then_close);
    }
}

impl Payload {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            content: Content::Whole(Some(bytes.into())),
            busy: None,
        }
    }

    pub(crate) fn stream(chunks: mpsc::Receiver<Result<Bytes, Broken>>) -> Self {
        Self {
            content: Content::Stream(chunks),
            busy: None,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|it| Ok(Frame::data(it)))),
            Content::Stream(chunks) => {
                let chunk = chunks.poll_recv(cx);
                chunk.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |it| it.len() as u64))
            }
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

/// An answer, and what is to become of its connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) response: Box<Response<Payload>>,
    /// The connection is closed once the answer is out, without announcing it.
    pub(crate) then_close: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Box::new(Response::new(Payload::whole(body)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        if !content_type.is_empty() {
            let value = HeaderValue::from_static(content_type);
            response.headers_mut().insert(CONTENT_TYPE, value);
        }
        Self {
            response,
            then_close: false,
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    pub(crate) fn text(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A page for a person. Its connection is not kept. Forms of pages without any referrer would
    /// be sent with the origin `null`, hence `same-origin`.
    pub(crate) fn page(status: u16, body: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
            .header(CACHE_CONTROL, "no-store")
            .header(CONNECTION, "close")
            .header(HeaderName::from_static("x-content-type-options"), "nosniff")
            .header(
                HeaderName::from_static("content-security-policy"),
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                 frame-ancestors 'none'",
            )
            .header(HeaderName::from_static("referrer-policy"), "same-origin")
    }

    /// A page with a script that bears this nonce.
    pub(crate) fn page_with_script(status: u16, body: String, nonce: &str) -> Self {
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; \
             base-uri 'none'; frame-ancestors 'none'"
        );
        let name = HeaderName::from_static("content-security-policy");
        Self::page(status, body).header_value(name, &policy)
    }

    /// An error page as web frameworks write them.
    pub(crate) fn crash(status: u16, what: &str) -> Self {
        let what = crate::pages::escape(what);
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <title>Error</title>\n</head>\n<body>\n<pre>{what}<br> &nbsp; &nbsp;at handler \
             (file:///dev-wallet/index.js:1:1)</pre>\n</body>\n</html>\n"
        );
        Self::new(status, "text/html; charset=utf-8", body)
    }

    /// Sends somebody elsewhere, by GET.
    pub(crate) fn see_other(location: &str) -> Self {
        Self::new(303, "", "").header_value(hyper::header::LOCATION, location)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        let value = HeaderValue::from_static(value);
        self.response.headers_mut().insert(name, value);
        self
    }

    /// Adds a header whose value was made; left out if it cannot be one.
    pub(crate) fn header_value(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.response.headers_mut().insert(name, value);
        }
        self
    }

    pub(crate) fn closing(mut self) -> Self {
        self.then_close = true;
        self
    }
}
