//! CIP-0103 for moorline.

mod error;
mod events;
mod jwt;
mod methods;
mod reading;
mod redact;
pub mod types;
mod ws;

pub use self::ws::{ConfigError, WsProvider, WsProviderBuilder};

/// What [`Provider::kind`](moorline::Provider::kind) says: the protocol, whatever carries it.
pub const KIND: &str = "cip0103";
