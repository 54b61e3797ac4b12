//! `moorline graph`.

use crate::support::run;

#[test]
fn mermaid_is_the_default() {
    let ran = run(&["graph"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stdout.starts_with("stateDiagram-v2\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains(" --> "));
    assert_eq!(ran.stdout, run(&["graph", "--format", "mermaid"]).stdout);
}

#[test]
fn dot_is_whole() {
    let ran = run(&["graph", "--format", "dot"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stdout.starts_with("digraph moorline {\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with("}\n"), "{}", ran.stdout);
    let count = |letter| ran.stdout.matches(letter).count();
    assert_eq!(count('{'), count('}'));
    assert_eq!(count('"') % 2, 0);
    assert!(ran.stdout.contains(" -> "));
}

#[test]
fn another_language_is_bad_input() {
    let ran = run(&["graph", "--format", "svg"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("mermaid") && ran.stderr.contains("dot"),
        "{}",
        ran.stderr
    );
}
