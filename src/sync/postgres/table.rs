//! The table as a backend.

use std::sync::{Arc, OnceLock};

use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::builder::TableBuilder;
use super::connector::Connector;
use super::link::{Failure, Link, Session};
use super::writer::{self, WAITING, Write};
use super::{listen, schema};
use crate::store::backend::{Backend, BackendError, BackendFuture, Blob};
use crate::store::feed::Feed;
use crate::store::{Changes, Revision, Slot};
use crate::sync::engine::Task;

/// The largest value that is written. PostgreSQL would take more, in ever more memory.
const LARGEST: usize = 16 << 20;

/// How many slots are listed at a time.
const PAGE: i64 = 10_000;

/// Bytes under slots in a table of PostgreSQL; clones share its connections. See the
/// [module](super) for what it guarantees and needs.
///
/// - A value has at most 16 MiB, a revision is less than 2^63; more is refused before it is
///   sent.
/// - It holds two connections, and a third once somebody asks for
///   [`changes`](Backend::changes). They end with the last clone.
#[derive(Clone)]
pub struct Table {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Arc<Connector>,
    /// Reads do not wait behind the flushes of writes.
    reader: Link,
    writer: Arc<Link>,
    writes: mpsc::Sender<Write>,
    feed: Feed,
    listener: OnceLock<Task>,
    runtime: Handle,
    _writing: Task,
}

impl Table {
    /// Begins with where the server is:
    /// `postgres://user:password@host:port/database?sslmode=require`, or words such as
    /// `host=... user=... password=... dbname=...`, as `libpq` has them, as far as
    /// `tokio_postgres::Config` knows them. Several hosts are tried in turn; the one that takes
    /// writes is used.
    ///
    /// With `sslmode=prefer` (the default) TLS is used if the server offers it, with `require`
    /// always, with `disable` never. Where it is used the server's certificate is checked, its
    /// name included: unlike `libpq`, `require` is `verify-full` here.
    pub fn builder(address: impl Into<SecretString>) -> TableBuilder {
        TableBuilder::new(address.into())
    }

    pub(super) async fn open(connector: Connector) -> Result<Self, BackendError> {
        schema::ensure(&connector)
            .await
            .map_err(BackendError::unavailable)?;
        let connector = Arc::new(connector);
        let runtime = Handle::current();
        let reader = Link::keep(connector.clone(), &runtime);
        let writer = Arc::new(Link::keep(connector.clone(), &runtime));
        let deadline = Instant::now() + connector.timeout;
        for link in [&reader, &*writer] {
            if timeout_at(deadline, link.session()).await.is_err() {
                return Err(BackendError::unavailable(link.trouble()));
            }
        }
        let (writes, queue) = mpsc::channel(WAITING);
        let writing = writer::run(connector.clone(), writer.clone(), queue);
        let inner = Inner {
            _writing: Task::spawn(&runtime, writing),
            connector,
            reader,
            writer,
            writes,
            feed: Feed::default(),
            listener: OnceLock::new(),
            runtime,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.inner.connector.names.table
    }
}

/// The number of a revision as the server keeps it.
fn number(revision: Revision) -> Result<i64, BackendError> {
    i64::try_from(revision.number()).map_err(|_| {
        BackendError::unavailable(format!(
            "revision {} is too large for PostgreSQL: at most 2^63 - 1",
            revision.number()
        ))
    })
}

impl Inner {
    fn deadline(&self) -> Instant {
        Instant::now() + self.connector.timeout
    }

    async fn session(&self, link: &Link, deadline: Instant) -> Result<Arc<Session>, BackendError> {
        match timeout_at(deadline, link.session()).await {
            Ok(session) => Ok(session),
            Err(_) => Err(self.down(link)),
        }
    }

    fn down(&self, link: &Link) -> BackendError {
        BackendError::unavailable(format!("there is no connection: {}", link.trouble()))
    }

    fn failed(&self, failure: &Failure) -> BackendError {
        BackendError::unavailable(match failure {
            Failure::Late => format!("{} did not answer in time", self.connector.place),
            Failure::Told(error) => self.connector.reason(error),
        })
    }

    fn told(&self, error: tokio_postgres::Error) -> BackendError {
        self.failed(&Failure::Told(error))
    }

    async fn get(&self, slot: Slot) -> Result<Option<Blob>, BackendError> {
        let deadline = self.deadline();
        let session = self.session(&self.reader, deadline).await?;
        self.read(&session, deadline, slot).await
    }

    async fn read(
        &self,
        session: &Session,
        deadline: Instant,
        slot: Slot,
    ) -> Result<Option<Blob>, BackendError> {
        let key: &[u8] = slot.as_bytes();
        let row = session
            .ask(
                deadline,
                session.client.query_opt(&session.statements.get, &[&key]),
            )
            .await;
        let Some(row) = row.map_err(|failure| self.failed(&failure))? else {
            return Ok(None);
        };
        let revision: i64 = row.try_get(0).map_err(|error| self.told(error))?;
        let bytes: Vec<u8> = row.try_get(1).map_err(|error| self.told(error))?;
        let revision = u64::try_from(revision).map_err(|_| {
            BackendError::damaged(format!("slot {slot} has the revision {revision}"))
        })?;
        Ok(Some(Blob {
            revision: Revision::new(revision),
            bytes,
        }))
    }

