//! The machines do no input or output: what it must not name, it does not name.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

/// Names that would let the machine wait, read a clock, draw a random number or touch a file.
const FORBIDDEN: [&str; 16] = [
    "tokio",
    "async ",
    ".await",
    "Instant",
    "SystemTime",
    "dyn Clock",
    "SystemClock",
    "fastrand",
    "Rng",
    "std::fs",
    "std::net",
    "std::thread",
    "Mutex",
    "RwLock",
    "Atomic",
    "println!",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What a line of code says, without what is said about it.
fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// What the file and the folder of this name in `src` say that they must not.
fn impurities(module: &str, at_least: usize) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![src.join(format!("{module}.rs"))];
    sources(&src.join(module), &mut files);
    assert!(files.len() > at_least, "the machine has moved: {files:?}");
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for name in FORBIDDEN.iter().filter(|name| code(line).contains(**name)) {
                found.push(format!("{}:{}: `{name}`", file.display(), number + 1));
            }
        }
    }
    found.join("\n")
}

#[test]
fn the_machine_names_no_clock_no_randomness_no_lock_and_no_file() {
    assert_eq!(impurities("machine", 15), "");
}

#[test]
fn the_lease_protocol_names_no_clock_no_randomness_no_lock_and_no_file() {
    assert_eq!(impurities("sync/lease/machine", 4), "");
}
