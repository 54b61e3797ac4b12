//! Writes, many in one transaction.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connector::Connector;
use super::link::{Failure, Link, Session};
use crate::store::backend::BackendError;
use crate::store::{Revision, Slot};

/// How many writes share a transaction at most.
const ROWS: usize = 256;

/// How many bytes share a transaction, unless one write has more.
const BYTES: usize = 4 << 20;

/// How many writes may wait to be taken up.
pub(super) const WAITING: usize = 1024;

/// One compare-and-swap.
pub(super) struct Write {
    pub(super) slot: Slot,
    /// 0: nothing.
    pub(super) expected: i64,
    pub(super) revision: i64,
    pub(super) bytes: Vec<u8>,
    /// Dropped by a caller that does not wait any more.
    pub(super) reply: oneshot::Sender<Result<(), BackendError>>,
}

/// Takes up writes as they come: all that wait go together, one transaction at a time. Ends when
/// nobody can bring more.
pub(super) async fn run(
    connector: Arc<Connector>,
    link: Arc<Link>,
    mut writes: mpsc::Receiver<Write>,
) {
    let mut waiting = VecDeque::new();
    let mut taken = Vec::with_capacity(ROWS);
    loop {
        if waiting.is_empty() {
            if writes.recv_many(&mut taken, ROWS).await == 0 {
                return;
            }
        } else {
            while taken.len() < ROWS {
                let Ok(write) = writes.try_recv() else { break };
                taken.push(write);
            }
        }
        waiting.extend(taken.drain(..));
        let session = link.session().await;
        let batch = choose(&mut waiting);
        if batch.is_empty() {
            continue;
        }
        let deadline = Instant::now() + connector.timeout;
        match write(&session, deadline, &batch).await {
            Ok(outcomes) => {
                for (write, outcome) in batch.into_iter().zip(outcomes) {
                    match outcome {
                        Outcome::Written => answer(write, Ok(())),
                        Outcome::Found(found) => {
                            let found = Revision::new(found);
                            answer(write, Err(BackendError::Conflict { found }));
                        }
                        Outcome::Unknown => {
                            let reason = format!(
                                "{} did not tell what stands in the way of a write",
                                connector.place
                            );
                            answer(write, Err(BackendError::unavailable(reason)));
                        }
                        Outcome::Again => waiting.push_back(write),
                    }
                }
            }
            Err(failure) if failure.undone() => waiting.extend(batch),
            Err(failure) => {
                let why = match &failure {
                    Failure::Late => format!("{} did not answer in time", connector.place),
                    Failure::Told(error) => connector.reason(error),
                };
                let reason: Arc<str> = format!("{why}; the write may have taken effect").into();
                for write in batch {
                    answer(write, Err(BackendError::unavailable(reason.clone())));
                }
            }
        }
    }
}

fn answer(write: Write, result: Result<(), BackendError>) {
    // A caller that left does not need it.
    let _left = write.reply.send(result);
}

/// What goes together: one kind, every slot once, in the order they came. Writes that nobody
/// waits for are dropped.
fn choose(waiting: &mut VecDeque<Write>) -> Vec<Write> {
    let mut batch: Vec<Write> = Vec::new();
    let mut slots = HashSet::new();
    let mut bytes = 0;
    let mut left = VecDeque::new();
    while let Some(write) = waiting.pop_front() {
        if write.reply.is_closed() {
            continue;
        }
        let kind = batch.first().map(|first| first.expected == 0);
        let fits = batch.is_empty() || bytes + write.bytes.len() <= BYTES;
        let same = kind.is_none_or(|kind| kind == (write.expected == 0));
        if batch.len() < ROWS && fits && same && slots.insert(write.slot) {
            bytes += write.bytes.len();
            batch.push(write);
        } else {
            left.push_back(write);
        }
    }
    *waiting = left;
    batch
}

enum Outcome {
    Written,
    /// Something else stands there.
    Found(u64),
    /// Something else stands there, but what was not told.
    Unknown,
    /// It was in the way and is gone: the same write may succeed now.
    Again,
}

