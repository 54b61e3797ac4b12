use super::*;
use crate::clock::Timestamp;
use crate::identity::{Account, NetworkId};
use crate::snapshot::DisconnectReason;

fn record() -> Record {
    Record::new(
        "cip0103",
        vec![
            Account::primary("alice::1220aa").with_label("Alice"),
            Account::new("bob::1220bb"),
        ],
        Some(NetworkId::new("canton:local")),
        Timestamp::parse("2026-03-10T12:00:00Z").unwrap(),
    )
    .expiring_at(Timestamp::parse("2026-03-11T12:00:00Z").unwrap())
}

fn name() -> RecordName {
    RecordName::from("shop/alice")
}

fn encoded(
    name: &RecordName,
    content: &Content,
    before: Option<&Extra>,
) -> Result<Vec<u8>, String> {
    let mut draft = Draft::new();
    encode(name, content, before, &mut draft)?;
    Ok(draft.into_bytes())
}

#[test]
fn what_is_written_is_read() {
    let tombstone = Tombstone::new(DisconnectReason::User, Timestamp::from_millis(7));
    for content in [Content::Record(record()), Content::Tombstone(tombstone)] {
        let bytes = encoded(&name(), &content, None).unwrap();
        assert_eq!(decode(&bytes).unwrap(), (name(), content));
    }
}

