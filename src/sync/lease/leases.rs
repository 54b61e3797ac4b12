//! The handle on a process's membership.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_broadcast::InactiveReceiver;
use tokio::sync::{mpsc, oneshot};

use super::builder::LeasesBuilder;
use super::driver::Message;
use super::error::LeaseError;
use super::held::Lease;
use super::member::Member;
use super::news::{LeaseNews, News};
use crate::store::Slot;
use crate::store::backend::Backend;

/// This process's part in who holds what: one membership, and any number of leases under it.
///
/// Cheap to clone. When the last clone and the last [`Lease`] are dropped, the process leaves in
/// the background. What it is all about is told in [`sync::lease`](super).
#[derive(Clone)]
pub struct Leases {
    pub(super) handle: Arc<Handle>,
}

/// What clones and leases share.
pub(super) struct Handle {
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) member: Mutex<Member>,
    pub(super) news: InactiveReceiver<LeaseNews>,
    pub(super) ttl: Duration,
}

impl Handle {
    pub(super) fn send(&self, message: Message) {
        // Fails only once the driver has ended, which answers by dropping what it was sent.
        let _ended = self.messages.send(message);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.send(Message::Leave { done: None });
    }
}

impl Leases {
    /// Leases whose records stand in `backend`: one of its own, apart from that of the sessions.
    pub fn builder(backend: impl Backend) -> LeasesBuilder {
        LeasesBuilder::new(Arc::new(backend))
    }

    /// As [`builder`](Self::builder), for a backend chosen at run time.
    pub fn builder_dyn(backend: Arc<dyn Backend>) -> LeasesBuilder {
        LeasesBuilder::new(backend)
    }

    /// This process as others see it. Its id changes when it joins anew.
    pub fn member(&self) -> Member {
        let member = self.handle.member.lock();
        member.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long a membership lasts without being renewed.
    pub fn ttl(&self) -> Duration {
        self.handle.ttl
    }

    /// Acquires the lease of what stands in `slot` of the records' backend.
    ///
    /// # Errors
    ///
    /// [`LeaseError::HeldElsewhere`] if a member that is not known to be dead holds it, which is
    /// told at once and not waited for; [`LeaseError::HeldHere`];
    /// [`LeaseError::Lost`] and [`LeaseError::Left`] if this process is no member;
    /// [`LeaseError::Unavailable`] after several attempts; [`LeaseError::Unreadable`].
    ///
    /// # Cancel safety
    ///
    /// A lease that is got after the future was dropped is released in the background.
    pub async fn acquire(&self, slot: Slot) -> Result<Lease, LeaseError> {
        let (reply, told) = oneshot::channel();
        self.handle.send(Message::Acquire { slot, reply });
        let lease = told.await.map_err(|_| LeaseError::Left)??;
        if lease.is_held() {
            Ok(lease)
        } else {
            Err(LeaseError::Lost)
        }
    }

    /// Who holds the lease of what stands in `slot`; `None` if nobody does that is not known to be
    /// dead.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Unavailable`], [`LeaseError::Unreadable`], [`LeaseError::Left`].
    ///
    /// # Cancel safety
    ///
    /// Safe: it only reads.
    pub async fn holder(&self, slot: Slot) -> Result<Option<Member>, LeaseError> {
        let (reply, told) = oneshot::channel();
        self.handle.send(Message::Holder { slot, reply });
        told.await.map_err(|_| LeaseError::Left)?
    }

    /// What happens from now on.
    pub fn news(&self) -> News {
        News {
            receiver: self.handle.news.activate_cloned(),
        }
    }

    /// Leaves: every lease is lost at once, and others are told that they are free. Returns once
    /// the backend knows, or after several attempts to tell it; others then find out by themselves
    /// after the ttl.
    ///
    /// # Cancel safety
    ///
    /// It goes on in the background if the future is dropped.
    pub async fn leave(&self) {
        let (done, left) = oneshot::channel();
        self.handle.send(Message::Leave { done: Some(done) });
        let _ended = left.await;
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases")
            .field("member", &self.member())
            .field("ttl", &self.handle.ttl)
            .finish_non_exhaustive()
    }
}
