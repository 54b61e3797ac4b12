//! The user's commands: handed to the machine, and waited for together with all who said the same.

use std::sync::Arc;

use super::shared::Shared;
use crate::error::ConnectError;
use crate::machine::{DisconnectReport, Input, RestoreOutcome};
use crate::provider::{CloseMode, Verdict};
use crate::snapshot::Snapshot;

impl Shared {
    pub(super) async fn connect(&self) -> Result<Arc<Snapshot>, ConnectError> {
        let waiter = self.ask(Input::Connect, |waiters| waiters.connect.join());
        waiter.await.unwrap_or(Err(ConnectError::Closed))
    }

    pub(super) async fn restore(&self) -> RestoreOutcome {
        let waiter = self.ask(Input::Restore, |waiters| waiters.restore.join());
        waiter.await.unwrap_or(RestoreOutcome::Superseded)
    }

    /// As [`restore`](Self::restore), with nobody who waits yet.
    pub(super) fn begin_restore(&self) {
        self.handle(Input::Restore);
    }

    pub(super) async fn disconnect(&self, mode: CloseMode) -> DisconnectReport {
        let waiter = self.ask(Input::Disconnect(mode), |waiters| waiters.disconnect.join());
        waiter.await.unwrap_or_default()
    }

    pub(super) fn save_again(&self) {
        self.handle(Input::Save);
    }

    pub(super) async fn verify(&self) -> Verdict {
        let waiter = self.ask(Input::Verify, |waiters| waiters.verify.join());
        waiter.await.unwrap_or(Verdict::Unknown)
    }

    pub(super) async fn close(&self) {
        let waiter = self.ask(Input::Close { flush: true }, |waiters| waiters.close.join());
        // An error means that it is closed for longer.
        let _closed = waiter.await;
    }
}
