//! How something is fetched.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;

use super::event::FetchCause;
use super::name::DataName;
use super::version::{Version, Versioned};
use crate::identity::Identity;
use crate::manager::ManagedSession;
use crate::policy::Backoff;
use crate::session::HookError;

/// What a fetcher is given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchContext {
    /// The session, bound to whom the data is for: requests made here run for this account or
    /// not at all. They do not count as use of the session, neither for its
    /// [`last_active`](ManagedSession::last_active) nor for policies.
    pub session: ManagedSession,
    /// Why the fetch began.
    pub cause: FetchCause,
}

impl FetchContext {
    /// Whom the data is for.
    pub fn identity(&self) -> Identity {
        self.session.identity()
    }
}

/// A value of any type.
pub(super) struct Erased {
    pub(super) value: Arc<dyn Any + Send + Sync>,
    pub(super) version: Option<Version>,
}

impl<T: Send + Sync + 'static> From<Versioned<T>> for Erased {
    fn from(versioned: Versioned<T>) -> Self {
        Self {
            value: Arc::new(versioned.value),
            version: versioned.version,
        }
    }
}

pub(super) type Once = Pin<Box<dyn Future<Output = Result<Erased, HookError>> + Send>>;
pub(super) type Values = Pin<Box<dyn Stream<Item = Result<Erased, HookError>> + Send>>;

/// Where values come from.
pub(super) enum Source {
    Once(Box<dyn Fn(FetchContext) -> Once + Send + Sync>),
    Stream(Box<dyn Fn(FetchContext) -> Values + Send + Sync>),
    Pushed,
}

/// Something to fetch for every session of a manager, given to
/// [`SessionManagerBuilder::fetch`](crate::manager::SessionManagerBuilder::fetch).
#[must_use = "nothing is fetched until it is given to a manager's builder"]
pub struct Fetch {
    pub(super) name: Arc<str>,
    pub(super) type_id: TypeId,
    pub(super) type_name: &'static str,
    pub(super) source: Source,
    pub(super) on_demand: bool,
    pub(super) ttl: Option<Duration>,
    pub(super) serve_stale: bool,
    pub(super) refresh_every: Option<Duration>,
    pub(super) deadline: Duration,
    pub(super) retry: Backoff,
    pub(super) at_once: usize,
}

