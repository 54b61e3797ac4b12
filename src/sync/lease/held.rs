//! A lease that is held.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::driver::Message;
use super::leases::Handle;
use super::standing::Standing;
use crate::store::Slot;
use crate::sync::Fence;

/// The right to act for something, as long as [`is_held`](Self::is_held) says so.
///
/// Dropping it releases it in the background. It keeps the process a member, as
/// [`Leases`](super::Leases) does.
pub struct Lease {
    pub(super) slot: Slot,
    pub(super) fence: Fence,
    pub(super) standing: Arc<Standing>,
    pub(super) handle: Arc<Handle>,
    pub(super) released: AtomicBool,
}

impl Lease {
    /// What it is the lease of.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// What whoever is acted upon is told. Its epoch is higher than that of every holder before.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// Whether it may be acted on, now: to be asked before every act. Reads two clocks and three
    /// atomics, waits for nothing. Once it has been lost, it stays so.
    pub fn is_held(&self) -> bool {
        !self.released.load(Ordering::Acquire) && self.standing.lasts()
    }

    /// Until when it is held if nothing is heard from the backend any more, by the runtime's own
    /// clock; a time that has passed once it was lost. It moves ahead with every renewal.
    pub fn deadline(&self) -> Instant {
        self.standing.deadline()
    }

    /// Resolves once it is no longer held: released, or lost. In time, also if the backend hangs.
    ///
    /// # Cancel safety
    ///
    /// Safe: it can be called again.
    pub async fn lost(&self) {
        let mut over = self.standing.over();
        // The sender is in `self`.
        let _never_closed = over.wait_for(|over| *over || !self.is_held()).await;
    }

    /// Lets it go, so that another may acquire it at once. Whatever is done under it must have
    /// ended: from here on [`is_held`](Self::is_held) is false. Returns once the backend knows, or
    /// once this process is no member any more, which frees it as well.
    ///
    /// # Cancel safety
    ///
    /// It is released in the background if the future is dropped.
    pub async fn release(self) {
        let (done, released) = oneshot::channel();
        self.let_go(Some(done));
        let _ended = released.await;
    }

    fn let_go(&self, done: Option<oneshot::Sender<()>>) {
        if !self.released.swap(true, Ordering::AcqRel) {
            let epoch = self.fence.epoch;
            self.handle.send(Message::Release {
                slot: self.slot,
                member: self.standing.member.id,
                epoch,
                done,
            });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.let_go(None);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("fence", &self.fence)
            .field("held", &self.is_held())
            .finish_non_exhaustive()
    }
}
