//! What one event costs in the machine, against the same transitions in one hand-written `match`.
//!
//! An event is what the machine's contract says: hand in the input, drain the outbox, ask for the
//! next timeout. Both sides get the same inputs; before anything is timed, everything that comes
//! out of both is compared.

mod hand_written;
mod ours;
mod script;
mod seen;

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moorline::Policy;
use moorline::clock::{Moment, Mono};
use moorline::machine::{Input, Timer};

use self::hand_written::HandWritten;
use self::ours::Ours;
use self::script::{Script, Step};
use self::seen::Seen;
use crate::Measured;
use crate::report::Row;
use crate::rounds;

const ROUNDS: usize = 4000;
const EVENTS: usize = 256;

/// A state machine of a session.
trait Engine: Clone {
    /// What follows from an input; reused from one to the next.
    type Out: Default;

    /// Takes one input.
    fn step(&mut self, now: Moment, input: Input, out: &mut Self::Out);

    /// When the next timeout is due.
    fn next_timeout(&self) -> Option<(Mono, Timer)>;

    /// Forgets what followed, keeps the room.
    fn clear(out: &mut Self::Out);

    /// What followed, in a form that both engines share.
    fn seen(&self, out: &Self::Out) -> Seen;
}

pub(crate) fn measure() -> Measured {
    let policy = Arc::new(Policy::default());
    let mut ours = Ours::new(policy.clone());
    let mut theirs = HandWritten::new(policy);
    let mut script = Script::default();
    check_same(&mut ours, &mut theirs, script.connect())?;

    let mut rows = Vec::new();
    for (what, steps) in [
        ("submit, finish while connected", script.requests(EVENTS)),
        ("the wallet's network link changes", script.links(EVENTS)),
        ("drop, backoff, open, probe", script.recoveries(EVENTS)),
    ] {
        check_same(&mut ours.clone(), &mut theirs.clone(), steps.clone())?;
        rows.push(time(what, &ours, &theirs, &steps)?);
    }
    Ok(rows)
}

fn time(what: &str, ours: &Ours, theirs: &HandWritten, steps: &[Step]) -> Result<Row, Infallible> {
    let compared = rounds::compare(
        ROUNDS,
        steps.len(),
        || Ok::<_, Infallible>(round(ours, steps)),
        || Ok(round(theirs, steps)),
    )?;
    let (subject, baseline) = (compared.subject, compared.baseline);
    Ok(Row::new(format!("machine event: {what}"), subject.show())
        .against(baseline.show(), compared.ratio)
        .goal(
            "at most 2x, under 50 ns",
            compared.ratio <= 2.0 && subject.median < 50.0,
        ))
}

/// Plays the script once; only the playing is timed.
fn round<E: Engine>(engine: &E, steps: &[Step]) -> Duration {
    let mut engine = engine.clone();
    let steps = steps.to_vec();
    let mut out = E::Out::default();
    let begin = Instant::now();
    for (now, input) in steps {
        engine.step(now, input, &mut out);
        E::clear(black_box(&mut out));
        black_box(engine.next_timeout());
    }
    begin.elapsed()
}

/// Both engines must do the same, or the comparison means nothing.
fn check_same(
    ours: &mut Ours,
    theirs: &mut HandWritten,
    steps: Vec<Step>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut our_out, mut their_out) = Default::default();
    for (now, input) in steps {
        let name = input.name();
        ours.step(now, input.clone(), &mut our_out);
        theirs.step(now, input, &mut their_out);
        let (seen, expected) = (ours.seen(&our_out), theirs.seen(&their_out));
        Ours::clear(&mut our_out);
        HandWritten::clear(&mut their_out);
        if seen != expected {
            return Err(format!(
                "the hand-written machine differs after `{name}`:\n{seen:#?}\n{expected:#?}"
            )
            .into());
        }
    }
    Ok(())
}
