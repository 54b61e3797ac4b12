//! H62, H65, H70: records that were changed, moved, replayed or exposed.

use moorline::store::backend::{Backend, Blob, Memory, Slot};
use moorline::store::{
    EncryptedStore, FileStore, KeyFile, PlaintextStore, Revision, Store, StoreError, Stored,
};

use crate::support::{APPLICATION, Folder, PARTY, files, name, record, tombstone};

struct Sealed {
    store: EncryptedStore<Memory>,
    memory: Memory,
    folder: Folder,
}

impl Sealed {
    fn new() -> Self {
        let folder = Folder::new();
        let memory = Memory::new();
        let keys = KeyFile::new(folder.join("key"));
        Self {
            store: EncryptedStore::new(memory.clone(), keys, APPLICATION),
            memory,
            folder,
        }
    }

    async fn save(&self, text: &str, party: &str) -> Slot {
        let before = self.memory.list().await.unwrap();
        let expected = self.store.load(&name(text)).await.unwrap().revision();
        let saved = self.store.save(&name(text), record(party), expected).await;
        saved.unwrap();
        let after = self.memory.list().await.unwrap();
        let new = after.iter().find(|slot| !before.contains(slot));
        new.copied().unwrap_or(after[0])
    }

    async fn blob(&self, slot: Slot) -> Blob {
        self.memory.get(slot).await.unwrap().unwrap()
    }

    /// Loads, and makes sure that what could not be read is still there.
    async fn refused(&self, text: &str, slot: Slot, blob: Blob) -> String {
        self.memory.overwrite(slot, blob.clone());
        let reason = match self.store.load(&name(text)).await {
            Err(StoreError::Unreadable { reason, .. }) => reason.to_string(),
            other => panic!("{other:?} from {blob:?}"),
        };
        let over = self
            .store
            .save(&name(text), record("eve"), blob.revision)
            .await;
        assert!(
            matches!(over, Err(StoreError::Unreadable { .. })),
            "{over:?}"
        );
        assert_eq!(self.blob(slot).await, blob);
        reason
    }
}

#[tokio::test]
async fn h62_every_bit_counts() {
    let sealed = Sealed::new();
    let slot = sealed.save("s", PARTY).await;
    let good = sealed.blob(slot).await;
    for index in 0..good.bytes.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad.bytes[index] ^= 1 << bit;
            sealed.refused("s", slot, bad).await;
        }
    }
    sealed.memory.overwrite(slot, good);
    assert!(matches!(
        sealed.store.load(&name("s")).await,
        Ok(Stored::Record { .. })
    ));
}

#[tokio::test]
async fn h62_a_record_cut_short_or_made_longer_is_refused() {
    let sealed = Sealed::new();
    let slot = sealed.save("s", PARTY).await;
    let good = sealed.blob(slot).await;
    for length in 0..good.bytes.len() {
        let mut bad = good.clone();
        bad.bytes.truncate(length);
        sealed.refused("s", slot, bad).await;
    }
    let mut bad = good.clone();
    bad.bytes.push(0);
    sealed.refused("s", slot, bad).await;
}

#[tokio::test]
async fn h65_a_record_in_the_place_of_another_is_refused() {
    let sealed = Sealed::new();
    let alice = sealed.save("alice", PARTY).await;
    let bob = sealed.save("bob", "bob::1220").await;
    assert_ne!(alice, bob);
    let moved = sealed.blob(bob).await;
    let reason = sealed.refused("alice", alice, moved).await;
    assert!(reason.contains("another record"), "{reason}");
}

#[tokio::test]
async fn h65_a_record_of_another_application_is_refused() {
    let sealed = Sealed::new();
    let slot = sealed.save("s", PARTY).await;
    let blob = sealed.blob(slot).await;
    let (memory, key) = (
        Memory::new(),
        KeyFile::new(sealed.folder.join("key")).without_marks(),
    );
    let other = EncryptedStore::new(memory.clone(), key, "another shop");
    other
        .save(&name("s"), record("eve"), Revision::NONE)
        .await
        .unwrap();
    let there = memory.list().await.unwrap()[0];
    assert_ne!(there, slot);
    memory.overwrite(there, blob);
    let loaded = other.load(&name("s")).await;
    assert!(
        matches!(loaded, Err(StoreError::Unreadable { .. })),
        "{loaded:?}"
    );
}

#[tokio::test]
async fn h65_an_old_record_put_back_is_refused() {
    let sealed = Sealed::new();
    assert!(sealed.store.detects_replay());
    let slot = sealed.save("s", PARTY).await;
    let old = sealed.blob(slot).await;
    let second = sealed
        .store
        .erase(&name("s"), tombstone(), old.revision)
        .await
        .unwrap();
    // The user's disconnect cannot be taken back by restoring a file.
    let reason = sealed.refused("s", slot, old.clone()).await;
    assert!(reason.contains("old record"), "{reason}");
    // Nor under the number of the new one.
    let renumbered = Blob {
        revision: second,
        ..old
    };
    sealed.refused("s", slot, renumbered).await;
    // A new store over the same keys remembers, too.
    let keys = KeyFile::new(sealed.folder.join("key"));
    let again = EncryptedStore::new(sealed.memory.clone(), keys, APPLICATION);
    assert!(matches!(
        again.load(&name("s")).await,
        Err(StoreError::Unreadable { .. })
    ));
}

