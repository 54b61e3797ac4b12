//! What every store promises.

use moorline::store::{Revision, Store, StoreError, Stored};

use crate::support::{PARTY, name, record, tombstone};

pub(crate) async fn keeps_its_promises(store: &dyn Store) {
    let (s, other) = (name("s"), name("other"));
    assert_eq!(store.load(&s).await.unwrap(), Stored::Nothing);
    assert_eq!(store.list().await.unwrap(), []);

    let first = store.save(&s, record(PARTY), Revision::NONE).await.unwrap();
    let read = store.load(&s).await.unwrap();
    let expected = Stored::Record {
        record: record(PARTY),
        revision: first,
    };
    assert_eq!(read, expected);

    // Compare-and-swap: against nothing, and against an older revision.
    let again = store.save(&s, record("bob"), Revision::NONE).await;
    let conflict = |expected| {
        Err(StoreError::Conflict {
            name: s.clone(),
            expected,
            found: first,
        })
    };
    assert_eq!(again, conflict(Revision::NONE));
    let ahead = Revision::new(first.number() + 7);
    assert_eq!(store.erase(&s, tombstone(), ahead).await, conflict(ahead));
    assert_eq!(store.load(&s).await.unwrap(), expected);

    let second = store.save(&s, record("bob"), first).await.unwrap();
    assert!(second > first);
    store
        .save(&other, record(PARTY), Revision::NONE)
        .await
        .unwrap();

    // H60: the end has its place in the order, and a late write does not undo it.
    let erased = store.erase(&s, tombstone(), second).await.unwrap();
    assert!(erased > second);
    let late = store.save(&s, record(PARTY), second).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let end = Stored::Tombstone {
        tombstone: tombstone(),
        revision: erased,
    };
    assert_eq!(store.load(&s).await.unwrap(), end);
    assert_eq!(store.list().await.unwrap(), [other.clone(), s.clone()]);

    let revived = store.save(&s, record(PARTY), erased).await.unwrap();
    assert!(revived > erased);
    assert!(matches!(
        store.load(&s).await.unwrap(),
        Stored::Record { .. }
    ));
}
