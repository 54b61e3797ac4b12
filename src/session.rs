//! [`Session`]: the cheap-to-clone handle, and what it is made of.
//!
//! # In traces
//!
//! With the `tracing` crate, under stable names and never with a secret:
//!
//! | name | kind | level | fields |
//! |---|---|---|---|
//! | `moorline.event` | event | debug | `session`, `seq`, `epoch`, `event` (the type of the published event) |
//! | `moorline.input.dropped` | event | trace | `session`, `input`, `state`, `stale` (older epoch, or of no use now) |
//! | `moorline.timer.panicked` | event | error | |
//! | `moorline.job` | span | debug | `session`, `epoch`, `job`: `moorline.load`, `.open`, `.probe`, `.close`, `.reauth`, `.persist` or `.invalidate` |
//!
//! `session` is the label given to the builder, or else the record's name.

mod admission;
mod builder;
mod commands;
mod config;
mod driver;
mod event_stream;
mod hooks;
mod jobs;
mod moments;
mod networks;
mod operation;
mod pacing;
mod request;
mod shared;
mod slots;
mod subscribers;
mod thread_outbox;
mod waiters;
mod writer;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

pub use self::builder::SessionBuilder;
pub(crate) use self::config::{Observe, Observer};
pub use self::driver::Driver;
pub use self::event_stream::{EventItem, EventStream};
pub(crate) use self::hooks::provider_error;
pub use self::hooks::{HookError, Reauth, Wallet};
pub(crate) use self::jobs::catch_panic;
pub use self::operation::OperationOptions;
use self::request::RequestFuture;
use self::shared::Shared;
use crate::clock::Timestamp;
use crate::error::{ConnectError, OperationError};
use crate::identity::Identity;
pub use crate::machine::{DisconnectReport, ReauthRequest, RestoreOutcome};
use crate::provider::{CloseMode, Provider, Verdict};
use crate::snapshot::{Snapshot, Status};

