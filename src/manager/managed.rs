//! One session of a manager, together with whom it acts for.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::error::ManagerError;
use super::inner::Inner;
use super::key::SessionKey;
use super::read_only;
use super::usage::Usage;
use crate::clock::Timestamp;
use crate::error::OperationError;
use crate::identity::{AccountId, Identity};
use crate::session::{OperationOptions, Session};
use crate::snapshot::Snapshot;
use crate::store::About;

/// One session of a manager and the account it acts for, which belong together: a request made
/// here runs for this account or not at all, whatever is switched meanwhile.
///
/// If the wallet makes the session act for somebody else, the manager hands out another of these,
/// and requests of this one fail with [`OperationError::IdentityChanged`].
///
/// Keeps its session, but not the manager, alive.
#[derive(Clone)]
pub struct ManagedSession {
    pub(super) key: Arc<SessionKey>,
    pub(super) session: Session,
    pub(super) usage: Arc<Usage>,
    pub(super) id: u64,
    pub(super) home: Weak<Inner>,
    /// Whether what is asked here does not count as use.
    pub(super) background: bool,
}

impl ManagedSession {
    /// What the manager tells it apart by.
    pub fn key(&self) -> &Arc<SessionKey> {
        &self.key
    }

    /// Whom it acts for.
    pub fn account(&self) -> &AccountId {
        &self.key.account
    }

    /// Whom it acts for, and on which network.
    pub fn identity(&self) -> Identity {
        self.key.identity()
    }

    /// Whether it only watches: every request is refused.
    pub fn is_read_only(&self) -> bool {
        self.key.is_read_only()
    }

    /// When it was last used: logged in, switched to, or sent a request from here.
    pub fn last_active(&self) -> Timestamp {
        self.usage.last()
    }

    /// When it was made, written and used, and what the application said of it.
    pub fn about(&self) -> About {
        self.usage.about()
    }

    /// Lets on only a session that was made less than `limit` ago: by when the account logged in,
    /// whatever was renewed, restored or used since. Both times are the wall clock's: one that is
    /// set back makes sessions younger.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NotFresh`] with its age, if that is `limit` or more.
    pub fn require_younger_than(&self, limit: Duration) -> Result<&Self, ManagerError> {
        let age = self.usage.age();
        if age >= limit {
            return Err(ManagerError::NotFresh { age, limit });
        }
        Ok(self)
    }

    /// Has the session stored again, with what its provider needs by now: for a provider whose
    /// [`payload`](crate::Provider::payload) has changed and that does not say so itself (with
    /// [`ProviderEvent::PayloadChanged`](crate::ProviderEvent::PayloadChanged)). Many of these are
    /// one or two writes; [`close`](super::SessionManager::close) waits for them. Does nothing for a
    /// session that is over or not stored.
    pub fn save(&self) {
        self.session.save_again();
    }

    /// Calls it something else, such as `Alice's laptop`, and has that stored as
    /// [`save`](Self::save) does. See [`About::label`].
    pub fn set_label(&self, label: impl Into<Arc<str>>) {
        self.usage.label(label.into());
        self.session.save_again();
    }

    /// The session. What is asked of it directly is bound to whom it acts for when it is asked,
    /// and is not seen by the manager as use.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session's public state now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.session.snapshot()
    }

    /// Sends one request to the wallet, for this account and no other.
    ///
    /// # Errors
    ///
    /// As for [`Session::request`]; [`OperationError::IdentityChanged`] if the session acts for
    /// somebody else by now; [`ErrorKind::ReadOnly`](crate::provider::ErrorKind::ReadOnly) if it
    /// only watches. Nothing was sent then.
    ///
    /// # Cancel safety
    ///
    /// As for [`Session::request`].
    pub async fn request(
        &self,
        method: impl Into<Cow<'static, str>>,
        params: Value,
    ) -> Result<Value, OperationError> {
        self.request_with(method, params, OperationOptions::default())
            .await
    }

    /// Like [`request`](Self::request), with options. Whom it is for is not among them.
    ///
    /// # Errors
    ///
    /// As for [`request`](Self::request).
    ///
    /// # Cancel safety
    ///
    /// As for [`Session::request`].
    pub async fn request_with(
        &self,
        method: impl Into<Cow<'static, str>>,
        params: Value,
        options: OperationOptions,
    ) -> Result<Value, OperationError> {
        if self.is_read_only() {
            return Err(read_only::refusal(&self.identity()).into());
        }
        let _busy = (!self.background).then(|| self.usage.begin());
        if !self.background && self.usage.is_write_due() {
            self.session.save_again();
        }
        let options = options.for_identity(self.identity());
        self.session.request_with(method, params, options).await
    }
}

impl PartialEq for ManagedSession {
    /// The same session, acting for the same account.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.usage, &other.usage) && self.key == other.key
    }
}

impl fmt::Debug for ManagedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedSession")
            .field("key", &self.key)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// The active session, now and whenever it is another: nothing is said twice. Only the latest is
/// kept.
#[derive(Clone, Debug)]
pub struct ActiveWatch(pub(super) watch::Receiver<Option<ManagedSession>>);

impl ActiveWatch {
    /// The active session now.
    pub fn current(&mut self) -> Option<ManagedSession> {
        // Cloned at once: what is borrowed would hold up the session that is about to change it.
        self.0.borrow_and_update().clone()
    }

    /// The active session once it is another than the one seen last. `None` when the manager is
    /// gone.
    ///
    /// # Cancel safety
    ///
    /// No change is lost if the future is dropped.
    pub async fn changed(&mut self) -> Option<Option<ManagedSession>> {
        self.0.changed().await.ok()?;
        Some(self.current())
    }
}
