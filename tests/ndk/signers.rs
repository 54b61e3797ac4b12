//! What NDK stores of signers.

use moorline::manager::ndk::{Nip46Signer, Signer, SignerPayload};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::support::{KEY_A, PAYLOADS, private_key};

fn payload(sample: &str, kind: &str) -> SignerPayload {
    let sample: Value = serde_json::from_str(sample).unwrap();
    SignerPayload::from_text(sample["payloads"][kind].as_str().unwrap())
}

#[test]
fn payloads_of_ndk_are_read_and_written_byte_for_byte() {
    for sample in PAYLOADS {
        for kind in ["private-key", "nip07", "nip46"] {
            let payload = payload(sample, kind);
            assert_eq!(payload.kind(), Some(kind));
            let signer = payload.read().unwrap();
            assert_eq!(signer.to_payload().unwrap(), payload);
            let provider = payload.to_provider_payload().unwrap();
            assert_eq!(provider.kind(), Some(kind));
            assert_eq!(SignerPayload::from_provider_payload(&provider), payload);
        }
    }
}

#[test]
fn a_remote_signer_says_all_it_needs() {
    let Signer::Nip46(signer) = payload(PAYLOADS[0], "nip46").read().unwrap() else {
        panic!("another signer");
    };
    assert_eq!(signer.bunker_pubkey, "b".repeat(64));
    assert_eq!(signer.user_pubkey, "c".repeat(64));
    assert_eq!(signer.relay_urls, ["wss://relay.example"]);
    assert_eq!(signer.secret.as_ref().unwrap().expose_secret(), "s3cr3t");
    assert_eq!(signer.local_signer, private_key(&"03".repeat(32)));
    assert_eq!(signer.nip05, None);
    assert!(!format!("{signer:?}").contains("s3cr3t"));
    // What JavaScript does not have it does not write.
    let without = Nip46Signer {
        secret: None,
        nip05: Some("a@example.org".into()),
        ..signer
    };
    let text = Signer::Nip46(without).to_payload().unwrap();
    let text = text.expose_text();
    assert!(
        text.contains(r#"["wss://relay.example"],"localSignerPayload""#),
        "{text}"
    );
    assert!(text.ends_with(r#""nip05":"a@example.org"}}"#), "{text}");
}

#[test]
fn an_app_on_the_device_is_a_signer() {
    let text = r#"{"type":"nip55","payload":{"packageName":"com.example","pubkey":"aa"}}"#;
    let payload = SignerPayload::from_text(text);
    let signer = payload.read().unwrap();
    assert_eq!(signer.pubkey(), Some("aa"));
    assert_eq!(signer.to_payload().unwrap(), payload);
}

#[test]
fn payload_errors_and_what_nobody_knows_lose_nothing() {
    for (text, kind) in [
        (
            r#"{"type":"nip99", "payload":{"s3cret":1.0,"x":"\ud800"}}"#,
            Some("nip99"),
        ),
        (r#"{"payload":"s3cret"}"#, None),
        ("nsec1s3cret \"quoted\"", None),
        ("[1]", None),
    ] {
        let payload = SignerPayload::from_text(text);
        assert_eq!(payload.kind(), kind);
        assert!(matches!(payload.read(), Ok(Signer::Other)));
        let provider = payload.to_provider_payload().unwrap();
        let back = SignerPayload::from_provider_payload(&provider);
        assert_eq!(back.expose_text(), text);
        assert!(!format!("{payload:?} {provider:?}").contains("s3cret"));
    }
    for text in [
        r#"{"type":"private-key","payload":{"s3cret":1}}"#,
        r#"{"type":"nip46","payload":"s3cret"}"#,
        r#"{"type":"nip46","payload":{"bunkerPubkey":"s3cret"}}"#,
    ] {
        let error = SignerPayload::from_text(text).read().unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let key = match private_key(KEY_A).read().unwrap() {
        Signer::PrivateKey { key } => key,
        other => panic!("{other:?}"),
    };
    assert_eq!(key.expose_secret(), KEY_A);
}
