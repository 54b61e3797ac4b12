//! The live view against screens that were written by hand.

mod cluster;
mod keys;
mod screens;
mod sources;

use std::time::Duration;

use moorline::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::model::{Input, Model};
use super::row::{Facts, Happening, Phase, RowId, What};
use super::view;

/// 12:00:00.
fn noon() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

fn after(seconds: f64) -> Timestamp {
    noon().saturating_add(Duration::from_secs_f64(seconds))
}

fn before(seconds: u64) -> Timestamp {
    Timestamp::from_millis(noon().as_millis() - seconds * 1000)
}

fn id(name: &str) -> RowId {
    RowId::Record(name.into())
}

fn session(name: &str, phase: Phase) -> Input {
    let facts = Facts {
        phase,
        ..Facts::named(name)
    };
    Input::Session(id(name), Box::new(facts))
}

fn happened(name: &str, at: Timestamp, text: &str) -> Input {
    Input::Happened(Happening {
        at,
        row: Some(id(name)),
        what: What::Text("record:written", text.into()),
    })
}

/// What a terminal of this size shows, without what is empty at the end of lines.
fn screen(model: &mut Model, (width, height): (u16, u16), now: Timestamp) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| view::draw(frame, model, now))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content.chunks(width.into());
    let text = |line: &[ratatui::buffer::Cell]| line.iter().map(|cell| cell.symbol()).collect();
    lines
        .map(|line| {
            let line: String = text(line);
            line.trim_end().to_owned()
        })
        .collect()
}

/// The names in the first column, from the top.
fn listed(model: &mut Model, now: Timestamp) -> Vec<String> {
    model.arrange(now);
    let rows = model.visible(usize::MAX / 2);
    rows.iter().map(|(_, row)| row.facts.title()).collect()
}
