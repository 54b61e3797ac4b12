//! Hydration: named data about whom a session acts for, fetched by the application's own
//! functions, kept while it holds good, and never shown for somebody else.
//!
//! ```
//! use std::time::Duration;
//!
//! use moorline::manager::{DataName, Fetch, SessionManager};
//! use moorline_scripted::ScriptedWallet;
//! use serde_json::{Value, json};
//!
//! /// What is fetched, under which name.
//! const PROFILE: DataName<Value> = DataName::new("profile");
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let profile = Fetch::new(PROFILE, |context| async move {
//!     let account = context.session.account().to_string();
//!     Ok(context.session.request("getProfile", json!({ "of": account })).await?)
//! });
//! let manager = SessionManager::builder()
//!     .fetch(profile.ttl(Duration::from_secs(300)))
//!     .build()?;
//!
//! let (provider, _control) = ScriptedWallet::new().accounts(["alice"]).build();
//! let alice = manager.login(provider).await?;
//! // Begun by the login: this waits for it, and begins no second one.
//! let profile = alice.fetched(PROFILE).await?;
//! assert_eq!(profile["account"], "alice");
//! // What is there, without waiting.
//! assert!(alice.data(PROFILE).is_some_and(|profile| !profile.stale));
//! # manager.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! **When.** A fetch begins at a login, once a restored session is connected, when the session
//! acts for somebody else or on another network, and when it is connected again and what it has is
//! missing or no longer fresh; later when somebody asks for what is no longer fresh, and where that
//! is wanted, by the clock. Fetches begin only while the session is connected; those under way go
//! on while it reconnects, and stop when it is disconnected, logged out or closed.
//!
//! **For whom.** Data belongs to one session of the manager and one identity: two wallets of one
//! account fetch each their own, since one may be told what the other is not. When the account or
//! the network changes, all of it is gone in the same step; a late answer for the one before is
//! dropped, and whoever waits for it is told.
//!
//! **How much.** There is never more than one fetch of a name for a session: who asks meanwhile
//! shares its result. How many run at once is bounded, for each fetcher and for the manager; the
//! others wait in line. A failure is told, tried again with growing delays, and leaves the last
//! value in place, marked stale. A manager without fetchers keeps nothing and runs nothing for
//! any of this.
//!
//! **Which one counts.** Values may have a [`Version`]: an older one never replaces a newer one,
//! in whatever order they come.

mod cache;
mod event;
mod fetch;
mod handle;
mod link;
mod name;
mod run;
mod slot;
mod version;

use std::sync::Arc;

pub(super) use self::cache::Cache;
pub use self::event::{FetchCause, HydrationEvent, InvalidatedBy};
pub(super) use self::fetch::Kit;
pub use self::fetch::{Fetch, FetchContext};
pub use self::handle::Hydrated;
pub use self::name::DataName;
pub use self::version::{Version, Versioned};
use crate::provider::ProviderError;

/// Why data could not be given or taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// It could not be fetched. What is known already stays, and fetching goes on as configured.
    #[error("`{name}` could not be fetched: {error}")]
    Failed {
        /// The name.
        name: Arc<str>,
        /// What the fetcher said.
        #[source]
        error: ProviderError,
    },
    /// The session has left its manager, or the manager is closed.
    #[error("the session has left its manager: log in again")]
    Gone,
    /// The session acts for somebody else, or on another network.
    #[error("the session acts for somebody else by now: ask the one that the manager hands out")]
    IdentityChanged,
    /// Nothing is fetched while the session is not connected.
    #[error("`{name}` is not fetched while the session is not connected")]
    NotConnected {
        /// The name.
        name: Arc<str>,
    },
    /// Nothing has come under this name yet: its subscription said nothing within its deadline, or
    /// nothing was pushed.
    #[error("nothing has come for `{name}` yet")]
    Nothing {
        /// The name.
        name: Arc<str>,
    },
    /// Nothing was registered under this name.
    #[error("nothing is fetched under the name `{name}`: register it with the manager's builder")]
    Unknown {
        /// The name.
        name: Arc<str>,
    },
    /// What is fetched under this name has another type.
    #[error("`{name}` is a {is}, not a {asked}")]
    WrongType {
        /// The name.
        name: Arc<str>,
        /// Its type.
        is: &'static str,
        /// The type that was asked for.
        asked: &'static str,
    },
}
