//! What every store must do, on every backend.

use moorline::store::backend::{Files, Memory, Redb};
use moorline::store::{
    EncryptedStore, KeyFile, MemoryStore, PlaintextStore, Revision, Store, StoreError, Stored,
};

use crate::support::{APPLICATION, Folder, PARTY, name, record, tombstone};

async fn keeps_its_promises(store: &dyn Store) {
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

#[tokio::test]
async fn memory() {
    keeps_its_promises(&MemoryStore::new()).await;
}

#[tokio::test]
async fn plaintext_in_memory() {
    keeps_its_promises(&PlaintextStore::new(Memory::new())).await;
}

#[tokio::test]
async fn plaintext_in_files() {
    let folder = Folder::new();
    let files = Files::open(folder.join("store")).unwrap();
    keeps_its_promises(&PlaintextStore::new(files)).await;
}

#[tokio::test]
async fn encrypted_in_memory() {
    let folder = Folder::new();
    let keys = KeyFile::new(folder.join("key"));
    keeps_its_promises(&EncryptedStore::new(Memory::new(), keys, APPLICATION)).await;
}

#[tokio::test]
async fn encrypted_in_files() {
    let folder = Folder::new();
    let keys = KeyFile::new(folder.join("key"));
    let files = Files::open(folder.join("store")).unwrap();
    keeps_its_promises(&EncryptedStore::new(files, keys, APPLICATION)).await;
}

#[tokio::test]
async fn encrypted_in_redb() {
    let folder = Folder::new();
    let keys = KeyFile::new(folder.join("key")).without_marks();
    let redb = Redb::open(folder.join("store.redb")).unwrap();
    keeps_its_promises(&EncryptedStore::new(redb, keys, APPLICATION)).await;
}

#[tokio::test]
async fn redb_belongs_to_one_at_a_time() {
    let folder = Folder::new();
    let open = Redb::open(folder.join("store.redb")).unwrap();
    let second = Redb::open(folder.join("store.redb")).unwrap_err();
    assert!(second.to_string().contains("has it open"), "{second}");
    drop(open);
    Redb::open(folder.join("store.redb")).unwrap();
}
