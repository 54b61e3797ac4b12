//! What came of playing a scenario.

mod json;
mod junit;
mod text;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use self::json::json_line;
pub use self::junit::junit;
pub use self::text::text;
use crate::model::Scenario;
use crate::play::Unplayable;

/// The result of one scenario. It holds nothing of the machine it was played on: the same
/// scenario and seed give the same report.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// What it is about.
    pub title: String,
    /// The file it was loaded from.
    pub file: PathBuf,
    /// The ids of the hazards and lifecycles it covers.
    pub covers: Vec<String>,
    /// The seed it was played with.
    pub seed: u64,
    /// Whether it passed.
    pub outcome: Outcome,
    /// What was not as expected. Playing stops at the first step that fails.
    pub failures: Vec<Failure>,
    /// Why it was not played, if it was not.
    pub skipped: Vec<Unplayable>,
    /// What happened; kept for failures, and if the options ask for it.
    pub timeline: Vec<Moment>,
    /// How many steps it has.
    pub steps: usize,
    /// How many of them were played.
    pub played: usize,
    /// How much time passed, virtual time unless it was played live.
    pub elapsed: Duration,
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// Everything was as expected.
    Passed,
    /// Something was not.
    Failed,
    /// It could not be played; that is not a success.
    Skipped,
}

impl Outcome {
    /// `passed`, `failed` or `skipped`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Something that was not as expected.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// The step, counted from 1; 0 for what belongs to no step.
    pub step: usize,
    /// The line in the file; 0 for what stands in no line.
    pub line: usize,
    /// The expectation, such as `events`.
    pub about: String,
    /// What went wrong, if it is not a comparison.
    pub message: Option<String>,
    /// The expected beside the seen.
    pub rows: Vec<Row>,
}

impl Failure {
    pub(crate) fn message(step: usize, line: usize, about: &str, message: String) -> Self {
        Self {
            step,
            line,
            about: about.into(),
            message: Some(message),
            rows: Vec::new(),
        }
    }
}

/// One thing expected beside one thing seen.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Row {
    /// Whether they are the same.
    pub same: bool,
    /// What was expected; nothing if something came too many.
    pub expected: Option<String>,
    /// What was seen; nothing if something is missing.
    pub seen: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Moment {
    /// When, counted from the start.
    pub at: Duration,
    /// The step that begins here, if one does.
    pub step: Option<usize>,
    /// What happened.
    pub text: String,
}

/// How many scenarios ended how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// All of them.
    pub total: usize,
    /// Those in which everything was as expected.
    pub passed: usize,
    /// Those in which something was not.
    pub failed: usize,
    /// Those that could not be played.
    pub skipped: usize,
}

impl Summary {
    /// Counts reports.
    pub fn of<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Self {
        let mut summary = Self::default();
        for report in reports {
            summary.total += 1;
            match report.outcome {
                Outcome::Passed => summary.passed += 1,
                Outcome::Failed => summary.failed += 1,
                Outcome::Skipped => summary.skipped += 1,
            }
        }
        summary
    }

    /// `{"type":"summary","total":N,"passed":N,"failed":N,"skipped":N}`.
    pub fn json_line(&self) -> String {
        format!(
            "{{\"type\":\"summary\",\"total\":{},\"passed\":{},\"failed\":{},\"skipped\":{}}}",
            self.total, self.passed, self.failed, self.skipped
        )
    }
}

impl Report {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        Self {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            file: scenario.file.clone(),
            covers: scenario.covers.clone(),
            seed,
            outcome: Outcome::Failed,
            failures: Vec::new(),
            skipped: Vec::new(),
            timeline: Vec::new(),
            steps: scenario.steps.len(),
            played: 0,
            elapsed: Duration::ZERO,
        }
    }

    pub(crate) fn fail(&mut self, failures: Vec<Failure>) {
        self.outcome = Outcome::Failed;
        self.failures = failures;
    }

    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}

/// The human text of [`text`].
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(text(self).trim_end())
    }
}

/// A duration for people: `0s`, `1.5s`, `30days`.
pub(crate) fn short(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        return format!("{}s", duration.as_secs_f64());
    }
    humantime::format_duration(duration).to_string()
}
