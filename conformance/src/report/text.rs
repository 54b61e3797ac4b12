//! A report for people: what a wallet's author can act on.

use std::fmt::Write;

use super::{Outcome, Report, Verdict};
use crate::check::Level;

impl Report {
    /// Area by area: what passed in a line each, what failed with what to do about it. Then the
    /// known deviations, what was not checked, and the summary.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let mut area = "";
        for outcome in &self.outcomes {
            if outcome.check.area() != area {
                area = outcome.check.area();
                writeln!(out, "\n{area}")?;
            }
            write_outcome(outcome, out)?;
        }
        self.write_deviations(out)?;
        self.write_not_checked(out)?;
        self.write_summary(out)
    }

    fn write_deviations(&self, out: &mut String) -> std::fmt::Result {
        let deviations = self.deviations();
        if deviations.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nknown deviations")?;
        for deviation in deviations {
            let known: Vec<&str> = deviation.known_of.iter().map(|it| it.as_str()).collect();
            let forgiven = if deviation.known_of.contains(&self.forgiven) {
                "forgiven"
            } else {
                "not forgiven"
            };
            writeln!(
                out,
                "  {} ({}; known of {}): {}",
                deviation.id,
                forgiven,
                known.join(", "),
                deviation.about
            )?;
        }
        Ok(())
    }

    /// By reason: many checks share one.
    fn write_not_checked(&self, out: &mut String) -> std::fmt::Result {
        let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
        for outcome in &self.outcomes {
            if let Verdict::NotChecked { reason } = &outcome.verdict {
                match by_reason.iter_mut().find(|(it, _)| it == reason) {
                    Some((_, ids)) => ids.push(outcome.check.id),
                    None => by_reason.push((reason, vec![outcome.check.id])),
                }
            }
        }
        if by_reason.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nnot checked")?;
        for (reason, ids) in by_reason {
            writeln!(out, "  {}\n      because {reason}", ids.join(", "))?;
        }
        Ok(())
    }

    fn write_summary(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "\n{} ({}) looks like {}; deviations of {} are forgiven",
            self.url,
            self.transport.as_str(),
            self.looks_like.as_str(),
            match self.forgiven {
                crate::Generation::Standard => "nobody",
                other => other.as_str(),
            }
        )?;
        writeln!(out, "        passed  failed  deviations  not checked")?;
        for level in [Level::Must, Level::Should, Level::May] {
            let tally = self.tally(level);
            writeln!(
                out,
                "{:<7} {:>6} {:>7} {:>11} {:>12}",
                level.as_str(),
                tally.passed,
                tally.failed,
                tally.deviations,
                tally.not_checked
            )?;
        }
        let unseen = self.tally(Level::Must).not_checked;
        let verdict = match (self.conforms(), unseen) {
            (false, _) => "does NOT conform".to_owned(),
            (true, 0) => "conforms".to_owned(),
            (true, unseen) => {
                format!("conforms, as far as it could be checked ({unseen} MUSTs were not)")
            }
        };
        writeln!(
            out,
            "{} checks in {:.1} s: {verdict}",
            self.outcomes.len(),
            self.elapsed.as_secs_f64()
        )
    }
}

fn write_outcome(outcome: &Outcome, out: &mut String) -> std::fmt::Result {
    let check = outcome.check;
    let level = check.level.as_str();
    match &outcome.verdict {
        Verdict::Passed => writeln!(out, "  ok      {level:<6} {}", check.id),
        Verdict::NotChecked { .. } => writeln!(out, "  -       {level:<6} {}", check.id),
        Verdict::Failed {
            expected,
            seen,
            deviation,
            forgiven,
        } => {
            let mark = match (check.level, forgiven) {
                (_, true) => "known",
                (Level::Must, _) => "FAILED",
                (Level::Should, _) => "warning",
                (Level::May, _) => "absent",
            };
            writeln!(out, "  {mark:<7} {level:<6} {}: {}", check.id, check.title)?;
            if check.level == Level::May {
                return Ok(());
            }
            if let Some(deviation) = deviation {
                writeln!(out, "            known as   {}", deviation.id)?;
            }
            writeln!(out, "            expected   {expected}")?;
            writeln!(out, "            seen       {seen}")?;
            writeln!(out, "            do         {}", check.advice)?;
            writeln!(out, "            rests on   {}", check.rests_on)
        }
    }
}
