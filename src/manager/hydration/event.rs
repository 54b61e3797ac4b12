//! What is told of hydration. Values are in no event.

use std::sync::Arc;

use serde::Serialize;

use super::version::Version;
use crate::provider::ProviderError;

/// Something that happened to data of a session. The [`ManagerEvent`](crate::manager::ManagerEvent)
/// around it says whose.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum HydrationEvent {
    /// `hydration:started`: a fetch began.
    #[serde(rename = "hydration:started")]
    Started {
        /// The name.
        name: Arc<str>,
        /// Why.
        cause: FetchCause,
    },
    /// `hydration:updated`: there is a new value.
    #[serde(rename = "hydration:updated")]
    Updated {
        /// The name.
        name: Arc<str>,
        /// Its version, if it has any.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<Version>,
    },
    /// `hydration:unchanged`: what was fetched is not newer than what is there.
    #[serde(rename = "hydration:unchanged")]
    Unchanged {
        /// The name.
        name: Arc<str>,
    },
    /// `hydration:failed`: a fetch failed; what is there stays, and is stale.
    #[serde(rename = "hydration:failed")]
    Failed {
        /// The name.
        name: Arc<str>,
        /// Which failure in a row, counted from 1.
        attempt: u32,
        /// What the fetcher said.
        error: ProviderError,
        /// When it is tried again, in milliseconds from now; `None` if it is not by itself.
        retry_in_ms: Option<u64>,
    },
    /// `hydration:invalidated`: a value is gone.
    #[serde(rename = "hydration:invalidated")]
    Invalidated {
        /// The name.
        name: Arc<str>,
        /// Why.
        cause: InvalidatedBy,
    },
}

/// Why a fetch began.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FetchCause {
    /// Somebody asked.
    Asked,
    /// What is there is no longer fresh, and somebody looked at it.
    Expired,
    /// The session acts for another account, or on another network.
    IdentityChanged,
    /// The account logged in.
    Login,
    /// The session is connected again.
    Reconnected,
    /// The session was restored.
    Restored,
    /// It is fetched again every so often.
    Scheduled,
}

/// Why a value is gone.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InvalidatedBy {
    /// The application said so.
    Asked,
    /// Room was made for another value.
    Capacity,
    /// The session is on another network.
    Network,
    /// The session acts for another account.
    Party,
}
