//! Results as JUnit XML, for continuous integration: what scenarios and conformance checks share.
//!
//! ```
//! use moorline_report::{Case, Verdict, junit};
//!
//! let mut case = Case::new("lifecycle", "reconnects");
//! case.verdict = Verdict::Failed { message: "it does not".into(), details: String::new() };
//! let xml = junit("my suite", &[case]);
//! assert!(xml.contains("failures=\"1\""));
//! ```

use std::fmt::Write;
use std::time::Duration;

/// One result.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Case {
    /// What it belongs to: a folder, an area.
    pub class: String,
    /// Its own name.
    pub name: String,
    /// How long it took; zero where that says nothing.
    pub time: Duration,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed {
        /// In one line.
        message: String,
        /// The whole story.
        details: String,
    },
    /// It does not count, and why.
    Skipped {
        /// In one line.
        message: String,
    },
}

impl Case {
    /// A case that passed.
    pub fn new(class: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            name: name.into(),
            time: Duration::ZERO,
            verdict: Verdict::Passed,
        }
    }
}

/// All cases as one test suite called `suite`.
pub fn junit(suite: &str, cases: &[Case]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(suite, cases, &mut out);
    out
}

fn write(suite: &str, cases: &[Case], out: &mut String) -> std::fmt::Result {
    let count = |of: fn(&Verdict) -> bool| cases.iter().filter(|it| of(&it.verdict)).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" skipped=\"{}\"",
        cases.len(),
        count(|it| matches!(it, Verdict::Failed { .. })),
        count(|it| matches!(it, Verdict::Skipped { .. })),
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites {counts}>")?;
    writeln!(out, "  <testsuite name=\"{}\" {counts}>", escaped(suite))?;
    for case in cases {
        write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
            escaped(&case.class),
            escaped(&case.name),
            case.time.as_secs_f64()
        )?;
        match &case.verdict {
            Verdict::Passed => writeln!(out, "/>")?,
            Verdict::Failed { message, details } => writeln!(
                out,
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                escaped(message),
                escaped(details)
            )?,
            Verdict::Skipped { message } => writeln!(
                out,
                ">\n      <skipped message=\"{}\"/>\n    </testcase>",
                escaped(message)
            )?,
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
