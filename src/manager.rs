//! Many sessions, many accounts: [`SessionManager`].
//!
//! A manager keeps sessions apart by whom they act for, says which one is active, stores them and
//! brings them back, and tells all that happens to them in one stream.
//!
//! ```
//! use std::sync::Arc;
//!
//! use moorline::manager::{NextActive, SessionManager};
//! use moorline::store::MemoryStore;
//! use moorline_scripted::ScriptedWallet;
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = SessionManager::builder()
//!     .store(MemoryStore::new())
//!     .next_active(NextActive::MostRecent)
//!     // How to build a provider again after a restart.
//!     .provider("scripted", |_record| Ok(Arc::new(ScriptedWallet::new().build().0)))
//!     .build()?;
//! manager.restore().await?;
//!
//! let (alices, _control) = ScriptedWallet::new().accounts(["alice"]).build();
//! let (bobs, _control) = ScriptedWallet::new().accounts(["bob"]).build();
//! let alice = manager.login(alices).await?;
//! manager.login(bobs).await?;
//!
//! // Bob is active now; Alice's session is still hers.
//! assert_eq!(manager.active()?.account().as_str(), "bob");
//! let signed = alice.request("signMessage", json!({ "message": "hello" })).await?;
//! assert_eq!(signed["account"], "alice");
//!
//! let report = manager.logout_active().await?;
//! assert_eq!(report.active.as_ref(), Some(alice.key()));
//! manager.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Several processes
//!
//! With the feature `stores`, managers in any number of processes share their sessions: they are
//! given the same store and [`Leases`](crate::sync::lease::Leases) on one engine.
//!
#![cfg_attr(feature = "stores", doc = include_str!("manager/cluster.md"))]

mod builder;
mod chores;
#[cfg(feature = "stores")]
mod cluster;
#[cfg(not(feature = "stores"))]
#[path = "manager/alone.rs"]
mod cluster;
mod error;
mod event;
mod hydration;
mod inner;
mod insist;
mod joining;
mod key;
mod managed;
pub mod ndk;
mod options;
mod own_record;
mod place;
mod read_only;
mod restore;
mod revoke;
mod shelf;
mod state;
mod stored;
mod turns;
mod usage;

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use self::builder::{IdleAction, NextActive, SessionManagerBuilder, WhenFull};
#[cfg(feature = "stores")]
pub use self::cluster::TakeOver;
pub use self::error::ManagerError;
pub use self::event::{CloseReason, ManagerEvent, ManagerEventKind, ManagerEvents, ManagerItem};
pub use self::hydration::{
    DataError, DataName, Fetch, FetchCause, FetchContext, Hydrated, HydrationEvent, InvalidatedBy,
    Version, Versioned,
};
use self::inner::Inner;
pub use self::key::{SessionKey, Who};
pub use self::managed::{ActiveWatch, ManagedSession};
pub use self::options::LoginOptions;
pub use self::own_record::OWN_RECORD;
use self::read_only::ReadOnly;
pub use self::restore::{RestoreReport, Restored, RestoredSession};
pub use self::revoke::{ClearReport, RevokeOutcome, RevokeReport, RevokedSession};
use self::shelf::Shelf;
use self::state::{Chore, Entry};
pub use self::stored::{StoredSession, StoredSessions};
use self::usage::Usage;
use crate::identity::Identity;
use crate::provider::Provider;
use crate::session::{DisconnectReport, Session};

/// Many sessions of any providers, told apart by account, network and wallet protocol.
///
/// A cheap handle: clone it. There is no global signer: a [`ManagedSession`] is an account and the
/// session that acts for it, and becomes active as a whole, so that nobody sees one account with
/// the session of another.
///
/// When the last clone is dropped all sessions stop, as by [`Session`]'s own drop; those that the
/// application keeps a [`ManagedSession`] of live on without the manager.
#[derive(Clone)]
pub struct SessionManager {
    handle: Arc<Handle>,
}

/// Stops everything with the last clone. Tasks and sessions know what is inside alone.
struct Handle {
    inner: Arc<Inner>,
    chores: AbortHandle,
}

/// How a logout ended. Here the session is over in any case.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LogoutReport {
    /// Who was logged out.
    pub key: Arc<SessionKey>,
    /// Who is active now.
    pub active: Option<Arc<SessionKey>>,
    /// What wallet and store said.
    pub disconnect: DisconnectReport,
}

