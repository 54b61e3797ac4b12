//! What is stored comes back: what goes wrong with it in NDK. Tests are named after what was
//! observed there, or after what its code does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::manager::ndk::{NdkFile, NdkSessions, SignerPayload};
use moorline::manager::{ManagerError, ManagerEventKind, RestoreReport, Restored, SessionManager};
use moorline::provider::{ErrorKind, ProviderError};
use moorline::session::RestoreOutcome;
use moorline::store::{MemoryStore, Stored};
use moorline::{BuildError, Timestamp};
use moorline_scripted::{Behaviour, On};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::support::{
    KEY_A, KEY_B, PUBKEY_A, PUBKEY_B, PUBKEY_C, PUBKEY_D, SAMPLES, accounts, active, builder, name,
    now, published, signer, stored,
};

/// One session of a file: account, signer, seconds.
fn session(pubkey: &str, signer: &str, last_active: u64) -> String {
    let signer = serde_json::to_string(signer).unwrap();
    format!(
        r#"["{pubkey}",{{"pubkey":"{pubkey}","signerPayload":{signer},"lastActive":{last_active}}}]"#
    )
}

fn key(key: &str) -> String {
    format!(r#"{{"type":"private-key","payload":"{key}"}}"#)
}

const NIP99: &str = r#"{"type":"nip99","payload":"s3cret"}"#;
const NIP07: &str = r#"{"type":"nip07","payload":""}"#;

async fn imported(sessions: &[String], active: &str) -> MemoryStore {
    let store = MemoryStore::new();
    let sessions = sessions.join(",");
    let text = format!(r#"{{"sessions":[{sessions}],"activePubkey":"{active}","version":1}}"#);
    let file = NdkFile::read(&text).unwrap();
    let imported = NdkSessions::of(&store).import(&file, now()).await.unwrap();
    assert_eq!(imported.sessions.len(), file.sessions().len());
    store
}

async fn exported(store: &MemoryStore) -> NdkFile {
    NdkSessions::of(store).export(now()).await.unwrap().file
}

fn outcome<'a>(report: &'a RestoreReport, pubkey: &str) -> &'a Restored {
    let of = |key: &moorline::manager::SessionKey| key.account.as_str() == pubkey;
    let found = report
        .sessions
        .iter()
        .find(|it| it.key.as_deref().is_some_and(of));
    &found.unwrap().restored
}

fn back() -> Restored {
    Restored::Session {
        outcome: RestoreOutcome::Restored,
    }
}

#[tokio::test(start_paused = true)]
async fn restored_everybody_is_there_as_they_were() {
    let store = MemoryStore::new();
    let file = NdkFile::read(SAMPLES[0]).unwrap();
    NdkSessions::of(&store).import(&file, now()).await.unwrap();
    let manager = stored(store, |_, _| {}).0.build().unwrap();
    let report = manager.restore().await.unwrap();
    assert_eq!(report.restored(), 3);
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_B));
    let read_only = |pubkey| manager.get(pubkey).unwrap().is_read_only();
    assert!(read_only(PUBKEY_C) && !read_only(PUBKEY_A));
}

/// What NDK does not know it restores without the key, and forgets the key with the next write.
#[tokio::test(start_paused = true)]
async fn after_restore_autosave_an_unknown_signer_keeps_its_payload() {
    let sessions = [
        session(PUBKEY_D, NIP99, 5),
        session(PUBKEY_A, &key(KEY_A), 6),
    ];
    let store = imported(&sessions, PUBKEY_A).await;
    for _ in 0..2 {
        let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
        let mut events = manager.events();
        let report = manager.restore().await.unwrap();
        let kind = "nip99".into();
        assert_eq!(
            *outcome(&report, PUBKEY_D),
            Restored::UnknownProvider { kind }
        );
        assert_eq!(*outcome(&report, PUBKEY_A), back());
        // Things happen, and are stored.
        manager.login(signer(KEY_B).0).await.unwrap();
        manager.logout(PUBKEY_B).await.unwrap();
        manager.switch_to(PUBKEY_A).unwrap();
        manager.close().await;
        let shown = format!("{report:?} {:?}", published(&mut events));
        assert!(!shown.contains("s3cret"));
    }
    let file = exported(&store).await;
    let kept = file.session(PUBKEY_D).unwrap();
    assert_eq!(kept.signer().unwrap().expose_text(), NIP99);
    let used = Timestamp::from_millis(5000);
    assert_eq!(kept.last_active(), Some(used));
}

