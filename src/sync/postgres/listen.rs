//! News by `LISTEN`, on a connection of its own.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client};

use super::connector::{Carrier, Connector};
use crate::store::feed::Feed;
use crate::store::{Change, Revision, Slot};
use crate::sync::engine::retry_delay;

/// Hears what is told, and says [`Change::Resync`] whenever it begins to: what came before was
/// missed.
pub(super) async fn listen(connector: Arc<Connector>, feed: Feed) {
    let mut attempt = 0;
    loop {
        let reason = match connector.connect().await {
            Ok((client, carrier)) => {
                let hearing = pin!(hear(carrier, &feed));
                let asking = pin!(ask(&connector, &client, &feed, &mut attempt));
                match select(hearing, asking).await {
                    Either::Left(((), _)) => "the connection was lost".to_owned(),
                    Either::Right((reason, _)) => reason,
                }
            }
            Err(reason) => reason,
        };
        tracing::debug!(reason, "no news from PostgreSQL");
        attempt += 1;
        sleep(retry_delay(attempt)).await;
    }
}

/// Hands on notifications until the connection ends.
async fn hear(mut carrier: Carrier, feed: &Feed) {
    while let Some(Ok(message)) = poll_fn(|context| carrier.poll_message(context)).await {
        if let AsyncMessage::Notification(told) = message {
            feed.tell(change(told.payload()));
        }
    }
}

/// Begins to listen, then asks now and then whether the server is there: nothing else would tell
/// that a silent connection is cut. Returns why not.
async fn ask(connector: &Connector, client: &Client, feed: &Feed, attempt: &mut u32) -> String {
    let begin = format!("LISTEN {}", connector.names.channel);
    if let Err(reason) = within(connector, client.batch_execute(&begin)).await {
        return reason;
    }
    *attempt = 0;
    feed.tell(Change::Resync);
    loop {
        sleep(connector.timeout).await;
        if let Err(reason) = within(connector, client.check_connection()).await {
            return reason;
        }
    }
}

async fn within(
    connector: &Connector,
    call: impl Future<Output = Result<(), tokio_postgres::Error>>,
) -> Result<(), String> {
    match timeout(connector.timeout, call).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(connector.reason(&error)),
        Err(_) => Err(format!("{} did not answer in time", connector.place)),
    }
}

/// What a notification says: `slot:revision`, 0 for a removal. Anything else was not told by us:
/// look everywhere.
fn change(payload: &str) -> Change {
    let parsed = payload.split_once(':').and_then(|(slot, revision)| {
        let revision = revision.parse().ok().map(Revision::new)?;
        let slot = Slot::parse(slot)?;
        Some(Change::Written { slot, revision })
    });
    parsed.unwrap_or(Change::Resync)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_means_look_everywhere() {
        let slot = Slot::new([0xab; 32]);
        let written = Change::Written {
            slot,
            revision: Revision::new(12),
        };
        assert_eq!(change(&format!("{slot}:12")), written);
        let removed = Change::Written {
            slot,
            revision: Revision::NONE,
        };
        assert_eq!(change(&format!("{slot}:0")), removed);
        for odd in [
            "",
            ":",
            "12",
            &format!("{slot}"),
            &format!("{slot}:-1"),
            "xx:12",
        ] {
            assert_eq!(change(odd), Change::Resync, "{odd}");
        }
    }
}
