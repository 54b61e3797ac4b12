//! What runs in the background: dials, probes, hooks, store calls. One task each, while it lasts.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::Poll;

use tokio::task::AbortHandle;
use tracing::Instrument;

use super::hooks::{Reauth, reauth_error};
use super::shared::{Shared, State};
use super::writer::{self, Known, Written};
use crate::event::{Hook, Invalidation};
use crate::machine::{Input, ReauthRequest, Ticket, Write};
use crate::provider::{
    CloseMode, ErrorKind, EventSink, OpenMode, OpenRequest, ProviderError, ReceiveEvent,
};
use crate::store::{StoreError, Stored};
use crate::sync::{Begun, Notice, Own};

/// The tasks under way. Most sessions run nothing most of the time and keep nothing then.
#[derive(Debug, Default)]
pub(super) struct Jobs(Option<Box<Running>>);

#[derive(Debug, Default)]
struct Running {
    jobs: Vec<Job>,
    /// The number of the last hook.
    last_hook: u32,
}

#[derive(Debug)]
struct Job {
    name: JobName,
    task: AbortHandle,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum JobName {
    /// Something the machine waits for.
    Ticket(Ticket),
    /// An invalidation hook.
    Hook(u32),
}

impl Jobs {
    fn add(&mut self, name: JobName, task: AbortHandle) {
        let running = self.0.get_or_insert_default();
        running.jobs.push(Job { name, task });
    }

    /// A name for a hook, unlike those of all hooks that run.
    fn hook(&mut self) -> JobName {
        let running = self.0.get_or_insert_default();
        running.last_hook = running.last_hook.wrapping_add(1);
        JobName::Hook(running.last_hook)
    }

    /// Stops what a ticket started.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        if let Some(job) = self.take(JobName::Ticket(ticket)) {
            job.task.abort();
        }
    }

    /// Stops everything.
    pub(super) fn stop(&mut self) {
        for job in self.0.take().into_iter().flat_map(|running| running.jobs) {
            job.task.abort();
        }
    }

    fn ended(&mut self, name: JobName) {
        self.take(name);
    }

    fn take(&mut self, name: JobName) -> Option<Job> {
        let jobs = &mut self.0.as_mut()?.jobs;
        let place = jobs.iter().position(|job| job.name == name)?;
        let job = jobs.swap_remove(place);
        if jobs.is_empty() {
            self.0 = None;
        }
        Some(job)
    }
}

impl Shared {
    pub(super) fn start_load(&self, state: &mut State, ticket: Ticket) {
        let Some((store, name)) = self.store().cloned() else {
            return;
        };
        let begun = Begun::new(self.config.bus(), Own::Loading);
        // What was begun has ended when the call has, or is dropped.
        let call = async move { (store.load(&name).await, begun) };
        self.spawn(
            state,
            ticket,
            "moorline.load",
            call,
            move |shared, result| {
                let result = match result {
                    Ok((mut result, begun)) => {
                        if let Ok(stored) = &mut result {
                            if let Stored::Record { record, .. } = stored {
                                shared.config.driver.networks().share(&mut record.network);
                            }
                            shared.lock().known = Some(Box::new(Known::read(stored)));
                            begun.end(Own::Found(stored));
                        }
                        result
                    }
                    Err(panic) => Err(StoreError::Unavailable {
                        reason: format!("the store panicked: {panic}").into(),
                    }),
                };
                Input::Loaded(ticket, result)
            },
        );
    }

    pub(super) fn start_open(
        &self,
        state: &mut State,
        ticket: Ticket,
        mode: OpenMode,
        last_known: Option<Arc<crate::identity::Identity>>,
    ) {
        let provider = self.provider_arc();
        let target: Weak<dyn ReceiveEvent> = self.weak();
        let sink = EventSink::new(ticket.epoch, target);
        let request = OpenRequest {
            epoch: ticket.epoch,
            mode,
            last_known,
        };
        let call = async move { provider.open(request, sink).await };
        self.spawn(state, ticket, "moorline.open", call, move |_, result| {
            Input::Opened(ticket, flatten(result))
        });
    }

    pub(super) fn start_probe(&self, state: &mut State, ticket: Ticket) {
        let provider = self.provider_arc();
        let call = async move { provider.probe().await };
        self.spawn(
            state,
            ticket,
            "moorline.probe",
            call,
            move |shared, result| {
                let mut result = flatten(result);
                if let Ok(live) = &mut result {
                    shared.config.driver.networks().share(&mut live.network);
                }
                Input::Probed(ticket, result)
            },
        );
    }

    pub(super) fn start_close(&self, state: &mut State, ticket: Ticket, mode: CloseMode) {
        let provider = self.provider_arc();
        let mode = if provider.capabilities().disconnect {
            mode
        } else {
            CloseMode::Detach
        };
        let call = async move { provider.close(mode).await };
        self.spawn(state, ticket, "moorline.close", call, move |_, result| {
            Input::LinkClosed(ticket, flatten(result))
        });
    }

