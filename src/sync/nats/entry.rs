//! Keys and values: what stands where in a bucket.
//!
//! A value is `MLv1`, the revision (8 bytes, big-endian), then the bytes. The revision is also in
//! a header, for those who hear of a change without its bytes; only the value counts.

use async_nats::HeaderMap;
use async_nats::jetstream::message::StreamMessage;

use crate::store::backend::{BackendError, Blob};
use crate::store::{Revision, Slot};

const MAGIC: [u8; 4] = *b"MLv1";

/// The revision, for those who hear of it.
pub(super) const REVISION: &str = "Moorline-Revision";

/// Set by the server's key-value convention where a value was removed.
pub(super) const OPERATION: &str = "KV-Operation";

/// What makes a message a removal.
pub(super) const REMOVED: &str = "DEL";

/// Where records stand.
pub(super) const RECORDS: &str = "r.";

/// Where what cannot be read is kept.
pub(super) const ASIDE: &str = "aside.";

pub(super) fn key(slot: Slot) -> String {
    format!("{RECORDS}{slot}")
}

/// Where one message of a slot is kept. The same message has the same place, however often it is
/// moved.
pub(super) fn aside_key(slot: Slot, sequence: u64) -> String {
    format!("{ASIDE}{slot}.{sequence}")
}

/// The slot of a record's key.
pub(super) fn slot(key: &str) -> Option<Slot> {
    Slot::parse(key.strip_prefix(RECORDS)?)
}

pub(super) fn encode(blob: &Blob) -> Vec<u8> {
    let mut value = Vec::with_capacity(12 + blob.bytes.len());
    value.extend_from_slice(&MAGIC);
    value.extend_from_slice(&blob.revision.number().to_be_bytes());
    value.extend_from_slice(&blob.bytes);
    value
}

/// The error is a sentence.
pub(super) fn decode(value: &[u8]) -> Result<Blob, &'static str> {
    let Some(rest) = value.strip_prefix(&MAGIC) else {
        return Err("it was not written by this library, or by a later version of it");
    };
    let Some((revision, bytes)) = rest.split_first_chunk::<8>() else {
        return Err("it is cut short");
    };
    Ok(Blob {
        revision: Revision::new(u64::from_be_bytes(*revision)),
        bytes: bytes.to_vec(),
    })
}

/// What the last message of a slot says.
pub(super) enum Entry {
    /// Nothing stands there. The sequence is that of the removal, 0 if there never was anything.
    Empty { sequence: u64 },
    /// Something does.
    Value { sequence: u64, blob: Blob },
    /// Something that is not ours.
    Damaged {
        sequence: u64,
        value: Vec<u8>,
        reason: &'static str,
    },
}

impl Entry {
    pub(super) fn read(message: &StreamMessage) -> Self {
        let sequence = message.sequence;
        if removed(&message.headers) {
            return Self::Empty { sequence };
        }
        match decode(&message.payload) {
            Ok(blob) => Self::Value { sequence, blob },
            Err(reason) => Self::Damaged {
                sequence,
                value: message.payload.to_vec(),
                reason,
            },
        }
    }

    /// The sequence to replace, and the revision there.
    pub(super) fn state(&self, slot: Slot) -> Result<(u64, Revision), BackendError> {
        match self {
            Self::Empty { sequence } => Ok((*sequence, Revision::NONE)),
            Self::Value { sequence, blob } => Ok((*sequence, blob.revision)),
            Self::Damaged { reason, .. } => Err(damaged(slot, reason)),
        }
    }
}

pub(super) fn damaged(slot: Slot, reason: &str) -> BackendError {
    BackendError::damaged(format!("what stands in slot {slot} is damaged: {reason}"))
}

/// Whether a message removes what stood there: by us, by `nats kv del` or `purge`, or by the
/// server's own marker.
pub(super) fn removed(headers: &HeaderMap) -> bool {
    let operation = headers.get(OPERATION).map(|it| it.as_str());
    matches!(operation, Some("DEL" | "PURGE")) || headers.get("Nats-Marker-Reason").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_what_was_written() {
        let blob = Blob {
            revision: Revision::new(0x0102),
            bytes: b"sealed".to_vec(),
        };
        let value = encode(&blob);
        assert_eq!(&value[..12], b"MLv1\0\0\0\0\0\0\x01\x02");
        assert_eq!(decode(&value), Ok(blob));
    }

    #[test]
    fn what_is_not_ours_or_not_whole_is_not_read() {
        for bad in [
            &b""[..],
            b"MLv2\0\0\0\0\0\0\0\x01",
            b"MLv1\0\0\0\0\0\0\0",
            b"hello",
        ] {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_lead_back_to_slots() {
        let place = Slot::new([0xc0; 32]);
        assert_eq!(slot(&key(place)), Some(place));
        assert_eq!(slot(&aside_key(place, 7)), None);
        assert_eq!(slot("r.xyz"), None);
    }
}
