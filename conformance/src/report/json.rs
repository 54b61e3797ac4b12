//! A report as JSON lines.

use serde_json::json;

use super::{Outcome, Report, Verdict};
use crate::check::Level;

impl Report {
    /// One object a line; `{"type":"check",..}` for every check, `{"type":"summary",..}` last.
    pub fn json_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.outcomes.iter().map(line).collect();
        lines.push(self.summary());
        lines
    }

    fn summary(&self) -> String {
        let tally = |level| {
            let it = self.tally(level);
            json!({
                "total": it.total, "passed": it.passed, "failed": it.failed,
                "deviations": it.deviations, "notChecked": it.not_checked,
            })
        };
        let deviations: Vec<&str> = self.deviations().iter().map(|it| it.id).collect();
        json!({
            "type": "summary",
            "url": self.url,
            "transport": self.transport.as_str(),
            "looksLike": self.looks_like.as_str(),
            "forgiven": self.forgiven.as_str(),
            "must": tally(Level::Must),
            "should": tally(Level::Should),
            "may": tally(Level::May),
            "deviations": deviations,
            "conforms": self.conforms(),
        })
        .to_string()
    }
}

fn line(outcome: &Outcome) -> String {
    let check = outcome.check;
    let mut line = json!({
        "type": "check",
        "id": check.id,
        "level": check.level.as_str(),
        "title": check.title,
        "restsOn": check.rests_on,
        "status": outcome.verdict.as_str(),
    });
    match &outcome.verdict {
        Verdict::Passed => {}
        Verdict::Failed {
            expected,
            seen,
            deviation,
            ..
        } => {
            line["expected"] = json!(expected);
            line["seen"] = json!(seen);
            line["advice"] = json!(check.advice);
            if let Some(deviation) = deviation {
                line["deviation"] = json!(deviation.id);
            }
        }
        Verdict::NotChecked { reason } => line["reason"] = json!(reason),
    }
    line.to_string()
}
