//! `user = …`: what the user does.

use std::time::Duration;

use serde_json::Value;

use super::problem::Problem;
use super::tree::Table;
use super::values::word;
use crate::model::{Command, Deed, Submission};

/// How long something that was started is waited for, unless the step says otherwise.
const WITHIN: Duration = Duration::from_secs(600);

#[derive(Clone, Copy)]
enum Kind {
    Command(Command),
    Request,
    Run,
    Drop,
    Abandon,
    Await,
    Subscribe,
    Keep,
}

pub(super) fn read(table: &mut Table<'_>) -> Result<Deed, Problem> {
    let mut known: Vec<(&str, Kind)> = Command::ALL
        .iter()
        .map(|(name, command)| (*name, Kind::Command(*command)))
        .collect();
    known.extend([
        ("request", Kind::Request),
        ("run", Kind::Run),
        ("drop", Kind::Drop),
        ("abandon", Kind::Abandon),
        ("await", Kind::Await),
        ("subscribe", Kind::Subscribe),
        ("keep", Kind::Keep),
    ]);
    let span = table.span.clone();
    let node = table
        .node("user")
        .ok_or_else(|| Problem::new(&span, "a step needs the key `user`"))?;
    Ok(match word(node, "something a user does", &known)? {
        Kind::Command(command) => Deed::Command(command, table.get("as")?),
        Kind::Request => Deed::Submit(submission(table, false)?),
        Kind::Run => Deed::Submit(submission(table, true)?),
        Kind::Drop => Deed::Drop,
        Kind::Abandon => Deed::Abandon(table.need("of")?),
        Kind::Await => Deed::Await(table.need("of")?, table.get("within")?.unwrap_or(WITHIN)),
        Kind::Subscribe => Deed::Subscribe(table.need("as")?),
        Kind::Keep => Deed::Keep(table.need("as")?),
    })
}

fn submission(table: &mut Table<'_>, several: bool) -> Result<Submission, Problem> {
    let methods = if several {
        table.or_default("methods")?
    } else {
        vec![table.need("method")?]
    };
    Ok(Submission {
        name: table.get("as")?,
        methods,
        params: table.node("params").map_or(Value::Null, |node| node.json()),
        several,
        pause: if several {
            table.or_default("pause")?
        } else {
            Duration::ZERO
        },
        panics: several && table.or_default("panics")?,
        deadline: table.get("deadline")?,
        repeatable: table.or_default("repeatable")?,
        fail_fast: table.or_default("fail_fast")?,
        identity: table.get("identity")?,
    })
}