impl SessionManager {
    /// Begins to build a manager.
    pub fn builder() -> SessionManagerBuilder {
        SessionManagerBuilder::default()
    }

    fn from_inner(inner: Arc<Inner>, chores: AbortHandle) -> Self {
        Self {
            handle: Arc::new(Handle { inner, chores }),
        }
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.handle.inner
    }

    /// Connects to a wallet, and makes its session the active one. Any number may run at once.
    ///
    /// The session belongs to the account that the wallet confirms. If that account is connected
    /// already through a wallet of the same kind, its session is returned, and the new one is
    /// closed without ending anything at the wallet; a session that is not connected, or only
    /// watches, makes way for the new one.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Connect`], [`ManagerError::Full`], [`ManagerError::Build`] or
    /// [`ManagerError::Closed`]. Nothing is left of the login then.
    ///
    /// # Cancel safety
    ///
    /// Nothing is left of a login whose future is dropped; the wallet keeps what it was told.
    pub async fn login(&self, provider: impl Provider) -> Result<ManagedSession, ManagerError> {
        self.login_dyn(Arc::new(provider), true).await
    }

    /// Like [`login`](Self::login), for a provider that is chosen at run time, and may leave
    /// active who is.
    ///
    /// # Errors
    ///
    /// As for [`login`](Self::login).
    ///
    /// # Cancel safety
    ///
    /// As for [`login`](Self::login).
    pub async fn login_dyn(
        &self,
        provider: Arc<dyn Provider>,
        activate: bool,
    ) -> Result<ManagedSession, ManagerError> {
        let options = LoginOptions::new().activate(activate);
        self.login_with(provider, options).await
    }

    /// Like [`login_dyn`](Self::login_dyn), with options: what is said of the session is stored
    /// with it and shown by [`ManagedSession::about`]. If the account's session is there already,
    /// what is said replaces what was; when it was made, and its lifetime, stay.
    ///
    /// # Errors
    ///
    /// As for [`login`](Self::login).
    ///
    /// # Cancel safety
    ///
    /// As for [`login`](Self::login).
    pub async fn login_with(
        &self,
        provider: Arc<dyn Provider>,
        options: LoginOptions,
    ) -> Result<ManagedSession, ManagerError> {
        let started = self.inner().begin(provider, &options, None)?;
        let connected = started.session.connect().await;
        connected.map_err(ManagerError::Connect)?;
        self.inner().claim_login(&started).await?;
        // Nothing is awaited from here on: it has joined, or it is gone.
        self.inner().join(&started, &options)
    }

    /// Watches an account without the means to sign, and makes that the active session: every
    /// request is refused with [`ErrorKind::ReadOnly`](crate::provider::ErrorKind::ReadOnly), and
    /// none falls through to another account. If the account has a session already, that is
    /// returned.
    ///
    /// # Errors
    ///
    /// As for [`login`](Self::login).
    ///
    /// # Cancel safety
    ///
    /// As for [`login`](Self::login).
    pub async fn watch(&self, identity: Identity) -> Result<ManagedSession, ManagerError> {
        self.login(ReadOnly(identity)).await
    }

    /// Logs an account out: its session ends at the wallet and is removed from the store. If it
    /// was active, the manager's [`NextActive`] says who is next, in the same step.
    ///
    /// What the store cannot be told now
    /// ([`DisconnectReport::not_persisted`](crate::session::DisconnectReport::not_persisted)) it is
    /// told once it can be reached, when the manager is closed at the latest.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotFound`] or [`ManagerError::Ambiguous`].
    ///
    /// # Cancel safety
    ///
    /// The session has left once this is first polled; wallet and store learn of it anyway.
    pub async fn logout(&self, who: impl Into<Who>) -> Result<LogoutReport, ManagerError> {
        self.log_out(Some(who.into())).await
    }

    /// Logs out whoever is active.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NoActiveSession`].
    ///
    /// # Cancel safety
    ///
    /// As for [`logout`](Self::logout).
    pub async fn logout_active(&self) -> Result<LogoutReport, ManagerError> {
        self.log_out(None).await
    }

