//! Sessions over stores that outlive them: persisted, restarted, restored, reconciled.

use std::time::Duration;

use moorline::machine::RestoreOutcome;
use moorline::provider::{ErrorKind, ProviderError};
use moorline::store::backend::{Files, Redb};
use moorline::store::{EncryptedStore, KeyFile, Store, StoreError, Stored};
use moorline::{Account, DisconnectReason, EventKind, NetworkId, Session, Status};
use moorline_scripted::{Behaviour, Control, On, ScriptedWallet};

use crate::support::{APPLICATION, Folder, PARTY, name};

const NAME: &str = "shop/alice";

fn build(store: impl Store) -> (Session, Control) {
    let (provider, wallet) = ScriptedWallet::new()
        .accounts([PARTY, "bob::1220bb"])
        .network(Some(NetworkId::new("canton:local")))
        .build();
    let session = Session::builder(provider).store(store, NAME).build();
    (session.unwrap(), wallet)
}

fn files(folder: &Folder) -> EncryptedStore<Files> {
    let files = Files::open(folder.join("store")).unwrap();
    EncryptedStore::new(files, KeyFile::new(folder.join("key")), APPLICATION)
}

fn redb(folder: &Folder) -> EncryptedStore<Redb> {
    let redb = Redb::open(folder.join("store.redb")).unwrap();
    EncryptedStore::new(redb, KeyFile::new(folder.join("key")), APPLICATION)
}

/// The one file with a record.
fn record_file(folder: &Folder) -> std::path::PathBuf {
    let paths = std::fs::read_dir(folder.join("store")).unwrap();
    let mut paths = paths.map(|entry| entry.unwrap().path());
    paths
        .find(|path| path.extension().is_some_and(|it| it == "rec"))
        .unwrap()
}

async fn survives_a_restart<S: Store>(open: impl Fn() -> S) {
    let (session, wallet) = build(open());
    session.connect().await.unwrap();
    let before = session.snapshot();
    session.close().await;
    drop((session, wallet));

    let (session, wallet) = build(open());
    assert_eq!(session.restore().await, RestoreOutcome::Restored);
    let after = session.snapshot();
    assert_eq!(after.accounts, before.accounts);
    assert_eq!(after.network, before.network);
    assert!(after.is_connected() && !after.stale);
    // Silent: a restore never asks a person.
    let calls = format!("{:?}", wallet.calls());
    assert!(!calls.contains("Interactive"), "{calls}");
    session.close().await;
}

#[tokio::test]
async fn pl_1_sealed_files_carry_a_session_over_a_restart() {
    let folder = Folder::new();
    survives_a_restart(|| files(&folder)).await;
}

#[tokio::test]
async fn pl_1_a_sealed_database_carries_a_session_over_a_restart() {
    let folder = Folder::new();
    survives_a_restart(|| redb(&folder)).await;
}

#[tokio::test]
async fn pl_3_what_is_corrupt_is_reported_kept_and_set_aside_by_a_new_session() {
    let folder = Folder::new();
    let (session, _wallet) = build(files(&folder));
    session.connect().await.unwrap();
    session.close().await;
    let path = record_file(&folder);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();

    let (session, wallet) = build(files(&folder));
    let outcome = session.restore().await;
    assert!(
        matches!(&outcome, RestoreOutcome::Quarantined { reason } if reason.contains("changed")),
        "{outcome:?}"
    );
    assert_eq!(wallet.calls().len(), 0);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "left as it is");

    session.connect().await.unwrap();
    session.close().await;
    let aside = path.with_extension("0.aside");
    assert_eq!(std::fs::read(aside).unwrap(), bytes, "kept");
    let (session, _wallet) = build(files(&folder));
    assert_eq!(session.restore().await, RestoreOutcome::Restored);
}

#[tokio::test]
async fn pl_3_a_wrong_key_restores_nothing_and_destroys_nothing() {
    let folder = Folder::new();
    let (session, _wallet) = build(files(&folder));
    session.connect().await.unwrap();
    session.close().await;
    let before = std::fs::read(record_file(&folder)).unwrap();

    let wrong = || {
        let files = Files::open(folder.join("store")).unwrap();
        EncryptedStore::new(files, KeyFile::new(folder.join("other")), APPLICATION)
    };
    let (session, wallet) = build(wrong());
    let outcome = session.restore().await;
    assert!(
        matches!(outcome, RestoreOutcome::StoreUnavailable { .. }),
        "{outcome:?}"
    );
    assert_eq!(wallet.calls().len(), 0);
    assert_eq!(std::fs::read(record_file(&folder)).unwrap(), before);
    assert!(!folder.join("other").exists());
}

