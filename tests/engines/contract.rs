//! What every backend must do, on an engine.

use moorline::store::backend::{Backend, BackendError};
use moorline::store::{EncryptedStore, KeyFile, Revision, Slot};

use crate::engine::{Engine, blob, fresh, slot, undisturbed};
use crate::on_every_engine;
use crate::promises::keeps_its_promises;
use crate::support::{APPLICATION, Folder};

on_every_engine! {
    a_sealed_store_keeps_its_promises;
    a_slot_is_swapped_only_against_what_stands_there;
    a_slot_that_was_emptied_begins_anew;
    what_is_set_aside_leaves_its_slot;
    slots_are_listed_in_order;
    any_number_may_open_it_at_once;
    it_says_where_it_is_and_keeps_the_password;
}

fn found(number: u64) -> Result<(), BackendError> {
    Err(BackendError::Conflict {
        found: Revision::new(number),
    })
}

async fn a_sealed_store_keeps_its_promises(engine: Engine) {
    let _servers = undisturbed().await;
    let folder = Folder::new();
    let keys = KeyFile::new(folder.join("key"));
    let backend = engine.open(&fresh("sealed")).await;
    keeps_its_promises(&EncryptedStore::new(backend, keys, APPLICATION)).await;
}

async fn a_slot_is_swapped_only_against_what_stands_there(engine: Engine) {
    let _servers = undisturbed().await;
    let name = fresh("swap");
    let (one, two) = (engine.open(&name).await, engine.open(&name).await);
    let (s, none) = (slot(1), Revision::NONE);
    assert_eq!(one.get(s).await, Ok(None));
    assert_eq!(one.put(s, blob(2, b"x"), Revision::new(1)).await, found(0));

    // The caller chooses revisions; they need not be next to each other.
    assert_eq!(one.put(s, blob(7, b"a"), none).await, Ok(()));
    assert_eq!(two.put(s, blob(1, b"b"), none).await, found(7));
    assert_eq!(two.get(s).await, Ok(Some(blob(7, b"a"))));
    assert_eq!(two.put(s, blob(900, b""), Revision::new(7)).await, Ok(()));
    // What the first one remembers is out of date.
    assert_eq!(
        one.put(s, blob(8, b"c"), Revision::new(7)).await,
        found(900)
    );
    assert_eq!(one.get(s).await, Ok(Some(blob(900, b""))));
    let highest = i64::MAX as u64;
    assert_eq!(
        one.put(s, blob(highest, b"z"), Revision::new(900)).await,
        Ok(())
    );
    assert_eq!(two.get(s).await, Ok(Some(blob(highest, b"z"))));
}

async fn a_slot_that_was_emptied_begins_anew(engine: Engine) {
    let _servers = undisturbed().await;
    let name = fresh("anew");
    let (one, two) = (engine.open(&name).await, engine.open(&name).await);
    let (s, none) = (slot(1), Revision::NONE);
    assert_eq!(one.remove(s, none).await, Ok(()), "nothing is there");
    one.put(s, blob(1, b"a"), none).await.unwrap();
    assert_eq!(two.get(s).await, Ok(Some(blob(1, b"a"))));
    assert_eq!(one.remove(s, none).await, found(1));
    assert_eq!(one.remove(s, Revision::new(2)).await, found(1));
    assert_eq!(one.remove(s, Revision::new(1)).await, Ok(()));
    assert_eq!(one.get(s).await, Ok(None));
    assert_eq!(two.put(s, blob(2, b"b"), Revision::new(1)).await, found(0));
    // The same revision again, by somebody else: what one remembers of it is another write.
    two.put(s, blob(1, b"c"), none).await.unwrap();
    assert_eq!(one.put(s, blob(1, b"d"), none).await, found(1));
    assert_eq!(one.put(s, blob(2, b"e"), Revision::new(1)).await, Ok(()));
    two.remove(s, Revision::new(2)).await.unwrap();
    one.put(s, blob(1, b"f"), none).await.unwrap();
    assert_eq!(two.get(s).await, Ok(Some(blob(1, b"f"))));
}

async fn what_is_set_aside_leaves_its_slot(engine: Engine) {
    let _servers = undisturbed().await;
    let backend = engine.open(&fresh("aside")).await;
    let s = slot(1);
    assert_eq!(backend.set_aside(s).await, Ok(None));
    for round in 0..2 {
        let put = backend.put(s, blob(1, b"odd"), Revision::NONE).await;
        assert_eq!(put, Ok(()), "{round}");
        let place = backend.set_aside(s).await.unwrap().unwrap();
        assert!(place.contains("aside"), "{place}");
        assert_eq!(backend.get(s).await, Ok(None));
        assert_eq!(backend.list().await, Ok(vec![]));
    }
}

async fn slots_are_listed_in_order(engine: Engine) {
    let _servers = undisturbed().await;
    let backend = engine.open(&fresh("list")).await;
    assert_eq!(backend.list().await, Ok(vec![]));
    let mut expected: Vec<Slot> = Vec::new();
    for number in [300, 7, u64::MAX, 0, 256] {
        let put = backend.put(slot(number), blob(1, b"x"), Revision::NONE);
        put.await.unwrap();
        expected.push(slot(number));
    }
    backend.remove(slot(7), Revision::new(1)).await.unwrap();
    expected.retain(|it| *it != slot(7));
    expected.sort();
    assert_eq!(backend.list().await, Ok(expected));
}

async fn any_number_may_open_it_at_once(engine: Engine) {
    let _servers = undisturbed().await;
    let name = fresh("race");
    let opening = (0..8).map(|_| engine.open(&name));
    let opened = futures_util::future::join_all(opening).await;
    opened[0]
        .put(slot(1), blob(1, b"x"), Revision::NONE)
        .await
        .unwrap();
    for one in &opened {
        assert_eq!(one.get(slot(1)).await, Ok(Some(blob(1, b"x"))));
    }
}

async fn it_says_where_it_is_and_keeps_the_password(engine: Engine) {
    let _servers = undisturbed().await;
    let name = fresh("describe");
    let backend = engine.open(&name).await;
    let described = backend.describe();
    assert!(described.contains(&name), "{described}");
    assert!(described.contains(&engine.place()), "{described}");
    for text in [described, format!("{backend:?}")] {
        assert!(!text.contains(&engine.password()), "{text}");
    }
}
