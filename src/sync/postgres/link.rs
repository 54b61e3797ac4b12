//! One connection that is kept: made again when it is lost.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::connector::{Carrier, Connector, carried};
use super::statements::Statements;
use crate::sync::engine::{Liveness, Task, retry_delay};

/// A connection that stands, with its statements prepared. Calls are pipelined on it.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statements: Statements,
    liveness: Liveness,
    /// Told when it does not answer any more.
    suspect: Notify,
}

/// Why a call came to nothing, or may have.
pub(super) enum Failure {
    /// No answer until the deadline.
    Late,
    /// The server refused, or the connection was lost.
    Told(tokio_postgres::Error),
}

impl Failure {
    /// Whether the server undid it for the sake of another one: nothing happened.
    pub(super) fn undone(&self) -> bool {
        let Self::Told(error) = self else {
            return false;
        };
        let code = error.code();
        code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
            || code == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
    }
}

impl Session {
    /// Waits for an answer. One that does not come makes the connection suspect, unless others
    /// came meanwhile.
    pub(super) async fn ask<T>(
        &self,
        deadline: Instant,
        call: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let asked = self.liveness.now();
        let result = timeout_at(deadline, call).await;
        match &result {
            Ok(Err(error)) if error.as_db_error().is_none() => {}
            Ok(_) => self.liveness.answer(),
            Err(_) if self.liveness.silent_since(asked) => self.suspect.notify_one(),
            Err(_) => {}
        }
        match result {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::Told(error)),
            Err(_) => Err(Failure::Late),
        }
    }
}

/// Keeps one connection.
pub(super) struct Link {
    current: watch::Receiver<Option<Arc<Session>>>,
    /// Why there is none, for people.
    trouble: Arc<Mutex<String>>,
    _task: Task,
}

impl Link {
    pub(super) fn keep(connector: Arc<Connector>, runtime: &Handle) -> Self {
        let (sender, current) = watch::channel(None);
        let trouble = Arc::new(Mutex::new(String::from("there is no connection yet")));
        let task = Task::spawn(runtime, keep(connector, sender, trouble.clone()));
        Self {
            current,
            trouble,
            _task: task,
        }
    }

    /// The connection that stands, or the next one that does. Waits as long as it takes.
    pub(super) async fn session(&self) -> Arc<Session> {
        let mut current = self.current.clone();
        loop {
            let session = current.borrow_and_update().clone();
            if let Some(session) = session.filter(|it| !it.client.is_closed()) {
                return session;
            }
            if current.changed().await.is_err() {
                // The task ended with its runtime: nothing will come.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether there is no connection right now.
    pub(super) fn is_down(&self) -> bool {
        let current = self.current.borrow();
        current.as_ref().is_none_or(|it| it.client.is_closed())
    }

    /// Why there is no connection.
    pub(super) fn trouble(&self) -> String {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }
}

async fn keep(
    connector: Arc<Connector>,
    current: watch::Sender<Option<Arc<Session>>>,
    trouble: Arc<Mutex<String>>,
) {
    let mut attempt = 0;
    loop {
        let reason = match open(&connector).await {
            Ok((session, carrier)) => {
                attempt = 0;
                let session = Arc::new(session);
                current.send_replace(Some(session.clone()));
                let lost = carry(carrier, &session.suspect).await;
                current.send_replace(None);
                lost.map_or_else(
                    || format!("{} did not answer in time", connector.place),
                    |error| connector.reason(&error),
                )
            }
            Err(reason) => reason,
        };
        tracing::debug!(reason, "no connection to PostgreSQL");
        *trouble.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        attempt += 1;
        sleep(retry_delay(attempt)).await;
    }
}

async fn open(connector: &Connector) -> Result<(Session, Carrier), String> {
    let (client, mut carrier) = connector.connect().await?;
    let prepared = Statements::prepare(&client, &connector.names);
    let statements = match timeout(connector.timeout, carried(&mut carrier, prepared)).await {
        Ok(Ok(statements)) => statements,
        Ok(Err(error)) => return Err(connector.reason(&error)),
        Err(_) => return Err(format!("{} did not answer in time", connector.place)),
    };
    let session = Session {
        client,
        statements,
        liveness: Liveness::new(),
        suspect: Notify::new(),
    };
    Ok((session, carrier))
}

/// Carries until the connection is lost (why) or suspect (nothing).
async fn carry(mut carrier: Carrier, suspect: &Notify) -> Option<tokio_postgres::Error> {
    let suspected = pin!(suspect.notified());
    match select(&mut carrier, suspected).await {
        Either::Left((ended, _)) => ended.err(),
        Either::Right(_) => None,
    }
}
