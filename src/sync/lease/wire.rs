//! What stands in the backend: versioned JSON, read strictly.
//!
//! What this version does not know is not guessed at: a lease that cannot be read is held by
//! somebody unknown, a member that cannot be read lives.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::machine::{Content, LeaseRecord, MemberRecord, Record};
use super::member::MemberId;

const VERSION: u32 = 1;

/// Read first: what comes with another version is not looked at.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Wire {
    Member {
        version: u32,
        id: String,
        name: Arc<str>,
        ttl_ms: u64,
        beat: u64,
        released: u64,
    },
    Ended {
        version: u32,
        id: String,
    },
    Lease {
        version: u32,
        member: String,
        epoch: u64,
        released: bool,
    },
}

/// The bytes of a record.
pub(super) fn encode(record: &Record) -> Result<Vec<u8>, String> {
    let wire = match record {
        Record::Member(id, MemberRecord::Alive(alive)) => Wire::Member {
            version: VERSION,
            id: id.to_string(),
            name: alive.name.clone(),
            ttl_ms: alive.ttl_ms,
            beat: alive.beat,
            released: alive.released,
        },
        Record::Member(id, MemberRecord::Ended) => Wire::Ended {
            version: VERSION,
            id: id.to_string(),
        },
        Record::Lease(lease) => Wire::Lease {
            version: VERSION,
            member: lease.member.to_string(),
            epoch: lease.epoch,
            released: lease.released,
        },
    };
    serde_json::to_vec(&wire).map_err(|error| format!("a record cannot be written: {error}"))
}

/// What these bytes say.
pub(super) fn decode(bytes: &[u8]) -> Content {
    read(bytes).unwrap_or_else(|reason| Content::Unreadable(reason.into()))
}

fn read(bytes: &[u8]) -> Result<Content, String> {
    let Version { version } = serde_json::from_slice(bytes)
        .map_err(|error| format!("it is not a lease record of moorline: {error}"))?;
    if version != VERSION {
        return Err(format!(
            "it has version {version}, this program knows version {VERSION}: use a newer moorline"
        ));
    }
    let wire = serde_json::from_slice(bytes)
        .map_err(|error| format!("it says what version {VERSION} does not: {error}"))?;
    Ok(match wire {
        Wire::Member {
            name,
            ttl_ms,
            beat,
            released,
            ..
        } => Content::Member(MemberRecord::Alive(super::machine::Alive {
            name,
            ttl_ms,
            beat,
            released,
        })),
        Wire::Ended { .. } => Content::Member(MemberRecord::Ended),
        Wire::Lease {
            epoch: u64::MAX, ..
        } => return Err("its epoch cannot grow any more".into()),
        Wire::Lease {
            member,
            epoch,
            released,
            ..
        } => Content::Lease(LeaseRecord {
            member: MemberId::parse(&member)
                .ok_or_else(|| format!("`{member}` is not the id of a member"))?,
            epoch,
            released,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::lease::machine::Alive;

    #[test]
    fn records_read_what_they_wrote() {
        let id = MemberId::new([3; 16]);
        let alive = MemberRecord::Alive(Alive {
            name: "host-1:8080".into(),
            ttl_ms: 10_000,
            beat: 7,
            released: 2,
        });
        let lease = LeaseRecord {
            member: id,
            epoch: 4,
            released: true,
        };
        for (record, content) in [
            (Record::Member(id, alive.clone()), Content::Member(alive)),
            (
                Record::Member(id, MemberRecord::Ended),
                Content::Member(MemberRecord::Ended),
            ),
            (Record::Lease(lease.clone()), Content::Lease(lease)),
        ] {
            assert_eq!(decode(&encode(&record).unwrap()), content);
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed_at() {
        let unreadable = |text: &str| match decode(text.as_bytes()) {
            Content::Unreadable(reason) => reason,
            read => panic!("{text}: {read:?}"),
        };
        assert!(unreadable("").contains("not a lease record"));
        assert!(unreadable("{\"version\":2,\"kind\":\"lease\"}").contains("version 2"));
        let member = "0".repeat(32);
        let lease = format!(
            "{{\"version\":1,\"kind\":\"lease\",\"member\":\"{member}\",\"epoch\":1,\"released\":false"
        );
        assert!(matches!(
            decode(format!("{lease}}}").as_bytes()),
            Content::Lease(_)
        ));
        unreadable(&format!("{lease},\"more\":1}}"));
        unreadable(&lease.replace(&member, "somebody"));
        let last = lease.replace(":1,\"released", &format!(":{},\"released", u64::MAX));
        unreadable(&format!("{last}}}"));
        unreadable("{\"version\":1,\"kind\":\"throne\"}");
    }
}
