//! In place of `cluster` where no stores are built in: every manager is alone then. None of what is
//! here can ever be made.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::LogoutReport;
use super::error::ManagerError;
use super::inner::Inner;
use super::joining::Started;
use super::key::Who;
use super::restore::Restored;
use crate::provider::Provider;
use crate::store::{Record, RecordName, Revision, Store, StoreFuture, Stored, Tombstone};

pub(super) type Previous = Infallible;
type Claim = Infallible;

#[derive(Clone)]
pub(super) struct Settings(Infallible);

pub(super) struct Cluster(Infallible);

impl Cluster {
    pub(super) fn new(settings: Settings, _store: Arc<dyn Store>, _patience: Duration) -> Self {
        match settings.0 {}
    }

    pub(super) fn fence(&self, _provider: Arc<dyn Provider>) -> (Arc<dyn Provider>, Arc<Gate>) {
        match self.0 {}
    }

    pub(super) fn start(&self, _manager: &Arc<Inner>) {
        match self.0 {}
    }

    pub(super) fn stop(&self) {
        match self.0 {}
    }
}

pub(super) struct Gate(Infallible);

impl Gate {
    pub(super) fn right(&self) -> &Self {
        self
    }

    pub(super) fn named(&self, _name: &RecordName) -> bool {
        match self.0 {}
    }

    pub(super) async fn release(&self) {
        match self.0 {}
    }
}

impl Store for Gate {
    fn load<'a>(&'a self, _: &'a RecordName) -> StoreFuture<'a, Stored> {
        match self.0 {}
    }

    fn save<'a>(&'a self, _: &'a RecordName, _: Record, _: Revision) -> StoreFuture<'a, Revision> {
        match self.0 {}
    }

    fn erase<'a>(
        &'a self,
        _: &'a RecordName,
        _: Tombstone,
        _: Revision,
    ) -> StoreFuture<'a, Revision> {
        match self.0 {}
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        match self.0 {}
    }
}

impl From<Infallible> for Restored {
    fn from(refused: Infallible) -> Self {
        match refused {}
    }
}

impl Started {
    pub(super) async fn hold(&self, claim: Claim) -> Result<(), Infallible> {
        match claim {}
    }
}

impl Inner {
    pub(super) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    pub(super) async fn claim_login(&self, _started: &Started) -> Result<(), ManagerError> {
        Ok(())
    }

    pub(super) fn owns(&self, _name: &RecordName) -> bool {
        true
    }

    pub(super) async fn claim_stored(
        &self,
        _name: &RecordName,
    ) -> Result<Option<Claim>, Infallible> {
        Ok(None)
    }

    pub(super) async fn reclaim(self: Arc<Self>, _id: u64, _name: RecordName) {}

    pub(super) async fn release_all(&self) {}

    pub(super) async fn log_out_elsewhere(&self, who: &Who) -> Result<LogoutReport, ManagerError> {
        Err(ManagerError::NotFound { who: who.clone() })
    }

    pub(super) fn tell_taken_over(&self, _started: &Started, previous: Previous) {
        match previous {}
    }
}
