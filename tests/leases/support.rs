//! What the tests share.

use std::time::Duration;

use moorline::store::Slot;
use moorline::sync::lease::{LeaseNews, Leases, News};

use crate::wire::Wire;

pub(crate) const TTL: Duration = Duration::from_secs(10);

pub(crate) fn slot(number: u64) -> Slot {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Slot::new(bytes)
}

pub(crate) async fn join(wire: &Wire, name: &str) -> Leases {
    let builder = Leases::builder(wire.clone()).member(name).ttl(TTL);
    builder.join().await.unwrap()
}

/// The next news of a kind.
pub(crate) async fn hear(news: &mut News, wanted: impl Fn(&LeaseNews) -> bool) -> LeaseNews {
    loop {
        let heard = news.next().await.expect("the news goes on");
        if wanted(&heard) {
            return heard;
        }
    }
}
