//! `moorline sessions show`.

use std::io::IsTerminal;

use moorline::store::{FileStore, Record, RecordName, Stored, export};
use serde_json::json;

use super::person;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(
    store: &FileStore,
    output: Output,
    name: &RecordName,
    reveal: bool,
) -> Result<(), Failure> {
    if reveal && !std::io::stdout().is_terminal() {
        return Err(Failure::SecretsOffTerminal);
    }
    let stored = super::find(store, name).await?;
    let now = person::now();
    output.say(&format!("name       {name}"));
    output.say(&format!("state      {}", person::state(&stored, now)));
    output.say(&format!("revision   {}", stored.revision().number()));
    let mut object = json!({ "type": "session", "name": name, "revision": stored.revision() });
    match &stored {
        Stored::Record { record, .. } => {
            show(record, output, now);
            object["content"] = json!(record);
            let unknown = record.extra.as_deref().map(|extra| extra.names());
            if let Some(unknown) = unknown {
                object["unknown"] = json!(unknown);
                let hidden = if reveal { "" } else { " (hidden)" };
                output.say(&format!("unknown    {}{hidden}", unknown.join(", ")));
            }
            if reveal {
                // The whole of it, unknown members and all.
                output.say(&export(record)?);
            }
        }
        Stored::Tombstone { tombstone, .. } => {
            output.say(&format!("ended at   {}", tombstone.at));
            object["type"] = json!("ended");
            object["content"] = json!(tombstone);
        }
        Stored::Nothing => {}
    }
    output.object(&object);
    Ok(())
}

fn show(record: &Record, output: Output, now: moorline::Timestamp) {
    output.say(&format!("provider   {}", record.provider));
    if let Some(network) = &record.network {
        output.say(&format!("network    {network}"));
    }
    let primary = record.identity().map(|identity| identity.account);
    for account in record.accounts.iter() {
        let label = account.label.as_deref().unwrap_or_default();
        let mark = if primary.as_ref() == Some(&account.id) {
            "* "
        } else {
            "  "
        };
        output.say(&format!("account  {mark}{} {label}", account.id));
    }
    let since = person::ago(record.connected_at, now);
    output.say(&format!("connected  {}, {since} ago", record.connected_at));
    if let Some(at) = record.expires_at {
        output.say(&format!("expires    {at}"));
    }
    let Some(about) = &record.about else { return };
    for (what, at) in [
        ("created", about.created_at),
        ("updated", about.updated_at),
        ("last used", about.last_active_at),
    ] {
        output.say(&format!("{what:<10} {at}, {} ago", person::ago(at, now)));
    }
    for (what, text) in [
        ("label", &about.label),
        ("address", &about.client_address),
        ("agent", &about.client_agent),
    ] {
        if let Some(text) = text {
            output.say(&format!("{what:<10} {text}"));
        }
    }
}
