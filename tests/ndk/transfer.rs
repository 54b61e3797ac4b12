//! Sessions of NDK in a store, and out of it again.

use moorline::manager::ndk::{
    ImportOutcome, LeftOut, NdkError, NdkFile, NdkImported, NdkSession, NdkSessions, SignerPayload,
};
use moorline::store::backend::Files;
use moorline::store::{FileStore, KeyFile, MemoryStore, PlaintextStore, Store, Stored};
use moorline::{Account, Timestamp};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::folder::Folder;
use crate::support::{
    KEY_A, KEY_B, PUBKEY_A, PUBKEY_B, PUBKEY_C, PUBKEY_D, SAMPLES, accounts, active, name, now,
    private_key, signer, stored,
};

async fn import(store: &dyn Store, text: &str) -> NdkImported {
    let file = NdkFile::read(text).unwrap();
    NdkSessions::of(store).import(&file, now()).await.unwrap()
}

async fn export(store: &dyn Store) -> String {
    let exported = NdkSessions::of(store).export(now()).await.unwrap();
    assert_eq!(exported.left_out, []);
    exported.file.write().expose_secret().to_owned()
}

fn outcomes(imported: &NdkImported) -> Vec<ImportOutcome> {
    let sessions = imported.sessions.iter();
    sessions.map(|it| it.outcome.clone()).collect()
}

fn files(folder: &Folder) -> FileStore {
    let keys = KeyFile::new(folder.join("key"));
    FileStore::open(folder.join("sessions"), keys, "shop").unwrap()
}

/// With members nobody knows, at the top and in a session.
fn strange() -> String {
    SAMPLES[0]
        .replace(
            "\"lastActive\": 0\n",
            "\"lastActive\": 0,\n        \"preferences\": {\n          \"walletEnabled\": false\n        },\n        \"later\": \"s3cret \\ud800\"\n",
        )
        .replace("\"version\"", "\"later\": [\n    1e+21\n  ],\n  \"version\"")
}

#[tokio::test]
async fn what_was_imported_is_exported_byte_for_byte() {
    for text in [SAMPLES[0], SAMPLES[1], &strange()] {
        let folder = Folder::new();
        let store = files(&folder);
        let imported = import(&store, text).await;
        assert_eq!(imported.active.unwrap().account.as_str(), PUBKEY_B);
        assert_eq!(export(&store).await, text);
        let memory = MemoryStore::new();
        import(&memory, text).await;
        assert_eq!(export(&memory).await, text);
    }
}

