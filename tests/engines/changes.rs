//! News of what changes.

use std::time::Duration;

use futures_util::StreamExt;
use moorline::store::backend::Backend;
use moorline::store::{Change, Changes, Revision};
use tokio::time::timeout;

use crate::engine::{Any, Engine, blob, fresh, slot, undisturbed};
use crate::on_every_engine;
use crate::proxy::{Network, Proxy};

on_every_engine! {
    what_one_writes_all_others_hear;
    a_gap_is_told_and_what_comes_after_is_heard;
    a_slow_reader_is_told_to_read_everything;
    news_ends_with_the_backend;
}

fn written(number: u64, revision: u64) -> Change {
    Change::Written {
        slot: slot(number),
        revision: Revision::new(revision),
    }
}

async fn next(changes: &mut Changes) -> Change {
    let item = timeout(Duration::from_secs(20), changes.next()).await;
    item.expect("no news in time").expect("the news ended")
}

/// Reads on until something was heard; whether a gap was told on the way.
async fn until(changes: &mut Changes, wanted: Change) -> bool {
    let mut gap = false;
    loop {
        match next(changes).await {
            change if change == wanted => return gap,
            Change::Resync => gap = true,
            _ => {}
        }
    }
}

/// Listens, and returns once it is heard what is written.
async fn listening(reader: &Any, writer: &Any) -> Changes {
    let mut changes = reader.changes().unwrap();
    assert_eq!(next(&mut changes).await, Change::Resync, "the first item");
    // The server hears of the listener some time later, which is told as well.
    let mut revision = 0;
    loop {
        let expected = Revision::new(revision);
        revision += 1;
        let put = writer.put(slot(0), blob(revision, b""), expected);
        put.await.unwrap();
        let heard = timeout(Duration::from_millis(300), async {
            until(&mut changes, written(0, revision)).await
        });
        if heard.await.is_ok() {
            return changes;
        }
    }
}

async fn what_one_writes_all_others_hear(engine: Engine) {
    let _servers = undisturbed().await;
    let name = fresh("news");
    let (one, two) = (engine.open(&name).await, engine.open(&name).await);
    let mut second = listening(&two, &one).await;
    let mut first = one.changes().unwrap();
    assert_eq!(next(&mut first).await, Change::Resync);
    let mut also = two.changes().unwrap();
    assert_eq!(next(&mut also).await, Change::Resync);

    one.put(slot(9), blob(3, b"a"), Revision::NONE)
        .await
        .unwrap();
    two.put(slot(9), blob(5, b"b"), Revision::new(3))
        .await
        .unwrap();
    // A write that was refused is no news.
    assert!(
        two.put(slot(9), blob(4, b"b"), Revision::new(3))
            .await
            .is_err()
    );
    one.remove(slot(9), Revision::new(5)).await.unwrap();
    // A removal has no revision: it is always looked at.
    for changes in [&mut second, &mut also] {
        for revision in [3, 5, 0] {
            assert_eq!(next(changes).await, written(9, revision));
        }
    }
    // The writer's own feed may have begun later; it hears the rest.
    two.put(slot(9), blob(1, b"c"), Revision::NONE)
        .await
        .unwrap();
    two.set_aside(slot(9)).await.unwrap();
    for revision in [1, 0] {
        assert_eq!(next(&mut second).await, written(9, revision));
    }
}

async fn a_gap_is_told_and_what_comes_after_is_heard(engine: Engine) {
    let _servers = undisturbed().await;
    let proxy = Proxy::to(engine.place()).await;
    let name = fresh("gap");
    let writer = engine.open(&name).await;
    let address = engine.address_at(&proxy.place());
    let reader = engine.try_open(address, &name).await.unwrap();
    let mut changes = listening(&reader, &writer).await;

    for (round, network) in [(1, Network::Cut), (2, Network::Stalled)] {
        proxy.set(network);
        writer
            .put(slot(round), blob(1, b"missed"), Revision::NONE)
            .await
            .unwrap();
        if network == Network::Stalled {
            // Longer than a silent connection is believed.
            tokio::time::sleep(Duration::from_secs(16)).await;
            // What was on its way is lost with its connection.
            proxy.set(Network::Cut);
        }
        proxy.set(Network::Whole);
        assert_eq!(next(&mut changes).await, Change::Resync, "{network:?}");
        let read = loop {
            // The way for reads comes back on its own.
            if let Ok(read) = reader.get(slot(round)).await {
                break read;
            }
        };
        assert_eq!(read, Some(blob(1, b"missed")));
        writer
            .put(slot(round), blob(2, b"heard"), Revision::new(1))
            .await
            .unwrap();
        until(&mut changes, written(round, 2)).await;
    }
}

async fn a_slow_reader_is_told_to_read_everything(engine: Engine) {
    let _servers = undisturbed().await;
    let name = fresh("slow");
    let (one, two) = (engine.open(&name).await, engine.open(&name).await);
    let mut slow = listening(&two, &one).await;
    let mut quick = two.changes().unwrap();
    let writes = (1..=3000).map(|number| one.put(slot(number), blob(1, b""), Revision::NONE));
    futures_util::future::try_join_all(writes).await.unwrap();
    // Whoever has heard of this one was told of all before it, or that there was more.
    one.put(slot(9998), blob(1, b""), Revision::NONE)
        .await
        .unwrap();
    until(&mut quick, written(9998, 1)).await;
    one.put(slot(9999), blob(1, b""), Revision::NONE)
        .await
        .unwrap();
    let told_of_the_gap = until(&mut slow, written(9999, 1)).await;
    assert!(told_of_the_gap);
}

async fn news_ends_with_the_backend(engine: Engine) {
    let _servers = undisturbed().await;
    let backend = engine.open(&fresh("end")).await;
    let mut changes = backend.changes().unwrap();
    assert_eq!(next(&mut changes).await, Change::Resync);
    drop(backend);
    let rest = timeout(Duration::from_secs(10), async {
        while changes.next().await.is_some() {}
    });
    rest.await.expect("the news goes on");
}
