//! What is written of a record: versioned JSON, `{"name": …, "envelope": {"version": 2, …}}`.
//!
//! The name stands outside the envelope, as it is the store's and not the session's. Earlier
//! versions are read and brought forward one version at a time; later ones are left alone.

mod v1;
mod v2;

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

pub use self::v1::export_v1;
use super::draft::Draft;
use super::fields::{Extra, Fields, without_text};
use super::{Record, RecordName, Tombstone};

/// The version that is written.
pub(super) const VERSION: u16 = 2;

/// Why a written session cannot be read, or a record not written in a version.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the session cannot be used: {reason}")]
pub struct FormatError {
    /// What is wrong, with the name of the member; values are not quoted.
    pub reason: Arc<str>,
}

fn wrong(reason: impl Into<Arc<str>>) -> FormatError {
    FormatError {
        reason: reason.into(),
    }
}

/// Reads a session in clear, of any version, every member checked: version 1 as browser session
/// managers write it, or version 2 as [`export`] does. Members it does not know, those of accounts
/// included, are kept.
///
/// # Errors
///
/// [`FormatError`] if anything is missing or wrong.
pub fn import(json: &str) -> Result<Record, FormatError> {
    match read_any(json).map_err(wrong)? {
        Content::Record(record) => Ok(record),
        Content::Tombstone(_) => Err(wrong("it is the end of a session, not a session")),
    }
}

/// Writes a record in clear as version 2, with all that is known of it and all that is not, but
/// for what only stores that encrypt write, the payload of its provider and the address and agent of
/// its client: that leaves them by nobody's side door. It holds account ids and perhaps more: keep it
/// as you would keep them.
///
/// # Errors
///
/// [`FormatError`] never happens in practice: a record is text and numbers.
pub fn export(record: &Record) -> Result<String, FormatError> {
    let mut record = record.clone().with_payload(None);
    if let Some(about) = &mut record.about {
        *about = Arc::new(about.without_client(None));
    }
    let content = Content::Record(record);
    let Content::Record(record) = &content else {
        return Err(wrong("it is no session"));
    };
    let extra = record.extra.as_deref();
    serde_json::to_string(&v2::Envelope {
        content: &content,
        extra,
    })
    .map_err(|error| wrong(format!("it cannot be written: {error}")))
}

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
    to: &mut Draft,
) -> Result<(), String> {
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
    serde_json::to_writer(to, &Outer { name, envelope })
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
        1 => v1::to_v2(fields).map_err(|error| error.reason.to_string()),
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