    pub(super) fn start_reauth(&self, state: &mut State, ticket: Ticket, request: ReauthRequest) {
        let provider = self.provider_arc();
        let hook = self.hooks().and_then(|hooks| hooks.reauth.clone());
        let hook = hook.filter(|_| !request.silent);
        let wallet = request
            .identity
            .clone()
            .map(|identity| self.wallet(identity, None));
        let call = async move {
            match (hook, wallet) {
                (Some(hook), Some(wallet)) => {
                    hook(Reauth { request, wallet }).await.map_err(reauth_error)
                }
                _ => provider.reauthenticate().await,
            }
        };
        self.spawn(state, ticket, "moorline.reauth", call, move |_, result| {
            Input::Reauthenticated(ticket, flatten(result))
        });
    }

    pub(super) fn start_write(&self, state: &mut State, ticket: Ticket, write: Write) {
        let Some((store, name)) = self.store().cloned() else {
            return;
        };
        // Unknown until the write has ended: one that is cancelled may have taken effect or not.
        let known = state.known.take().map(|known| *known);
        let face = writer::face_of(&write);
        let what = match &write {
            Write::Save { record, .. } => Own::Saving(record),
            Write::Erase(tombstone) => Own::Erasing(tombstone),
        };
        let begun = Begun::new(self.config.bus(), what);
        let call = async move { (writer::write(&*store, &name, &write, known).await, begun) };
        self.spawn(
            state,
            ticket,
            "moorline.persist",
            call,
            move |shared, result| {
                let error = match result {
                    Ok((Ok(Written::Done(revision)), begun)) => {
                        shared.lock().known = Some(Box::new(Known::written(face, revision)));
                        begun.end(Own::Written(revision));
                        return Input::Persisted(ticket, Ok(()));
                    }
                    Ok((Ok(Written::Over(revision, notice)), begun)) => {
                        shared.lock().known = Some(Box::new(Known::written(face, revision)));
                        begun.end(Own::Written(revision));
                        shared.handle(Input::Persisted(ticket, Ok(())));
                        return Input::Notice(notice);
                    }
                    Ok((Ok(Written::EndedElsewhere(revision)), begun)) => {
                        shared.lock().known = Some(Box::new(Known::written(0, revision)));
                        begun.end(Own::Ended(revision));
                        shared.handle(Input::Persisted(ticket, Ok(())));
                        return Input::Notice(Notice::Disconnected);
                    }
                    Ok((Err(error), _)) => error.to_string(),
                    Err(panic) => format!("the store panicked: {panic}"),
                };
                Input::Persisted(ticket, Err(error.into()))
            },
        );
    }

    pub(super) fn start_invalidation(&self, state: &mut State, what: Invalidation) {
        let Some(hook) = self.hooks().and_then(|hooks| hooks.invalidate.clone()) else {
            return;
        };
        let deadline = self.policy().deadlines.hook;
        let call = async move { tokio::time::timeout(deadline, hook(what)).await };
        let name = state.jobs.hook();
        self.spawn_named(
            state,
            name,
            "moorline.invalidate",
            call,
            move |_, result| {
                let error = match result {
                    Ok(Ok(Ok(()))) => return None,
                    Ok(Ok(Err(error))) => error.to_string(),
                    Ok(Err(_)) => format!("not done within {} ms", deadline.as_millis()),
                    Err(panic) => format!("panicked: {panic}"),
                };
                Some(Input::HookFailed(Hook::Invalidation, error.into()))
            },
        );
    }

    fn spawn<T: Send + 'static>(
        &self,
        state: &mut State,
        ticket: Ticket,
        span: &'static str,
        call: impl Future<Output = T> + Send + 'static,
        answer: impl FnOnce(&Self, Result<T, String>) -> Input + Send + 'static,
    ) {
        self.spawn_named(
            state,
            JobName::Ticket(ticket),
            span,
            call,
            move |shared, result| Some(answer(shared, result)),
        );
    }

    /// Runs a call in a task of its own and hands its answer to the machine. The task does not
    /// keep the session alive, and a panic in the call is an answer like any other.
    fn spawn_named<T: Send + 'static>(
        &self,
        state: &mut State,
        name: JobName,
        span: &'static str,
        call: impl Future<Output = T> + Send + 'static,
        answer: impl FnOnce(&Self, Result<T, String>) -> Option<Input> + Send + 'static,
    ) {
        let weak = self.weak();
        let epoch = state.machine.epoch();
        let session = self.label();
        let span = tracing::debug_span!("moorline.job", job = span, %epoch, %session);
        let task = async move {
            let result = catch_panic(call).await;
            let Some(shared) = weak.upgrade() else { return };
            shared.lock().jobs.ended(name);
            if let Some(input) = answer(&shared, result) {
                shared.handle(input);
            }
        };
        let task = self.runtime().spawn(task.instrument(span)).abort_handle();
        state.jobs.add(name, task);
    }
}

/// A panic of the provider's code is an error of the provider.
fn flatten<T>(result: Result<Result<T, ProviderError>, String>) -> Result<T, ProviderError> {
    result.unwrap_or_else(|panic| {
        Err(ProviderError::new(
            ErrorKind::Panicked,
            format!("panicked: {panic}"),
        ))
    })
}

/// Runs a future to its end; if it panics, says what the panic said.
pub(crate) async fn catch_panic<T>(call: impl Future<Output = T>) -> Result<T, String> {
    let mut call = pin!(call);
    std::future::poll_fn(move |cx| {
        let poll = AssertUnwindSafe(|| Pin::as_mut(&mut call).poll(cx));
        match std::panic::catch_unwind(poll) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic_message(&*panic))),
        }
    })
    .await
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".into())
}
