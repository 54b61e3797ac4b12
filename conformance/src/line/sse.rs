//! An event stream: read by a parser, and line by line for what parsers leave out.

use std::time::Duration;

use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use reqwest::Method;
use secrecy::ExposeSecret;
use tokio::sync::watch;
use url::Url;

use super::ear::{Brought, Ear, RawEvent};
use super::http::{HttpLine, broken, head};
use crate::evidence::{StreamFacts, Trouble};
use crate::options::Credential;

/// Where the token goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// `Authorization`.
    Header,
    /// `?token=`, for browsers, whose `EventSource` cannot set headers.
    Query,
}

/// Opens a stream. The ear is there only if the wallet answered 200.
pub(crate) async fn open(
    line: &HttpLine,
    credential: &Credential,
    place: Place,
    at_most: Duration,
) -> (StreamFacts, Option<Ear>) {
    let mut url: Url = line.events_url();
    let nobody = Credential::None;
    let in_header = match (place, credential) {
        (Place::Query, Credential::Bearer(token)) => {
            url.query_pairs_mut()
                .append_pair("token", token.expose_secret());
            &nobody
        }
        _ => credential,
    };
    let request = line
        .request(Method::GET, url, in_header)
        .header("Accept", "text/event-stream");
    let response = match tokio::time::timeout(at_most, request.send()).await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => return (refused(broken(problem)), None),
        Err(_) => return (refused(Trouble::Silent), None),
    };
    let head = head(&response);
    if head.status != 200 {
        let body = tokio::time::timeout(at_most, response.text()).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let outcome = Ok(head);
        return (StreamFacts { outcome, body }, None);
    }
    let ear = Ear::listen(|brought| read(response, brought));
    let facts = StreamFacts {
        outcome: Ok(head),
        body: String::new(),
    };
    (facts, Some(ear))
}

fn refused(trouble: Trouble) -> StreamFacts {
    StreamFacts {
        outcome: Err(trouble),
        body: String::new(),
    }
}

async fn read(response: reqwest::Response, brought: watch::Sender<Brought>) {
    let lines = brought.clone();
    let mut rest = String::new();
    let bytes = response.bytes_stream().inspect(move |chunk| {
        if let Ok(chunk) = chunk {
            rest.push_str(&String::from_utf8_lossy(chunk));
            while let Some(end) = rest.find('\n') {
                let line: String = rest.drain(..=end).collect();
                lines.send_modify(|it| note(it, &line));
            }
        }
    });
    let mut events = bytes.eventsource();
    let ended = loop {
        match events.next().await {
            Some(Ok(event)) => brought.send_modify(|it| {
                it.events.push(RawEvent {
                    name: event.event,
                    raw: event.data,
                });
            }),
            Some(Err(_)) => break "the stream broke".to_owned(),
            None => break "the wallet ended the stream".to_owned(),
        }
    };
    brought.send_modify(|it| it.ended = Some(ended));
}

fn note(brought: &mut Brought, line: &str) {
    brought.comments += usize::from(line.starts_with(':'));
    brought.ids += usize::from(line.starts_with("id:"));
    brought.retries += usize::from(line.starts_with("retry:"));
}
