//! Expectations about lists: events, calls, notices, invalidations.

use std::time::Duration;

use moorline::sync::Notice;
use moorline_scripted::{Call, What};
use serde_json::Value;

use super::check::{Rows, one};
use super::matching::{fields, matches};
use super::recorder::Heard;
use super::world::{Looked, World};
use crate::model::{CallPattern, EventPattern, Since};
use crate::report::{Row, short};

/// Two lists, place by place.
fn pairs<W, S>(
    wanted: &[W],
    seen: &[S],
    same: impl Fn(usize, &W, &S) -> bool,
    show_wanted: impl Fn(&W) -> String,
    show_seen: impl Fn(&W, &S) -> String,
    show_rest: impl Fn(&S) -> String,
) -> Rows {
    (0..wanted.len().max(seen.len()))
        .map(|index| match (wanted.get(index), seen.get(index)) {
            (Some(wanted), Some(seen)) => Row {
                same: same(index, wanted, seen),
                expected: Some(show_wanted(wanted)),
                seen: Some(show_seen(wanted, seen)),
            },
            (wanted, seen) => Row {
                same: false,
                expected: wanted.map(&show_wanted),
                seen: seen.map(&show_rest),
            },
        })
        .collect()
}

pub(super) fn events(world: &World<'_>, wanted: &[EventPattern], looked: &mut Looked) -> Rows {
    let all = world.log.heard();
    let seen: Vec<Heard> = all.get(looked.events..).unwrap_or_default().to_vec();
    // What an adapter says of its own streams is not the wallet's.
    let own = |heard: &Heard| {
        heard.kind == "provider:event" && heard.json["name"] == "streamGap" && world.is_live()
    };
    let seen: Vec<Heard> = seen.into_iter().filter(|heard| !own(heard)).collect();
    looked.events = all.len();
    let before = |index: usize| index.checked_sub(1).map(|before| seen[before].at);
    pairs(
        wanted,
        &seen,
        |index, wanted, seen| is_event(world, wanted, seen, before(index)),
        show_pattern,
        |wanted, seen| show_heard(seen, wanted.at.is_some() || wanted.after.is_some()),
        |seen| show_heard(seen, true),
    )
}

pub(super) fn includes(world: &World<'_>, wanted: &[EventPattern], looked: &mut Looked) -> Rows {
    let all = world.log.heard();
    let seen = all.get(looked.events..).unwrap_or_default();
    looked.events = all.len();
    let mut rest = seen.iter().enumerate();
    let mut before = None;
    let mut rows = Rows::new();
    for wanted in wanted {
        let found = rest.find(|(_, heard)| is_event(world, wanted, heard, before));
        before = found.map(|(_, heard)| heard.at).or(before);
        rows.push(Row {
            same: found.is_some(),
            expected: Some(show_pattern(wanted)),
            seen: found.map(|(_, heard)| show_heard(heard, true)),
        });
    }
    if rows.iter().any(|row| !row.same) {
        rows.extend(seen.iter().map(|heard| Row {
            same: true,
            expected: None,
            seen: Some(show_heard(heard, true)),
        }));
    }
    rows
}

pub(super) fn never(world: &World<'_>, kinds: &[String]) -> Rows {
    let all = world.log.heard();
    let found = |kind: &String| all.iter().find(|heard| heard.kind == *kind);
    kinds
        .iter()
        .map(|kind| Row {
            same: found(kind).is_none(),
            expected: Some(format!("never {kind}")),
            seen: found(kind).map(|heard| show_heard(heard, true)),
        })
        .collect()
}

fn is_event(
    world: &World<'_>,
    wanted: &EventPattern,
    heard: &Heard,
    before: Option<Duration>,
) -> bool {
    heard.kind == wanted.kind
        && wanted.at.is_none_or(|at| world.is_time(at, heard.at))
        && wanted.after.is_none_or(|after| {
            world.is_time(after, heard.at.saturating_sub(before.unwrap_or_default()))
        })
        && wanted.fields.iter().all(|(key, wanted)| {
            let seen = heard.json.get(key).unwrap_or(&Value::Null);
            match (key.as_str(), wanted) {
                ("operation", Value::String(name)) => is_operation(world, name, heard, seen),
                _ => matches(wanted, seen, &world.times()),
            }
        })
}

/// Operations are known by the names the scenario gives them.
fn is_operation(world: &World<'_>, name: &str, heard: &Heard, seen: &Value) -> bool {
    world
        .find(name)
        .and_then(|started| started.operation)
        .is_some_and(|(session, number)| session == heard.session && *seen == number)
}

fn show_pattern(pattern: &EventPattern) -> String {
    let mut shown = with_fields(
        &pattern.kind,
        fields(pattern.fields.iter().map(|(key, value)| (key, value))),
    );
    if let Some(at) = pattern.at {
        shown.push_str(&format!(" at {}", short(at)));
    }
    if let Some(after) = pattern.after {
        shown.push_str(&format!(" after {}", short(after)));
    }
    shown
}

