//! A report as JUnit XML.

use moorline_report::{Case, Verdict as Junit, junit};

use super::{Outcome, Report, Verdict};
use crate::check::Level;

impl Report {
    /// One JUnit test suite. Only MUSTs that are not forgiven are failures; what else did not pass
    /// is skipped, with the reason.
    pub fn junit(&self) -> String {
        let cases: Vec<Case> = self.outcomes.iter().map(case).collect();
        junit("moorline check", &cases)
    }
}

fn case(outcome: &Outcome) -> Case {
    let check = outcome.check;
    let mut case = Case::new(check.area(), check.id);
    case.verdict = match &outcome.verdict {
        Verdict::Passed => Junit::Passed,
        Verdict::NotChecked { reason } => Junit::Skipped {
            message: format!("not checked: {reason}"),
        },
        Verdict::Failed {
            expected,
            seen,
            deviation,
            forgiven,
        } => {
            let name = deviation
                .map(|it| format!(" ({})", it.id))
                .unwrap_or_default();
            if check.level == Level::Must && !forgiven {
                Junit::Failed {
                    message: format!("{}{name}", check.title),
                    details: format!(
                        "expected: {expected}\nseen:     {seen}\ndo:       {}\nrests on: {}\n",
                        check.advice, check.rests_on
                    ),
                }
            } else {
                Junit::Skipped {
                    message: format!(
                        "{}{name}: expected {expected}, seen {seen}",
                        check.level.as_str()
                    ),
                }
            }
        }
    };
    case
}
