//! Steps that are well-formed but could not be played: names nobody started, a session that is
//! gone, a store or a bus that is not there.

use std::collections::BTreeSet;

use super::problem::{Problem, suggestion};
use super::tree::Node;
use crate::model::{
    Action, Check, Command, Deed, Expect, HookName, RecordPattern, Restart, Scenario, Step,
};

/// What was begun before a step.
#[derive(Default)]
struct Before {
    /// Names of commands and operations.
    started: BTreeSet<String>,
    subscribers: BTreeSet<String>,
    kept: BTreeSet<String>,
    /// Whether the last handle was dropped.
    dropped: bool,
    /// Whether a second process runs.
    second: bool,
}

const NOT_SHARED: &str = "the store is not shared: set `shared = true` in `[session]`";

pub(super) fn check(scenario: &Scenario, nodes: &[Node]) -> Result<(), Problem> {
    if nodes.is_empty() {
        return Err(Problem::new(
            &(0..0),
            "a scenario needs at least one `[[step]]`",
        ));
    }
    let mut before = Before::default();
    for (step, node) in scenario.steps.iter().zip(nodes) {
        check_step(scenario, step, &mut before).map_err(|message| node.problem(message))?;
    }
    Ok(())
}

fn check_step(scenario: &Scenario, step: &Step, before: &mut Before) -> Result<(), String> {
    match &step.action {
        Some(Action::User(deed)) => check_deed(deed, before)?,
        Some(Action::Store(_)) if !scenario.session.store => {
            return Err("there is no store: set `store = true` in `[session]`".into());
        }
        Some(Action::Other(_)) if !scenario.session.bus => {
            return Err("nobody shares this session: set `bus = true` in `[session]`".into());
        }
        Some(Action::Second(command)) => {
            if !scenario.session.shared {
                return Err(NOT_SHARED.into());
            }
            before.second = *command != Command::Close;
        }
        Some(Action::Hook(name, _)) => {
            let (set, key) = match name {
                HookName::Reauth => (scenario.session.reauth.is_some(), "on_reauth"),
                HookName::Invalidate => (scenario.session.invalidate.is_some(), "on_invalidate"),
            };
            if !set {
                return Err(format!(
                    "this hook is not set: give `[session]` the key `{key}`"
                ));
            }
        }
        Some(Action::Restart(how)) => {
            if *how == Restart::Close && before.dropped {
                return Err("there is no session left to close: restart with \"crash\"".into());
            }
            before.dropped = false;
        }
        _ => {}
    }
    let unnamed = matches!(
        &step.action,
        Some(Action::User(Deed::Command(_, None) | Deed::Await(..)))
    ) || matches!(
        &step.action,
        Some(Action::User(Deed::Submit(submission))) if submission.name.is_none()
    );
    for expect in &step.expect {
        check_expect(scenario, expect, unnamed, before)?;
    }
    Ok(())
}

fn check_deed(deed: &Deed, before: &mut Before) -> Result<(), String> {
    if before.dropped {
        return Err("the last handle was dropped: nothing can be done before a `restart`".into());
    }
    match deed {
        Deed::Command(_, name) => start(name.as_ref(), before),
        Deed::Submit(submission) => start(submission.name.as_ref(), before),
        Deed::Abandon(name) | Deed::Await(name, _) => known(name, &before.started, "started"),
        Deed::Subscribe(name) => unique(name, &mut before.subscribers),
        Deed::Keep(name) => unique(name, &mut before.kept),
        Deed::Drop => {
            before.dropped = true;
            Ok(())
        }
    }
}

fn start(name: Option<&String>, before: &mut Before) -> Result<(), String> {
    name.map_or(Ok(()), |name| unique(name, &mut before.started))
}

fn unique(name: &str, names: &mut BTreeSet<String>) -> Result<(), String> {
    if names.insert(name.into()) {
        return Ok(());
    }
    Err(format!("the name `{name}` is taken by an earlier step"))
}

fn known(name: &str, names: &BTreeSet<String>, how: &str) -> Result<(), String> {
    if names.contains(name) {
        return Ok(());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let suggestion = suggestion(name, &names);
    Err(format!(
        "nothing was {how} under the name `{name}` before this step{suggestion}"
    ))
}

fn check_expect(
    scenario: &Scenario,
    expect: &Expect,
    unnamed: bool,
    before: &Before,
) -> Result<(), String> {
    match &expect.check {
        Check::Result(None, _) if !unnamed => Err(
            "`result` is what a step waits for itself: for something that was started by name, \
             write `results.NAME`"
                .into(),
        ),
        Check::Result(Some(name), _) => known(name, &before.started, "started"),
        Check::Missed(name, _) => known(name, &before.subscribers, "subscribed"),
        Check::Kept(name, _) => known(name, &before.kept, "kept"),
        Check::Record(pattern)
            if !scenario.session.store && !matches!(pattern, RecordPattern::Absent) =>
        {
            Err("there is no store: set `store = true` in `[session]`".into())
        }
        Check::Notices(_) if !scenario.session.bus => {
            Err("nobody shares this session: set `bus = true` in `[session]`".into())
        }
        Check::Second(_) if !scenario.session.shared => Err(NOT_SHARED.into()),
        Check::Second(_) if !before.second => {
            Err("there is no second process yet: begin with `second = \"connect\"`".into())
        }
        Check::Status(_)
        | Check::Accounts(_)
        | Check::Primary(_)
        | Check::Network(_)
        | Check::Identity(_)
        | Check::Link(_)
        | Check::Stale(_)
        | Check::ExpiresAt(_)
        | Check::Expired(_)
        | Check::LastError(_)
        | Check::Held(_)
        | Check::Reason(_)
        | Check::Cause(_)
            if before.dropped =>
        {
            Err(format!(
                "the last handle was dropped: there is no `{}` to look at before a `restart`",
                expect.key
            ))
        }
        _ => Ok(()),
    }
}
