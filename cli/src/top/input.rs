//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use moorline::Timestamp;

use super::model::{Mode, Model};
use super::row::RowId;

/// What a key asks for beyond the view.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Quit,
    /// The user wants this session disconnected.
    Disconnect(RowId),
    /// The source is to tell everything anew.
    Resync,
}

/// Does what a key means, and says what is left to do.
pub(crate) fn on_key(model: &mut Model, key: KeyEvent, now: Timestamp) -> Option<Action> {
    // Some terminals tell releases, too.
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Action::Quit);
    }
    model.notice = None;
    match model.mode.clone() {
        Mode::Filter => {
            on_filter_key(model, key.code);
            None
        }
        Mode::Confirm(id) => {
            model.mode = Mode::List;
            match key.code {
                KeyCode::Char('y' | 'Y') => Some(Action::Disconnect(id)),
                _ => {
                    model.notice = Some("not disconnected".into());
                    None
                }
            }
        }
        Mode::List | Mode::Details => on_view_key(model, key.code, now),
    }
}

fn on_filter_key(model: &mut Model, code: KeyCode) {
    match code {
        KeyCode::Char(letter) => model.filter.push(letter),
        KeyCode::Backspace => {
            model.filter.pop();
        }
        KeyCode::Enter => model.mode = Mode::List,
        KeyCode::Esc => {
            model.filter.clear();
            model.mode = Mode::List;
        }
        _ => {}
    }
    model.rearrange();
}

fn on_view_key(model: &mut Model, code: KeyCode, now: Timestamp) -> Option<Action> {
    match code {
        KeyCode::Char('q') => return Some(Action::Quit),
        KeyCode::Up | KeyCode::Char('k') => model.select(-1),
        KeyCode::Down | KeyCode::Char('j') => model.select(1),
        KeyCode::PageUp => model.select(-10),
        KeyCode::PageDown => model.select(10),
        KeyCode::Home | KeyCode::Char('g') => model.select(isize::MIN),
        KeyCode::End | KeyCode::Char('G') => model.select(isize::MAX),
        KeyCode::Enter if model.mode == Mode::Details => model.mode = Mode::List,
        KeyCode::Enter if model.selected().is_some() => model.mode = Mode::Details,
        KeyCode::Esc if model.mode == Mode::Details => model.mode = Mode::List,
        KeyCode::Esc => {
            model.filter.clear();
            model.rearrange();
        }
        KeyCode::Char('s') => {
            model.sort = model.sort.next();
            model.rearrange();
        }
        KeyCode::Char('/') => model.mode = Mode::Filter,
        KeyCode::Char('p') => return model.pause(now).then_some(Action::Resync),
        KeyCode::Char('d') => ask(model),
        _ => {}
    }
    None
}

/// Asks whether the selected session is to be disconnected, where that can be.
fn ask(model: &mut Model) {
    let Some((id, _)) = model.selected() else {
        return;
    };
    let id = id.clone();
    match id {
        _ if !model.can_act => {
            model.notice = Some("this view only watches; nothing is disconnected from here".into());
        }
        RowId::Key(_) => model.mode = Mode::Confirm(id),
        RowId::Pending(_) | RowId::Record(_) => {
            model.notice = Some("it is not logged in yet".into());
        }
    }
}
