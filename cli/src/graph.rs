//! `moorline graph`: the state diagram, drawn from what exploring the machine reaches.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use moorline::machine::Setup;
use moorline::machine::explore::{Move, World};
use moorline::policy::{Backoff, ExpiryPolicy};
use moorline::provider::Capabilities;
use moorline::{Policy, Status};

/// How far exploration goes: further brings no new arrow.
const DEPTH: usize = 7;

/// What leads from every state to the same place: said once instead of drawn everywhere.
const EVERYWHERE: [&str; 5] = [
    "connect",
    "disconnect",
    "detach",
    "remote disconnect",
    "close",
];

const NOTE: &str = "from every state: connect begins to connect, disconnect and detach (here or in \
                    another process) end the session, close ends it for good";

/// How the diagram is written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// Mermaid, as rendered by many forges and editors.
    Mermaid,
    /// Graphviz.
    Dot,
}

/// From one state to another, and what leads there.
type Arrows = BTreeMap<(&'static str, &'static str), BTreeSet<String>>;

/// Draws the diagram.
pub(crate) fn draw(format: Format) -> String {
    let arrows = explore();
    match format {
        Format::Mermaid => mermaid(&arrows),
        Format::Dot => dot(&arrows),
    }
}

/// Plays everything that can happen, situation by situation, and notes who led where.
fn explore() -> Arrows {
    let policy = Policy {
        reconnect: Backoff {
            max_attempts: Some(1),
            ..Backoff::default()
        },
        expiry: ExpiryPolicy {
            ttl: Some(Duration::from_secs(3600)),
            ..ExpiryPolicy::default()
        },
        retry_first_connect: true,
        ..Policy::default()
    };
    let setup = Setup {
        policy: Arc::new(policy),
        capabilities: Capabilities::default(),
        provider: "explored".into(),
        reauth_hook: true,
        persistent: true,
    };
    let mut arrows = Arrows::new();
    for reauth_hook in [true, false] {
        let mut seen = HashSet::new();
        let mut layer = vec![World::new(Setup {
            reauth_hook,
            ..setup.clone()
        })];
        for _ in 0..DEPTH {
            let mut next = Vec::new();
            for world in &layer {
                let from = world.machine.state_name();
                let expired = from.starts_with("Connected") && is_over(world);
                for step in Move::all(world) {
                    let mut label = step.to_string();
                    // An expiry that passed takes its effect with whatever comes first.
                    if expired {
                        if label != "time passes" {
                            continue;
                        }
                        label = "expired".into();
                    }
                    let mut after = world.clone();
                    let played = step.play(&mut after);
                    let to = after.machine.state_name();
                    if from != to && played.is_some() && !EVERYWHERE.contains(&&*label) {
                        arrows.entry((from, to)).or_default().insert(label);
                    }
                    // Operations never move the session: leaving them out keeps this small.
                    if after.operations.is_empty() && seen.insert(situation(&after)) {
                        next.push(after);
                    }
                }
            }
            layer = next;
        }
    }
    arrows
}

fn is_over(world: &World) -> bool {
    world
        .machine
        .snapshot()
        .expires_at
        .is_some_and(|at| at <= world.now.wall)
}

/// What tells one situation from another for the purposes of a diagram.
fn situation(world: &World) -> String {
    let calls: BTreeSet<String> = world
        .calls
        .iter()
        .filter(|call| !call.cancelled)
        .map(|call| format!("{:?}", call.kind))
        .collect();
    let timer = world.machine.next_timeout().map(|(_, timer)| timer);
    let snapshot = world.machine.snapshot();
    let known = (snapshot.accounts.is_empty(), snapshot.expires_at.is_some());
    let over = is_over(world);
    let cause = match world.machine.status() {
        Status::Reconnecting { cause } => cause.as_str(),
        _ => "",
    };
    format!(
        "{} {cause} {calls:?} {timer:?} {known:?} {over}",
        world.machine.state_name()
    )
}

/// A state's group and its own name.
fn split(state: &'static str) -> (Option<&'static str>, &'static str) {
    match state.split_once('.') {
        Some((group, name)) => (Some(group), name),
        None => (None, state),
    }
}

fn states(arrows: &Arrows) -> BTreeMap<Option<&'static str>, BTreeSet<&'static str>> {
    let mut groups: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for state in arrows.keys().flat_map(|(from, to)| [*from, *to]) {
        groups.entry(split(state).0).or_default().insert(state);
    }
    groups
}

/// Names without the characters that diagram languages reserve.
fn id(state: &str) -> String {
    state.replace('.', "_")
}

fn label(inputs: &BTreeSet<String>, line_break: &str) -> String {
    inputs
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(line_break)
}

fn mermaid(arrows: &Arrows) -> String {
    let mut out = String::from("stateDiagram-v2\n    [*] --> Disconnected\n");
    for (group, members) in states(arrows) {
        for state in &members {
            let name = split(state).1;
            // Writing to a string cannot fail.
            let _ok = match group {
                Some(group) => writeln!(out, "    state \"{group}: {name}\" as {}", id(state)),
                None => writeln!(out, "    state \"{name}\" as {}", id(state)),
            };
        }
    }
    for ((from, to), inputs) in arrows {
        let _ok = writeln!(
            out,
            "    {} --> {}: {}",
            id(from),
            id(to),
            label(inputs, "<br/>")
        );
    }
    let _ok = writeln!(out, "    note left of Disconnected: {NOTE}");
    out
}

fn dot(arrows: &Arrows) -> String {
    let mut out = String::from("digraph moorline {\n    node [shape=box, style=rounded];\n");
    for (group, members) in states(arrows) {
        if let Some(group) = group {
            let _ok = writeln!(
                out,
                "    subgraph cluster_{group} {{\n        label=\"{group}\";"
            );
        }
        for state in members {
            let _ok = writeln!(out, "        {} [label=\"{}\"];", id(state), split(state).1);
        }
        if group.is_some() {
            out.push_str("    }\n");
        }
    }
    for ((from, to), inputs) in arrows {
        let label = label(inputs, "\\n");
        let _ok = writeln!(out, "    {} -> {} [label=\"{label}\"];", id(from), id(to));
    }
    let _ok = writeln!(out, "    label=\"{NOTE}\";\n}}");
    out
}
