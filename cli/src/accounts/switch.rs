//! `moorline accounts switch`.

use serde_json::json;

use super::kept::Wake;
use super::{Accounts, as_json, find, impatient, list};
use crate::failure::Failure;
use crate::output::Output;
use crate::sessions::person;

pub(super) async fn run(accounts: &Accounts, output: Output, text: &str) -> Result<(), Failure> {
    let here = accounts.here().await?;
    let (account, key) = find::find(&here, text)?;
    let expires = account.record().and_then(|record| record.expires_at);
    if expires.is_some_and(|at| at <= person::now()) {
        return Err(Failure::AccountExpired(list::title(account)));
    }
    let manager = accounts.manager(impatient(), Wake::Nobody)?;
    let restored = manager.restore().await;
    let switched = restored.and_then(|_| manager.switch_to(key));
    manager.close().await;
    switched?;
    // Closing writes it, and does not say whether that went well.
    let now = accounts.here().await?;
    let kept = now.iter().any(|it| it.active && it.name == account.name);
    if !kept {
        return Err(Failure::NotKept(format!(
            "active is not {}",
            key.identity()
        )));
    }
    let mut object = as_json(key);
    object["type"] = json!("active");
    object["label"] = json!(account.label);
    output.object(&object);
    output.say(&format!(
        "active is {} ({})",
        list::title(account),
        key.identity()
    ));
    Ok(())
}
