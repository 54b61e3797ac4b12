//! One `[[step]]`: who does something, or what is expected.

use super::Source;
use super::expect;
use super::happenings;
use super::problem::{Problem, suggestion};
use super::tree::{Node, Table};
use super::user;
use super::wallet;
use crate::model::{Action, Step};

/// The keys that say who does something in a step; at most one of them stands in it.
const ACTORS: &[&str] = &[
    "user",
    "wallet",
    "store",
    "other",
    "second",
    "hook",
    "advance",
    "sleep",
    "clock_back",
    "until",
    "restart",
];

pub(super) fn read(number: usize, node: &Node, source: &Source<'_>) -> Result<Step, Problem> {
    let mut table = node.table("a step")?;
    let actors: Vec<&str> = ACTORS
        .iter()
        .copied()
        .filter(|key| table.has(key))
        .collect();
    if let [_, second, ..] = actors[..] {
        let span = table
            .entries()
            .iter()
            .find(|entry| entry.key == second)
            .map_or_else(|| node.span.clone(), |entry| entry.span.clone());
        return Err(Problem::new(
            &span,
            format!(
                "a step has one of `{}` and `{second}`, not both: make it two steps",
                actors[0]
            ),
        ));
    }
    let note = table.get("note")?;
    let expect = match table.node("expect") {
        Some(node) => expect::read(node, source)?,
        None => Vec::new(),
    };
    let action = match actors.first() {
        Some(actor) => Some(action(actor, &mut table)?),
        None => {
            nobody(&table, !expect.is_empty())?;
            None
        }
    };
    table.finish()?;
    Ok(Step {
        number,
        line: source.line(node.span.start),
        note,
        action,
        expect,
    })
}

/// A step in which nobody does anything must expect something.
fn nobody(table: &Table<'_>, expects: bool) -> Result<(), Problem> {
    let known: Vec<&str> = ACTORS.iter().copied().chain(["expect", "note"]).collect();
    let unknown = table
        .entries()
        .iter()
        .find(|entry| !known.contains(&entry.key.as_str()));
    if let Some(entry) = unknown {
        let suggestion = suggestion(&entry.key, &known);
        let message = format!("unknown key `{}` in a step{suggestion}", entry.key);
        return Err(Problem::new(&entry.span, message));
    }
    if expects {
        return Ok(());
    }
    Err(Problem::new(
        &table.span,
        "nothing happens in this step and nothing is expected: give it `user`, `wallet`, \
         `advance`, another actor or `expect`",
    ))
}

fn action(actor: &str, table: &mut Table<'_>) -> Result<Action, Problem> {
    Ok(match actor {
        "user" => Action::User(user::read(table)?),
        "wallet" => Action::Wallet(wallet::read(table)?),
        "store" => Action::Store(happenings::store(table)?),
        "other" => Action::Other(happenings::other(table)?),
        "second" => Action::Second(happenings::second(table)?),
        "hook" => happenings::hook(table)?,
        "advance" => Action::Advance(table.need("advance")?),
        "sleep" => Action::Sleep(table.need("sleep")?),
        "clock_back" => Action::ClockBack(table.need("clock_back")?),
        "until" => Action::Until(happenings::until(table)?),
        _ => Action::Restart(happenings::restart(table)?),
    })
}