#[tokio::test]
async fn h40_a_restore_that_finds_another_party_says_so_and_rewrites_the_record() {
    let folder = Folder::new();
    let (session, _wallet) = build(files(&folder));
    session.connect().await.unwrap();
    session.close().await;

    let (session, wallet) = build(files(&folder));
    wallet.set_accounts(vec![Account::primary("bob::1220bb")]);
    wallet.set_network(Some(NetworkId::new("canton:other")));
    let mut events = session.events();
    assert_eq!(session.restore().await, RestoreOutcome::Restored);
    session.close().await;
    let mut seen = Vec::new();
    while let Some(item) = events.next().await {
        if let Some(event) = item.event() {
            seen.push(event.kind.clone());
        }
    }
    let party = seen.iter().find_map(|kind| match kind {
        EventKind::PartyChanged { previous, current } => {
            Some((previous.to_string(), current.to_string()))
        }
        _ => None,
    });
    assert_eq!(party.unwrap(), (PARTY.into(), "bob::1220bb".into()));
    assert!(seen.iter().any(|kind| kind.name() == "network:changed"));
    let Stored::Record { record, .. } = files(&folder).load(&name(NAME)).await.unwrap() else {
        panic!("no record")
    };
    let identity = record.identity().unwrap();
    assert_eq!(identity.to_string(), "bob::1220bb on canton:other");
}

#[tokio::test(start_paused = true)]
async fn h61_when_attempts_are_exhausted_record_and_state_agree() {
    let folder = Folder::new();
    let (session, wallet) = build(files(&folder));
    session.connect().await.unwrap();
    let unreachable = ProviderError::new(ErrorKind::Unreachable, "connection refused");
    wallet.on(On::Open, Behaviour::fail(unreachable.clone()));
    wallet.drop_link(unreachable);
    let mut watch = session.watch();
    let ended = watch.wait_for(|it| it.status.is_disconnected()).await;
    let reason = DisconnectReason::GaveUp;
    assert_eq!(ended.unwrap().status, Status::Disconnected { reason });
    session.close().await;
    // The user still wants it: what is stored can be restored once the wallet is back.
    let (session, wallet) = build(files(&folder));
    let stored = files(&folder).load(&name(NAME)).await.unwrap();
    assert!(matches!(stored, Stored::Record { .. }), "{stored:?}");
    wallet.on(
        On::Open,
        Behaviour::answer().after(Duration::from_millis(1)),
    );
    assert_eq!(session.restore().await, RestoreOutcome::Restored);
}

#[tokio::test]
async fn h07_a_disconnect_is_on_the_disk_when_it_returns() {
    let folder = Folder::new();
    let (session, _wallet) = build(files(&folder));
    session.connect().await.unwrap();
    let report = session.disconnect().await;
    assert_eq!(report.not_persisted, None);
    // Another process, at once; the session is not even closed.
    let stored = files(&folder).load(&name(NAME)).await.unwrap();
    assert!(matches!(stored, Stored::Tombstone { .. }), "{stored:?}");
    let (again, wallet) = build(files(&folder));
    assert_eq!(again.restore().await, RestoreOutcome::UserDisconnected);
    assert_eq!(wallet.calls().len(), 0);
}

#[tokio::test]
async fn a_session_of_a_later_version_is_quarantined_and_kept() {
    let folder = Folder::new();
    let (session, _wallet) = build(files(&folder));
    session.connect().await.unwrap();
    session.close().await;
    let path = record_file(&folder);
    let mut bytes = std::fs::read(&path).unwrap();
    // Magic and revision of the file, then magic and format of the seal, then the schema.
    bytes[16 + 5..16 + 7].copy_from_slice(&3_u16.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let error = files(&folder).load(&name(NAME)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }));
    assert!(error.to_string().contains("later version"), "{error}");
}
