//! The table that is printed.

use std::io::{self, Write};

/// One line of the table.
pub(crate) struct Row {
    what: String,
    subject: String,
    baseline: String,
    ratio: String,
    goal: String,
    met: &'static str,
}

impl Row {
    /// A figure of moorline's, with nothing to compare it with yet.
    pub(crate) fn new(what: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            subject: subject.into(),
            baseline: String::new(),
            ratio: String::new(),
            goal: String::new(),
            met: "",
        }
    }

    /// Adds the figure it is compared with.
    pub(crate) fn against(mut self, baseline: impl Into<String>, ratio: f64) -> Self {
        self.baseline = baseline.into();
        self.ratio = format!("{ratio:.2}x");
        self
    }

    /// Adds the goal, and whether it is met.
    pub(crate) fn goal(mut self, goal: impl Into<String>, met: bool) -> Self {
        self.goal = goal.into();
        self.met = if met { "yes" } else { "**no**" };
        self
    }

    fn cells(&self) -> [&str; 6] {
        [
            &self.what,
            &self.subject,
            &self.baseline,
            &self.ratio,
            &self.goal,
            self.met,
        ]
    }
}

const HEAD: [&str; 6] = ["measured", "moorline", "baseline", "ratio", "goal", "met"];

/// Prints the rows as a Markdown table under a heading.
pub(crate) fn print(heading: &str, rows: &[Row]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut widths = HEAD.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.cells()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    writeln!(out, "\n### {heading}\n")?;
    print_line(&mut out, HEAD, widths)?;
    let rule = widths.map(|width| "-".repeat(width));
    print_line(&mut out, rule.each_ref().map(String::as_str), widths)?;
    for row in rows {
        print_line(&mut out, row.cells(), widths)?;
    }
    Ok(())
}

fn print_line(out: &mut impl Write, cells: [&str; 6], widths: [usize; 6]) -> io::Result<()> {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect();
    writeln!(out, "| {} |", padded.join(" | "))
}
