//! Where the output goes.

use std::process::Stdio;

use crate::support::{folder, moorline, run};

/// What a command does whose reader has gone before it begins.
fn unread(args: &[&str], stderr_too: bool) -> (Option<i32>, String) {
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let mut command = moorline(args);
    command.stdout(closed());
    command.stderr(if stderr_too { closed() } else { Stdio::piped() });
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr)
}

#[test]
fn a_reader_who_has_gone_does_no_harm() {
    for args in [
        &["graph"][..],
        &["graph", "--format", "dot"],
        &["--help"],
        &["run", "--help"],
    ] {
        assert_eq!(unread(args, false), (Some(0), String::new()), "{args:?}");
    }
}

#[test]
fn nobody_to_complain_to_does_not_change_the_exit_code() {
    assert_eq!(unread(&["run", "/nothing/here"], true).0, Some(2));
    assert_eq!(unread(&["connect", "nonsense"], true).0, Some(2));
}

#[test]
fn scenarios_are_played_to_the_end_without_a_reader() {
    let folder = folder("unread");
    let file = folder.join("ok.toml");
    std::fs::write(&file, crate::run::PASSING).unwrap();
    let report = folder.join("report.xml");
    let args = [
        "run",
        file.to_str().unwrap(),
        "--junit",
        report.to_str().unwrap(),
    ];
    assert_eq!(unread(&args, false), (Some(0), String::new()));
    assert!(report.exists());
}

#[test]
fn there_are_no_colours_without_a_terminal() {
    for args in [
        &["run", "/nothing/here"][..],
        &["connect", "nonsense"],
        &["run"],
    ] {
        let ran = run(args);
        assert!(
            !ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'),
            "{args:?}"
        );
    }
}
