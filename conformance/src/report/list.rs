//! The catalogue, for people.

use std::fmt::Write;

use crate::checks::catalogue;
use crate::deviation::DEVIATIONS;

/// Every check and every known deviation, as Markdown tables.
pub fn list() -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out);
    out
}

fn write(out: &mut String) -> std::fmt::Result {
    writeln!(out, "| check | level | over | what holds | rests on |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for check in catalogue() {
        writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            check.id,
            check.level.as_str(),
            check.applies.as_str(),
            check.title,
            check.rests_on
        )?;
    }
    writeln!(
        out,
        "\n| known deviation | known of | what the wallet does instead |"
    )?;
    writeln!(out, "|---|---|---|")?;
    for deviation in DEVIATIONS {
        let known: Vec<&str> = deviation.known_of.iter().map(|it| it.as_str()).collect();
        writeln!(
            out,
            "| `{}` | {} | {} |",
            deviation.id,
            known.join(", "),
            deviation.about
        )?;
    }
    Ok(())
}
