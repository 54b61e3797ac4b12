//! What is wrong with the wallet at the moment.

use std::collections::HashMap;
use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;

use crate::error::plain;
use crate::state::DevWalletState;

/// The faults switched on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Requests wait, unanswered.
    pub(crate) hang: bool,
    /// Sockets are not even read.
    pub(crate) freeze: bool,
    /// Every request takes this long before it is executed.
    pub(crate) slow: Option<Duration>,
    /// Every request is answered with this error.
    pub(crate) error: Option<(i32, String)>,
    /// Requests of these methods are answered with these errors.
    pub(crate) errors: HashMap<String, (i32, String)>,
    /// Signed transactions fail on the ledger.
    pub(crate) fail_transactions: bool,
}

impl DevWalletState {
    /// Does to a request what the faults demand; an error if it is to be answered with one.
    pub(crate) async fn suffer(&self, method: &str) -> Result<(), ErrorObjectOwned> {
        let slow = self.lock().faults.slow;
        if let Some(delay) = slow {
            tokio::time::sleep(delay).await;
        }
        self.until(|inner| !inner.faults.hang).await;
        let inner = self.lock();
        let error = inner.faults.errors.get(method);
        match error.or(inner.faults.error.as_ref()) {
            Some((code, message)) => Err(plain(*code, message)),
            None => Ok(()),
        }
    }
}
