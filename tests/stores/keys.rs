//! H63, H64, H71: keys that are missing, made, changed and kept.

use std::path::Path;
use std::sync::{Arc, Mutex};

use moorline::store::backend::{Backend, Memory};
use moorline::store::keys::{KeyError, KeyFuture, KeyId, KeySet};
use moorline::store::{
    EncryptedStore, EnvironmentKeys, KeyFile, KeySource, PassphraseKeys, Revision, Store,
    StoreError, Stored,
};
use secrecy::{ExposeSecret, SecretString};

use crate::support::{APPLICATION, Folder, PARTY, name, record};

/// As an application would bring its own, from a service that is not always there.
#[derive(Clone, Default)]
struct Vault(Arc<Mutex<VaultState>>);

#[derive(Default)]
struct VaultState {
    keys: Option<KeySet>,
    away: bool,
    created: usize,
}

impl Vault {
    fn ask<T>(&self, work: impl FnOnce(&mut VaultState) -> T) -> Result<T, KeyError> {
        let mut state = self.0.lock().unwrap();
        if state.away {
            return Err(KeyError::unavailable("the vault does not answer"));
        }
        Ok(work(&mut state))
    }

    fn set_away(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }
}

impl KeySource for Vault {
    fn describe(&self) -> String {
        "the vault".into()
    }

    fn load(&self) -> KeyFuture<'_, Option<KeySet>> {
        Box::pin(async { self.ask(|state| state.keys.clone()) })
    }

    fn create(&self) -> KeyFuture<'_, KeySet> {
        Box::pin(async {
            let made = KeySet::generate()?;
            self.ask(|state| {
                state.created += 1;
                state.keys.get_or_insert(made).clone()
            })
        })
    }

    fn replace(&self, expected: KeyId, next: KeySet) -> KeyFuture<'_, KeySet> {
        Box::pin(async move {
            self.ask(|state| match state.keys.clone() {
                Some(present) if present.current() != expected => present,
                _ => state.keys.insert(next).clone(),
            })
        })
    }
}

#[tokio::test]
async fn h63_keys_that_are_away_for_a_moment_are_no_damage() {
    let (memory, vault) = (Memory::new(), Vault::default());
    let store = EncryptedStore::new(memory.clone(), vault.clone(), APPLICATION);
    store
        .save(&name("s"), record(PARTY), Revision::NONE)
        .await
        .unwrap();
    let before = memory.get(memory.list().await.unwrap()[0]).await.unwrap();

    vault.set_away(true);
    let store = EncryptedStore::new(memory.clone(), vault.clone(), APPLICATION);
    let loaded = store.load(&name("s")).await;
    assert!(matches!(&loaded, Err(StoreError::Unavailable { reason }) if reason.contains("vault")));
    let saved = store
        .save(&name("s"), record("eve"), Revision::new(1))
        .await;
    assert!(
        matches!(saved, Err(StoreError::Unavailable { .. })),
        "{saved:?}"
    );
    let after = memory.get(memory.list().await.unwrap()[0]).await.unwrap();
    assert_eq!(before, after);

    vault.set_away(false);
    assert!(matches!(
        store.load(&name("s")).await,
        Ok(Stored::Record { .. })
    ));
    assert_eq!(vault.0.lock().unwrap().created, 1);
}

#[tokio::test]
async fn h63_no_new_key_is_made_while_records_wait_for_theirs() {
    let folder = Folder::new();
    let (memory, path) = (Memory::new(), folder.join("key"));
    let store = EncryptedStore::new(memory.clone(), KeyFile::new(&path), APPLICATION);
    store
        .save(&name("s"), record(PARTY), Revision::NONE)
        .await
        .unwrap();

    // As when the disk with the key is not mounted yet.
    std::fs::rename(&path, folder.join("elsewhere")).unwrap();
    let store = EncryptedStore::new(memory.clone(), KeyFile::new(&path), APPLICATION);
    let loaded = store.load(&name("s")).await;
    assert!(matches!(&loaded, Err(StoreError::Unavailable { reason }) if reason.contains("wait")));
    let saved = store
        .save(&name("new"), record(PARTY), Revision::NONE)
        .await;
    assert!(
        matches!(saved, Err(StoreError::Unavailable { .. })),
        "{saved:?}"
    );
    assert!(!path.exists(), "a new key was made");

    std::fs::rename(folder.join("elsewhere"), &path).unwrap();
    assert!(matches!(
        store.load(&name("s")).await,
        Ok(Stored::Record { .. })
    ));
}

