//! Draws the live view. Only what fits is looked at.

use moorline::Timestamp;
use moorline::provider::NetworkLink;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row as TableRow, Table};

use super::model::{Mode, Model};
use super::row::{Happening, Phase, Row, RowId, brief};

/// From this width on there is room for networks.
const WIDE: u16 = 100;

pub(crate) fn draw(frame: &mut Frame<'_>, model: &mut Model, now: Timestamp) {
    let now = model.time(now);
    model.arrange(now);
    let area = frame.area();
    let events = match area.height {
        ..12 => 0,
        12..20 => 4,
        20.. => 7,
    };
    let [header, body, below, footer] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(events),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_header(frame, header, model, now);
    if model.mode == Mode::Details {
        let both = Rect {
            height: body.height + below.height,
            ..body
        };
        draw_details(frame, both, model, now);
    } else {
        draw_table(frame, body, model, now);
        let lines = below.height.saturating_sub(1) as usize;
        let recent: Vec<_> = model.recent().rev().take(lines).collect();
        draw_events(frame, below, model, "LAST EVENTS", &recent);
    }
    frame.render_widget(Line::from(footer_text(model)), footer);
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, model: &Model, now: Timestamp) {
    let rate = format!("{:.1} events/s ", model.rate(now));
    let mut first = vec![Span::styled(
        format!(" moorline top: {}", model.title),
        Style::new().add_modifier(Modifier::BOLD),
    )];
    if model.is_paused() {
        let style = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
        first.push(Span::styled("  paused", style));
    }
    let mut second = vec![Span::raw(" ")];
    for (phase, count) in model.totals() {
        second.push(Span::styled(
            format!("{count} {}", phase.name()),
            style(phase),
        ));
        second.push(Span::raw("  "));
    }
    if model.total() == 0 {
        second.push(Span::raw("no sessions  "));
    }
    second.push(Span::raw(format!("queue {}", model.queue())));
    if !model.filter.is_empty() {
        let text = format!(
            "  filter `{}`: {} of {}",
            model.filter,
            model.shown(),
            model.total()
        );
        second.push(Span::raw(text));
    }
    if model.missed > 0 {
        second.push(Span::raw(format!("  {} events missed", model.missed)));
    }
    let lines = vec![Line::from(first), Line::from(second)];
    frame.render_widget(Paragraph::new(lines), area);
    let right = Rect {
        height: 1.min(area.height),
        ..area
    };
    frame.render_widget(Line::from(rate).right_aligned(), right);
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, model: &mut Model, now: Timestamp) {
    let wide = area.width >= WIDE;
    let selected = model.selected().map(|(id, _)| id.clone());
    let height = area.height.saturating_sub(1) as usize;
    let rows: Vec<TableRow<'_>> = model
        .visible(height)
        .into_iter()
        .map(|(id, row)| {
            let line = table_row(row, now, wide);
            match selected.as_ref() == Some(id) {
                true => line.style(Style::new().add_modifier(Modifier::REVERSED)),
                false => line,
            }
        })
        .collect();
    let mut names = vec!["", "ACCOUNT"];
    let mut widths = vec![Constraint::Length(1), Constraint::Fill(1)];
    if wide {
        names.push("NETWORK");
        widths.push(Constraint::Length(16));
    }
    names.extend(["STATUS", "NOTE", "QUEUE", "EXPIRES", "SEEN", "EV/S"]);
    widths.extend([12, 16, 5, 7, 5, 6].map(Constraint::Length));
    let head = TableRow::new(names).style(Style::new().add_modifier(Modifier::DIM));
    let table = Table::new(rows, widths).header(head).column_spacing(1);
    frame.render_widget(table, area);
}

fn table_row(row: &Row, now: Timestamp, wide: bool) -> TableRow<'static> {
    let facts = &row.facts;
    let mark = if facts.active { "*" } else { " " };
    let mut cells = vec![Cell::from(mark), Cell::from(facts.title())];
    if wide {
        cells.push(Cell::from(facts.network.clone().unwrap_or_default()));
    }
    cells.push(Cell::from(facts.phase.name()).style(style(facts.phase)));
    cells.push(Cell::from(row.note(now)));
    cells.push(Cell::from(right(&facts.queue.to_string(), 5)));
    cells.push(Cell::from(right(&expiry(row, now), 7)));
    cells.push(Cell::from(right(&seen(row, now), 5)));
    let rate = format!("{:.1}", row.rate.per_second(now));
    cells.push(Cell::from(right(&rate, 6)));
    TableRow::new(cells)
}

fn right(text: &str, width: usize) -> String {
    format!("{text:>width$}")
}

fn expiry(row: &Row, now: Timestamp) -> String {
    match row.facts.expires_at {
        Some(at) if at <= now => "over".into(),
        Some(at) => brief(at.saturating_since(now)),
        None => "-".into(),
    }
}

