//! `moorline sessions rotate-key`.

use moorline::store::FileStore;
use serde_json::json;

use super::person::sessions;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn rotate(store: &FileStore, output: Output) -> Result<(), Failure> {
    let rotation = store.rotate_key().await?;
    let key = rotation.key.map(|key| key.to_string());
    let unreadable: Vec<_> = rotation
        .unreadable
        .iter()
        .map(|(place, reason)| json!({ "place": place.to_string(), "reason": reason }))
        .collect();
    output.object(&json!({
        "type": "rotated",
        "key": key,
        "rewritten": rotation.rewritten,
        "unreadable": unreadable,
    }));
    for (place, reason) in &rotation.unreadable {
        output.say(&format!("left as it is: {place}: {reason}"));
    }
    output.say(&format!(
        "sealed {} with the new key {}; earlier keys are kept in {}",
        sessions(rotation.rewritten),
        key.unwrap_or_default(),
        store.key_source(),
    ));
    Ok(())
}
