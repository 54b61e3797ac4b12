//! Reports as JUnit XML, for continuous integration.

use moorline_report::{Case, Verdict};

use super::{Outcome, Report, text};

/// All reports as one JUnit test suite. Times are those of the scenarios, not of the machine.
pub fn junit<'a>(reports: impl IntoIterator<Item = &'a Report>) -> String {
    let cases: Vec<Case> = reports.into_iter().map(case).collect();
    moorline_report::junit("moorline scenarios", &cases)
}

fn case(report: &Report) -> Case {
    let folder = report.file.parent();
    let folder = folder.map(|folder| folder.display().to_string());
    let mut case = Case::new(folder.unwrap_or_default(), report.name.as_str());
    case.time = report.elapsed;
    case.verdict = match report.outcome {
        Outcome::Passed => Verdict::Passed,
        Outcome::Failed => {
            let message = report.failures.first().map(|failure| {
                format!(
                    "step {}, line {}: {}",
                    failure.step, failure.line, failure.about
                )
            });
            Verdict::Failed {
                message: message.unwrap_or_default(),
                details: text(report),
            }
        }
        Outcome::Skipped => {
            let reasons: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
            Verdict::Skipped {
                message: reasons.join("; "),
            }
        }
    };
    case
}
