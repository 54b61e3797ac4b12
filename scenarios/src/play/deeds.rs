//! What the user does, carried out.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline::Session;
use moorline::session::OperationOptions;
use serde_json::{Value, json};

use super::results;
use super::world::{Started, Subscriber, World};
use crate::model::{Command, Deed, Submission};

/// How long a step waits for what it did itself.
const PATIENCE: Duration = Duration::from_secs(600);

impl World<'_> {
    /// Carries out what the user does. What is not waited for goes on.
    pub(super) async fn user(&mut self, deed: &Deed) -> Result<(), String> {
        match deed {
            Deed::Command(command, name) => {
                let session = self.session()?;
                let work = command_work(*command, session);
                self.begin(name.as_ref(), command.name().into(), None, work)
                    .await
            }
            Deed::Submit(submission) => {
                let session = self.session()?;
                self.submitted += 1;
                let operation = (self.session_number(), self.submitted);
                let what = format!("operation {}", self.submitted);
                let work = operation_work(submission.clone(), session);
                self.begin(submission.name.as_ref(), what, Some(operation), work)
                    .await
            }
            Deed::Drop => {
                self.drop_session().await;
                Ok(())
            }
            Deed::Abandon(name) => {
                let started = self.find(name).ok_or_else(|| unknown(name))?;
                started.task.abort();
                self.pace.settle().await;
                Ok(())
            }
            Deed::Await(name, within) => self.wait_for(name, *within).await,
            Deed::Subscribe(name) => {
                let subscriber = Subscriber {
                    events: self.session()?.events(),
                    missed: 0,
                };
                self.subscribers.insert(name.clone(), subscriber);
                Ok(())
            }
            Deed::Keep(name) => {
                let snapshot = self.session()?.snapshot();
                let json = serde_json::to_value(&*snapshot).unwrap_or_default();
                self.kept.insert(name.clone(), (snapshot, json));
                Ok(())
            }
        }
    }

    fn session(&self) -> Result<Session, String> {
        self.session
            .clone()
            .ok_or_else(|| "there is no session: the last handle was dropped".into())
    }

    async fn begin(
        &mut self,
        name: Option<&String>,
        what: String,
        operation: Option<(usize, u64)>,
        work: impl Future<Output = Value> + Send + 'static,
    ) -> Result<(), String> {
        let result = Arc::new(Mutex::new(None));
        let work = tokio::spawn(work);
        let task = work.abort_handle();
        let (slot, origin) = (result.clone(), self.origin());
        tokio::spawn(async move {
            let value = match work.await {
                Ok(value) => value,
                Err(error) if error.is_cancelled() => json!({ "is": "abandoned" }),
                Err(_) => json!({ "is": "panicked" }),
            };
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            *slot = Some((value, origin.elapsed()));
        });
        let label = what.clone();
        self.started.push(Started {
            name: name.cloned(),
            what,
            operation,
            result: result.clone(),
            task,
        });
        if name.is_some() {
            self.pace.settle().await;
            return Ok(());
        }
        let done = || {
            let result = result.lock().unwrap_or_else(PoisonError::into_inner);
            result.is_some()
        };
        if self.pace.until(PATIENCE, done).await {
            return Ok(());
        }
        Err(format!(
            "`{label}` was not answered within {}",
            humantime::format_duration(PATIENCE)
        ))
    }

    async fn wait_for(&mut self, name: &str, within: Duration) -> Result<(), String> {
        let found = self
            .started
            .iter()
            .position(|started| started.name.as_deref() == Some(name))
            .ok_or_else(|| unknown(name))?;
        let result = self.started[found].result.clone();
        let done = || {
            let result = result.lock().unwrap_or_else(PoisonError::into_inner);
            result.is_some()
        };
        if !self.pace.until(within, done).await {
            return Err(format!(
                "`{name}` was not answered within {}",
                humantime::format_duration(within)
            ));
        }
        // What the step waited for is its result.
        let waited = &self.started[found];
        let copy = Started {
            name: None,
            what: waited.what.clone(),
            operation: waited.operation,
            result: waited.result.clone(),
            task: waited.task.clone(),
        };
        self.started.push(copy);
        Ok(())
    }
}

fn unknown(name: &str) -> String {
    format!("nothing was started under the name `{name}`")
}

pub(super) async fn command_work(command: Command, session: Session) -> Value {
    match command {
        Command::Connect => results::connect(&session.connect().await),
        Command::Restore => results::restore(&session.restore().await),
        Command::Disconnect => results::disconnect(&session.disconnect().await),
        Command::Detach => results::disconnect(&session.detach().await),
        Command::Verify => results::verify(session.verify().await),
        Command::Close => {
            session.close().await;
            results::closed()
        }
    }
}

async fn operation_work(submission: Submission, session: Session) -> Value {
    let mut options = OperationOptions::default()
        .repeatable(submission.repeatable)
        .fail_fast(submission.fail_fast);
    if let Some(deadline) = submission.deadline {
        options = options.deadline(deadline);
    }
    if let Some(identity) = submission.identity.clone() {
        options = options.for_identity(identity);
    }
    if !submission.several {
        let method = submission.methods.first().cloned().unwrap_or_default();
        let answer = session
            .request_with(method, submission.params, options)
            .await;
        return results::operation(answer);
    }
    let steps = |wallet: moorline::session::Wallet| {
        let submission = submission.clone();
        async move {
            let mut answers = Vec::new();
            for (index, method) in submission.methods.iter().enumerate() {
                if index > 0 && !submission.pause.is_zero() {
                    tokio::time::sleep(submission.pause).await;
                }
                let answer = wallet.request(method.clone(), submission.params.clone());
                answers.push(results::operation(answer.await));
            }
            if submission.panics {
                // A scripted panic is no news: it passes by the panic hook.
                std::panic::resume_unwind(Box::new("scripted panic"));
            }
            Value::Array(answers)
        }
    };
    results::operation(session.run_with(options, steps).await)
}