fn seen(row: &Row, now: Timestamp) -> String {
    let at = row.facts.last_active;
    match at {
        Some(at) => brief(now.saturating_since(at)),
        None => "-".into(),
    }
}

fn draw_details(frame: &mut Frame<'_>, area: Rect, model: &Model, now: Timestamp) {
    let Some((_, row)) = model.selected() else {
        return;
    };
    let lines: Vec<Line<'_>> = details(row, now)
        .into_iter()
        .map(|(name, text)| Line::from(format!(" {name:<11} {text}")))
        .collect();
    let [above, below] = Layout::vertical([
        Constraint::Length(lines.len() as u16 + 1),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(lines), above);
    let count = below.height.saturating_sub(1) as usize;
    let recent: Vec<_> = row.events.iter().rev().take(count).collect();
    draw_events(frame, below, model, "ITS LAST EVENTS", &recent);
}

/// Everything known of a session.
fn details(row: &Row, now: Timestamp) -> Vec<(&'static str, String)> {
    let facts = &row.facts;
    let note = row.note(now);
    let mut lines = vec![("account", facts.account.clone())];
    let mut add = |name, text: Option<String>| lines.extend(text.map(|text| (name, text)));
    add("label", facts.label.clone());
    let phase = facts.phase.name();
    add(
        "status",
        Some(match note.is_empty() {
            true => phase.to_owned(),
            false => format!("{phase}: {note}"),
        }),
    );
    let snapshot = facts.snapshot.as_deref();
    let link = snapshot.map(|snapshot| match snapshot.network_link {
        NetworkLink::Up => ", which the wallet reaches",
        NetworkLink::Down => ", which the wallet does not reach",
        NetworkLink::Unknown => "",
    });
    let network = facts.network.as_ref();
    add(
        "network",
        network.map(|network| format!("{network}{}", link.unwrap_or_default())),
    );
    add("provider", facts.provider.clone());
    add("wallet", facts.place.clone());
    if let Some(snapshot) = snapshot {
        let stale = if snapshot.stale {
            ", not confirmed on this connection"
        } else {
            ""
        };
        let count = snapshot.accounts.len();
        add("accounts", Some(format!("{count}{stale}")));
        add("epoch", Some(snapshot.epoch.to_string()));
        add("connected", snapshot.connected_at.map(|at| at.to_string()));
        add(
            "error",
            snapshot.last_error.as_ref().map(|it| it.to_string()),
        );
    }
    let expires = facts.expires_at;
    add(
        "expires",
        expires.map(|at| format!("{at} ({})", expiry(row, now))),
    );
    add("queue", Some(facts.queue.to_string()));
    add("revision", facts.revision.map(|it| it.to_string()));
    lines
}

fn draw_events(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    title: &'static str,
    newest_first: &[&Happening],
) {
    let dim = Style::new().add_modifier(Modifier::DIM);
    let mut lines = vec![Line::styled(format!(" {title}"), dim)];
    lines.extend(newest_first.iter().map(|it| event_line(model, it)));
    frame.render_widget(Paragraph::new(lines), area);
}

fn event_line(model: &Model, happening: &Happening) -> Line<'static> {
    let at = happening.at.to_string();
    // The time of day.
    let at = at.get(11..19).unwrap_or_default();
    let who = match &happening.row {
        Some(id) => match (model.row(id), id) {
            (Some(row), _) => row.facts.title(),
            (None, RowId::Key(key)) => crate::describe::short(key.account.as_str()),
            (None, _) => String::new(),
        },
        None => String::new(),
    };
    let who: String = who.chars().take(20).collect();
    let (name, text) = (happening.name(), happening.text());
    Line::from(format!(" {at} {who:<20} {name:<21} {text}"))
}

fn footer_text(model: &Model) -> String {
    if let Some(notice) = &model.notice {
        return format!(" {notice}");
    }
    match &model.mode {
        Mode::Filter => format!(
            " filter: {}_   (Enter keeps it, Esc clears it)",
            model.filter
        ),
        Mode::Confirm(id) => {
            let who = model.row(id).map(|row| row.facts.title());
            format!(
                " disconnect {}? It ends at the wallet, too. y/n",
                who.unwrap_or_default()
            )
        }
        Mode::Details => " q quit  Esc back  ↑↓ other  d disconnect  p pause".into(),
        Mode::List => format!(
            " q quit  ↑↓ select  Enter details  s sort ({})  / filter  d disconnect  p pause",
            model.sort.name()
        ),
    }
}

fn style(phase: Phase) -> Style {
    let colour = match phase {
        Phase::Connected | Phase::Elsewhere | Phase::Stored => Color::Green,
        Phase::Connecting | Phase::Reconnecting => Color::Yellow,
        Phase::Disconnected | Phase::Expired | Phase::Unreadable => Color::Red,
        Phase::Ended => return Style::new().add_modifier(Modifier::DIM),
    };
    Style::new().fg(colour)
}
