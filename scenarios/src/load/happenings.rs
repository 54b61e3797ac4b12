//! What store, hooks, other processes and time do.

use std::time::Duration;

use moorline::sync::Notice;

use super::pattern;
use super::problem::Problem;
use super::tree::{Node, Table, Tree};
use super::values::{accounts, provider_error, word};
use crate::model::{
    Action, Command, HookBehaviour, HookDoes, HookName, HookPlan, Restart, StoreCall, StoreDeed,
    Until,
};

/// How long `until` waits, unless the step says otherwise.
const WITHIN: Duration = Duration::from_secs(600);

fn actor<'a>(table: &mut Table<'a>, key: &'static str) -> Result<&'a Node, Problem> {
    let span = table.span.clone();
    table
        .node(key)
        .ok_or_else(|| Problem::new(&span, format!("a step needs the key `{key}`")))
}

pub(super) fn store(table: &mut Table<'_>) -> Result<StoreDeed, Problem> {
    #[derive(Clone, Copy)]
    enum Kind {
        Slow,
        Fails,
        Hangs,
        Works,
        Corrupt,
        Replay,
        KeyLost,
        KeyFound,
        Put,
        Erase,
    }
    let known = [
        ("slow", Kind::Slow),
        ("fails", Kind::Fails),
        ("hangs", Kind::Hangs),
        ("works", Kind::Works),
        ("corrupt", Kind::Corrupt),
        ("replay", Kind::Replay),
        ("key-lost", Kind::KeyLost),
        ("key-found", Kind::KeyFound),
        ("put", Kind::Put),
        ("erase", Kind::Erase),
    ];
    let kind = word(actor(table, "store")?, "something a store does", &known)?;
    let calls = match (kind, table.node("call")) {
        (_, None) => StoreCall::All,
        (Kind::Slow | Kind::Fails | Kind::Hangs, Some(node)) => {
            let known = [("load", StoreCall::Load), ("write", StoreCall::Write)];
            word(node, "a call to a store", &known)?
        }
        (_, Some(node)) => return Err(node.problem("`call` does not apply to this")),
    };
    Ok(match kind {
        Kind::Slow => StoreDeed::Slow(calls, table.need("by")?),
        Kind::Fails => StoreDeed::Fails(calls, table.get("times")?),
        Kind::Hangs => StoreDeed::Hangs(calls),
        Kind::Works => StoreDeed::Works,
        Kind::Corrupt => StoreDeed::Corrupt,
        Kind::Replay => StoreDeed::Replay,
        Kind::KeyLost => StoreDeed::LoseKey(true),
        Kind::KeyFound => StoreDeed::LoseKey(false),
        Kind::Put => StoreDeed::Put {
            accounts: match table.node("accounts") {
                Some(node) => accounts(node)?,
                None => Vec::new(),
            },
            network: table.get("network")?,
            expires_in: table.get("expires_in")?,
            provider: table.get("provider")?,
        },
        Kind::Erase => StoreDeed::Erase,
    })
}

pub(super) fn other(table: &mut Table<'_>) -> Result<Notice, Problem> {
    #[derive(Clone, Copy)]
    enum Kind {
        Disconnected,
        Party,
        Network,
    }
    let known = [
        ("disconnected", Kind::Disconnected),
        ("party", Kind::Party),
        ("network", Kind::Network),
    ];
    let node = actor(table, "other")?;
    Ok(
        match word(node, "something another process says", &known)? {
            Kind::Disconnected => Notice::Disconnected,
            Kind::Party => {
                let account: String = table.need("account")?;
                Notice::PartyChanged {
                    account: account.into(),
                }
            }
            Kind::Network => Notice::NetworkChanged {
                network: table.need("network")?,
            },
        },
    )
}

pub(super) fn second(table: &mut Table<'_>) -> Result<Command, Problem> {
    let node = actor(table, "second")?;
    word(node, "something a user does there", Command::ALL)
}

pub(super) fn hook(table: &mut Table<'_>) -> Result<Action, Problem> {
    let known = [
        ("reauth", HookName::Reauth),
        ("invalidate", HookName::Invalidate),
    ];
    let name = word(actor(table, "hook")?, "a hook", &known)?;
    let plan = hook_plan(actor(table, "does")?)?;
    Ok(Action::Hook(name, plan))
}

/// A behaviour of a hook, or a list of them: one a call, the last one for ever.
pub(super) fn hook_plan(node: &Node) -> Result<HookPlan, Problem> {
    match &node.tree {
        Tree::Array(items) if items.is_empty() => Err(node.problem("an empty list plays nothing")),
        Tree::Array(items) => {
            let last = items.len() - 1;
            items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let (behaviour, times) = hook_behaviour(item)?;
                    let once = (index < last).then_some(1);
                    Ok((behaviour, times.or(once)))
                })
                .collect()
        }
        _ => Ok(vec![hook_behaviour(node)?]),
    }
}

fn hook_behaviour(node: &Node) -> Result<(HookBehaviour, Option<u32>), Problem> {
    #[derive(Clone, Copy)]
    enum Kind {
        Ok,
        Fail,
        Hang,
        Panic,
    }
    let known = [
        ("ok", Kind::Ok),
        ("fail", Kind::Fail),
        ("hang", Kind::Hang),
        ("panic", Kind::Panic),
    ];
    let unauthorized = || {
        moorline::ProviderError::new(
            moorline::provider::ErrorKind::Unauthorized,
            "scripted: the hook failed",
        )
    };
    let mut behaviour = HookBehaviour {
        does: HookDoes::Ok,
        after: Duration::ZERO,
        request: None,
        credentials: None,
    };
    if node.as_str().is_some() {
        behaviour.does = match word(node, "something a hook does", &known)? {
            Kind::Ok => HookDoes::Ok,
            Kind::Fail => HookDoes::Fail(unauthorized()),
            Kind::Hang => HookDoes::Hang,
            Kind::Panic => HookDoes::Panic,
        };
        return Ok((behaviour, None));
    }
    let mut table = node.table("what a hook does")?;
    behaviour.does = match word(actor(&mut table, "does")?, "something a hook does", &known)? {
        Kind::Ok => HookDoes::Ok,
        Kind::Fail => HookDoes::Fail(match table.node("error") {
            Some(node) => provider_error(node)?,
            None => unauthorized(),
        }),
        Kind::Hang => HookDoes::Hang,
        Kind::Panic => HookDoes::Panic,
    };
    table.set("after", &mut behaviour.after)?;
    behaviour.request = table.get("request")?;
    behaviour.credentials = table.get("credentials")?;
    let times = table.get("times")?;
    table.finish()?;
    Ok((behaviour, times))
}

pub(super) fn until(table: &mut Table<'_>) -> Result<Until, Problem> {
    let node = actor(table, "until")?;
    let mut inner = node.table("`until`")?;
    let status = inner.node("status").map(pattern::status).transpose()?;
    let event = inner.node("event").map(pattern::event_name).transpose()?;
    inner.finish()?;
    if status.is_some() == event.is_some() {
        return Err(node.problem("`until` waits for a `status` or for an `event`: name one"));
    }
    Ok(Until {
        status,
        event,
        within: table.get("within")?.unwrap_or(WITHIN),
    })
}

pub(super) fn restart(table: &mut Table<'_>) -> Result<Restart, Problem> {
    let known = [("crash", Restart::Crash), ("close", Restart::Close)];
    word(actor(table, "restart")?, "a way to restart", &known)
}
