//! `moorline sessions verify`.

use moorline::store::FileStore;
use serde_json::json;

use super::list::{self, as_json};
use super::person::sessions;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(store: &FileStore, output: Output) -> Result<(), Failure> {
    let entries = store.entries().await?;
    let mut unreadable = 0;
    for entry in &entries {
        if let Err(error) = &entry.content {
            unreadable += 1;
            output.object(&as_json(entry));
            output.say(&error.to_string());
        }
    }
    let names = list::names(&entries);
    let sessions_alone = entries
        .iter()
        .filter(|it| !list::is_of_a_manager(it, &names));
    let total = sessions_alone.count();
    output.object(&json!({ "type": "summary", "total": total, "unreadable": unreadable }));
    if unreadable > 0 {
        return Err(Failure::Unreadable { unreadable, total });
    }
    output.say(&format!("checked {}: all can be read", sessions(total)));
    Ok(())
}
