//! What every store must do, on every backend.

use moorline::store::backend::{Files, Memory, Redb};
use moorline::store::{EncryptedStore, KeyFile, MemoryStore, PlaintextStore};

use crate::promises::keeps_its_promises;
use crate::support::{APPLICATION, Folder};

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