pub(super) fn show_heard(heard: &Heard, with_time: bool) -> String {
    let own = heard.json.as_object().map_or_else(String::new, |object| {
        fields(
            object
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "seq" | "epoch" | "at" | "type")),
        )
    });
    let shown = with_fields(&heard.kind, own);
    if with_time {
        format!("{shown} at {}", short(heard.at))
    } else {
        shown
    }
}

fn with_fields(kind: &str, fields: String) -> String {
    if fields.is_empty() {
        kind.into()
    } else {
        format!("{kind} {{{fields}}}")
    }
}

pub(super) fn calls(world: &World<'_>, wanted: &[CallPattern], looked: &mut Looked) -> Rows {
    let all = world
        .control()
        .map_or_else(Vec::new, |wallet| wallet.calls());
    let seen = all.get(looked.calls..).unwrap_or_default();
    looked.calls = all.len();
    // A live wallet says more than a scripted one, and the session looks more often.
    let counted = |name: &str| !world.is_live() || name != "probe";
    let wanted: Vec<CallPattern> = wanted
        .iter()
        .filter(|call| counted(&call.what))
        .cloned()
        .collect();
    let seen: Vec<Call> = seen
        .iter()
        .filter(|call| counted(&call.what.to_string()))
        .cloned()
        .collect();
    pairs(
        &wanted,
        &seen,
        |_, wanted, seen| {
            seen.what.to_string() == wanted.what
                && wanted.at.is_none_or(|at| world.is_time(at, seen.at))
                && wanted
                    .ended
                    .as_ref()
                    .is_none_or(|ended| is_ended(world, ended, seen))
                && wanted
                    .identity
                    .as_ref()
                    .is_none_or(|identity| Some(identity) == identity_of(seen).as_ref())
        },
        |wanted| {
            let mut shown = wanted.what.clone();
            if let Some(at) = wanted.at {
                shown.push_str(&format!(" at {}", short(at)));
            }
            for part in [&wanted.ended, &wanted.identity].into_iter().flatten() {
                shown.push_str(&format!(", {part}"));
            }
            shown
        },
        |wanted, seen| {
            if wanted.at.is_some() || wanted.ended.is_some() || wanted.identity.is_some() {
                show_call(seen)
            } else {
                seen.what.to_string()
            }
        },
        show_call,
    )
}

pub(super) fn count(
    world: &World<'_>,
    what: &str,
    wanted: usize,
    since: Since,
    looked: &mut Looked,
) -> Rows {
    let all = world
        .control()
        .map_or_else(Vec::new, |wallet| wallet.calls());
    let from = match since {
        Since::Start => 0,
        Since::LastLook => looked.calls,
    };
    let seen = all
        .iter()
        .skip(from)
        .filter(|call| {
            let name = call.what.to_string();
            what == "total" || name == what || name.split(' ').next() == Some(what)
        })
        .count();
    one(seen == wanted, wanted.to_string(), seen.to_string())
}

pub(super) fn show_call(call: &Call) -> String {
    let identity =
        identity_of(call).map_or_else(String::new, |identity| format!(" for {identity}"));
    format!(
        "{}{identity} at {}, {}",
        call.what,
        short(call.at),
        ended_name(call)
    )
}

/// What the session drops because the link broke, an adapter may have failed by then.
fn is_ended(world: &World<'_>, wanted: &str, seen: &Call) -> bool {
    let ended = ended_name(seen);
    ended == wanted || (world.is_live() && wanted == "dropped" && ended == "failed")
}

fn ended_name(call: &Call) -> String {
    call.ended
        .map_or_else(|| "pending".to_owned(), |(ending, _)| ending.to_string())
}

fn identity_of(call: &Call) -> Option<String> {
    match &call.what {
        What::Request { identity, .. } => Some(identity.to_string()),
        What::Open { last_known, .. } => last_known.as_ref().map(ToString::to_string),
        _ => None,
    }
}

pub(super) fn notices(world: &World<'_>, wanted: &[String], looked: &mut Looked) -> Rows {
    let all: Vec<String> = world
        .notices
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .iter()
        .map(|notice| match notice {
            Notice::Disconnected => "disconnected".into(),
            Notice::PartyChanged { account } => format!("party {account}"),
            Notice::NetworkChanged { network } => format!("network {network}"),
            other => format!("{other:?}"),
        })
        .collect();
    let seen = all.get(looked.notices..).unwrap_or_default();
    looked.notices = all.len();
    texts(wanted, seen)
}

pub(super) fn invalidations(world: &World<'_>, wanted: &[String], looked: &mut Looked) -> Rows {
    let told = world
        .invalidate
        .as_ref()
        .map_or_else(Vec::new, |hook| hook.told());
    let seen = told.get(looked.invalidations..).unwrap_or_default();
    looked.invalidations = told.len();
    texts(wanted, seen)
}

fn texts(wanted: &[String], seen: &[String]) -> Rows {
    let show = |text: &String| text.clone();
    pairs(
        wanted,
        seen,
        |_, wanted, seen| wanted == seen,
        show,
        |_, seen| seen.clone(),
        show,
    )
}
