//! What is known about a session beside what it is: when it was made and used, and by what.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// When a session was made and used, and, where the application says so, by what.
///
/// A client's address and agent are personal data: they are written by stores that encrypt alone,
/// are not exported, and show in no `Debug`.
#[derive(Clone, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct About {
    /// When the account was logged in. A reconnect, a restore, a re-authentication or a renewal
    /// does not move it.
    pub created_at: Timestamp,
    /// When the record was written last.
    pub updated_at: Timestamp,
    /// When the session was last used, as of that write.
    pub last_active_at: Timestamp,
    /// What the application calls it, such as `Alice's laptop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// The address of the client it serves, as the application gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<Arc<str>>,
    /// The program of the client it serves, as the application gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_agent: Option<Arc<str>>,
}

impl About {
    /// About a session that was made at `created_at` and not used since.
    pub fn new(created_at: Timestamp) -> Self {
        Self {
            created_at,
            updated_at: created_at,
            last_active_at: created_at,
            label: None,
            client_address: None,
            client_agent: None,
        }
    }

    /// The same without personal data but for what `kept` has.
    #[cfg(feature = "stores")]
    pub(super) fn without_client(&self, kept: Option<&Self>) -> Self {
        Self {
            client_address: kept.and_then(|kept| kept.client_address.clone()),
            client_agent: kept.and_then(|kept| kept.client_agent.clone()),
            ..self.clone()
        }
    }
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |known: &Option<Arc<str>>| known.as_ref().map(|_| "hidden");
        f.debug_struct("About")
            .field("created_at", &self.created_at)
            .field("updated_at", &self.updated_at)
            .field("last_active_at", &self.last_active_at)
            .field("label", &self.label)
            .field("client_address", &hidden(&self.client_address))
            .field("client_agent", &hidden(&self.client_agent))
            .finish()
    }
}
