#![doc = include_str!("../README.md")]

pub mod clock;
pub mod error;
pub mod event;
pub mod identity;
pub mod machine;
pub mod manager;
pub mod policy;
pub mod provider;
pub mod session;
pub mod snapshot;
pub mod store;
pub mod sync;

pub use self::clock::Timestamp;
pub use self::error::{BuildError, ConnectError, OperationError};
pub use self::event::{Event, EventKind};
pub use self::identity::{Account, AccountId, Identity, NetworkId};
pub use self::manager::SessionManager;
pub use self::policy::Policy;
pub use self::provider::{Epoch, NetworkLink, Provider, ProviderError, ProviderEvent, UserAction};
pub use self::session::Session;
pub use self::snapshot::{DisconnectReason, ReconnectCause, Snapshot, Status};
