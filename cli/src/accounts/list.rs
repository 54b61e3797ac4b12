//! `moorline accounts list`: what is stored. No wallet is asked.

use moorline::store::backend::Backend;
use serde_json::{Value, json};

use super::Accounts;
use super::stored::{Content, StoredSession};
use crate::describe::short;
use crate::failure::Failure;
use crate::output::Output;
use crate::sessions::person;

pub(super) async fn run(accounts: &Accounts, output: Output) -> Result<(), Failure> {
    let here = accounts.here().await?;
    output.say(&format!(
        "{}, sealed; keys in {}",
        accounts.store.backend().describe(),
        accounts.store.key_source(),
    ));
    if here.is_empty() {
        output.say("no accounts; `moorline accounts login URL` makes one");
    }
    for account in &here {
        output.object(&object(account));
        for line in lines(account) {
            output.say(&line);
        }
    }
    let active = here.iter().find(|account| account.active);
    let active = active.and_then(|account| account.key.as_ref());
    output.object(&json!({ "type": "summary", "accounts": here.len(), "active": active }));
    Ok(())
}

/// One account for people: who, how it stands, and where.
fn lines(account: &StoredSession) -> Vec<String> {
    let now = person::now();
    let mark = if account.active { "*" } else { " " };
    let state = match &account.content {
        Content::Session(record) => person::of_record(record, now),
        Content::Unreadable(why) => format!("cannot be read: {why}"),
        Content::Ended(_) => "ended".into(),
    };
    let used = match account.last_used {
        Some(at) => format!(", used {} ago", person::ago(at, now)),
        None => String::new(),
    };
    let mut lines = vec![format!("{mark} {:<22} {state}{used}", title(account))];
    if let Some(key) = &account.key {
        let place = match &account.place {
            Some(place) => format!(" at {place}"),
            None => String::new(),
        };
        lines.push(format!(
            "  {:<22} {}, {}{place}",
            "",
            key.identity(),
            key.provider
        ));
    }
    lines
}

/// What people call the account.
pub(super) fn title(account: &StoredSession) -> String {
    match (&account.label, &account.key) {
        (Some(label), _) => label.clone(),
        (None, Some(key)) => short(key.account.as_str()),
        (None, None) => account.name.to_string(),
    }
}

fn object(account: &StoredSession) -> Value {
    let key = account.key.as_ref();
    let record = account.record();
    let (kind, error) = match &account.content {
        Content::Unreadable(why) => ("unreadable", Some(why)),
        _ => ("account", None),
    };
    json!({
        "type": kind,
        "account": key.map(|key| &key.account),
        "network": key.and_then(|key| key.network.as_ref()),
        "provider": key.map(|key| &key.provider),
        "label": account.label,
        "active": account.active,
        "lastUsed": account.last_used,
        "connectedAt": record.map(|record| record.connected_at),
        "expiresAt": record.and_then(|record| record.expires_at),
        "place": account.place,
        "record": account.name,
        "error": error,
    })
}
