//! Reports as JUnit XML, for continuous integration.

use std::fmt::Write;

use super::{Outcome, Report, Summary, text};

/// All reports as one JUnit test suite. Times are those of the scenarios, not of the machine.
pub fn junit<'a>(reports: impl IntoIterator<Item = &'a Report>) -> String {
    let reports: Vec<&Report> = reports.into_iter().collect();
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&reports, &mut out);
    out
}

fn write(reports: &[&Report], out: &mut String) -> std::fmt::Result {
    let Summary {
        total,
        failed,
        skipped,
        ..
    } = Summary::of(reports.iter().copied());
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites tests=\"{total}\" failures=\"{failed}\" skipped=\"{skipped}\">"
    )?;
    writeln!(
        out,
        "  <testsuite name=\"moorline scenarios\" tests=\"{total}\" failures=\"{failed}\" \
         skipped=\"{skipped}\">"
    )?;
    for report in reports {
        let folder = report
            .file
            .parent()
            .map(|folder| folder.display().to_string());
        write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
            escaped(&folder.unwrap_or_default()),
            escaped(&report.name),
            report.elapsed.as_secs_f64()
        )?;
        match report.outcome {
            Outcome::Passed => writeln!(out, "/>")?,
            Outcome::Failed => {
                let message = report.failures.first().map(|failure| {
                    format!(
                        "step {}, line {}: {}",
                        failure.step, failure.line, failure.about
                    )
                });
                writeln!(
                    out,
                    ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                    escaped(&message.unwrap_or_default()),
                    escaped(&text(report))
                )?;
            }
            Outcome::Skipped => {
                let reasons: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
                writeln!(
                    out,
                    ">\n      <skipped message=\"{}\"/>\n    </testcase>",
                    escaped(&reasons.join("; "))
                )?;
            }
        }
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

/// Text that may stand in XML: what XML has no way to say is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_do_not_break_out() {
        assert_eq!(
            escaped("a<b> & \"c\" \u{1b}[0m\n"),
            "a&lt;b&gt; &amp; &quot;c&quot; \u{fffd}[0m\n"
        );
    }
}