async fn write(
    session: &Session,
    deadline: Instant,
    batch: &[Write],
) -> Result<Vec<Outcome>, Failure> {
    let slots: Vec<&[u8]> = batch
        .iter()
        .map(|it| it.slot.as_bytes().as_slice())
        .collect();
    let revisions: Vec<i64> = batch.iter().map(|it| it.revision).collect();
    let bytes: Vec<&[u8]> = batch.iter().map(|it| it.bytes.as_slice()).collect();
    let expected: Vec<i64> = batch.iter().map(|it| it.expected).collect();
    let statements = &session.statements;
    let rows = if expected.first() == Some(&0) {
        session
            .ask(
                deadline,
                session
                    .client
                    .query(&statements.insert, &[&slots, &revisions, &bytes]),
            )
            .await?
    } else {
        session
            .ask(
                deadline,
                session
                    .client
                    .query(&statements.update, &[&slots, &expected, &revisions, &bytes]),
            )
            .await?
    };
    let written = rows
        .iter()
        .map(slot_of)
        .collect::<Result<HashSet<_>, _>>()?;
    let refused: Vec<&[u8]> = slots
        .iter()
        .copied()
        .filter(|slot| !written.contains(*slot))
        .collect();
    // The writes stand, whether or not it can be told what stood in the way of the others.
    let mut told = true;
    let mut found = HashMap::new();
    if !refused.is_empty() {
        let parameters: &[&(dyn ToSql + Sync)] = &[&refused];
        let call = session.client.query(&statements.revisions, parameters);
        match session.ask(deadline, call).await {
            Ok(rows) => {
                for row in &rows {
                    let revision: i64 = row.try_get(1).map_err(Failure::Told)?;
                    found.insert(slot_of(row)?.to_vec(), revision);
                }
            }
            Err(_) => told = false,
        }
    }
    Ok(batch
        .iter()
        .map(|write| {
            if written.contains(write.slot.as_bytes().as_slice()) {
                return Outcome::Written;
            }
            if !told {
                return Outcome::Unknown;
            }
            match found
                .get(write.slot.as_bytes().as_slice())
                .copied()
                .unwrap_or(0)
            {
                found if found == write.expected => Outcome::Again,
                found => Outcome::Found(u64::try_from(found).unwrap_or(0)),
            }
        })
        .collect())
}

fn slot_of(row: &Row) -> Result<&[u8], Failure> {
    row.try_get(0).map_err(Failure::Told)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reply = oneshot::Receiver<Result<(), BackendError>>;

    fn a_write(slot: u8, expected: i64, length: usize) -> (Write, Reply) {
        let (reply, answer) = oneshot::channel();
        let write = Write {
            slot: Slot::new([slot; 32]),
            expected,
            revision: expected + 1,
            bytes: vec![0; length],
            reply,
        };
        (write, answer)
    }

    fn chosen(writes: Vec<Write>) -> (Vec<(u8, i64)>, usize) {
        let mut waiting = writes.into();
        let batch = choose(&mut waiting);
        let chosen = batch.iter().map(|it| (it.slot.as_bytes()[0], it.expected));
        (chosen.collect(), waiting.len())
    }

    #[test]
    fn a_batch_has_one_kind_each_slot_once_and_the_order_they_came_in() {
        let (writes, _answers): (Vec<_>, Vec<_>) = [
            a_write(2, 5, 1),
            a_write(1, 0, 1),
            a_write(2, 6, 1),
            a_write(1, 3, 1),
        ]
        .into_iter()
        .unzip();
        assert_eq!(chosen(writes), (vec![(2, 5), (1, 3)], 2));
    }

    #[test]
    fn what_nobody_waits_for_is_not_written() {
        let (first, gone) = a_write(1, 1, 1);
        let (second, _answer) = a_write(2, 1, 1);
        drop(gone);
        assert_eq!(chosen(vec![first, second]), (vec![(2, 1)], 0));
    }

    #[test]
    fn a_batch_is_bounded_but_a_large_write_still_goes() {
        let (large, _one) = a_write(1, 1, BYTES + 1);
        let (next, _two) = a_write(2, 1, 1);
        assert_eq!(chosen(vec![large, next]), (vec![(1, 1)], 1));
        let many = (0..ROWS + 10).map(|index| {
            let (reply, answer) = oneshot::channel();
            let mut slot = [0; 32];
            slot[..8].copy_from_slice(&(index as u64).to_be_bytes());
            let write = Write {
                slot: Slot::new(slot),
                expected: 1,
                revision: 2,
                bytes: Vec::new(),
                reply,
            };
            (write, answer)
        });
        let (writes, _answers): (Vec<_>, Vec<Reply>) = many.unzip();
        assert_eq!(chosen(writes).1, 10);
    }
}
