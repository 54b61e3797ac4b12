//! What is written of a record: versioned JSON, `{"name": …, "envelope": {"version": 2, …}}`.
//!
//! The name stands outside the envelope, as it is the store's and not the session's. Earlier
//! versions are read and brought forward one version at a time; later ones are left alone.

mod v1;
mod v2;

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

pub use self::v1::{V1Error, export_v1, import_v1};
use super::fields::{Extra, Fields, without_text};
use super::{Record, RecordName, Tombstone};

/// The version that is written.
pub(super) const VERSION: u16 = 2;

/// What an envelope holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Record(Record),
    Tombstone(Tombstone),
}

/// Writes an envelope. What the record brings along of unknown members counts before what stood
/// there before.
pub(super) fn encode(
    name: &RecordName,
    content: &Content,
    before: Option<&Extra>,
) -> Result<Vec<u8>, String> {
    #[derive(Serialize)]
    struct Outer<'a, T> {
        name: &'a RecordName,
        envelope: T,
    }
    let extra = match content {
        Content::Record(record) => record.extra.as_deref().or(before),
        // What ended takes nothing along.
        Content::Tombstone(_) => None,
    };
    let envelope = v2::Envelope { content, extra };
    serde_json::to_vec(&Outer { name, envelope })
        .map_err(|error| format!("the record cannot be written as JSON: {error}"))
}

/// Reads an envelope of any known version. The error says why it cannot be read, without quoting.
pub(super) fn decode(bytes: &[u8]) -> Result<(RecordName, Content), String> {
    if let Some(read) = v2::decode_plain(bytes) {
        return Ok(read);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let mut outer: Fields = serde_json::from_str(text).map_err(|error| without_text(&error))?;
    let name: RecordName = outer.need("name")?;
    let raw: Box<RawValue> = outer
        .take("envelope")
        .ok_or_else(|| "`envelope` is missing".to_owned())?;
    Ok((name, read_any(raw.get())?))
}

/// Reads what stands in `envelope`.
fn read_any(text: &str) -> Result<Content, String> {
    let mut fields: Fields = serde_json::from_str(text).map_err(|error| without_text(&error))?;
    match fields.need::<u64>("version")? {
        1 => v1::to_v2(fields).map_err(|error| error.to_string()),
        2 => v2::decode(fields),
        later => Err(format!(
            "it was written by a later version (envelope version {later}; this one knows up to \
             {VERSION})"
        )),
    }
}

/// Puts what is unknown into a record, if anything is.
fn attach(record: &mut Record, extra: Extra) {
    record.extra = (!extra.is_empty()).then(|| Arc::new(extra));
}

#[cfg(test)]
#[path = "envelope/tests.rs"]
mod tests;
