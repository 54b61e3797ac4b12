//! Where one session is stored: known once its account is, and another when that changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::cluster::Gate;
use super::event::ManagerEventKind;
use super::inner::Inner;
use super::usage::Usage;
use crate::provider::{Provider, ProviderPayload};
use crate::snapshot::DisconnectReason;
use crate::store::{
    Changes, Record, RecordName, Revision, Slot, Store, StoreFuture, Stored, Tombstone,
};

/// The store of one session. It writes under the name that the manager gave it, and adds what the
/// provider needs to be built again and what is known about the session.
pub(super) struct Place {
    /// The session's number.
    pub(super) id: u64,
    pub(super) manager: Weak<Inner>,
    pub(super) store: Arc<dyn Store>,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) usage: Arc<Usage>,
    pub(super) inside: Mutex<Inside>,
    /// What it writes through in a cluster.
    pub(super) gate: Option<Arc<Gate>>,
}

#[derive(Default)]
pub(super) struct Inside {
    at: At,
    /// What was stored of the provider: kept where the provider says nothing.
    kept: Option<ProviderPayload>,
}

/// Where it is.
#[derive(Clone)]
enum At {
    /// Not known yet: the session's calls wait, and are told when it is.
    Undecided(Arc<Notify>),
    /// Under a name. `moved` until it was written there after another place: an end that stands
    /// there is that of an earlier session.
    Name { name: RecordName, moved: bool },
    /// Another session has taken over, or everything was cleared: nothing is written any more.
    Nowhere,
}

impl Default for At {
    fn default() -> Self {
        Self::Undecided(Arc::default())
    }
}

impl At {
    /// Wakes whoever waited for what comes after this.
    fn over(self) {
        if let Self::Undecided(waiting) = self {
            waiting.notify_waiters();
        }
    }
}

impl Place {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes through this from now on.
    pub(super) fn through(mut self, gate: Option<Arc<Gate>>) -> Self {
        if let Some(gate) = &gate {
            self.store = gate.clone();
        }
        self.gate = gate;
        self
    }

    pub(super) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.as_ref()
    }

    /// Puts it under a name. The next write goes there.
    pub(super) fn put(&self, name: RecordName) {
        let mut inside = self.inside();
        let moved = matches!(inside.at, At::Name { .. });
        let before = std::mem::replace(&mut inside.at, At::Name { name, moved });
        drop(inside);
        before.over();
    }

    /// Nothing is read or written from here on. What is being written right now may still come to
    /// stand, but only in place of what stood there when it began.
    pub(super) fn take_away(&self) {
        let before = std::mem::replace(&mut self.inside().at, At::Nowhere);
        before.over();
    }

    /// Where it is, if it is anywhere.
    pub(super) fn name(&self) -> Option<RecordName> {
        match &self.inside().at {
            At::Name { name, .. } => Some(name.clone()),
            At::Undecided(_) | At::Nowhere => None,
        }
    }

    /// Keeps what is stored of the provider.
    pub(super) fn keep(&self, payload: Option<ProviderPayload>) {
        self.inside().kept = payload;
    }

    async fn at(&self) -> At {
        loop {
            // Begins to listen while it is certain that nothing was told yet.
            let decided = match &self.inside().at {
                At::Undecided(waiting) => waiting.clone().notified_owned(),
                at => return at.clone(),
            };
            decided.await;
        }
    }

    fn payload(&self) -> Option<ProviderPayload> {
        let now = self.provider.payload().unwrap_or_else(|error| {
            if let Some(manager) = self.manager.upgrade() {
                manager.with(|state| {
                    state.tell(self.id, || ManagerEventKind::PayloadFailed { error });
                });
            }
            None
        });
        let mut inside = self.inside();
        if now.is_some() {
            inside.kept.clone_from(&now);
        }
        inside.kept.clone()
    }

    fn written(&self, under: &RecordName) {
        if let At::Name { name, moved } = &mut self.inside().at
            && name == under
        {
            *moved = false;
        }
    }
}

impl Store for Place {
    fn load<'a>(&'a self, _: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async move {
            let At::Name { name, moved } = self.at().await else {
                return Ok(Stored::Nothing);
            };
            let stored = self.store.load(&name).await?;
            Ok(match stored {
                Stored::Tombstone {
                    tombstone,
                    revision,
                } if moved => Stored::Tombstone {
                    tombstone: Tombstone::new(DisconnectReason::Initial, tombstone.at),
                    revision,
                },
                stored => stored,
            })
        })
    }

    fn save<'a>(
        &'a self,
        _: &'a RecordName,
        record: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            let At::Name { name, .. } = self.at().await else {
                return Ok(expected.next());
            };
            let about = self.usage.about_to_write();
            let record = record
                .with_payload(self.payload())
                .with_about(about.clone());
            let revision = self.store.save(&name, record, expected).await?;
            self.usage.written(&about);
            self.written(&name);
            Ok(revision)
        })
    }

    fn erase<'a>(
        &'a self,
        _: &'a RecordName,
        tombstone: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            let At::Name { name, .. } = self.at().await else {
                return Ok(expected.next());
            };
            let revision = self.store.erase(&name, tombstone, expected).await?;
            self.written(&name);
            Ok(revision)
        })
    }

    fn set_aside<'a>(&'a self, _: &'a RecordName) -> StoreFuture<'a, Revision> {
        Box::pin(async move {
            match self.at().await {
                At::Name { name, .. } => self.store.set_aside(&name).await,
                At::Undecided(_) | At::Nowhere => Ok(Revision::NONE),
            }
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        self.store.list()
    }

    fn keeps_secrets(&self) -> bool {
        self.store.keeps_secrets()
    }

    fn changes(&self) -> Option<Changes> {
        self.store.changes()
    }

    fn slot<'a>(&'a self, _: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        Box::pin(async move {
            match self.at().await {
                At::Name { name, .. } => self.store.slot(&name).await,
                At::Undecided(_) | At::Nowhere => Ok(None),
            }
        })
    }
}
