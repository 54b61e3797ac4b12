//! News from the bucket's stream.

use std::pin::pin;
use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::kv::Store;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tokio::time::{sleep, timeout};

use super::entry::{self, RECORDS, REVISION};
use super::link::Link;
use crate::store::feed::Feed;
use crate::store::{Change, Revision};
use crate::sync::engine::{explain, retry_delay};

/// Hears what the stream takes, and says [`Change::Resync`] whenever it begins to: what came before
/// was missed.
pub(super) async fn watch(link: Arc<Link>, store: Store, feed: Feed) {
    let mut attempt = 0;
    loop {
        let losses = link.up().await;
        let reason = {
            let (hearing, lost) = (
                pin!(hear(&link, &store, &feed, &mut attempt)),
                link.lost(losses),
            );
            match select(hearing, pin!(lost)).await {
                Either::Left((reason, _)) => reason,
                Either::Right(((), _)) => "the connection was lost".to_owned(),
            }
        };
        tracing::debug!(reason, "no news from NATS");
        attempt += 1;
        sleep(retry_delay(attempt)).await;
    }
}

/// Hands on news until something is wrong: what.
async fn hear(link: &Link, store: &Store, feed: &Feed, attempt: &mut u32) -> String {
    let mut messages = match timeout(link.timeout, begin(link, store)).await {
        Ok(Ok(messages)) => messages,
        Ok(Err(reason)) => return reason,
        Err(_) => return format!("{} did not answer in time", link.place),
    };
    *attempt = 0;
    // The stream is heard from here on.
    feed.tell(Change::Resync);
    loop {
        match messages.next().await {
            Some(Ok(message)) => feed.tell(change(
                &message.subject,
                message.headers.as_ref(),
                &store.prefix,
            )),
            Some(Err(error)) => return explain(&error),
            None => return "the feed ended".into(),
        }
    }
}

/// Headers of what is written to records from now on, in order. The client notices what it missed
/// by counting, and asks for it again.
async fn begin(link: &Link, store: &Store) -> Result<Ordered, String> {
    let config = OrderedConfig {
        deliver_subject: link.inbox(),
        description: Some("changes of moorline sessions".into()),
        filter_subject: format!("{}{RECORDS}>", store.prefix),
        headers_only: true,
        deliver_policy: DeliverPolicy::New,
        ..OrderedConfig::default()
    };
    let consumer = store.stream.create_consumer(config).await;
    let consumer = consumer.map_err(|error| explain(&error))?;
    consumer.messages().await.map_err(|error| explain(&error))
}

/// What a message says. A removal has no revision, nor has what was not written by us; what is in
/// no slot means: look everywhere.
fn change(subject: &str, headers: Option<&HeaderMap>, prefix: &str) -> Change {
    let Some(slot) = subject.strip_prefix(prefix).and_then(entry::slot) else {
        return Change::Resync;
    };
    let told = headers.filter(|headers| !entry::removed(headers));
    let number = told
        .and_then(|headers| headers.get(REVISION))
        .and_then(|revision| revision.as_str().parse().ok());
    Change::Written {
        slot,
        revision: number.map_or(Revision::NONE, Revision::new),
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{OPERATION, REMOVED};
    use super::*;
    use crate::store::Slot;

    #[test]
    fn a_removal_is_told_without_a_revision_and_what_is_in_no_slot_is_looked_for_everywhere() {
        let (prefix, slot) = ("$KV.shop.", Slot::new([0xab; 32]));
        let subject = format!("{prefix}{}", entry::key(slot));
        let written = |number| Change::Written {
            slot,
            revision: Revision::new(number),
        };
        let mut headers = HeaderMap::new();
        assert_eq!(change(&subject, None, prefix), written(0));
        assert_eq!(change(&subject, Some(&headers), prefix), written(0));
        headers.insert(REVISION, "12");
        assert_eq!(change(&subject, Some(&headers), prefix), written(12));
        assert_eq!(
            change("$KV.shop.r.xy", Some(&headers), prefix),
            Change::Resync
        );
        assert_eq!(
            change(&subject, Some(&headers), "$KV.other."),
            Change::Resync
        );
        headers.insert(OPERATION, REMOVED);
        assert_eq!(change(&subject, Some(&headers), prefix), written(0));
        let mut odd = HeaderMap::new();
        odd.insert(REVISION, "twelve");
        assert_eq!(change(&subject, Some(&odd), prefix), written(0));
    }
}
