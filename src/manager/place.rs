//! Where one session is stored: known once its account is, and another when that changes.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::cluster::Gate;
use crate::provider::{Provider, ProviderError, ProviderPayload};
use crate::snapshot::DisconnectReason;
use crate::store::{
    Changes, Record, RecordName, Revision, Slot, Store, StoreFuture, Stored, Tombstone,
};

/// The store of one session. It writes under the name that the manager gave it, and adds what the
/// provider needs to be built again.
pub(super) struct Place {
    store: Arc<dyn Store>,
    provider: Arc<dyn Provider>,
    at: watch::Sender<At>,
    /// What was stored of the provider: kept where the provider says nothing.
    kept: Mutex<Option<ProviderPayload>>,
    payload_failed: Box<dyn Fn(ProviderError) + Send + Sync>,
    /// What it writes through in a cluster.
    gate: Option<Arc<Gate>>,
}

/// Where it is.
#[derive(Clone)]
enum At {
    /// Not known yet: the session's calls wait.
    Undecided,
    /// Under a name. `moved` until it was written there after another place: an end that stands
    /// there is that of an earlier session.
    Name { name: RecordName, moved: bool },
    /// Another session has taken over: nothing is written any more.
    Nowhere,
}

impl Place {
    pub(super) fn new(
        store: Arc<dyn Store>,
        provider: Arc<dyn Provider>,
        payload_failed: Box<dyn Fn(ProviderError) + Send + Sync>,
    ) -> Self {
        Self {
            store,
            provider,
            at: watch::Sender::new(At::Undecided),
            kept: Mutex::default(),
            payload_failed,
            gate: None,
        }
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
        self.at.send_modify(|at| {
            let moved = matches!(at, At::Name { .. });
            *at = At::Name { name, moved };
        });
    }

    /// Nothing is read or written from here on.
    pub(super) fn take_away(&self) {
        self.at.send_replace(At::Nowhere);
    }

    /// Keeps what is stored of the provider.
    pub(super) fn keep(&self, payload: Option<ProviderPayload>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = payload;
    }

    async fn at(&self) -> At {
        let mut at = self.at.subscribe();
        let decided = at.wait_for(|at| !matches!(at, At::Undecided)).await;
        decided.map_or(At::Nowhere, |at| at.clone())
    }

    fn payload(&self) -> Option<ProviderPayload> {
        let now = self.provider.payload().unwrap_or_else(|error| {
            (self.payload_failed)(error);
            None
        });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_some() {
            kept.clone_from(&now);
        }
        kept.clone()
    }

    fn written(&self, under: &RecordName) {
        self.at.send_if_modified(|at| {
            if let At::Name { name, moved } = at
                && name == under
            {
                *moved = false;
            }
            false
        });
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
            let record = record.with_payload(self.payload());
            let revision = self.store.save(&name, record, expected).await?;
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
                At::Undecided | At::Nowhere => Ok(Revision::NONE),
            }
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        self.store.list()
    }

    fn changes(&self) -> Option<Changes> {
        self.store.changes()
    }

    fn slot<'a>(&'a self, _: &'a RecordName) -> StoreFuture<'a, Option<Slot>> {
        Box::pin(async move {
            match self.at().await {
                At::Name { name, .. } => self.store.slot(&name).await,
                At::Undecided | At::Nowhere => Ok(None),
            }
        })
    }
}
