//! Sessions in stores that write to a disk: what encrypts keeps all, what does not keeps no secret
//! and nothing personal.

use std::path::Path;
use std::sync::Arc;

use moorline::manager::{LoginOptions, Restored};
use moorline::store::backend::Files;
use moorline::store::{FileStore, KeyFile, PlaintextStore, Store, Stored};

use crate::folder::Folder;
use crate::support::{name, payload, stored_dyn, wallet};

/// Whether anything under `folder` holds this text.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(path).unwrap();
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    })
}

async fn log_in(store: Arc<dyn Store>) {
    let manager = stored_dyn(store, |_, _| {}).0.build().unwrap();
    let options = LoginOptions::new()
        .label("laptop")
        .client_address("203.0.113.7")
        .client_agent("Browser/1");
    let login = manager.login_with(Arc::new(wallet("a").0), options).await;
    login.unwrap();
    manager.close().await;
}

#[tokio::test]
async fn a_store_that_encrypts_keeps_all_of_it_and_shows_none() {
    let folder = Folder::new();
    let open = || {
        let key = KeyFile::new(folder.join("key"));
        FileStore::open(folder.join("sessions"), key, "test").unwrap()
    };
    log_in(Arc::new(open())).await;
    for text in [
        "s3cret",
        "203.0.113.7",
        "Browser/1",
        "laptop",
        "keyed",
        "scripted",
    ] {
        assert!(!holds(&folder, text), "{text} is in the clear");
    }
    let (builder, _) = stored_dyn(Arc::new(open()), |_, _| {});
    let manager = builder.build().unwrap();
    assert_eq!(manager.restore().await.unwrap().restored(), 1);
    let about = manager.active().unwrap().about();
    assert_eq!(about.label.as_deref(), Some("laptop"));
    assert_eq!(about.client_address.as_deref(), Some("203.0.113.7"));
    let Stored::Record { record, .. } = open().load(&name("a")).await.unwrap() else {
        panic!("not stored");
    };
    assert_eq!(record.provider_payload, Some(payload("a")));
    manager.clear().await.unwrap();
    let left = open().load(&name("a")).await.unwrap();
    assert!(matches!(left, Stored::Tombstone { .. }), "{left:?}");
    let (builder, _) = stored_dyn(Arc::new(open()), |_, _| {});
    let report = builder.build().unwrap().restore().await.unwrap();
    assert_eq!(report.restored(), 0);
}

#[tokio::test]
async fn a_store_that_does_not_keeps_neither_secrets_nor_who_the_client_was() {
    let folder = Folder::new();
    let open = || PlaintextStore::new(Files::open(&*folder).unwrap());
    log_in(Arc::new(open())).await;
    assert!(holds(&folder, "laptop"));
    for text in ["s3cret", "203.0.113.7", "Browser/1"] {
        assert!(!holds(&folder, text), "{text} is in the clear");
    }
    let (builder, _) = stored_dyn(Arc::new(open()), |_, _| {});
    let report = builder.build().unwrap().restore().await.unwrap();
    // Without the payload there is nothing to build it from: said, and left as it is.
    let unknown = Restored::UnknownProvider {
        kind: "scripted".into(),
    };
    assert_eq!(report.sessions[0].restored, unknown);
}