impl Fetch {
    /// Fetched by a function: once for each [cause](FetchCause). What it fails with may be
    /// anything; a [`ProviderError`](crate::ProviderError) or the wallet's refusal of a request is
    /// kept as it is, with its code.
    pub fn new<T, F, Fut>(name: impl Into<DataName<T>>, fetch: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(FetchContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, HookError>> + Send + 'static,
    {
        let source = move |context| -> Once {
            let fetched = fetch(context);
            Box::pin(async move { Ok(Versioned::from(fetched.await?).into()) })
        };
        Self::from_source(name.into(), Source::Once(Box::new(source)))
    }

    /// Like [`new`](Self::new), for values that say which [`Version`] they are.
    pub fn versioned<T, F, Fut>(name: impl Into<DataName<T>>, fetch: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(FetchContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Versioned<T>, HookError>> + Send + 'static,
    {
        let source = move |context| -> Once {
            let fetched = fetch(context);
            Box::pin(async move { Ok(fetched.await?.into()) })
        };
        Self::from_source(name.into(), Source::Once(Box::new(source)))
    }

    /// Fetched by a subscription: a stream that stays open and yields every new value. Dropped when
    /// the session is disconnected or leaves, and when it acts for somebody else, for whom another
    /// one is opened. An error, and the end of the stream, is a failure: it is opened again.
    ///
    /// While it is open, values do not expire, and [`refresh_every`](Self::refresh_every) has no
    /// effect.
    pub fn subscription<T, F, S>(name: impl Into<DataName<T>>, subscribe: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(FetchContext) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<Versioned<T>, HookError>> + Send + 'static,
    {
        let source = move |context| -> Values { Box::pin(Erase(Box::pin(subscribe(context)))) };
        Self::from_source(name.into(), Source::Stream(Box::new(source)))
    }

    /// Not fetched: only what the application [pushes](ManagedSession::push) is there.
    pub fn pushed<T: Send + Sync + 'static>(name: impl Into<DataName<T>>) -> Self {
        Self::from_source(name.into(), Source::Pushed)
    }

    fn from_source<T: 'static>(name: DataName<T>, source: Source) -> Self {
        Self {
            name: name.as_str().into(),
            type_id: TypeId::of::<T>(),
            type_name: type_name::<T>(),
            source,
            on_demand: false,
            ttl: None,
            serve_stale: true,
            refresh_every: None,
            deadline: Duration::from_secs(30),
            retry: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(60),
                ..Backoff::default()
            },
            at_once: 8,
        }
    }

    /// Fetched only once somebody asks, not at every login: for what few sessions need.
    pub fn on_demand(mut self) -> Self {
        self.on_demand = true;
        self
    }

    /// For how long a value is fresh. Nothing happens when it no longer is, until somebody asks.
    /// Default: for as long as the session acts for the same identity.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Whether a value that is no longer fresh is shown, marked stale, while it is fetched again.
    /// Default: it is.
    pub fn serve_stale(mut self, serve: bool) -> Self {
        self.serve_stale = serve;
        self
    }

    /// Fetched again this long after the last time, while the session is connected; at least 1 ms.
    /// Default: never.
    pub fn refresh_every(mut self, every: Duration) -> Self {
        self.refresh_every = Some(every.max(Duration::from_millis(1)));
        self
    }

    /// How long one fetch may take, or how long the first value of a subscription is waited for.
    /// Default 30 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// When a failed fetch is tried again. After as many failures in a row as it allows retries
    /// for, fetching rests until there is another cause. What cannot end better is not tried again;
    /// a `Retry-After` is honoured. Default: after 1 s, doubling up to 60 s, with jitter, 5 times.
    /// `stable_after` has no meaning here.
    pub fn retry(mut self, retry: Backoff) -> Self {
        self.retry = retry;
        self
    }

    /// How many sessions may be fetching this at once, at least 1; a subscription counts until its
    /// first value, and no longer than its deadline. Default 8.
    pub fn at_once(mut self, sessions: usize) -> Self {
        self.at_once = sessions.max(1);
        self
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self.source, Source::Stream(_))
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("name", &self.name)
            .field("type", &self.type_name)
            .finish_non_exhaustive()
    }
}

/// A subscription whose values may be of any type.
struct Erase<S>(Pin<Box<S>>);

impl<T, S> Stream for Erase<S>
where
    T: Send + Sync + 'static,
    S: Stream<Item = Result<Versioned<T>, HookError>>,
{
    type Item = Result<Erased, HookError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let next = self.0.as_mut().poll_next(cx);
        next.map(|item| item.map(|item| item.map(Erased::from)))
    }
}

/// All that a manager fetches.
pub(in crate::manager) struct Kit {
    pub(super) fetches: Vec<Arc<Fetch>>,
    /// How many fetches run at once.
    pub(in crate::manager) at_once: usize,
    /// How many values are kept.
    pub(in crate::manager) max_values: Option<usize>,
}

impl Default for Kit {
    fn default() -> Self {
        Self {
            fetches: Vec::new(),
            at_once: 32,
            max_values: None,
        }
    }
}

impl Kit {
    /// The last one of a name counts.
    pub(in crate::manager) fn add(&mut self, fetch: Fetch) {
        self.fetches.retain(|it| it.name != fetch.name);
        self.fetches.push(Arc::new(fetch));
    }

    pub(in crate::manager) fn is_empty(&self) -> bool {
        self.fetches.is_empty()
    }
}
