//! A report for people.

use std::fmt::Write;

use super::{Failure, Outcome, Report, Row, short};

/// One line for what passed, the whole story for what failed: the timeline, then the expected
/// beside the seen.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(report, &mut out);
    out
}

fn write(report: &Report, out: &mut String) -> std::fmt::Result {
    let mark = match report.outcome {
        Outcome::Passed => "ok     ",
        Outcome::Failed => "FAILED ",
        Outcome::Skipped => "skipped",
    };
    write!(out, "{mark} {}: {}", report.name, report.title)?;
    match report.outcome {
        Outcome::Passed => writeln!(out, " ({} steps, {})", report.steps, short(report.elapsed))?,
        Outcome::Failed => writeln!(out, "\n        {}", report.file.display())?,
        Outcome::Skipped => writeln!(out)?,
    }
    for unplayable in &report.skipped {
        writeln!(out, "        {unplayable}")?;
    }
    if !report.timeline.is_empty() {
        writeln!(out, "    what happened (seed {}):", report.seed)?;
    }
    for moment in &report.timeline {
        let step = moment
            .step
            .map_or_else(String::new, |step| format!("step {step}"));
        let at = short(moment.at);
        writeln!(out, "    {at:>12}  {step:<8} {}", moment.text)?;
    }
    for failure in &report.failures {
        write_failure(failure, out)?;
    }
    Ok(())
}

fn write_failure(failure: &Failure, out: &mut String) -> std::fmt::Result {
    match failure.step {
        0 => write!(out, "    {}", failure.about)?,
        step => write!(
            out,
            "    step {step}, line {}: {}",
            failure.line, failure.about
        )?,
    }
    match &failure.message {
        Some(message) => writeln!(out, ": {message}")?,
        None => writeln!(out, " is not as expected")?,
    }
    if failure.rows.is_empty() {
        return Ok(());
    }
    let width = |row: &Row| row.expected.as_deref().unwrap_or("-").chars().count();
    let width = failure
        .rows
        .iter()
        .map(width)
        .max()
        .unwrap_or(0)
        .clamp(8, 72);
    writeln!(out, "        {:width$}   seen", "expected")?;
    for row in &failure.rows {
        let mark = if row.same { ' ' } else { '≠' };
        let expected = row.expected.as_deref().unwrap_or("-");
        let seen = row.seen.as_deref().unwrap_or("-");
        writeln!(out, "      {mark} {expected:width$} | {seen}")?;
    }
    Ok(())
}
