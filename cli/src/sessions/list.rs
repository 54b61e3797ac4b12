//! `moorline sessions list`.

use moorline::store::{Entry, FileStore, Stored, backend::Backend};
use serde_json::{Value, json};

use super::person;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(store: &FileStore, output: Output) -> Result<(), Failure> {
    let mut entries = store.entries().await?;
    entries.sort_by(|one, two| one.name.cmp(&two.name));
    output.say(&format!(
        "{}, sealed; keys in {}{}",
        store.backend().describe(),
        store.key_source(),
        replay_note(store),
    ));
    if entries.is_empty() {
        output.say("no sessions");
    }
    let now = person::now();
    for entry in &entries {
        output.object(&as_json(entry));
        match (&entry.name, &entry.content) {
            (Some(name), Ok(stored)) => {
                output.say(&format!("{name:<24} {}", person::state(stored, now)));
                if let Stored::Record { record, .. } = stored
                    && let Some(identity) = record.identity()
                {
                    output.say(&format!("{:<24} {} {identity}", "", record.provider));
                }
            }
            (_, Err(error)) => output.say(&format!("{:<24} {error}", "(cannot be read)")),
            (None, Ok(_)) => {}
        }
    }
    output.object(&json!({ "type": "summary", "sessions": entries.len() }));
    Ok(())
}

/// What is not protected is said.
fn replay_note(store: &FileStore) -> &'static str {
    if store.detects_replay() {
        ""
    } else {
        " (an old session put back in place of a newer one would not be noticed)"
    }
}

/// A session without anything that may be secret.
pub(super) fn as_json(entry: &Entry) -> Value {
    let (kind, revision, content) = match &entry.content {
        Ok(Stored::Record { record, revision }) => ("session", Some(revision), json!(record)),
        Ok(Stored::Tombstone {
            tombstone,
            revision,
        }) => ("ended", Some(revision), json!(tombstone)),
        Ok(Stored::Nothing) => ("nothing", None, Value::Null),
        Err(error) => ("unreadable", None, json!({ "error": error.to_string() })),
    };
    json!({
        "type": kind,
        "name": entry.name,
        "place": entry.slot.to_string(),
        "revision": revision,
        "content": content,
    })
}
