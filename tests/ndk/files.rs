//! Files of NDK are read, and written byte for byte.

use moorline::Timestamp;
use moorline::manager::ndk::{NdkError, NdkFile, NdkSession, SecureStoreItems, SignerPayload};
use secrecy::ExposeSecret;

use crate::support::{KEY_A, PUBKEY_A, PUBKEY_B, PUBKEY_C, SAMPLES, private_key};

fn rewritten(text: &str) -> String {
    let file = NdkFile::read(text).unwrap();
    file.write().expose_secret().to_owned()
}

fn refused(text: &str) -> String {
    let error = NdkFile::read(text).unwrap_err().to_string();
    assert!(!error.contains("s3cret"), "{error}");
    error
}

#[test]
fn files_that_ndk_wrote_are_written_again_byte_for_byte() {
    for sample in SAMPLES {
        assert_eq!(rewritten(sample), sample);
    }
}

#[test]
fn a_file_that_ndk_wrote_says_what_it_says() {
    let file = NdkFile::read(SAMPLES[0]).unwrap();
    let pubkeys: Vec<_> = file.sessions().iter().map(NdkSession::pubkey).collect();
    assert_eq!(pubkeys, [PUBKEY_A, PUBKEY_B, PUBKEY_C]);
    assert_eq!(file.active().as_deref(), Some(PUBKEY_B));
    let at = Timestamp::from_millis(1_795_196_888_226);
    assert_eq!(file.updated_at(), Some(at));
    let [a, _, c] = file.sessions() else { panic!() };
    assert_eq!(a.signer(), Some(private_key(KEY_A)));
    // Seconds in the file.
    let used = Timestamp::from_millis(1_795_196_887_000);
    assert_eq!(a.last_active(), Some(used));
    assert_eq!(c.signer(), None);
    assert_eq!(c.last_active(), Some(Timestamp::EPOCH));
}

#[test]
fn a_file_is_made_from_nothing_byte_for_byte() {
    let mut file = NdkFile::new();
    let used = Timestamp::from_millis(1_795_196_887_999);
    for (pubkey, key) in [(PUBKEY_A, "01"), (PUBKEY_B, "02")] {
        let signer = private_key(&key.repeat(32));
        let session = NdkSession::new(pubkey).with_last_active(used);
        file.put(session.with_signer(Some(&signer)));
    }
    file.put(NdkSession::new(PUBKEY_C));
    // In whatever order they are set.
    file.set_updated_at(Timestamp::from_millis(1_795_196_888_226));
    file.set_active(Some(PUBKEY_B));
    assert_eq!(file.write().expose_secret(), SAMPLES[0]);
    let empty = "{\n  \"sessions\": [],\n  \"version\": 1\n}";
    assert_eq!(NdkFile::new().write().expose_secret(), empty);
}

#[test]
fn what_is_not_known_survives_in_its_place() {
    // Written by Node, so that its escapes and numbers are JavaScript's.
    let text = concat!(
        "{\n  \"before\": [\n    1e+21,\n    -0,\n    5e-324,\n    0.1\n  ],\n",
        "  \"sessions\": [\n    [\n      \"aa\",\n      {\n",
        "        \"colour\": \"\\ud800 \u{2028}\\u0001/\u{7f}\",\n",
        "        \"pubkey\": \"aa\",\n",
        "        \"signerPayload\": \"{\\\"type\\\":\\\"nip99\\\",\\\"payload\\\":\\\"s3cret\\\"}\",\n",
        "        \"lastActive\": 1795196887.25,\n",
        "        \"preferences\": {\n          \"walletEnabled\": true,\n          \"\\udfff\": {}\n        },\n",
        "        \"last\": []\n",
        "      }\n    ]\n  ],\n",
        "  \"version\": 1,\n  \"updatedAt\": 1795196888226,\n  \"after\": null\n}",
    );
    assert_eq!(rewritten(text), text);
    let mut file = NdkFile::read(text).unwrap();
    let session = file.session("aa").unwrap().clone();
    assert_eq!(session.wallet_enabled(), Some(true));
    assert_eq!(session.signer().unwrap().kind(), Some("nip99"));
    // Nor do they move when something else changes.
    file.put(session.with_last_active(Timestamp::from_millis(1_800_000_000_000)));
    file.set_active(Some("aa"));
    let changed = text.replace("1795196887.25", "1800000000").replace(
        "  \"version\"",
        "  \"activePubkey\": \"aa\",\n  \"version\"",
    );
    assert_eq!(file.write().expose_secret(), changed);
}

#[test]
fn a_file_without_sessions_or_version_is_an_empty_or_an_old_one() {
    for text in ["{}", "{\n  \"version\": 1\n}", "{\n  \"sessions\": null\n}"] {
        assert_eq!(NdkFile::read(text).unwrap().sessions().len(), 0);
        assert_eq!(rewritten(text), text);
    }
    let old = r#"{"sessions":[["aa",{"pubkey":"aa"}]]}"#;
    assert_eq!(
        NdkFile::read(old).unwrap().sessions()[0].last_active(),
        None
    );
    let mut file = NdkFile::read("{}").unwrap();
    file.put(NdkSession::new("aa"));
    let text = file.write();
    assert_eq!(
        NdkFile::read(text.expose_secret())
            .unwrap()
            .sessions()
            .len(),
        1
    );
}

