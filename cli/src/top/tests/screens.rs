//! What is drawn.

use super::super::model::Sort;
use super::super::row::{Rate, Wait, brief, countdown};
use super::*;

/// Two sessions: one stands, one waits for its third attempt.
fn two() -> Model {
    let mut model = Model::new("test", true);
    let work = Facts {
        phase: Phase::Connected,
        label: Some("work".into()),
        network: Some("canton:local".into()),
        expires_at: Some(after(3599.0)),
        last_active: Some(before(3)),
        active: true,
        ..Facts::named("alice::1220aabbccddeeff")
    };
    let bob = Facts {
        phase: Phase::Reconnecting,
        why: "link-lost".into(),
        network: Some("canton:test".into()),
        queue: 2,
        last_active: Some(before(120)),
        ..Facts::named("bob::1220aabbccddeeff")
    };
    model.feed(Input::Session(id("a"), Box::new(work)));
    model.feed(Input::Session(id("b"), Box::new(bob)));
    model
}

#[test]
fn sessions_stand_in_a_table_with_all_that_matters() {
    let mut model = two();
    let until = after(4.2);
    model.waits(&id("b"), Wait { attempt: 3, until });
    model.feed(happened("a", noon(), "revision 4, stored"));
    let expected = [
        " moorline top: test                                                0.1 events/s",
        " 1 connected  1 reconnecting  queue 2",
        "  ACCOUNT               STATUS       NOTE             QUEUE EXPIRES SEEN  EV/S",
        "  bob::1220aa…          reconnecting try 3 in 4.2s        2       -    2m    0.0",
        "* work                  connected                         0     59m    0s    0.1",
        "",
        "",
        " LAST EVENTS",
        " 12:00:00 work                 record:written        revision 4, stored",
        "",
        "",
        " q quit  ↑↓ select  Enter details  s sort (account)  / filter  d disconnect  p p",
    ];
    assert_eq!(screen(&mut model, (80, 12), noon()), expected);
    // A wide one has room for networks.
    let wide = screen(&mut model, (100, 12), noon());
    assert_eq!(
        wide[3],
        "  bob::1220aa…             canton:test      reconnecting try 3 in 4.2s        2       -    2m    0.0"
    );
}

#[test]
fn waits_count_down_and_a_view_that_stands_still_does_not() {
    let mut model = two();
    assert!(!model.counts_down(noon()));
    let until = after(4.2);
    model.waits(&id("b"), Wait { attempt: 3, until });
    screen(&mut model, (80, 12), noon());
    assert!(model.counts_down(noon()));
    assert!(!model.counts_down(after(4.2)), "it is over");
    let note = |model: &mut Model, now| {
        let line = screen(model, (80, 12), now).swap_remove(3);
        line.chars()
            .skip(37)
            .take(16)
            .collect::<String>()
            .trim()
            .to_owned()
    };
    assert_eq!(note(&mut model, after(1.0)), "try 3 in 3.2s");
    assert_eq!(note(&mut model, after(9.0)), "try 3 now");
    assert!(!model.pause(after(2.0)));
    assert_eq!(note(&mut model, after(4.0)), "try 3 in 2.2s");
    assert!(!model.counts_down(after(2.0)));
    assert!(screen(&mut model, (80, 12), noon())[0].contains("paused"));
    // What happens meanwhile is shown afterwards.
    model.feed(session("c", Phase::Connected));
    assert_eq!(listed(&mut model, noon()).len(), 2);
    assert!(!model.pause(after(5.0)));
    assert_eq!(listed(&mut model, noon()).len(), 3);
    // If it was too much, the source is asked.
    model.pause(noon());
    for _ in 0..20_000 {
        model.feed(session("c", Phase::Connected));
    }
    assert!(model.pause(noon()));
    assert_eq!(model.missed, 10_000);
}

#[test]
fn a_wait_whose_end_was_missed_ends_with_what_the_session_is() {
    let mut model = two();
    let until = after(4.2);
    model.waits(&id("b"), Wait { attempt: 3, until });
    model.feed(session("b", Phase::Reconnecting));
    screen(&mut model, (80, 12), noon());
    assert!(model.counts_down(noon()));
    model.feed(session("b", Phase::Connected));
    assert!(!model.counts_down(noon()));
}

#[test]
fn a_session_is_looked_at_more_closely() {
    let mut model = two();
    model.feed(happened("a", noon(), "revision 4, stored"));
    model.feed(happened("b", noon(), "revision 9, stored"));
    listed(&mut model, noon());
    model.select(1);
    model.mode = super::super::model::Mode::Details;
    let expected = [
        " moorline top: test                                                0.2 events/s",
        " 1 connected  1 reconnecting  queue 2",
        " account     alice::1220aabbccddeeff",
        " label       work",
        " status      connected",
        " network     canton:local",
        " expires     2026-03-10T12:59:59.000Z (59m)",
        " queue       0",
        "",
        " ITS LAST EVENTS",
        " 12:00:00 work                 record:written        revision 4, stored",
        " q quit  Esc back  ↑↓ other  d disconnect  p pause",
    ];
    assert_eq!(screen(&mut model, (80, 12), noon()), expected);
}

