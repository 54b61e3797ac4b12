//! What keys do.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use moorline::Identity;
use moorline::manager::SessionKey;

use super::super::input::{Action, on_key};
use super::super::model::{Mode, Sort};
use super::*;

fn press(model: &mut Model, code: KeyCode) -> Option<Action> {
    model.arrange(noon());
    on_key(model, KeyEvent::new(code, KeyModifiers::NONE), noon())
}

fn letters(model: &mut Model, text: &str) -> Option<Action> {
    let presses = text.chars().map(|it| press(model, KeyCode::Char(it)));
    presses.last().flatten()
}

fn selected(model: &mut Model) -> String {
    model.arrange(noon());
    model.selected().unwrap().1.facts.account.clone()
}

fn four() -> Model {
    let mut model = Model::new("test", true);
    for (name, phase) in [
        ("alice", Phase::Connected),
        ("bob", Phase::Disconnected),
        ("carol", Phase::Reconnecting),
        ("dave", Phase::Connected),
    ] {
        model.feed(session(name, phase));
    }
    model
}

#[test]
fn the_selection_moves_and_stays_with_its_session() {
    let mut model = four();
    assert_eq!(selected(&mut model), "alice");
    press(&mut model, KeyCode::Down);
    letters(&mut model, "j");
    assert_eq!(selected(&mut model), "carol");
    press(&mut model, KeyCode::Up);
    assert_eq!(selected(&mut model), "bob");
    letters(&mut model, "k");
    letters(&mut model, "k");
    assert_eq!(selected(&mut model), "alice", "it stops at the ends");
    letters(&mut model, "G");
    assert_eq!(selected(&mut model), "dave");
    // Another order, and others that come and go.
    letters(&mut model, "s");
    model.feed(session("aaron", Phase::Connected));
    assert_eq!(selected(&mut model), "dave");
    model.feed(Input::Gone(id("dave")));
    assert_eq!(
        selected(&mut model),
        "alice",
        "the one that is in its place"
    );
    for name in ["aaron", "alice", "bob", "carol"] {
        model.feed(Input::Gone(id(name)));
    }
    model.arrange(noon());
    assert!(model.selected().is_none());
    assert_eq!(press(&mut model, KeyCode::Enter), None);
    assert_eq!(model.mode, Mode::List);
}

#[test]
fn orders_follow_each_other() {
    let mut model = four();
    let with = |name: &str, expires: Option<f64>, seen: f64| {
        let facts = Facts {
            phase: Phase::Connected,
            expires_at: expires.map(after),
            last_active: Some(after(seen)),
            ..Facts::named(name)
        };
        Input::Session(id(name), Box::new(facts))
    };
    model.feed(with("alice", None, 1.0));
    model.feed(with("dave", Some(9.0), 2.0));
    model.feed(happened("bob", after(3.0), ""));
    let mut order = |key: &str| {
        letters(&mut model, key);
        (model.sort, listed(&mut model, noon()).join(" "))
    };
    assert_eq!(order(""), (Sort::Account, "alice bob carol dave".into()));
    assert_eq!(order("s"), (Sort::Status, "carol bob alice dave".into()));
    assert_eq!(order("s"), (Sort::Expiry, "dave alice bob carol".into()));
    assert_eq!(order("s"), (Sort::Activity, "bob dave alice carol".into()));
    assert_eq!(order("s"), (Sort::Rate, "bob alice carol dave".into()));
    assert_eq!(order("s").0, Sort::Account);
}

#[test]
fn a_filter_is_typed_kept_and_cleared() {
    let mut model = four();
    letters(&mut model, "/CO");
    assert_eq!(model.mode, Mode::Filter);
    // Part of a name or of a status, whatever the case.
    assert_eq!(
        listed(&mut model, noon()),
        ["alice", "bob", "carol", "dave"]
    );
    letters(&mut model, "nnq");
    assert_eq!(listed(&mut model, noon()), [""; 0], "q is a letter here");
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Enter);
    assert_eq!(
        listed(&mut model, noon()),
        ["alice", "bob", "carol", "dave"]
    );
    letters(&mut model, "/");
    for _ in 0..4 {
        press(&mut model, KeyCode::Backspace);
    }
    press(&mut model, KeyCode::Enter);
    assert_eq!(listed(&mut model, noon()).len(), 4);
    letters(&mut model, "/aro");
    assert_eq!(listed(&mut model, noon()), ["carol"]);
    let lines = screen(&mut model, (80, 12), noon());
    assert!(lines[1].ends_with("filter `aro`: 1 of 4"), "{lines:?}");
    assert!(lines[11].starts_with(" filter: aro_"), "{lines:?}");
    press(&mut model, KeyCode::Esc);
    assert_eq!(listed(&mut model, noon()).len(), 4);
}

#[test]
fn details_open_and_close() {
    let mut model = four();
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.mode, Mode::Details);
    press(&mut model, KeyCode::Esc);
    assert_eq!(model.mode, Mode::List);
    press(&mut model, KeyCode::Enter);
    press(&mut model, KeyCode::Enter);
    assert_eq!(model.mode, Mode::List);
}

#[test]
fn leaving_is_always_possible() {
    let mut model = four();
    assert_eq!(letters(&mut model, "q"), Some(Action::Quit));
    letters(&mut model, "/");
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(on_key(&mut model, control_c, noon()), Some(Action::Quit));
}

#[test]
fn a_disconnect_is_asked_for_first() {
    let key = SessionKey::new(Identity::new("erin", None), "cip0103");
    let erin = RowId::Key(Arc::new(key));
    let mut model = Model::new("test", true);
    let facts = Facts::named("erin");
    model.feed(Input::Session(erin.clone(), Box::new(facts)));
    assert_eq!(letters(&mut model, "d"), None);
    let asked = screen(&mut model, (80, 12), noon())[11].clone();
    assert!(asked.contains("disconnect erin?"), "{asked}");
    assert_eq!(letters(&mut model, "n"), None);
    assert_eq!(model.notice.as_deref(), Some("not disconnected"));
    assert_eq!(letters(&mut model, "dy"), Some(Action::Disconnect(erin)));
    assert_eq!(model.mode, Mode::List);

    model.can_act = false;
    assert_eq!(letters(&mut model, "dy"), None);
    letters(&mut model, "d");
    assert!(model.notice.as_deref().unwrap().contains("only watches"));
}

#[test]
fn a_view_that_missed_too_much_asks_for_everything() {
    let mut model = four();
    assert_eq!(letters(&mut model, "p"), None);
    for _ in 0..20_000 {
        model.feed(session("bob", Phase::Connected));
    }
    assert_eq!(letters(&mut model, "p"), Some(Action::Resync));
    assert!(!model.is_paused());
}
