//! Files of several processes, and of processes that end: what goes wrong with NDK's file storage.

use std::time::Duration;

use moorline::store::{FileStore, KeyFile, MemoryStore, Store, StoreError};
use moorline::{Identity, manager::ManagerEventKind};

use crate::folder::Folder;
use crate::moody::{Mood, Moody};
use crate::support::{
    KEY_A, KEY_B, PUBKEY_A, PUBKEY_B, PUBKEY_C, accounts, active, name, published, settle, signer,
    stored,
};

fn open(folder: &Folder) -> FileStore {
    let keys = KeyFile::new(folder.join("key"));
    FileStore::open(folder.join("sessions"), keys, "shop").unwrap()
}

/// Every file below the folder of the sessions.
fn files(folder: &Folder) -> Vec<std::path::PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files
}

/// The last writer wins in NDK, and the other's login is gone.
#[tokio::test]
async fn two_processes_sessions_in_file_no_login_is_lost() {
    let folder = Folder::new();
    let one = stored(open(&folder), |_, _| {}).0.build().unwrap();
    let two = stored(open(&folder), |_, _| {}).0.build().unwrap();
    // Both have seen the store before either writes.
    one.restore().await.unwrap();
    two.restore().await.unwrap();
    let (a, b) = tokio::join!(one.login(signer(KEY_A).0), two.login(signer(KEY_B).0));
    a.unwrap();
    b.unwrap();
    tokio::join!(one.close(), two.close());
    let manager = stored(open(&folder), |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 2);
    assert_eq!(accounts(&manager), [PUBKEY_A, PUBKEY_B]);
}

/// NDK's file of private keys can be read by everybody on the computer.
#[cfg(unix)]
#[tokio::test]
async fn mode_nobody_else_can_read_what_is_stored_and_nothing_half_written_stays() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let manager = stored(open(&folder), |_, _| {}).0.build().unwrap();
    manager.login(signer(KEY_A).0).await.unwrap();
    manager.close().await;
    let mut sealed = 0;
    for path in files(&folder) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.contains("tmp"), "{name}");
        sealed += usize::from(name != "key");
    }
    assert!(sealed >= 2);
}

/// A login of NDK is lost if the process ends within half a second.
#[tokio::test]
async fn file_exists_before_debounce_a_login_is_stored_without_waiting_and_without_farewell() {
    let folder = Folder::new();
    let manager = stored(open(&folder), |_, _| {}).0.build().unwrap();
    manager.login(signer(KEY_A).0).await.unwrap();
    // Until it stands: nothing else is asked for.
    let store = open(&folder);
    let record = name("private-key", PUBKEY_A);
    let stands = async {
        while store.load(&record).await.unwrap().revision().number() == 0 {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, stands).await.unwrap();
    drop(manager);
    let manager = stored(open(&folder), |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 1);
}

#[tokio::test(start_paused = true)]
async fn destroy_flushes_and_nothing_is_written_after_it() {
    let store = MemoryStore::new();
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    manager.login(signer(KEY_A).0).await.unwrap();
    let b = manager.login(signer(KEY_B).0).await.unwrap();
    // In the same breath.
    manager.switch_to(PUBKEY_A).unwrap();
    manager.close().await;
    let names = store.list().await.unwrap();
    let stood: Vec<_> = names.iter().map(|name| store.peek(name)).collect();
    b.session().disconnect().await;
    manager
        .watch(Identity::new(PUBKEY_C, None))
        .await
        .unwrap_err();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(store.list().await.unwrap(), names);
    let stands: Vec<_> = names.iter().map(|name| store.peek(name)).collect();
    assert_eq!(stands, stood);
    let manager = stored(store, |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 2);
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_A));
}

/// An empty or damaged file is the end of all sessions in NDK.
#[tokio::test]
async fn restore_empty_restore_garbage_a_damaged_record_is_kept_and_no_other_is_touched() {
    for damage in ["", "{garbage"] {
        let folder = Folder::new();
        let manager = stored(open(&folder), |_, _| {}).0.build().unwrap();
        manager.login(signer(KEY_B).0).await.unwrap();
        manager.close().await;
        let manager = stored(open(&folder), |_, _| {}).0.build().unwrap();
        manager.login(signer(KEY_A).0).await.unwrap();
        manager.close().await;
        let entries = open(&folder).entries().await.unwrap();
        let of_a = Some(name("private-key", PUBKEY_A));
        let slot = entries.iter().find(|it| it.name == of_a).unwrap().slot;
        let files = files(&folder);
        let record = |path: &&std::path::PathBuf| path.ends_with(format!("{slot}.rec"));
        let record = files.iter().find(record).unwrap();
        std::fs::write(record, damage).unwrap();

        let manager = stored(open(&folder), |_, _| {}).0.build().unwrap();
        assert_eq!(manager.restore().await.unwrap().restored(), 1);
        assert_eq!(accounts(&manager), [PUBKEY_B]);
        manager.login(signer(KEY_B).0).await.unwrap();
        manager.close().await;
        assert_eq!(std::fs::read_to_string(record).unwrap(), damage);
        let unreadable = open(&folder).load(&name("private-key", PUBKEY_A)).await;
        assert!(matches!(unreadable, Err(StoreError::Unreadable { .. })));
    }
}

/// NDK says so on the console alone.
#[tokio::test(start_paused = true)]
async fn a_save_that_fails_is_told_and_made_good() {
    let store = Moody::default();
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    let mut events = manager.events();
    store.be(Mood::Full);
    manager.login(signer(KEY_A).0).await.unwrap();
    settle().await;
    let told = published(&mut events);
    let failed = |kind: &ManagerEventKind| matches!(kind, ManagerEventKind::SaveFailed { .. });
    assert!(told.iter().any(|event| failed(&event.kind)));
    store.be(Mood::Well);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let restored = stored(store, |_, _| {}).0.build().unwrap();
    assert_eq!(restored.restore().await.unwrap().restored(), 1);
    assert_eq!(active(&restored).as_deref(), Some(PUBKEY_A));
}