#[test]
fn of_thousands_only_those_that_fit_are_looked_at() {
    let mut model = Model::new("many", true);
    for number in 0..5000 {
        model.feed(session(&format!("party{number:04}"), Phase::Connected));
    }
    let lines = screen(&mut model, (80, 30), noon());
    assert!(lines[1].contains("5000 connected"), "{lines:?}");
    assert!(lines[3].contains("party0000"), "{lines:?}");
    assert_eq!(model.visible(19).len(), 19);
    model.select(isize::MAX);
    let lines = screen(&mut model, (80, 30), noon());
    // 30 lines less header, names of columns, events and keys.
    assert!(
        lines[3].contains("party4981") && lines[21].contains("party4999"),
        "{lines:?}"
    );
    model.select(-5);
    let lines = screen(&mut model, (80, 30), noon());
    assert!(
        lines[3].contains("party4981"),
        "it scrolls only where it must: {lines:?}"
    );
}

#[test]
fn thousands_are_sorted_when_that_can_change_something() {
    let mut model = Model::new("many", true);
    for number in 0..5000 {
        model.feed(session(&format!("party{number:04}"), Phase::Connected));
    }
    let sorted = |model: &mut Model, from: f64| {
        let before = model.sorted;
        for second in 0..20 {
            screen(model, (80, 30), after(from + f64::from(second)));
        }
        model.sorted - before
    };
    for sort in [
        Sort::Account,
        Sort::Status,
        Sort::Expiry,
        Sort::Activity,
        Sort::Rate,
    ] {
        model.sort = sort;
        model.rearrange();
        assert_eq!(sorted(&mut model, 0.0), 1, "{sort:?}");
    }
    // A rate changes for ten seconds, and then once more: to nothing.
    model.feed(happened("party4999", after(20.0), "revision 2, stored"));
    assert!(screen(&mut model, (80, 30), after(20.0))[3].contains("party4999"));
    assert_eq!(sorted(&mut model, 21.0), 10);
    assert!(screen(&mut model, (80, 30), after(41.0))[3].contains("party0000"));
}

#[test]
fn only_a_wait_that_is_seen_and_soon_over_is_drawn_ten_times_a_second() {
    let mut model = Model::new("many", true);
    for number in 0..5000 {
        model.feed(session(&format!("party{number:04}"), Phase::Reconnecting));
    }
    let waits = |model: &mut Model, name: &str, seconds: f64| {
        let until = after(seconds);
        model.waits(&id(name), Wait { attempt: 1, until });
        screen(model, (80, 30), noon());
        model.counts_down(noon())
    };
    assert!(!waits(&mut model, "party4999", 4.0), "it is out of sight");
    assert!(!waits(&mut model, "party0000", 30.0), "seconds are enough");
    assert!(waits(&mut model, "party0001", 4.0));
    model.mode = super::super::model::Mode::Details;
    assert!(!model.counts_down(noon()), "another one is looked at");
    model.select(1);
    assert!(model.counts_down(noon()));
}

#[test]
fn no_size_is_too_small_and_wallets_do_not_move_the_cursor() {
    let mut model = two();
    let evil = "\u{1b}[2Jgone\r\n\u{9b}2J";
    model.feed(happened("a", noon(), evil));
    let facts = Facts {
        label: Some(evil.into()),
        network: Some(evil.into()),
        why: evil.into(),
        ..Facts::named(evil)
    };
    model.feed(Input::Session(id("a"), Box::new(facts)));
    for width in [1, 7, 40, 80] {
        for height in [1, 3, 11, 30] {
            for mode in [
                super::super::model::Mode::List,
                super::super::model::Mode::Details,
            ] {
                model.mode = mode;
                let lines = screen(&mut model, (width, height), noon());
                assert!(!lines.concat().contains(char::is_control), "{lines:?}");
            }
        }
    }
}

#[test]
fn a_rate_is_that_of_the_last_ten_seconds() {
    let mut rate = Rate::default();
    for tenth in 0..50 {
        rate.count(after(f64::from(tenth) / 10.0));
    }
    assert_eq!(rate.per_second(after(4.9)), 5.0);
    assert_eq!(rate.per_second(after(9.9)), 5.0);
    // The first second has left.
    assert_eq!(rate.per_second(after(10.0)), 4.0);
    assert_eq!(rate.per_second(after(15.0)), 0.0);
    // Late news counts where it belongs, very late news not at all.
    rate.count(after(20.0));
    rate.count(after(12.0));
    rate.count(after(2.0));
    assert_eq!(rate.per_second(after(20.0)), 0.2);
    assert_eq!(rate.per_second(after(22.0)), 0.1);
    // A clock that is set far ahead is no trouble.
    rate.count(after(1e9));
    assert_eq!(rate.per_second(after(1e9)), 0.1);
}

#[test]
fn times_are_short() {
    let of = |seconds: f64| {
        let time = Duration::from_secs_f64(seconds);
        (countdown(time), brief(time))
    };
    assert_eq!(of(4.25), ("4.2s".into(), "4s".into()));
    assert_eq!(of(10.0), ("10s".into(), "10s".into()));
    assert_eq!(of(99.0).1, "99s");
    assert_eq!(of(100.0).1, "1m");
    assert_eq!(of(5999.0).1, "99m");
    assert_eq!(of(7200.0).1, "2h");
    assert_eq!(of(3.0 * 86_400.0).1, "3d");
}