#[test]
fn the_written_form_stays_as_it_is() {
    let bytes = encoded(&name(), &Content::Record(record()), None).unwrap();
    let expected = concat!(
        r#"{"name":"shop/alice","envelope":{"version":2,"record":{"provider":"cip0103","#,
        r#""intent":"connected","accounts":[{"id":"alice::1220aa","primary":true,"label":"Alice"},"#,
        r#"{"id":"bob::1220bb","primary":false}],"network":"canton:local","#,
        r#""connectedAt":"2026-03-10T12:00:00.000Z","expiresAt":"2026-03-11T12:00:00.000Z","#,
        r#""generation":0}}}"#
    );
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn unknown_members_survive_a_rewrite_byte_for_byte() {
    let later = concat!(
        r#"{"name":"s","envelope":{"version":2,"record":{"provider":"tulip/9","intent":"connected","#,
        r#""accounts":[{"id":"a","primary":true,"color":{"r" : 1.50}}],"network":null,"#,
        r#""connectedAt":"2026-03-10T12:00:00.000Z","expiresAt":null,"generation":3,"#,
        r#""signer":{"type":"x","payload":[1, 2,  3]}},"seal":12345678901234567890}}"#
    );
    let (name, content) = decode(later.as_bytes()).unwrap();
    let Content::Record(read) = content else {
        panic!("not a record")
    };
    let extra = read.extra.clone().unwrap();
    assert_eq!(extra.names(), ["seal", "signer", "color"]);
    // As a session writes it: it knows nothing of what was unknown.
    let mut rewritten = Record {
        extra: None,
        ..read
    };
    rewritten.generation = 4;
    let bytes = encoded(&name, &Content::Record(rewritten), Some(&extra)).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text,
        later.replace(r#""generation":3"#, r#""generation":4"#)
    );
}

#[test]
fn what_cannot_be_read_says_why_and_quotes_nothing() {
    for (text, why) in [
        ("", "ends too early"),
        ("{\"name\":\"s\"", "ends too early"),
        ("hunter2", "not JSON"),
        (r#"["hunter2"]"#, "wrong kind"),
        (r#"{"name":"s"}"#, "`envelope` is missing"),
        (r#"{"envelope":{"version":2}}"#, "`name` is missing"),
        (r#"{"name":"s","envelope":{}}"#, "`version` is missing"),
        (
            r#"{"name":"s","envelope":{"version":3,"hunter2":1}}"#,
            "later version",
        ),
        (
            r#"{"name":"s","envelope":{"version":2}}"#,
            "neither a record",
        ),
        (
            r#"{"name":"s","envelope":{"version":2,"record":{"accounts":[{"id":5}]}}}"#,
            "account 0: `id` cannot be read",
        ),
        (
            r#"{"name":"s","envelope":{"version":2,"record":{"accounts":"hunter2"}}}"#,
            "`accounts` cannot be read",
        ),
    ] {
        let error = decode(text.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(decode(b"\xff\xfe").unwrap_err().contains("UTF-8"));
}

const V1: &str = concat!(
    r#"{"version":1,"account":{"primary":true,"partyId":"alice::1220aa","status":"allocated","#,
    r#""hint":"alice","publicKey":"cHVi","namespace":"1220aa","networkId":"canton:local","#,
    r#""signingProviderId":"participant"},"accounts":[{"primary":false,"partyId":"bob::1220bb","#,
    r#""hint":"bob"},{"primary":true,"partyId":"alice::1220aa","hint":"alice","publicKey":"cHVi"}],"#,
    r#""networkId":"canton:local","connectedAt":1773144000000,"expiresAt":1773230400000,"#,
    r#""theme":"dark"}"#
);

#[test]
fn version_1_is_brought_forward() {
    let record = import(V1).unwrap();
    let ids: Vec<_> = record.accounts.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["bob::1220bb", "alice::1220aa"]);
    assert_eq!(record.identity().unwrap().account.as_str(), "alice::1220aa");
    assert_eq!(record.network.as_ref().unwrap().as_str(), "canton:local");
    assert_eq!(
        record.connected_at,
        Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
    );
    assert_eq!(record.expires_at, Timestamp::parse("2026-03-11T12:00:00Z"));
    assert_eq!(
        record.extra.as_ref().unwrap().names(),
        ["theme", "publicKey"]
    );
    // In a store, too: read as version 1, written as version 2.
    let stored = format!(r#"{{"name":"s","envelope":{V1}}}"#);
    let (name, content) = decode(stored.as_bytes()).unwrap();
    assert_eq!(content, Content::Record(record));
    let bytes = encoded(&name, &content, None).unwrap();
    assert!(
        String::from_utf8(bytes.clone())
            .unwrap()
            .contains(r#""version":2"#)
    );
    assert_eq!(decode(&bytes).unwrap().1, content);
}

#[test]
fn version_1_can_be_written_again() {
    let record = import(V1).unwrap();
    let written = export_v1(&record).unwrap();
    let value: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["account"]["partyId"], "alice::1220aa");
    assert_eq!(value["accounts"][1]["publicKey"], "cHVi");
    assert_eq!(value["accounts"][0]["hint"], "bob");
    assert_eq!(value["connectedAt"], 1_773_144_000_000_u64);
    assert_eq!(value["expiresAt"], 1_773_230_400_000_u64);
    assert_eq!(value["theme"], "dark");
    assert_eq!(import(&written).unwrap(), record);
}

#[test]
fn every_member_of_version_1_is_checked() {
    for (from, to, why) in [
        (r#""version":1"#, r#""version":3"#, "later version"),
        (
            r#""connectedAt":1773144000000,"#,
            "",
            "`connectedAt` is missing",
        ),
        ("1773144000000", "-5", "`connectedAt` is not a time"),
        ("1773144000000", "1e300", "`connectedAt` is not a time"),
        ("1773144000000", "\"now\"", "`connectedAt` cannot be read"),
        ("1773230400000", "1773143999999", "before"),
        ("bob::1220bb", "", "`partyId` is empty"),
        (
            r#""partyId":"bob::1220bb""#,
            r#""partyId":7"#,
            "account 0: `partyId`",
        ),
        ("bob::1220bb", "alice::1220aa", "listed twice"),
        (
            r#""account":{"primary":true,"partyId":"alice"#,
            r#""account":{"primary":true,"partyId":"eve"#,
            "not one of",
        ),
        (
            r#""networkId":"canton:local","connectedAt""#,
            r#""networkId":[],"connectedAt""#,
            "`networkId`",
        ),
    ] {
        let text = V1.replacen(from, to, 1);
        assert_ne!(text, V1, "{from}");
        let error = import(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{from} -> {to}: {error}");
    }
    let none = r#"{"version":1,"account":null,"accounts":[],"networkId":null,"connectedAt":0}"#;
    assert!(import(none).unwrap_err().to_string().contains("no account"));
}

#[test]
fn a_session_of_another_protocol_has_no_version_1() {
    let mut record = record();
    record.provider = "eip1193".into();
    assert!(
        export_v1(&record)
            .unwrap_err()
            .to_string()
            .contains("eip1193")
    );
}

#[test]
fn a_record_can_be_taken_along_in_clear() {
    let record = import(V1).unwrap();
    let text = export(&record).unwrap();
    assert!(text.starts_with(r#"{"version":2,"record":{"#), "{text}");
    assert_eq!(import(&text).unwrap(), record);
    let end =
        r#"{"version":2,"tombstone":{"reason":"user","at":"2026-03-10T12:00:00Z","generation":1}}"#;
    assert!(
        import(end)
            .unwrap_err()
            .to_string()
            .contains("the end of a session")
    );
}

#[test]
fn a_payload_survives_byte_for_byte_and_is_not_exported() {
    let text = r#"{"type":"nip99", "payload":{"secret":"s3cret"},"later":1.0}"#;
    let payload = crate::provider::ProviderPayload::from_json(text).unwrap();
    let written = record().with_payload(Some(payload));
    let bytes = encoded(&name(), &Content::Record(written.clone()), None).unwrap();
    assert!(String::from_utf8(bytes.clone()).unwrap().contains(text));
    // Beside what is known, and beside what is not.
    let (_, read) = decode(&bytes).unwrap();
    assert_eq!(read, Content::Record(written.clone()));
    let later = String::from_utf8(bytes).unwrap();
    let later = later.replace(r#""generation""#, r#""new":1,"generation""#);
    let (_, Content::Record(read)) = decode(later.as_bytes()).unwrap() else {
        panic!("it is a record");
    };
    assert_eq!(read.provider_payload, written.provider_payload);
    assert!(!export(&written).unwrap().contains("s3cret"));
}

#[test]
fn what_is_known_about_a_session_is_read_again_with_all_that_is_unknown() {
    let later = concat!(
        r#"{"name":"s","envelope":{"version":2,"record":{"provider":"p","intent":"connected","#,
        r#""accounts":[{"id":"a","primary":true}],"network":null,"#,
        r#""connectedAt":"2026-03-10T12:00:00.000Z","expiresAt":null,"generation":3,"#,
        r#""about":{"createdAt":"2026-03-10T12:00:00.000Z","updatedAt":"2026-03-10T12:00:01.000Z","#,
        r#""lastActiveAt":"2026-03-10T12:00:00.500Z","label":"laptop","device":{"os" : 1.0}}}}}"#
    );
    let (name, content) = decode(later.as_bytes()).unwrap();
    let bytes = encoded(&name, &content, None).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), later);
    // Where nothing is unknown, by the short way.
    let plain = later.replace(r#","device":{"os" : 1.0}"#, "");
    let (name, content) = v2::decode_plain(plain.as_bytes()).unwrap();
    let bytes = encoded(&name, &content, None).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), plain);
    let wrong = plain.replace(r#""createdAt":"2026"#, r#""createdAt":"26"#);
    let error = decode(wrong.as_bytes()).unwrap_err();
    assert!(error.contains("`about`"), "{error}");
}

#[test]
fn who_a_client_was_leaves_by_no_export() {
    let mut about = crate::store::About::new(Timestamp::EPOCH);
    about.label = Some("laptop".into());
    about.client_address = Some("203.0.113.7".into());
    about.client_agent = Some("Browser/1".into());
    let exported = export(&record().with_about(about)).unwrap();
    assert!(exported.contains("laptop"));
    assert!(!exported.contains("203.0.113.7") && !exported.contains("Browser/1"));
}

#[test]
fn members_that_mean_something_else_to_another_version_go_there_and_come_back() {
    let text = r#"{"version":2,"record":{"provider":"cip0103","intent":"connected",
        "accounts":[{"id":"a","primary":true,"partyId":true,"hint":1,"label":"A","x":0.50}],
        "network":"n","connectedAt":"2026-01-01T00:00:00Z","expiresAt":null,"generation":0,
        "account":7,"v2:y":2,"y":1}}"#;
    let record = import(text).unwrap();
    assert_eq!(import(&export(&record).unwrap()).unwrap(), record);
    let written = export_v1(&record).unwrap();
    assert!(written.contains(r#""v2:partyId":true"#), "{written}");
    assert!(written.contains(r#""x":0.50"#), "{written}");
    assert_eq!(import(&written).unwrap(), record);

    let v1 = r#"{"version":1,"accounts":[{"partyId":"a","primary":true,"id":"b","label":3,"z":1}],
        "networkId":"n","connectedAt":5,"intent":0,"provider":[],"about":1,"network":2}"#;
    let record = import(v1).unwrap();
    assert_eq!(import(&export(&record).unwrap()).unwrap(), record);
    let again = export_v1(&record).unwrap();
    assert!(again.contains(r#""id":"b","label":3,"z":1"#), "{again}");
    assert_eq!(import(&again).unwrap(), record);
}