#[tokio::test]
async fn a_store_holds_no_secret_in_clear() {
    let folder = Folder::new();
    let store = files(&folder);
    import(&store, &strange()).await;
    let files = std::fs::read_dir(folder.join("sessions")).unwrap();
    let mut seen = 0;
    for file in files {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        seen += 1;
        for secret in [KEY_A, KEY_B, PUBKEY_A, "s3cret", "private-key"] {
            let found = bytes
                .windows(secret.len())
                .any(|it| it == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
    assert!(seen >= 4, "{seen} files");
    // And shows nothing of them.
    for entry in store.entries().await.unwrap() {
        let shown = format!("{entry:?}");
        assert!(
            !shown.contains(KEY_A) && !shown.contains("s3cret"),
            "{shown}"
        );
        if let Ok(Stored::Record { record, .. }) = &entry.content {
            let clear = moorline::store::export(record).unwrap();
            assert!(!clear.contains(KEY_A) && !clear.contains(KEY_B), "{clear}");
        }
    }
}

#[tokio::test]
async fn a_store_in_clear_refuses_signers_and_is_left_empty() {
    let folder = Folder::new();
    let store = PlaintextStore::new(Files::open(&*folder).unwrap());
    for text in [
        SAMPLES[0],
        r#"{"sessions":[["aa",{"token":"s3cret"}]]}"#,
        r#"{"token":1}"#,
    ] {
        let file = NdkFile::read(text).unwrap();
        let error = NdkSessions::of(&store).import(&file, now()).await;
        assert_eq!(error.unwrap_err(), NdkError::StoreInClear);
    }
    assert_eq!(store.list().await.unwrap(), []);
    // Without signers it can.
    let watching = r#"{"sessions":[["aa",{"pubkey":"aa","lastActive":0}]]}"#;
    import(&store, watching).await;
    let exported = NdkSessions::of(&store).export(now()).await.unwrap();
    assert_eq!(exported.file.sessions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restore_brings_imported_sessions_back_and_their_use_changes_the_file() {
    let store = MemoryStore::new();
    import(&store, &strange()).await;
    let (builder, signers) = stored(store.clone(), |_, _| {});
    let manager = builder.build().unwrap();
    let report = manager.restore().await.unwrap();
    assert_eq!(report.restored(), 3);
    assert_eq!(accounts(&manager), [PUBKEY_A, PUBKEY_B, PUBKEY_C]);
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_B));
    let used = Timestamp::from_millis(1_795_196_887_000);
    let a = manager.get(PUBKEY_A).unwrap();
    assert_eq!(a.last_active(), used);
    assert!(manager.get(PUBKEY_C).unwrap().is_read_only());
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let signed = a.request("sign", Value::Null).await.unwrap();
    assert_eq!(signed["account"], PUBKEY_A);
    assert_eq!(signers.get(PUBKEY_A).executions("sign"), 1);
    manager.switch_to(PUBKEY_C).unwrap();
    manager.close().await;
    // Only what is different is different.
    let seconds = (now().as_millis() / 1000 + 1).to_string();
    let text = export(&store).await;
    let expected = strange()
        .replacen("1795196887", &seconds, 1)
        .replace("\"lastActive\": 0", &format!("\"lastActive\": {seconds}"))
        .replace(
            &format!("\"activePubkey\": \"{PUBKEY_B}"),
            &format!("\"activePubkey\": \"{PUBKEY_C}"),
        )
        .replace("1795196888226", &now().as_millis().to_string());
    assert_eq!(text, expected);
}

#[tokio::test(start_paused = true)]
async fn sessions_that_were_logged_in_here_are_exported_as_ndk_would_write_them() {
    let store = MemoryStore::new();
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    manager.login(signer(KEY_A).0).await.unwrap();
    manager
        .watch(moorline::Identity::new(PUBKEY_C, None))
        .await
        .unwrap();
    manager.switch_to(PUBKEY_A).unwrap();
    manager.close().await;
    let at = now().as_millis();
    let file = NdkFile::read(&export(&store).await).unwrap();
    let mut expected = NdkFile::new();
    let a = NdkSession::new(PUBKEY_A).with_signer(Some(&private_key(KEY_A)));
    expected.put(a.with_last_active(now()));
    expected.put(NdkSession::new(PUBKEY_C).with_last_active(now()));
    expected.set_active(Some(PUBKEY_A));
    expected.set_updated_at(Timestamp::from_millis(at));
    assert_eq!(
        file.write().expose_secret(),
        expected.write().expose_secret()
    );
}

#[tokio::test(start_paused = true)]
async fn what_ndk_has_no_room_for_is_named_and_left_out() {
    let store = MemoryStore::new();
    import(&store, SAMPLES[0]).await;
    let save = async |name: &str, record| {
        let name = name.into();
        let none = moorline::store::Revision::NONE;
        store.save(&name, record, none).await.unwrap();
        name
    };
    let record = |kind: &str, account: &str| {
        moorline::store::Record::new(
            kind,
            vec![Account::primary(account)],
            None,
            Timestamp::EPOCH,
        )
    };
    let party = save(
        "moorline/session/cip0103/-/p",
        record("cip0103", "alice::1220"),
    )
    .await;
    let other = save("moorline/session/other/-/a", {
        let payload = private_key(KEY_A).to_provider_payload().unwrap();
        record("other", PUBKEY_A).with_payload(Some(payload))
    });
    let other = other.await;
    let bare = save("moorline/session/x/-/d", record("x", PUBKEY_D)).await;
    save("shop/session/x/-/d", record("x", PUBKEY_D)).await;
    let exported = NdkSessions::of(&store).export(now()).await.unwrap();
    assert_eq!(exported.file.write().expose_secret(), SAMPLES[0]);
    let mut left_out = exported.left_out;
    left_out.sort_by(|one, two| one.0.cmp(&two.0));
    let expected = [
        (party, LeftOut::OtherAccount),
        (other, LeftOut::SameAccount),
        (bare, LeftOut::NoSigner),
    ];
    assert_eq!(left_out, expected);
}

#[tokio::test(start_paused = true)]
async fn an_import_leaves_what_is_there_unless_it_is_to_replace_it() {
    use ImportOutcome::{AlreadyThere, Imported, Replaced};
    let store = MemoryStore::new();
    import(&store, SAMPLES[0]).await;
    let before = store.peek(&name("private-key", PUBKEY_A));
    // Another active one, A without its signer, C with one, and one that is new.
    let text = format!(
        r#"{{"sessions":[
            ["{PUBKEY_A}",{{"pubkey":"{PUBKEY_A}","lastActive":5}}],
            ["{PUBKEY_C}",{{"pubkey":"{PUBKEY_C}","signerPayload":"{{\"type\":\"nip07\",\"payload\":\"\"}}"}}],
            ["{PUBKEY_D}",{{"pubkey":"{PUBKEY_D}","lastActive":7}}]
        ],"activePubkey":"{PUBKEY_D}"}}"#
    );
    let again = import(&store, &text).await;
    assert_eq!(outcomes(&again), [AlreadyThere, Replaced, Imported]);
    assert_eq!(again.active, None);
    assert_eq!(store.peek(&name("private-key", PUBKEY_A)), before);
    let ended = store.peek(&name("read-only", PUBKEY_C));
    assert!(matches!(ended, Stored::Tombstone { .. }));
    let file = NdkFile::read(&export(&store).await).unwrap();
    let order: Vec<_> = file.sessions().iter().map(NdkSession::pubkey).collect();
    assert_eq!(order, [PUBKEY_A, PUBKEY_B, PUBKEY_C, PUBKEY_D]);
    assert_eq!(file.active().as_deref(), Some(PUBKEY_B));
    assert_eq!(
        file.session(PUBKEY_A).unwrap().signer(),
        Some(private_key(KEY_A))
    );

    let file = NdkFile::read(&text).unwrap();
    let replacing = NdkSessions::of(&store).replace(true);
    let again = replacing.import(&file, now()).await.unwrap();
    assert_eq!(outcomes(&again), [Replaced, Replaced, Replaced]);
    assert_eq!(again.active.unwrap().account.as_str(), PUBKEY_D);
    let file = NdkFile::read(&export(&store).await).unwrap();
    assert_eq!(file.session(PUBKEY_A).unwrap().signer(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_logged_out_is_not_exported_and_comes_back_without_what_it_had() {
    let store = MemoryStore::new();
    let text = strange().replace("\"aaaaaaaa", "\"bbbbbbbb");
    import(&store, &text).await;
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    let c = PUBKEY_C.replacen("aaaaaaaa", "bbbbbbbb", 1);
    manager.logout(c.as_str()).await.unwrap();
    manager.logout(PUBKEY_B).await.unwrap();
    let file = NdkFile::read(&export(&store).await).unwrap();
    assert_eq!(file.sessions().len(), 1);
    assert_eq!(file.active(), None);
    assert!(!file.write().expose_secret().contains("s3cret"));
    // It is at the end now, and nothing of it is remembered.
    manager
        .watch(moorline::Identity::new(&*c, None))
        .await
        .unwrap();
    manager.close().await;
    let file = NdkFile::read(&export(&store).await).unwrap();
    assert_eq!(file.session(&c).unwrap().preferences(), None);
    assert!(!file.write().expose_secret().contains("s3cret"));
}

#[tokio::test]
async fn signers_are_named_as_their_providers_name_themselves() {
    let store = MemoryStore::new();
    let file = NdkFile::read(SAMPLES[0]).unwrap();
    let ndk = NdkSessions::of(&store)
        .namespace("shop")
        .network("nostr:main")
        .provider_kind("private-key", "nostr");
    let imported = ndk.import(&file, now()).await.unwrap();
    let record = format!("shop/session/nostr/=nostr:main/{PUBKEY_A}");
    assert_eq!(imported.sessions[0].record.as_str(), record);
    let exported = ndk.export(now()).await.unwrap();
    assert_eq!(exported.file.write().expose_secret(), SAMPLES[0]);
}

#[tokio::test]
async fn a_contradiction_is_named() {
    let remote = SignerPayload::from_text(
        r#"{"type":"nip55","payload":{"packageName":"com.example","pubkey":"bb"}}"#,
    );
    let mut file = NdkFile::new();
    file.put(NdkSession::new("aa").with_signer(Some(&remote)));
    file.put(NdkSession::new("bb").with_signer(Some(&remote)));
    let text = r#"{"sessions":[["aa",{"pubkey":"cc"}]]}"#;
    let other = NdkFile::read(text).unwrap();
    let store = MemoryStore::new();
    let ndk = NdkSessions::of(&store);
    let named = |imported: NdkImported| {
        let sessions = imported.sessions.into_iter();
        sessions.map(|it| it.contradictory).collect::<Vec<_>>()
    };
    assert_eq!(
        named(ndk.import(&file, now()).await.unwrap()),
        [true, false]
    );
    assert_eq!(named(ndk.import(&other, now()).await.unwrap()), [true]);
}
