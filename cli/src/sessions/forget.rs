//! `moorline sessions forget`.

use moorline::DisconnectReason;
use moorline::store::{FileStore, RecordName, Store, Tombstone};
use serde_json::json;

use super::person;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(
    store: &FileStore,
    output: Output,
    name: &RecordName,
    purge: bool,
) -> Result<(), Failure> {
    let stored = super::find(store, name).await?;
    if purge {
        store.purge(name, stored.revision()).await?;
    } else {
        let tombstone = Tombstone::new(DisconnectReason::Detached, person::now());
        store.erase(name, tombstone, stored.revision()).await?;
    }
    output.object(&json!({ "type": "forgotten", "name": name, "purged": purge }));
    output.say(&format!(
        "{name} is forgotten here; the wallet was not told"
    ));
    Ok(())
}