    async fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> Result<(), BackendError> {
        if blob.bytes.len() > LARGEST {
            return Err(BackendError::unavailable(format!(
                "the record has {} bytes; at most {LARGEST} can be written",
                blob.bytes.len()
            )));
        }
        let (reply, answer) = oneshot::channel();
        let write = Write {
            slot,
            expected: number(expected)?,
            revision: number(blob.revision)?,
            bytes: blob.bytes,
            reply,
        };
        let deadline = self.deadline();
        let writing = async {
            // Neither end goes while this waits, unless the runtime does.
            self.writes.send(write).await.ok()?;
            answer.await.ok()
        };
        match timeout_at(deadline, writing).await {
            Ok(Some(result)) => result,
            Ok(None) => Err(BackendError::unavailable("the runtime is shutting down")),
            Err(_) if self.writer.is_down() => Err(self.down(&self.writer)),
            Err(_) => Err(BackendError::unavailable(format!(
                "{} did not answer in time; the write may have taken effect",
                self.connector.place
            ))),
        }
    }

    async fn remove(&self, slot: Slot, expected: Revision) -> Result<(), BackendError> {
        let deadline = self.deadline();
        let number = number(expected)?;
        let key: &[u8] = slot.as_bytes();
        let session = self.session(&self.writer, deadline).await?;
        loop {
            match session
                .ask(
                    deadline,
                    session
                        .client
                        .query_opt(&session.statements.remove, &[&key, &number]),
                )
                .await
            {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {}
                Err(failure) if failure.undone() => continue,
                Err(failure) => return Err(self.failed(&failure)),
            }
            let found = self.read(&session, deadline, slot).await?;
            let found = found.map_or(Revision::NONE, |blob| blob.revision);
            if found != expected {
                return Err(BackendError::Conflict { found });
            }
            if expected == Revision::NONE {
                return Ok(());
            }
        }
    }

    async fn set_aside(&self, slot: Slot) -> Result<Option<String>, BackendError> {
        let deadline = self.deadline();
        let key: &[u8] = slot.as_bytes();
        let session = self.session(&self.writer, deadline).await?;
        loop {
            return match session
                .ask(
                    deadline,
                    session
                        .client
                        .query_opt(&session.statements.set_aside, &[&key]),
                )
                .await
            {
                Ok(moved) => Ok(moved.map(|_| format!("table {}", self.connector.names.aside))),
                Err(failure) if failure.undone() => continue,
                Err(failure) => Err(self.failed(&failure)),
            };
        }
    }

    async fn list(&self) -> Result<Vec<Slot>, BackendError> {
        let mut slots: Vec<Slot> = Vec::new();
        loop {
            // Every page has its own time: how long a list takes follows from how long it is.
            let deadline = self.deadline();
            let session = self.session(&self.reader, deadline).await?;
            let after: &[u8] = slots.last().map_or(&[], |slot| slot.as_bytes());
            let rows = session
                .ask(
                    deadline,
                    session
                        .client
                        .query(&session.statements.list, &[&after, &PAGE]),
                )
                .await;
            let rows = rows.map_err(|failure| self.failed(&failure))?;
            let whole = rows.len() as i64 == PAGE;
            for row in rows {
                let bytes: &[u8] = row.try_get(0).map_err(|error| self.told(error))?;
                let slot = bytes.try_into().map_err(|_| {
                    BackendError::damaged(format!("a slot has {} bytes", bytes.len()))
                })?;
                slots.push(Slot::new(slot));
            }
            if !whole {
                return Ok(slots);
            }
        }
    }
}

impl Backend for Table {
    fn describe(&self) -> String {
        format!("table {} of {}", self.name(), self.inner.connector.place)
    }

    fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>> {
        Box::pin(self.inner.get(slot))
    }

    fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(self.inner.put(slot, blob, expected))
    }

    fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>> {
        Box::pin(self.inner.set_aside(slot))
    }

    fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(self.inner.remove(slot, expected))
    }

    fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
        Box::pin(self.inner.list())
    }

    fn changes(&self) -> Option<Changes> {
        let changes = self.inner.feed.listen();
        self.inner.listener.get_or_init(|| {
            let work = listen::listen(self.inner.connector.clone(), self.inner.feed.clone());
            Task::spawn(&self.inner.runtime, work)
        });
        Some(changes)
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Table").field(&self.describe()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_beyond_what_the_server_counts_are_refused() {
        assert_eq!(number(Revision::new(7)), Ok(7));
        assert_eq!(number(Revision::new(i64::MAX as u64)), Ok(i64::MAX));
        for large in [i64::MAX as u64 + 1, u64::MAX] {
            let error = number(Revision::new(large)).unwrap_err();
            assert!(error.to_string().contains("too large"), "{error}");
        }
    }
}
