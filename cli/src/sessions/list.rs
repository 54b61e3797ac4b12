//! `moorline sessions list`.

use moorline::store::{Entry, FileStore, RecordName, Stored, backend::Backend};
use serde_json::{Value, json};

use super::person;
use crate::accounts::stored;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(store: &FileStore, output: Output) -> Result<(), Failure> {
    let mut entries = store.entries().await?;
    let names = names(&entries);
    entries.retain(|entry| !is_of_a_manager(entry, &names));
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
                if let Stored::Record { record, .. } = stored
                    && let Some(about) = &record.about
                {
                    let label = about.label.as_deref().map(|label| format!("{label}, "));
                    let label = label.unwrap_or_default();
                    let used = person::ago(about.last_active_at, now);
                    output.say(&format!("{:<24} {label}used {used} ago", ""));
                }
            }
            (_, Err(error)) => output.say(&format!("{:<24} {error}", "(cannot be read)")),
            (None, Ok(_)) => {}
        }
    }
    output.object(&json!({ "type": "summary", "sessions": entries.len() }));
    Ok(())
}

/// The names of all that can be read.
pub(super) fn names(entries: &[Entry]) -> Vec<RecordName> {
    let names = entries.iter().filter_map(|entry| entry.name.clone());
    names.collect()
}

/// Who of many sessions is active is no session.
pub(super) fn is_of_a_manager(entry: &Entry, all: &[RecordName]) -> bool {
    match (&entry.name, &entry.content) {
        (Some(name), Ok(stored)) => stored::is_of_a_manager(name, stored, all),
        _ => false,
    }
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
        Ok(Stored::Record { record, revision }) => {
            let mut content = json!(record);
            if let Some(about) = content.get_mut("about").and_then(Value::as_object_mut) {
                // Personal: `show` tells.
                about.remove("clientAddress");
                about.remove("clientAgent");
            }
            ("session", Some(revision), content)
        }
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
