//! A report as one line of JSON.

use serde_json::{Value, json};

use super::{Failure, Report};

/// `{"type":"scenario","name":…,"file":…,"status":"passed",…}` in one line.
pub fn json_line(report: &Report) -> String {
    let millis =
        |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut out = json!({
        "type": "scenario",
        "name": report.name,
        "title": report.title,
        "file": report.file.display().to_string(),
        "covers": report.covers,
        "seed": report.seed,
        "status": report.outcome.as_str(),
        "steps": report.steps,
        "played": report.played,
        "elapsedMs": millis(report.elapsed),
    });
    if !report.failures.is_empty() {
        out["failures"] = report.failures.iter().map(failure).collect();
    }
    if !report.skipped.is_empty() {
        let reason = |unplayable: &crate::play::Unplayable| {
            json!({
                "step": unplayable.step,
                "line": unplayable.line,
                "reason": unplayable.reason,
            })
        };
        out["reasons"] = report.skipped.iter().map(reason).collect();
    }
    if !report.timeline.is_empty() {
        let moment = |moment: &super::Moment| json!({ "atMs": millis(moment.at), "step": moment.step, "text": moment.text });
        out["timeline"] = report.timeline.iter().map(moment).collect();
    }
    out.to_string()
}

fn failure(failure: &Failure) -> Value {
    let rows: Vec<Value> = failure
        .rows
        .iter()
        .map(|row| json!({ "same": row.same, "expected": row.expected, "seen": row.seen }))
        .collect();
    json!({
        "step": failure.step,
        "line": failure.line,
        "about": failure.about,
        "message": failure.message,
        "rows": rows,
    })
}