#[tokio::test]
async fn h65_without_marks_it_is_said_that_replays_are_not_noticed() {
    let folder = Folder::new();
    let keys = KeyFile::new(folder.join("key")).without_marks();
    let store = EncryptedStore::new(Memory::new(), keys, APPLICATION);
    assert!(!store.detects_replay());
}

#[tokio::test]
async fn plaintext_in_the_place_of_a_sealed_record_is_refused() {
    let sealed = Sealed::new();
    let slot = sealed.save("s", PARTY).await;
    let plain = Memory::new();
    let clear = PlaintextStore::new(plain.clone());
    clear
        .save(&name("s"), record("eve"), Revision::NONE)
        .await
        .unwrap();
    let forged = plain
        .get(plain.list().await.unwrap()[0])
        .await
        .unwrap()
        .unwrap();
    let reason = sealed.refused("s", slot, forged).await;
    assert!(reason.contains("not a sealed record"), "{reason}");
}

#[tokio::test]
async fn h62_one_bad_record_harms_no_other_and_can_be_set_aside() {
    let sealed = Sealed::new();
    let bad = sealed.save("bad", PARTY).await;
    sealed.save("good", "bob::1220").await;
    let mut blob = sealed.blob(bad).await;
    blob.bytes.truncate(30);
    sealed.memory.overwrite(bad, blob.clone());
    assert!(matches!(
        sealed.store.load(&name("good")).await,
        Ok(Stored::Record { .. })
    ));
    assert_eq!(sealed.store.list().await.unwrap(), [name("good")]);
    let entries = sealed.store.entries().await.unwrap();
    assert_eq!(entries.len(), 2);
    let unreadable: Vec<_> = entries.iter().filter(|it| it.content.is_err()).collect();
    assert_eq!(unreadable[0].slot, bad);

    let expected = sealed.store.set_aside(&name("bad")).await.unwrap();
    assert_eq!(sealed.memory.aside(), [(bad, blob.clone())]);
    let next = sealed
        .store
        .save(&name("bad"), record(PARTY), expected)
        .await;
    // Higher than what was set aside: that could be put back otherwise.
    assert!(next.unwrap() > blob.revision);
}

#[tokio::test]
async fn h69_what_a_later_version_wrote_is_kept_on_the_next_save() {
    let memory = Memory::new();
    let clear = PlaintextStore::new(memory.clone());
    let revision = clear
        .save(&name("s"), record(PARTY), Revision::NONE)
        .await
        .unwrap();
    let slot = memory.list().await.unwrap()[0];
    let blob = memory.get(slot).await.unwrap().unwrap();
    let text = String::from_utf8(blob.bytes).unwrap();
    let later = text
        .replace(
            r#""generation":0"#,
            r#""generation":0,"signer":{"type":"hsm" , "n":1.0}"#,
        )
        .replace("scripted", "tulip/9");
    memory.overwrite(
        slot,
        Blob {
            revision,
            bytes: later.clone().into_bytes(),
        },
    );
    let Stored::Record { record, .. } = clear.load(&name("s")).await.unwrap() else {
        panic!("no record")
    };
    assert_eq!(&*record.provider, "tulip/9");
    let mut known = crate::support::record(PARTY);
    known.provider = record.provider;
    known.generation = 1;
    clear.save(&name("s"), known, revision).await.unwrap();
    let after = memory.get(slot).await.unwrap().unwrap();
    let expected = later.replace(r#""generation":0"#, r#""generation":1"#);
    assert_eq!(String::from_utf8(after.bytes).unwrap(), expected);
}

#[tokio::test]
async fn h70_nothing_on_the_disk_tells_names_or_parties() {
    let folder = Folder::new();
    let store = FileStore::open(
        folder.join("store"),
        KeyFile::new(folder.join("key")),
        APPLICATION,
    )
    .unwrap();
    for number in 0..20 {
        let text = format!("session-of-{PARTY}-{number}");
        store
            .save(&name(&text), record(PARTY), Revision::NONE)
            .await
            .unwrap();
    }
    let found = files(&folder);
    assert!(found.len() > 40, "{found:?}");
    for path in found {
        let bytes = std::fs::read(&path).unwrap();
        let text = format!("{} {}", path.display(), String::from_utf8_lossy(&bytes));
        for secret in [PARTY, "c0ffee", "Alice", "canton:local", "session-of"] {
            assert!(!text.contains(secret), "{secret} in {}", path.display());
        }
    }
}
