//! What must be true of every session at the end, whatever the scenario says: it closes, everybody
//! who waited was answered, nothing runs afterwards, and no law was broken on the way.

use std::time::Duration;

use super::lists;
use super::world::{Looked, World};
use crate::report::Failure;

/// How long the world is watched after the end.
const AFTERWARDS: Duration = Duration::from_secs(3600);

pub(super) async fn play(world: &mut World<'_>) -> Vec<Failure> {
    let failure = |message: String| Failure::message(0, 0, "after the last step", message);
    let mut failures = Vec::new();
    let never = lists::never(world, &world.scenario.never);
    if never.iter().any(|row| !row.same) {
        let mut failed = failure("an event came that must never come here".into());
        failed.rows = never;
        failures.push(failed);
    }
    if let Some(session) = world.session.clone() {
        let close = tokio::time::timeout(Duration::from_secs(600), session.close());
        if !matches!(world.pace.guard(close).await, Some(Ok(()))) {
            failures.push(failure("`close` was not answered within 10m".into()));
        }
    }
    if let Err(message) = world.close_second().await {
        failures.push(failure(message));
    }
    world.pace.settle().await;
    for started in &world.started {
        if started.result().is_none() {
            let name = started.name.as_deref().unwrap_or(&started.what);
            let message = format!("`{name}` was never answered, though the session is closed");
            failures.push(failure(message));
        }
    }
    if world.watched_afterwards {
        failures.extend(silence(world).await.map(failure));
    }
    let elsewhere = world.second.iter().flat_map(|it| it.broken());
    for broken in world.log.broken().into_iter().chain(elsewhere) {
        failures.push(failure(broken));
    }
    world.looked = Looked::default();
    failures
}

/// Nothing runs after the end.
async fn silence(world: &World<'_>) -> Option<String> {
    let activity = |world: &World<'_>| {
        let calls = world.control().map_or(0, |wallet| wallet.calls().len());
        let hooks = [&world.reauth, &world.invalidate];
        let hooks: u64 = hooks
            .into_iter()
            .flatten()
            .map(super::hooks::ScriptedHook::calls)
            .sum();
        let second = world.second.as_ref().map(|it| it.activity());
        let writes = (world.store.writes(), world.store.written());
        (calls, hooks, writes, world.log.len(), second)
    };
    let before = activity(world);
    world.pace.advance(AFTERWARDS).await;
    let after = activity(world);
    (before != after).then(|| {
        format!(
            "something ran after the session was closed: (calls, hooks, writes, events, second process) were \
             {before:?} and became {after:?}"
        )
    })
}