#[tokio::test]
async fn h62_a_wrong_key_opens_nothing_and_destroys_nothing() {
    let folder = Folder::new();
    let memory = Memory::new();
    let right = EncryptedStore::new(memory.clone(), KeyFile::new(folder.join("a")), APPLICATION);
    right
        .save(&name("s"), record(PARTY), Revision::NONE)
        .await
        .unwrap();
    let wrong = Vault::default();
    wrong.create().await.unwrap();
    let store = EncryptedStore::new(memory.clone(), wrong, APPLICATION);
    // Another key has other places, so nothing is there under this name; the record shows as one
    // that cannot be read.
    assert_eq!(store.load(&name("s")).await.unwrap(), Stored::Nothing);
    let entries = store.entries().await.unwrap();
    let error = entries[0].content.clone().unwrap_err();
    assert!(error.to_string().contains("does not have"), "{error}");
    assert!(matches!(
        right.load(&name("s")).await,
        Ok(Stored::Record { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn h64_many_that_start_at_once_make_one_key() {
    for _ in 0..20 {
        let folder = Folder::new();
        let path = folder.join("deep/down/key");
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let source = KeyFile::new(&path);
                tokio::spawn(async move { source.create().await.unwrap().current() })
            })
            .collect();
        let mut made = Vec::new();
        for task in tasks {
            made.push(task.await.unwrap());
        }
        made.dedup();
        assert_eq!(made.len(), 1);
    }
}

#[tokio::test]
async fn rotation_keeps_old_records_readable_and_seals_them_anew() {
    let folder = Folder::new();
    let (memory, path) = (Memory::new(), folder.join("key"));
    let open = || EncryptedStore::new(memory.clone(), KeyFile::new(&path), APPLICATION);
    let (store, other) = (open(), open());
    for number in 0..5 {
        let text = format!("s{number}");
        store
            .save(&name(&text), record(PARTY), Revision::NONE)
            .await
            .unwrap();
    }
    // The other process has the old key in memory.
    other.load(&name("s0")).await.unwrap();
    assert!(matches!(store.retire_keys().await, Ok(0)));

    let rotation = store.rotate_key().await.unwrap();
    assert_eq!((rotation.rewritten, rotation.unreadable.len()), (5, 0));
    for number in 0..5 {
        let loaded = other.load(&name(&format!("s{number}"))).await.unwrap();
        assert!(matches!(loaded, Stored::Record { .. }), "{loaded:?}");
    }
    assert_eq!(store.retire_keys().await.unwrap(), 1);
    assert_eq!(other.list().await.unwrap().len(), 5);
    let fresh = open();
    assert_eq!(fresh.list().await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_key_that_a_record_needs_is_not_retired() {
    let folder = Folder::new();
    let (memory, path) = (Memory::new(), folder.join("key"));
    let open = || EncryptedStore::new(memory.clone(), KeyFile::new(&path), APPLICATION);
    let (store, behind) = (open(), open());
    let first = store
        .save(&name("s"), record(PARTY), Revision::NONE)
        .await
        .unwrap();
    behind.load(&name("s")).await.unwrap();
    store.rotate_key().await.unwrap();
    // A process that was asleep writes under the key it knows.
    behind
        .save(&name("new"), record(PARTY), Revision::NONE)
        .await
        .unwrap();
    let retired = store.retire_keys().await;
    assert!(
        matches!(&retired, Err(StoreError::Unreadable { reason, .. }) if reason.contains("earlier key"))
    );
    assert_eq!(store.rotate_key().await.unwrap().unreadable, []);
    store.retire_keys().await.unwrap();
    assert!(store.load(&name("s")).await.unwrap().revision() > first);
    assert!(matches!(
        store.load(&name("new")).await,
        Ok(Stored::Record { .. })
    ));
}

fn passphrase(path: &Path, text: &str) -> PassphraseKeys {
    PassphraseKeys::new(path, SecretString::from(text)).with_effort(64, 1, 1)
}

#[tokio::test]
async fn a_passphrase_opens_its_file_and_no_other_does() {
    let folder = Folder::new();
    let path = folder.join("keys");
    let made = passphrase(&path, "correct horse").create().await.unwrap();
    let read = passphrase(&path, "correct horse").load().await.unwrap();
    assert_eq!(read.unwrap().current(), made.current());
    let wrong = passphrase(&path, "battery staple")
        .load()
        .await
        .unwrap_err();
    assert!(matches!(&wrong, KeyError::Unusable { reason } if reason.contains("does not open")));
    assert!(!wrong.to_string().contains("staple"));
    // The next to start with the wrong one makes no new keys.
    assert!(passphrase(&path, "battery staple").create().await.is_err());
    let rotated = made.rotated().unwrap();
    let replaced = passphrase(&path, "correct horse")
        .replace(made.current(), rotated)
        .await;
    assert_eq!(replaced.unwrap().ids().count(), 2);
}

#[tokio::test]
async fn a_passphrase_file_cannot_ask_for_all_the_memory() {
    let folder = Folder::new();
    let path = folder.join("keys");
    passphrase(&path, "x").create().await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace("\"memoryKib\":64", "\"memoryKib\":4000000000"),
    )
    .unwrap();
    let error = passphrase(&path, "x").load().await.unwrap_err();
    assert!(error.to_string().contains("out of range"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn h71_key_files_are_private_and_others_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.join("key");
    KeyFile::new(&path).create().await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = KeyFile::new(&path).load().await.unwrap_err();
    assert!(
        matches!(&error, KeyError::Unusable { reason } if reason.contains("640")),
        "{error}"
    );
}

#[tokio::test]
async fn keys_from_the_environment_are_read_and_never_made() {
    let missing = EnvironmentKeys::new("MOORLINE_TEST_KEY_THAT_IS_NOT_SET");
    assert!(missing.load().await.unwrap().is_none());
    let error = missing.create().await.unwrap_err();
    assert!(matches!(&error, KeyError::ReadOnly { reason } if reason.contains("NOT_SET")));
    // What the test runner has in its environment: certainly no key, and not to be quoted.
    let path = std::env::var("PATH").unwrap();
    let wrong = EnvironmentKeys::new("PATH").load().await.unwrap_err();
    assert!(matches!(wrong, KeyError::Unusable { .. }));
    assert!(!wrong.to_string().contains(&path));
}

#[tokio::test]
async fn debug_and_errors_show_no_key() {
    let folder = Folder::new();
    let source = KeyFile::new(folder.join("key"));
    let keys = source.create().await.unwrap();
    let text = keys.to_text().unwrap();
    let store = EncryptedStore::new(Memory::new(), source.clone(), APPLICATION);
    let shown = format!("{keys:?} {store:?} {source:?}");
    let value: serde_json::Value = serde_json::from_str(text.expose_secret()).unwrap();
    for secret in [&value["names"], &value["keys"][0]] {
        assert!(!shown.contains(secret.as_str().unwrap()), "{shown}");
    }
}
