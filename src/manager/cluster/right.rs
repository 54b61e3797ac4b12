//! One session's right to act: asked before every act, gone with its lease.

use std::sync::Arc;

use tokio::sync::watch;

use super::claims::Claim;
use crate::provider::{ErrorKind, ProviderError};
use crate::store::{RecordName, StoreError};
use crate::sync::Fence;

/// What a session acts under.
pub(in crate::manager) struct Right {
    now: watch::Sender<Now>,
}

#[derive(Clone)]
enum Now {
    /// A login: whom it is for is not known yet.
    Joining,
    Held(Arc<Claim>),
    /// The wallet made it act for somebody else, whose lease is being got.
    Moving(Arc<Claim>, RecordName),
    /// Nothing is done any more.
    Over,
}

impl Now {
    fn claim(&self) -> Option<&Arc<Claim>> {
        match self {
            Self::Held(claim) | Self::Moving(claim, _) => Some(claim),
            Self::Joining | Self::Over => None,
        }
    }
}

impl Right {
    pub(super) fn new() -> Self {
        Self {
            now: watch::Sender::new(Now::Joining),
        }
    }

    /// From here on it acts under this. Returns what it acted under before, to be released.
    pub(super) fn hold(&self, claim: Arc<Claim>) -> Option<Arc<Claim>> {
        match self.now.send_replace(Now::Held(claim)) {
            Now::Held(before) | Now::Moving(before, _) => Some(before),
            Now::Joining | Now::Over => None,
        }
    }

    /// It is stored under this name now. Whether the lease of that is to be got.
    pub(in crate::manager) fn named(&self, name: &RecordName) -> bool {
        let mut moves = false;
        self.now.send_if_modified(|now| {
            let (Now::Held(claim) | Now::Moving(claim, _)) = now else {
                return false;
            };
            let claim = claim.clone();
            moves = claim.name != *name;
            *now = match moves {
                true => Now::Moving(claim, name.clone()),
                false => Now::Held(claim),
            };
            true
        });
        moves
    }

    /// Acts under this from here on, if it is still the one that is to be got. Returns what is to
    /// be released: what it acted under before, or this.
    pub(super) fn arrive(&self, claim: Arc<Claim>) -> Arc<Claim> {
        let mut left = claim.clone();
        self.now.send_if_modified(|now| match now {
            Now::Moving(before, to) if *to == claim.name => {
                left = before.clone();
                *now = Now::Held(claim);
                true
            }
            _ => false,
        });
        left
    }

    /// Whether the lease of this name is still to be got.
    pub(super) fn is_moving_to(&self, name: &RecordName) -> bool {
        matches!(&*self.now.borrow(), Now::Moving(_, to) if to == name)
    }

    /// Whether it had a lease and has it no longer.
    pub(super) fn is_lost(&self) -> bool {
        let now = self.now.borrow();
        now.claim().is_some_and(|claim| !claim.lease.is_held())
    }

    /// Under which name it acts: while it moves, the one it leaves.
    pub(super) fn name(&self) -> Option<RecordName> {
        let now = self.now.borrow();
        now.claim().map(|claim| claim.name.clone())
    }

    /// What it acts under.
    pub(super) fn fence(&self) -> Option<Fence> {
        let now = self.now.borrow();
        now.claim().map(|claim| claim.lease.fence())
    }

    /// What it acts under, if it may act at all; `None` while a login finds out for whom it is.
    /// What acts for an account waits until its lease is there.
    pub(super) async fn get(&self, acts: bool) -> Result<Option<Arc<Claim>>, ProviderError> {
        let mut now = self.now.subscribe();
        let ready = |now: &Now| !(acts && matches!(now, Now::Moving(..)));
        let now = now.wait_for(ready).await.map_or(Now::Over, |it| it.clone());
        match now {
            Now::Joining => Ok(None),
            Now::Held(claim) | Now::Moving(claim, _) if claim.lease.is_held() => Ok(Some(claim)),
            Now::Held(_) | Now::Moving(..) | Now::Over => Err(lost().not_sent()),
        }
    }

    /// Waits until what stands under this name may be written.
    pub(super) async fn may_write(&self, name: &RecordName) -> Result<(), StoreError> {
        let mut now = self.now.subscribe();
        let decided = |now: &Now| match now {
            Now::Joining => false,
            Now::Moving(_, to) => to != name,
            Now::Held(_) | Now::Over => true,
        };
        let now = now.wait_for(decided).await;
        let held = now.is_ok_and(|now| {
            let claim = now.claim();
            claim.is_some_and(|claim| claim.name == *name && claim.lease.is_held())
        });
        match held {
            true => Ok(()),
            false => Err(StoreError::Unavailable {
                reason: "this process does not hold the lease of the record".into(),
            }),
        }
    }

    /// Nothing is done any more. Returns what is to be released.
    fn end(&self) -> Option<Arc<Claim>> {
        match self.now.send_replace(Now::Over) {
            Now::Held(claim) | Now::Moving(claim, _) => Some(claim),
            Now::Joining | Now::Over => None,
        }
    }

    /// Nothing is done any more, and another process may take over at once.
    pub(in crate::manager) async fn release(&self) {
        if let Some(claim) = self.end() {
            claim.release().await;
        }
    }
}

/// What is refused, or cut.
pub(super) fn lost() -> ProviderError {
    ProviderError::new(
        ErrorKind::LeaseLost,
        "this process does not hold the session's lease any more, another may act for it: ask the \
         session manager who holds it, or claim it again",
    )
}
