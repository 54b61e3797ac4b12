//! How fences travel: a header that says under which right somebody acts.

use std::sync::{Mutex, PoisonError};

use jsonrpsee::client_transport::ws::HeaderValue;
use moorline::sync::Fence;

/// The header.
pub(crate) const HEADER: &str = "moorline-fence";

/// The fence that one session acts under at present, if any, as it travels.
#[derive(Default)]
pub(crate) struct Present(Mutex<Option<HeaderValue>>);

impl Present {
    pub(crate) fn set(&self, fence: &Fence) {
        let value = HeaderValue::from_str(&fence.to_string());
        if value.is_err() {
            tracing::warn!("the name of a lease holds what no header can carry: it is not sent");
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value.ok();
    }

    pub(crate) fn get(&self) -> Option<HeaderValue> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        value.clone()
    }
}
