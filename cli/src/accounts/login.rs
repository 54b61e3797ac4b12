//! `moorline accounts login`.

use std::sync::Arc;

use moorline::manager::{ManagedSession, ManagerEventKind, ManagerEvents, ManagerItem};
use moorline::{EventKind, Identity, NetworkId, Policy, SessionManager};
use serde_json::json;

use super::kept::{Kept, Wake};
use super::stored::{self, StoredSession};
use super::{Accounts, LoginAccountArgs, as_json};
use crate::describe::describe;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::provider::Recipe;

pub(super) async fn run(
    accounts: &Accounts,
    output: Output,
    args: Box<LoginAccountArgs>,
) -> Result<(), Failure> {
    let recipe = match &args.url {
        Some(url) => Some(Recipe::new(url, &args.login)?),
        None => None,
    };
    // What cannot be right is said before anything is stored.
    let kept = recipe.map(|recipe| Kept::new(recipe.labelled(args.label.clone())));
    let kept = kept.transpose()?;
    let before = accounts.here().await?;
    let manager = accounts.manager(Policy::default(), Wake::Nobody)?;
    let mut interrupt = Interrupt::listen()?;
    let telling = tokio::spawn(tell(manager.events(), output));
    let logged_in = tokio::select! {
        logged_in = log_in(&manager, kept, &args) => Some(logged_in),
        () = interrupt.requested() => None,
    };
    let closed = accounts.close(manager).await;
    // Ends with the manager.
    let _told = telling.await;
    let Some(logged_in) = logged_in else {
        return Err(Failure::Stopped);
    };
    let key = logged_in?.key().clone();
    closed?;
    let same = |account: &StoredSession| account.key.as_ref() == Some(&*key);
    let earlier = before.into_iter().find(same);
    // What an account was called it is called again.
    let label = args.label.or_else(|| earlier?.label);
    let stored = accounts.here().await?.into_iter().find(same);
    let Some(stored) = stored.filter(|stored| stored.active) else {
        return Err(Failure::NotKept(key.identity().to_string()));
    };
    if let Some(label) = label.as_deref().filter(|_| stored.label != label) {
        stored::relabel(&accounts.store, &stored.name, label).await?;
    }
    let mut object = as_json(&key);
    object["type"] = json!("logged-in");
    object["label"] = json!(label);
    object["readOnly"] = json!(&*key.provider == stored::READ_ONLY);
    output.object(&object);
    let called = label.map(|label| format!(", called {label}"));
    output.say(&format!(
        "{}{} is logged in and active",
        key.identity(),
        called.unwrap_or_default()
    ));
    Ok(())
}

async fn log_in(
    manager: &SessionManager,
    kept: Option<Kept>,
    args: &LoginAccountArgs,
) -> Result<ManagedSession, Failure> {
    let session = match (kept, &args.watch) {
        (Some(kept), _) => manager.login_dyn(Arc::new(kept), true).await,
        (None, party) => {
            let party = party.as_deref().unwrap_or_default();
            let network = args.on.as_deref().map(NetworkId::from);
            manager.watch(Identity::new(party, network)).await
        }
    };
    Ok(session?)
}

/// Says what a person has to do, until the manager is closed.
async fn tell(mut events: ManagerEvents, output: Output) {
    while let Some(item) = events.next().await {
        if let ManagerItem::Event(event) = &item
            && let ManagerEventKind::Session { event } = &event.kind
            && let EventKind::UserActionRequired { .. } = &event.kind
        {
            output.say(&describe(&event.kind));
            output.object(&json!(event));
        }
    }
}
