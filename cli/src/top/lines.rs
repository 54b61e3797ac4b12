//! The live view for programs: JSON lines.

use std::time::Duration;

use moorline::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use super::model::{Input, Model};
use super::row::{Row, RowId};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::sessions::person;

/// The time between two lines, at least.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(
    model: &mut Model,
    mut inputs: Receiver<Vec<Input>>,
) -> Result<(), Failure> {
    let output = Output::new(true);
    let mut interrupt = Interrupt::listen()?;
    let mut next = Instant::now();
    let mut changed = false;
    loop {
        if changed && next <= Instant::now() {
            let now = person::now();
            model.arrange(now);
            output.object(&object(model, now));
            changed = false;
            next = Instant::now() + INTERVAL;
        }
        tokio::select! {
            () = interrupt.requested() => return Ok(()),
            batch = inputs.recv() => {
                let Some(batch) = batch else { return Ok(()) };
                changed |= !batch.is_empty();
                batch.into_iter().for_each(|input| model.feed(input));
            }
            () = sleep_until(next), if changed => {}
        }
    }
}

/// All that the view would show.
pub(super) fn object(model: &Model, now: Timestamp) -> Value {
    let totals = model.totals().into_iter();
    let totals: Map<String, Value> = totals
        .map(|(phase, count)| (phase.name().to_owned(), json!(count)))
        .collect();
    let mut sessions: Vec<_> = model.rows().collect();
    sessions.sort_by_key(|(id, _)| *id);
    let sessions: Vec<_> = sessions
        .into_iter()
        .map(|(id, row)| session(id, row, now))
        .collect();
    json!({
        "type": "top",
        "at": now,
        "totals": totals,
        "queue": model.queue(),
        "eventsPerSecond": model.rate(now),
        "missed": model.missed,
        "sessions": sessions,
    })
}

fn session(id: &RowId, row: &Row, now: Timestamp) -> Value {
    let facts = &row.facts;
    let record = match id {
        RowId::Record(name) => Some(name),
        _ => None,
    };
    json!({
        "account": facts.account,
        "label": facts.label,
        "network": facts.network,
        "provider": facts.provider,
        "place": facts.place,
        "record": record,
        "revision": facts.revision,
        "status": facts.phase.name(),
        "why": facts.why,
        "active": facts.active,
        "queue": facts.queue,
        "expiresAt": facts.expires_at,
        "lastActive": facts.last_active,
        "eventsPerSecond": row.rate.per_second(now),
        "attempt": row.wait.map(|wait| wait.attempt),
        "nextAttemptAt": row.wait.map(|wait| wait.until),
    })
}