    async fn log_out(&self, who: Option<Who>) -> Result<LogoutReport, ManagerError> {
        let policy = self.inner().config.next_active;
        let left = self.inner().with(|state| {
            let id = match &who {
                Some(who) => state.find(who)?,
                None => state.active().ok_or(ManagerError::NoActiveSession)?,
            };
            let entry = state.log_out(id, policy);
            let entry = entry.ok_or(ManagerError::NoActiveSession)?;
            let key = entry.key.clone().ok_or(ManagerError::NoActiveSession)?;
            Ok((id, entry, key, state.active_key()))
        });
        let (id, entry, key, active) = match left {
            Err(ManagerError::NotFound { who }) => {
                return self.inner().log_out_elsewhere(&who).await;
            }
            left => left?,
        };
        let disconnect = self.inner().end(id, entry).await;
        Ok(LogoutReport {
            key,
            active,
            disconnect,
        })
    }

    /// Makes a session the active one, in one step: requests that are under way go on under the
    /// account they were made for.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotFound`] or [`ManagerError::Ambiguous`]; who is active stays so.
    pub fn switch_to(&self, who: impl Into<Who>) -> Result<ManagedSession, ManagerError> {
        let who = who.into();
        self.inner().with(|state| {
            let id = state.find(&who)?;
            if let Some(entry) = state.entries.get(id) {
                entry.usage.touch();
                let session = entry.session.clone();
                state.chores.extend(session.map(Chore::Save));
            }
            state.set_active(Some(id));
            state.managed(id).ok_or(ManagerError::NotFound { who })
        })
    }

    /// Makes no session the active one.
    pub fn switch_to_none(&self) {
        self.inner().with(|state| state.set_active(None));
    }

    /// The active session.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NoActiveSession`].
    pub fn active(&self) -> Result<ManagedSession, ManagerError> {
        let state = self.inner().lock();
        let active = state.active().and_then(|id| state.managed(id));
        active.ok_or(ManagerError::NoActiveSession)
    }

    /// The active session now and whenever it is another.
    pub fn watch_active(&self) -> ActiveWatch {
        ActiveWatch(self.inner().lock().active_watch.subscribe())
    }

    /// The session that was asked for.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotFound`] or [`ManagerError::Ambiguous`].
    pub fn get(&self, who: impl Into<Who>) -> Result<ManagedSession, ManagerError> {
        let who = who.into();
        let state = self.inner().lock();
        let id = state.find(&who)?;
        state.managed(id).ok_or(ManagerError::NotFound { who })
    }

    /// All sessions, in the order of their keys.
    pub fn sessions(&self) -> Vec<ManagedSession> {
        let state = self.inner().lock();
        let ids = state.by_key.values();
        ids.filter_map(|id| state.managed(*id)).collect()
    }

    /// All events of the manager and its sessions from now on, in order.
    pub fn events(&self) -> ManagerEvents {
        self.inner().lock().bulletin.subscribe()
    }

    /// Brings back the stored sessions that are not here: silently, the one that was active first,
    /// then the most recently used, a few at a time. Each can be used as soon as it is back, and
    /// none stands in the way of another; progress is told by `restore:progress` events.
    ///
    /// What cannot be restored is reported and left in the store as it is. A session that needs a
    /// login, or whose wallet cannot be reached, is there and not connected.
    ///
    /// Ends when every session's own restore has: within the limits of the policy, if it has any,
    /// or of [`restore_within`](SessionManagerBuilder::restore_within).
    ///
    /// Each record is read twice but the active one's: once for when the session was last used, of
    /// which only names and times are kept, and once to restore it. Both are done
    /// [as many at once](SessionManagerBuilder::restore_at_once) as sessions are restored.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Store`] if the stored sessions cannot be listed, [`ManagerError::Build`]
    /// without a store, [`ManagerError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Sessions that are being restored go on; no further ones are begun.
    pub async fn restore(&self) -> Result<RestoreReport, ManagerError> {
        self.inner().restore().await
    }

