//! News from the bucket's stream.

use std::pin::pin;
use std::sync::Arc;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig};
use async_nats::jetstream::kv::Store;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use tokio::time::{sleep, timeout};

use super::entry::{self, RECORDS, REVISION};
use super::link::Link;
use crate::store::{Change, Revision};
use crate::sync::engine::{News, explain, retry_delay};

/// Hears what the stream takes, and says [`Change::Resync`] whenever it begins to: what came before
/// was missed.
pub(super) async fn watch(link: Arc<Link>, store: Store, news: News) {
    let mut attempt = 0;
    loop {
        let losses = link.up().await;
        let reason = {
            let (hearing, lost) = (
                pin!(hear(&link, &store, &news, &mut attempt)),
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
async fn hear(link: &Link, store: &Store, news: &News, attempt: &mut u32) -> String {
    let mut messages = match timeout(link.timeout, begin(link, store)).await {
        Ok(Ok(messages)) => messages,
        Ok(Err(reason)) => return reason,
        Err(_) => return format!("{} did not answer in time", link.place),
    };
    *attempt = 0;
    // The stream is heard from here on.
    news.tell(Change::Resync);
    loop {
        match messages.next().await {
            Some(Ok(message)) => news.tell(change(&message, &store.prefix)),
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

/// What a message says. Anything that is not ours means: look everywhere.
fn change(message: &Message, prefix: &str) -> Change {
    let read = || {
        let slot = entry::slot(message.subject.strip_prefix(prefix)?)?;
        let revision = message.headers.as_ref()?.get(REVISION)?;
        let revision = Revision::new(revision.as_str().parse().ok()?);
        Some(Change::Written { slot, revision })
    };
    read().unwrap_or(Change::Resync)
}
