//! The table of checks itself, and the page about it.

use std::collections::HashSet;

use moorline_conformance::{DEVIATIONS, Level, catalogue, list};

#[test]
fn ids_are_unique_and_every_check_says_what_it_rests_on_and_what_to_do() {
    let mut ids = HashSet::new();
    for check in catalogue() {
        assert!(ids.insert(check.id), "{} twice", check.id);
        assert!(check.id.contains('.'), "{}", check.id);
        for text in [check.title, check.rests_on, check.advice] {
            assert!(
                text.len() > 5 && !text.ends_with('.'),
                "{}: {text}",
                check.id
            );
        }
    }
    assert!(ids.len() > 100, "{}", ids.len());
}

#[test]
fn what_a_check_needs_comes_before_it() {
    let mut before = HashSet::new();
    for check in catalogue() {
        for need in check.needs {
            assert!(before.contains(need), "{} needs {need}", check.id);
        }
        before.insert(check.id);
    }
}

#[test]
fn deviations_name_checks_that_exist() {
    let ids: HashSet<&str> = catalogue().map(|it| it.id).collect();
    let mut names = HashSet::new();
    for deviation in DEVIATIONS {
        assert!(names.insert(deviation.id), "{} twice", deviation.id);
        for check in deviation.checks {
            assert!(ids.contains(check), "{} names {check}", deviation.id);
        }
    }
}

#[test]
fn there_are_checks_of_every_level() {
    for level in [Level::Must, Level::Should, Level::May] {
        assert!(catalogue().any(|it| it.level == level));
    }
}

#[test]
fn the_readme_lists_every_check() {
    let readme = include_str!("../../README.md");
    let listed = list();
    assert!(
        readme.replace("\r\n", "\n").contains(listed.trim()),
        "README.md is out of date; put this into it (moorline check --list):\n{listed}"
    );
}