    /// Goes through the stored sessions that are not here, however many there are.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Store`] if they cannot be listed.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    pub async fn list_stored(&self) -> Result<StoredSessions, ManagerError> {
        let names = self.inner().stored_names().await?;
        Ok(StoredSessions::new(self.inner().clone(), names))
    }

    /// Ends one session for good: if it is here as [`logout`](Self::logout) does, else by removing
    /// its record, so that no process restores it. To revoke what is not there is no error.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Ambiguous`]; [`ManagerError::Store`] if the session is not here and the
    /// store cannot be asked for it.
    ///
    /// # Cancel safety
    ///
    /// A session that is here has left once this is first polled; wallet and store learn of it
    /// anyway. One that is only stored may or may not be removed.
    pub async fn revoke(&self, who: impl Into<Who>) -> Result<RevokedSession, ManagerError> {
        self.inner().revoke(who.into()).await
    }

    /// Revokes all sessions, here and in the store, but this one, which must be here.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotFound`] or [`ManagerError::Ambiguous`], and nothing is revoked then;
    /// [`ManagerError::Store`] if the stored ones cannot be listed: those that are here are revoked
    /// then.
    ///
    /// # Cancel safety
    ///
    /// The sessions that are here have left once this is first polled; wallet and store learn of
    /// it anyway. What is only stored may or may not be removed.
    pub async fn revoke_others(&self, but: impl Into<Who>) -> Result<RevokeReport, ManagerError> {
        self.inner().revoke_many(Some(but.into())).await
    }

    /// Revokes all sessions, here and in the store. Nobody is active then.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Store`] if the stored ones cannot be listed: those that are here are revoked
    /// then.
    ///
    /// # Cancel safety
    ///
    /// As for [`revoke_others`](Self::revoke_others).
    pub async fn revoke_all(&self) -> Result<RevokeReport, ManagerError> {
        self.inner().revoke_many(None).await
    }

    /// Forgets everything: all sessions leave, logins that are under way fail, all records of this
    /// namespace are removed (a tombstone stays of each), the manager's own included, and what was
    /// to be written is not: nothing comes back. Wallets are not told;
    /// [`revoke_all`](Self::revoke_all) tells them. The manager can be used as before.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Closed`]; [`ManagerError::Store`] if the records cannot be listed: the
    /// sessions have left then.
    ///
    /// # Cancel safety
    ///
    /// The sessions have left once this is first polled, and the rest goes on.
    pub async fn clear(&self) -> Result<ClearReport, ManagerError> {
        self.inner().clear().await
    }

    /// Closes all sessions for good, as [`Session::close`] does, and stores who was active.
    /// Wallets keep their sessions, and a new manager can restore them. Nothing runs once this
    /// returns.
    ///
    /// # Cancel safety
    ///
    /// The end goes on.
    pub async fn close(&self) {
        let inner = self.inner().clone();
        let chores = self.handle.chores.clone();
        let end = async move {
            if std::mem::replace(&mut inner.lock().closed, true) {
                let mut ended = inner.ended.subscribe();
                let _ended = ended.wait_for(|ended| *ended).await.is_ok();
                return;
            }
            drop(inner.stop_hydration());
            if let Some(cluster) = inner.cluster() {
                cluster.stop();
            }
            inner.do_chores();
            let sessions = inner.with(|state| state.all_sessions());
            for (session, usage) in sessions {
                inner.spawn(async move {
                    if usage.is_unstored() {
                        session.save_again();
                    }
                    session.close().await;
                });
            }
            inner.quiet().await;
            if !inner.say().await {
                tracing::warn!("not every disconnect could be stored: see the reports of logouts");
            }
            inner.release_all().await;
            chores.abort();
            if let Some(store) = &inner.config.store
                && let Err(error) = inner.try_save(store).await
            {
                tracing::warn!(%error, "who is active could not be stored");
            }
            inner.finish();
            inner.ended.send_replace(true);
        };
        // An error means that the runtime is gone, and everything with it.
        let _ended = self.inner().runtime.spawn(end).await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.chores.abort();
        self.inner.lock().closed = true;
        self.inner.finish();
    }
}

impl Inner {
    /// Lets go of everything. Handles of sessions are dropped where nothing is locked.
    fn finish(&self) {
        drop(self.stop_hydration());
        if let Some(cluster) = self.cluster() {
            cluster.stop();
        }
        let gone = {
            let mut state = self.lock();
            let watch = std::mem::replace(&mut state.active_watch, watch::Sender::new(None));
            let active = watch.send_replace(None);
            state.bulletin.close();
            state.by_key.clear();
            for restore in state.restores.drain(..) {
                restore.abort();
            }
            (
                std::mem::replace(&mut state.entries, Shelf::new()),
                std::mem::take(&mut state.chores),
                active,
            )
        };
        drop(gone);
    }
}

impl state::State {
    fn all_sessions(&self) -> Vec<(Session, Arc<Usage>)> {
        let entries = self.entries.values();
        let session = |entry: &Entry| Some((entry.session.clone()?, entry.usage.clone()));
        entries.filter_map(session).collect()
    }
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.inner().lock();
        f.debug_struct("SessionManager")
            .field("sessions", &state.by_key.len())
            .field("active", &state.active_key())
            .finish_non_exhaustive()
    }
}