#[test]
fn restore_empty_and_restore_garbage_are_errors_that_say_where_and_quote_nothing() {
    let at = |text: &str| match NdkFile::read(text).unwrap_err() {
        NdkError::NotJson { line, column } => (line, column),
        other => panic!("{other}"),
    };
    assert_eq!(at(""), (1, 0));
    assert_eq!(at("{s3cret"), (1, 2));
    assert_eq!(at("{\n  \"sessions\": [s3cret"), (2, 16));
    refused("{s3cret");
    refused("\u{feff}{}");
}

#[test]
fn what_would_be_lost_is_refused_and_named() {
    let session = |member: &str| format!(r#"{{"sessions":[["aa",{{"pubkey":"aa",{member}}}]]}}"#);
    for (text, member) in [
        (r#"["s3cret"]"#.to_owned(), "`the file`"),
        (
            r#"{"version":2,"sessions":{"s3cret":{}}}"#.into(),
            "`version`",
        ),
        (r#"{"version":"s3cret"}"#.into(), "`version`"),
        (r#"{"sessions":{"s3cret":{}}}"#.into(), "`sessions`"),
        (
            r#"{"sessions":[["aa",{}],["s3cret"]]}"#.into(),
            "`sessions[1]`",
        ),
        (
            r#"{"sessions":[["aa",{},"s3cret"]]}"#.into(),
            "`sessions[0]`",
        ),
        (r#"{"sessions":[["aa","s3cret"]]}"#.into(), "`sessions[0]`"),
        (r#"{"sessions":[["",{}]]}"#.into(), "`sessions[0]`"),
        (
            r#"{"sessions":[["aa",{}],["\u0061a",{"s3cret":1}]]}"#.into(),
            "`sessions[1]`",
        ),
        (r#"{"activePubkey":["s3cret"]}"#.into(), "`activePubkey`"),
        (
            session(r#""signerPayload":{"key":"s3cret"}"#),
            "`sessions[0].signerPayload`",
        ),
        (
            session(r#""signerPayload":"s3cret \ud800""#),
            "`sessions[0].signerPayload`",
        ),
        (
            session(r#""lastActive":"s3cret""#),
            "`sessions[0].lastActive`",
        ),
    ] {
        let error = refused(&text);
        assert!(error.starts_with(member), "{error} of {text}");
    }
}

#[test]
fn times_in_milliseconds_are_understood_and_new_ones_are_seconds() {
    let text = r#"{"sessions":[["aa",{"pubkey":"aa","lastActive":1795196887123}]]}"#;
    let session = NdkFile::read(text).unwrap().sessions()[0].clone();
    let used = Timestamp::from_millis(1_795_196_887_123);
    assert_eq!(session.last_active(), Some(used));
    let mut file = NdkFile::new();
    let later = Timestamp::from_millis(1_795_196_999_999);
    file.put(session.clone().with_last_active(used));
    assert!(file.write().expose_secret().contains(": 1795196887123"));
    file.put(session.with_last_active(later));
    assert!(file.write().expose_secret().contains(": 1795196999\n"));
}

#[test]
fn no_secret_shows() {
    let signer = SignerPayload::from_text(r#"{"type":"private-key","payload":"s3cret"}"#);
    let session = NdkSession::new("aa").with_signer(Some(&signer));
    let mut file = NdkFile::new();
    file.put(session);
    let items = file.to_secure_store();
    let shown = format!("{file:?} {items:?} {:?}", signer.read().unwrap());
    assert!(
        shown.contains("private-key") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[test]
fn what_ndk_mobile_keeps_is_written_again_byte_for_byte() {
    let saved = concat!(
        r#"[{"pubkey":"bb","signerPayload":"{\"type\":\"nip55\",\"payload\":{\"packageName\":\"com.example\",\"pubkey\":\"bb\"}}"},"#,
        r#"{"pubkey":"aa","later":{"x":[1e+21]}}]"#,
    );
    let items = SecureStoreItems {
        saved_sessions: saved.into(),
        active_pubkey: Some("bb".into()),
    };
    let file = NdkFile::from_secure_store(&items).unwrap();
    let again = file.to_secure_store();
    assert_eq!(again.saved_sessions.expose_secret(), saved);
    assert_eq!(again.active_pubkey.as_deref(), Some("bb"));
    // And the other way, but for what it has no room for.
    let file = NdkFile::read(SAMPLES[0]).unwrap();
    let items = file.to_secure_store();
    let session = format!(r#",{{"pubkey":"{PUBKEY_C}"}}]"#);
    assert!(items.saved_sessions.expose_secret().ends_with(&session));
    let back = NdkFile::from_secure_store(&items).unwrap();
    assert_eq!(back.active(), file.active());
    assert_eq!(
        back.session(PUBKEY_A).unwrap().signer(),
        Some(private_key(KEY_A))
    );
    for wrong in ["", "{}", r#"["s3cret"]"#, r#"[{"signerPayload":"s3cret"}]"#] {
        let items = SecureStoreItems {
            saved_sessions: wrong.into(),
            active_pubkey: None,
        };
        let error = NdkFile::from_secure_store(&items).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}
