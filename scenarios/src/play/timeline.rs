//! What happened, in order, for people.

use super::lists::{show_call, show_heard};
use super::world::World;
use crate::model::Step;
use crate::report::Moment;

/// Collects steps, calls and events.
#[derive(Default)]
pub(super) struct Timeline {
    moments: Vec<Moment>,
    calls: usize,
    events: usize,
}

impl Timeline {
    pub(super) fn step(&mut self, world: &World<'_>, step: &Step) {
        self.moments.push(Moment {
            at: world.elapsed(),
            step: Some(step.number),
            text: format!("line {}: {}", step.line, describe(step)),
        });
    }

    /// Adds what happened since the last time: what came at the same time stands in the order
    /// wallet, session.
    pub(super) fn catch_up(&mut self, world: &World<'_>) {
        let calls = world
            .control()
            .map_or_else(Vec::new, |wallet| wallet.calls());
        let heard = world.log.heard();
        let mut new: Vec<Moment> = calls
            .iter()
            .skip(self.calls)
            .map(|call| Moment {
                at: call.at,
                step: None,
                text: format!("wallet <- {}", show_call(call)),
            })
            .chain(heard.iter().skip(self.events).map(|heard| Moment {
                at: heard.at,
                step: None,
                text: format!("session -> {}", show_heard(heard, false)),
            }))
            .collect();
        new.sort_by_key(|moment| moment.at);
        self.moments.extend(new);
        self.calls = calls.len();
        self.events = heard.len();
    }

    pub(super) fn into_moments(self) -> Vec<Moment> {
        self.moments
    }
}

/// What a step does, in the words of the file.
pub(super) fn describe(step: &Step) -> String {
    let action = match &step.action {
        Some(action) => super::describe::describe(action),
        None => "look".into(),
    };
    match &step.note {
        Some(note) => format!("{action} ({note})"),
        None => action,
    }
}
