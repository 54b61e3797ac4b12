//! Runs fetches: one task that begins them, and one for each that is under way.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::cache::{Cache, Job};
use super::fetch::{Erased, FetchContext, Source};
use crate::clock::{Timestamp, millis};
use crate::error::OperationError;
use crate::manager::inner::Inner;
use crate::provider::{ErrorKind, ProviderError};
use crate::session::{HookError, catch_panic, provider_error};

impl Inner {
    /// Begins to fetch, if there is anything to.
    pub(in crate::manager) fn start_hydration(self: &Arc<Self>) {
        let bell = self.lock().hydration.as_ref().map(|it| it.bell.clone());
        if let Some(bell) = bell {
            let inner = self.clone();
            self.spawn(async move { inner.keep_fetching(&bell).await });
        }
    }

    /// Nothing is fetched any more, and nothing of it is kept. What is returned is to be dropped
    /// where nothing is locked.
    #[must_use]
    pub(in crate::manager) fn stop_hydration(&self) -> Option<Box<Cache>> {
        let mut cache = self.lock().hydration.take()?;
        cache.leave_all();
        cache.bell.notify_one();
        Some(cache)
    }

    /// Until hydration stops.
    async fn keep_fetching(self: &Arc<Self>, bell: &Notify) {
        loop {
            let (delay, trash) = {
                let mut state = self.lock();
                if state.hydration.is_none() {
                    return;
                }
                self.begin_due(&mut state);
                state.tell_hydration();
                let Some(cache) = &mut state.hydration else {
                    return;
                };
                let trash = std::mem::take(&mut cache.trash);
                (cache.delay_until(Instant::now()), trash)
            };
            drop(trash);
            match delay {
                Some(delay) => {
                    let _rung = tokio::time::timeout(delay, bell.notified()).await;
                }
                None => bell.notified().await,
            }
        }
    }

    fn begin_due(self: &Arc<Self>, state: &mut crate::manager::state::State) {
        let now = Instant::now();
        if let Some(cache) = &mut state.hydration {
            cache.tick(now);
        }
        loop {
            let job = state.hydration.as_mut().and_then(|cache| cache.next_job());
            let Some(job) = job else { return };
            let Some(mut session) = state.managed(job.at.0) else {
                continue;
            };
            session.background = true;
            let context = FetchContext {
                session,
                cause: job.cause,
            };
            let place = (job.at, job.number);
            let inner = self.clone();
            // It reports under the lock that is held here, so not before it is known to run.
            let task = self.spawn(async move { inner.fetch(job, context).await });
            if let Some(cache) = &mut state.hydration {
                cache.began(place, task.abort_handle(), now);
            }
        }
    }

    async fn fetch(&self, job: Job, context: FetchContext) {
        match &job.fetch.source {
            Source::Once(fetch) => {
                let deadline = job.fetch.deadline;
                let call = catch_panic(async { fetch(context).await });
                let fetched = match tokio::time::timeout(deadline, call).await {
                    Ok(Ok(fetched)) => fetched.map_err(as_provider_error),
                    Ok(Err(_)) => Err(panicked()),
                    Err(_) => Err(ProviderError::new(
                        ErrorKind::TimedOut,
                        format!("not fetched within {} ms", millis(deadline)),
                    )),
                };
                self.settle(&job, fetched);
            }
            Source::Stream(subscribe) => {
                let error = self.follow(&job, || subscribe(context)).await;
                self.settle(&job, Err(error));
            }
            Source::Pushed => {}
        }
    }

    /// Passes on what a subscription yields, until it ends or fails.
    async fn follow(
        &self,
        job: &Job,
        subscribe: impl FnOnce() -> super::fetch::Values,
    ) -> ProviderError {
        let Ok(mut values) = catch_panic(async { subscribe() }).await else {
            return panicked();
        };
        loop {
            match catch_panic(poll_fn(|cx| values.as_mut().poll_next(cx))).await {
                Ok(Some(Ok(value))) => self.settle(job, Ok(value)),
                Ok(Some(Err(error))) => return as_provider_error(error),
                Ok(None) => {
                    return ProviderError::new(ErrorKind::Unreachable, "the subscription ended");
                }
                Err(_) => return panicked(),
            }
        }
    }

    fn settle(&self, job: &Job, fetched: Result<Erased, ProviderError>) {
        let (at, number) = (job.at, job.number);
        self.with_cache(|cache, now| match fetched {
            Ok(value) => cache.brought(at, number, value, now),
            Err(error) => cache.failed(at, number, error, now.0),
        });
    }

    /// Changes what is kept, and tells it. `None` if nothing is kept any more.
    pub(super) fn with_cache<T>(
        &self,
        change: impl FnOnce(&mut Cache, (Instant, Timestamp)) -> T,
    ) -> Option<T> {
        let now = (Instant::now(), self.times.wall());
        let (result, trash) = {
            let mut state = self.lock();
            let cache = state.hydration.as_mut()?;
            let result = change(cache, now);
            let trash = std::mem::take(&mut cache.trash);
            cache.bell.notify_one();
            state.tell_hydration();
            (result, trash)
        };
        drop(trash);
        Some(result)
    }
}

/// What a panic says may quote what it was given.
fn panicked() -> ProviderError {
    ProviderError::new(ErrorKind::Panicked, "the fetcher panicked")
}

fn as_provider_error(error: HookError) -> ProviderError {
    match error.downcast::<OperationError>() {
        Ok(error) => match *error {
            OperationError::Provider(error) => error,
            other => provider_error(Box::new(other)),
        },
        Err(error) => provider_error(error),
    }
}