/// One such session ends the whole restore of NDK: none comes back.
#[tokio::test(start_paused = true)]
async fn nip07_restore_one_bad_signer_does_not_stop_the_others() {
    let sessions = [
        session(PUBKEY_C, NIP07, 9),
        session(PUBKEY_D, &key("nonsense"), 8),
        session(PUBKEY_A, &key(KEY_A), 7),
        session(PUBKEY_B, &key(KEY_B), 6),
    ];
    let store = imported(&sessions, PUBKEY_C).await;
    let (builder, _) = stored(store.clone(), |_, _| {});
    let builder = builder.provider("nip07", |_| panic!("window is not defined"));
    let manager = builder.restore_at_once(1, Duration::ZERO).build().unwrap();
    let report = manager.restore().await.unwrap();
    assert_eq!(accounts(&manager), [PUBKEY_A, PUBKEY_B]);
    for (pubkey, kind) in [
        (PUBKEY_C, ErrorKind::Panicked),
        (PUBKEY_D, ErrorKind::Malformed),
    ] {
        match outcome(&report, pubkey) {
            Restored::ProviderFailed { error } => assert_eq!(error.kind(), kind),
            other => panic!("{other:?}"),
        }
    }
    manager.close().await;
    assert_eq!(exported(&store).await.sessions().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn restore_bad_signer_keeps_the_payload_for_a_version_that_knows_it() {
    let store = imported(&[session(PUBKEY_D, NIP99, 5)], PUBKEY_D).await;
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    assert_eq!(accounts(&manager), [""; 0]);
    manager.close().await;
    let seen = Arc::new(Mutex::new(None));
    let see = seen.clone();
    let builder = builder().store(store).provider("nip99", move |record| {
        let payload = record.provider_payload.as_ref().unwrap();
        let payload = SignerPayload::from_provider_payload(payload);
        *see.lock().unwrap() = Some(payload.expose_text().to_owned());
        Err(ProviderError::new(ErrorKind::Unreachable, "not now"))
    });
    builder.build().unwrap().restore().await.unwrap();
    assert_eq!(seen.lock().unwrap().as_deref(), Some(NIP99));
}

/// NDK stores it under whom the key belongs to, forgets when it was used, and that it was active.
#[tokio::test(start_paused = true)]
async fn restore_key_mismatch_is_reported_and_loses_neither_time_nor_activity() {
    let store = imported(&[session(PUBKEY_D, &key(KEY_A), 5)], PUBKEY_D).await;
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    let mut events = manager.events();
    manager.restore().await.unwrap();
    assert_eq!(accounts(&manager), [PUBKEY_A]);
    assert_eq!(active(&manager).as_deref(), Some(PUBKEY_A));
    let used = manager.active().unwrap().last_active();
    assert_eq!(used, Timestamp::from_millis(5000));
    let told = published(&mut events)
        .iter()
        .any(|event| match &event.kind {
            ManagerEventKind::Rekeyed { previous } => previous.account.as_str() == PUBKEY_D,
            _ => false,
        });
    assert!(told);
    // It signs as whom it is, for whoever asks by that name alone.
    let error = manager.get(PUBKEY_D).unwrap_err();
    assert!(matches!(error, ManagerError::NotFound { .. }));
    let signed = manager.active().unwrap().request("sign", Value::Null).await;
    assert_eq!(signed.unwrap()["account"], PUBKEY_A);
    manager.close().await;
    let file = exported(&store).await;
    assert_eq!(file.active().as_deref(), Some(PUBKEY_A));
    assert!(file.session(PUBKEY_D).is_none());
}

#[tokio::test(start_paused = true)]
async fn restore_active_missing_makes_nobody_active_and_changes_nothing() {
    let sessions = [session(PUBKEY_A, &key(KEY_A), 5)];
    let store = imported(&sessions, PUBKEY_D).await;
    let manager = stored(store.clone(), |_, _| {}).0.build().unwrap();
    manager.restore().await.unwrap();
    assert_eq!(active(&manager), None);
    let a = manager.get(PUBKEY_A).unwrap();
    assert_eq!(a.last_active(), Timestamp::from_millis(5000));
    manager.close().await;
    // The file says so still.
    assert_eq!(exported(&store).await.active().as_deref(), Some(PUBKEY_D));
}

/// The page of NDK Mobile says so; its code takes them as they are stored.
#[tokio::test(start_paused = true)]
async fn stored_sessions_come_back_the_most_recent_first() {
    let sessions = [
        session(PUBKEY_A, &key(KEY_A), 5),
        session(PUBKEY_D, NIP99, 7),
        session(PUBKEY_B, &key(KEY_B), 6),
    ];
    let store = imported(&sessions, PUBKEY_A).await;
    let manager = stored(store, |_, _| {}).0.restore_at_once(1, Duration::MAX);
    let report = manager.build().unwrap().restore().await.unwrap();
    let order = report.sessions.iter().map(|it| it.record.clone());
    let expected = [
        name("private-key", PUBKEY_A),
        name("nip99", PUBKEY_D),
        name("private-key", PUBKEY_B),
    ];
    assert_eq!(order.collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn restore_no_storage_and_restore_no_sessions_say_so() {
    let error = builder().build().unwrap().restore().await.unwrap_err();
    assert_eq!(error, ManagerError::Build(BuildError::NoStore));
    let manager = stored(MemoryStore::new(), |_, _| {}).0.build().unwrap();
    assert_eq!(manager.restore().await.unwrap(), RestoreReport::default());
}

/// A remote signer of NDK that never answers is waited for without end.
#[tokio::test(start_paused = true)]
async fn a_signer_that_never_answers_holds_up_nobody_for_ever() {
    let sessions = [
        session(PUBKEY_A, &key(KEY_A), 9),
        session(PUBKEY_B, &key(KEY_B), 5),
    ];
    let store = imported(&sessions, PUBKEY_A).await;
    let (builder, signers) = stored(store, |pubkey, control| {
        if pubkey == PUBKEY_A {
            control.on(On::Open, Behaviour::silence());
        }
    });
    let patience = Duration::from_secs(10);
    let manager = builder.restore_at_once(1, patience).build().unwrap();
    let restoring = tokio::spawn({
        let manager: SessionManager = manager.clone();
        async move { manager.restore().await }
    });
    tokio::time::sleep(patience + Duration::from_secs(1)).await;
    assert!(manager.get(PUBKEY_B).unwrap().snapshot().is_connected());
    restoring.abort();
    // Nor does a request.
    signers.get(PUBKEY_B).on(On::Request, Behaviour::silence());
    let b = manager.get(PUBKEY_B).unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(3600), b.request("sign", Value::Null));
    asked.await.unwrap().unwrap_err();
}

/// In NDK a signer that cannot be serialised is stored as one that only watches.
#[tokio::test(start_paused = true)]
async fn a_signer_that_is_not_ready_to_be_stored_keeps_what_was_stored_of_it() {
    let store = imported(&[session(PUBKEY_A, &key(KEY_A), 5)], PUBKEY_A).await;
    let builder = builder().store(store.clone());
    let builder = builder.provider("private-key", |_| {
        let (signer, control) = signer(KEY_A);
        control.set_payload_error(ProviderError::new(ErrorKind::Internal, "not ready"));
        control.set_expiry(Timestamp::parse("2027-01-01T00:00:00Z"));
        Ok(Arc::new(signer))
    });
    let manager = builder.build().unwrap();
    manager.restore().await.unwrap();
    manager.close().await;
    let Stored::Record { record, .. } = store.peek(&name("private-key", PUBKEY_A)) else {
        panic!("not stored");
    };
    assert!(record.expires_at.is_some(), "it was written");
    let kept = exported(&store).await;
    let kept = kept.session(PUBKEY_A).unwrap().signer().unwrap();
    assert_eq!(kept.expose_text(), key(KEY_A));
}

/// NDK drops them with its next write.
#[tokio::test(start_paused = true)]
async fn unknown_members_and_preferences_survive_logins_and_later_saves() {
    let a = session(PUBKEY_A, &key(KEY_A), 5);
    let a = a.replace(
        "}]",
        r#","preferences":{"walletEnabled":true},"later":1.0}]"#,
    );
    let store = imported(&[a], PUBKEY_A).await;
    let manager = stored(store.clone(), |_, control| {
        control.set_expiry(Timestamp::parse("2027-01-01T00:00:00Z"));
    });
    let manager = manager.0.build().unwrap();
    manager.restore().await.unwrap();
    manager.login(signer(KEY_B).0).await.unwrap();
    manager.close().await;
    let file = exported(&store).await;
    assert_eq!(file.session(PUBKEY_A).unwrap().wallet_enabled(), Some(true));
    assert!(file.write().expose_secret().contains("\"later\": 1.0"));
}
