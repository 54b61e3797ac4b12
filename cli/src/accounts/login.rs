//! `moorline accounts login`.

use std::collections::HashMap;
use std::sync::Arc;

use moorline::manager::{
    LoginOptions, ManagedSession, ManagerEventKind, ManagerEvents, ManagerItem, SessionKey,
};
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
    let kept = recipe.map(Kept::new).transpose()?;
    let manager = accounts.manager(Policy::default(), Wake::Nobody)?;
    let mut interrupt = Interrupt::listen()?;
    let telling = tokio::spawn(tell(manager.events(), output));
    let logged_in = tokio::select! {
        logged_in = log_in(&manager, kept, &args) => Some(logged_in),
        () = interrupt.requested() => None,
    };
    manager.close().await;
    // Ends with the manager.
    let _told = telling.await;
    let Some(logged_in) = logged_in else {
        return Err(Failure::Stopped);
    };
    let session = logged_in?;
    let (key, label) = (session.key(), session.about().label);
    let same = |account: &StoredSession| account.key.as_ref() == Some(&**key);
    let stored = accounts.here().await?.into_iter().find(same);
    let kept =
        |stored: &StoredSession| stored.active && stored.label.as_deref() == label.as_deref();
    if !stored.as_ref().is_some_and(kept) {
        return Err(Failure::NotKept(key.identity().to_string()));
    }
    let mut object = as_json(key);
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
    let earlier = labels(manager).await?;
    let session = match (kept, &args.watch) {
        (Some(kept), _) => {
            let mut options = LoginOptions::new();
            if let Some(label) = &args.label {
                options = options.label(label.as_str());
            }
            manager.login_with(Arc::new(kept), options).await?
        }
        (None, party) => {
            let party = party.as_deref().unwrap_or_default();
            let network = args.on.as_deref().map(NetworkId::from);
            let session = manager.watch(Identity::new(party, network)).await?;
            if let Some(label) = &args.label {
                session.set_label(label.as_str());
            }
            session
        }
    };
    // What an account was called it is called again.
    if args.label.is_none()
        && let Some(label) = earlier.get(&**session.key())
    {
        session.set_label(label.clone());
    }
    Ok(session)
}

/// What the accounts that are stored are called.
async fn labels(manager: &SessionManager) -> Result<HashMap<SessionKey, Arc<str>>, Failure> {
    let mut stored = manager.list_stored().await?;
    let mut labels = HashMap::new();
    while let Some(session) = stored.next().await {
        // What cannot be read has no name to be kept.
        if let Ok(session) = session
            && let (Some(key), Some(label)) = (session.key, session.about.label)
        {
            labels.insert(SessionKey::clone(&key), label);
        }
    }
    Ok(labels)
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
