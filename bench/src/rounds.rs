//! Timing in short alternating rounds, so that whatever else the machine does hits both sides.

use std::time::Duration;

/// The nanoseconds of one operation, over many rounds.
#[derive(Clone, Copy)]
pub(crate) struct Nanos {
    /// The median round.
    pub(crate) median: f64,
    /// The fastest round: what the code takes when nothing else runs.
    pub(crate) best: f64,
}

/// Two sides measured in turn.
#[derive(Clone, Copy)]
pub(crate) struct Compared {
    /// moorline.
    pub(crate) subject: Nanos,
    /// What it is compared with.
    pub(crate) baseline: Nanos,
    /// The median of the ratios of neighbouring rounds.
    pub(crate) ratio: f64,
    /// The median of the differences of neighbouring rounds.
    pub(crate) added: f64,
}

/// Runs both sides in turn, each round `operations` operations long. A side returns how long its
/// round took, so that it can prepare untimed.
pub(crate) fn compare<E>(
    rounds: usize,
    operations: usize,
    mut subject: impl FnMut() -> Result<Duration, E>,
    mut baseline: impl FnMut() -> Result<Duration, E>,
) -> Result<Compared, E> {
    let mut subjects = Vec::with_capacity(rounds);
    let mut baselines = Vec::with_capacity(rounds);
    // The first tenth warms up caches, branch predictors and the tables of the session.
    let warm_up = rounds / 10 + 1;
    for round in 0..rounds + warm_up {
        let (ours, theirs) = if round % 2 == 0 {
            let ours = subject()?;
            (ours, baseline()?)
        } else {
            let theirs = baseline()?;
            (subject()?, theirs)
        };
        if round >= warm_up {
            subjects.push(per_operation(ours, operations));
            baselines.push(per_operation(theirs, operations));
        }
    }
    let pairs = || subjects.iter().zip(&baselines);
    let ratio = median(pairs().map(|(ours, theirs)| ours / theirs).collect());
    let added = median(pairs().map(|(ours, theirs)| ours - theirs).collect());
    Ok(Compared {
        ratio,
        added,
        subject: summary(subjects),
        baseline: summary(baselines),
    })
}

fn per_operation(round: Duration, operations: usize) -> f64 {
    round.as_nanos() as f64 / operations as f64
}

fn summary(rounds: Vec<f64>) -> Nanos {
    Nanos {
        best: rounds.iter().copied().fold(f64::INFINITY, f64::min),
        median: median(rounds),
    }
}

/// The middle value; zero of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl Nanos {
    /// The figure as it is printed: the median, and the best in brackets.
    pub(crate) fn show(self) -> String {
        format!("{:.1} ns ({:.1})", self.median, self.best)
    }
}