/// One program's relationship with one wallet, across any number of connections.
///
/// A cheap handle: clone it into every task that needs the wallet. When the last clone is dropped
/// the session stops at once, as by [`close`](Self::close) without the waiting.
///
/// # Cancel safety
///
/// Dropping the future of any method here breaks nothing. What it started goes on where that is
/// what others rely on (`connect`, `restore`, `disconnect`, `verify`, `close`: they are shared by
/// all who called them), and is taken back where it is the caller's own (`request`, `run`: a held
/// operation leaves the queue; one the wallet has may still be executed).
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    /// Begins to build a session around a provider.
    pub fn builder(provider: impl Provider) -> SessionBuilder {
        SessionBuilder::new(Arc::new(provider))
    }

    /// Like [`builder`](Self::builder), for a provider that is shared or chosen at run time. A
    /// provider serves one session at a time.
    pub fn builder_dyn(provider: Arc<dyn Provider>) -> SessionBuilder {
        SessionBuilder::new(provider)
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Self {
        shared.add_handle();
        Self { shared }
    }

    /// Connects to the wallet, asking the user where the wallet wants that.
    ///
    /// Returns at once if the session is connected, joins an attempt that is under way, and
    /// overtakes a recovery: the latest intent wins. A first connection that fails is not tried
    /// again unless [`Policy::retry_first_connect`](crate::Policy::retry_first_connect) says so.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], also to all who joined.
    ///
    /// # Cancel safety
    ///
    /// The attempt goes on; call [`disconnect`](Self::disconnect) to stop it.
    pub async fn connect(&self) -> Result<Arc<Snapshot>, ConnectError> {
        self.shared.connect().await
    }

    /// Brings back the session that the store holds: silently, never with a prompt. What is found
    /// is verified with the wallet before the session is connected; until then the last known
    /// identity is shown as stale. A session that has expired, or that the wallet no longer knows,
    /// comes back only where the provider can re-authenticate it by itself.
    ///
    /// # Cancel safety
    ///
    /// The restore goes on.
    pub async fn restore(&self) -> RestoreOutcome {
        self.shared.restore().await
    }

    /// Disconnects, and stays so until [`connect`](Self::connect) is called, over restarts too.
    /// The state changes at once; then it waits, within deadlines, for the wallet to be told and
    /// for the store to know.
    ///
    /// # Cancel safety
    ///
    /// The state has changed once this is first polled; wallet and store learn of it anyway.
    pub async fn disconnect(&self) -> DisconnectReport {
        self.shared.disconnect(CloseMode::Disconnect).await
    }

    /// Forgets the session here without telling the wallet, which keeps its side of it: for
    /// wallets where a disconnect ends the user's other sessions too.
    ///
    /// # Cancel safety
    ///
    /// As for [`disconnect`](Self::disconnect).
    pub async fn detach(&self) -> DisconnectReport {
        self.shared.disconnect(CloseMode::Detach).await
    }

    /// Asks the wallet whether the session is still good, and takes over what it says.
    /// Operations are held meanwhile. A session that is not connected is `Unknown`.
    ///
    /// # Cancel safety
    ///
    /// The question goes on.
    pub async fn verify(&self) -> Verdict {
        self.shared.verify().await
    }

    /// Ends this session object for good: every waiting caller is answered, the link is dropped
    /// (the wallet keeps its session), and what is to be stored is written, within deadlines. The
    /// user's intent stays: a new session object can restore it. Nothing runs once this returns.
    ///
    /// # Cancel safety
    ///
    /// The end goes on.
    pub async fn close(&self) {
        self.shared.close().await;
    }

    /// Has the record written again, because what the store adds to it is another.
    pub(crate) fn save_again(&self) {
        self.shared.save_again();
    }

    /// The public state now. Never waits.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot()
    }

    /// The status now. Never waits.
    pub fn status(&self) -> Status {
        self.shared.snapshot().status
    }

    /// The public state now and whenever it changes. Only the latest is kept: a slow reader skips
    /// states in between. Ends when the session is closed.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.shared.watch()
    }

    /// All events from now on, in order. A reader that is too slow is told how many it missed.
    pub fn events(&self) -> EventStream {
        self.shared.events()
    }

    /// Sends one request to the wallet, once, under the identity that the session has now: held
    /// while the session is on its way back, never run for anybody else.
    ///
    /// # Errors
    ///
    /// [`OperationError`]; ask its
    /// [`may_have_executed`](OperationError::may_have_executed) before trying again.
    ///
    /// # Cancel safety
    ///
    /// A held request leaves the queue. One that the wallet has may still be executed.
    pub fn request(
        &self,
        method: impl Into<Cow<'static, str>>,
        params: Value,
    ) -> impl Future<Output = Result<Value, OperationError>> + Send {
        RequestFuture::new(
            &self.shared,
            method.into(),
            params,
            OperationOptions::default(),
        )
    }

    /// Like [`request`](Self::request), with options.
    ///
    /// # Errors
    ///
    /// As for [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// As for [`request`](Self::request).
    pub fn request_with(
        &self,
        method: impl Into<Cow<'static, str>>,
        params: Value,
        options: OperationOptions,
    ) -> impl Future<Output = Result<Value, OperationError>> + Send {
        RequestFuture::new(&self.shared, method.into(), params, options)
    }

    /// Runs an operation of several steps as one: it begins when the session is connected and is
    /// bound to the identity that the session has now. Its [`Wallet`] refuses once the identity
    /// is another.
    ///
    /// # Errors
    ///
    /// [`OperationError`] if it was not run to its end; what it returns itself is the `Ok` value.
    ///
    /// # Cancel safety
    ///
    /// A held operation leaves the queue. One that runs is dropped where it stands.
    pub async fn run<T, F, Fut>(&self, operation: F) -> Result<T, OperationError>
    where
        F: FnOnce(Wallet) -> Fut,
        Fut: Future<Output = T>,
    {
        let mut operation = Some(operation);
        let once = |wallet| operation.take().map(|operation| operation(wallet));
        self.shared.run(OperationOptions::default(), once).await
    }

    /// Like [`run`](Self::run), with options. If they say that it may be repeated and the link
    /// breaks under it, it is called again once the session is back.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As for [`run`](Self::run).
    pub async fn run_with<T, F, Fut>(
        &self,
        options: OperationOptions,
        mut operation: F,
    ) -> Result<T, OperationError>
    where
        F: FnMut(Wallet) -> Fut,
        Fut: Future<Output = T>,
    {
        self.shared
            .run(options, |wallet| Some(operation(wallet)))
            .await
    }

    /// Whom the session acts for, or last acted for while it is on its way back.
    pub fn identity(&self) -> Option<Arc<Identity>> {
        self.shared.identity()
    }

    /// When the session expires, if ever.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.shared.snapshot().expires_at
    }

    /// How long until the session expires by the clock it was built with; zero once it has.
    /// `None` if it never does.
    pub fn expires_in(&self) -> Option<Duration> {
        let now = self.shared.wall();
        self.expires_at().map(|at| at.saturating_since(now))
    }

    /// Whether the session has reached its expiry. One that never expires has not.
    pub fn is_expired(&self) -> bool {
        self.expires_in().is_some_and(|left| left.is_zero())
    }

    /// How many operations are held.
    pub fn held_operations(&self) -> usize {
        self.shared.held()
    }
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self::from_shared(self.shared.clone())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.drop_handle();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
