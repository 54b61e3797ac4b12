//! CIP-0103, the Canton dApp standard, for moorline.
//!
//! [`WsProvider`] is a [`Provider`](moorline::Provider) for wallets that serve the synchronous dApp
//! API over a WebSocket; [`DappClient`] gives the methods of that API types. [`types`] is what
//! travels.
//!
//! ```
//! use moorline::Session;
//! use moorline_cip0103::{DappClient, WsProvider};
//! use moorline_dev_wallet::DevWallet;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let wallet = DevWallet::builder().accounts(["alice"]).start().await?;
//! let session = Session::builder(WsProvider::new(&wallet.url())?).build()?;
//! let snapshot = session.connect().await?;
//! assert!(snapshot.is_connected());
//!
//! let dapp = DappClient::new(session);
//! let signed = dapp.sign_message("hello").await?;
//! println!("{}", signed.signature);
//! # Ok(())
//! # }
//! ```
//!
//! # How the API travels
//!
//! The standard is agnostic of transports and says nothing of WebSockets. This is the binding used
//! here:
//!
//! - One WebSocket, text frames, one JSON-RPC 2.0 message a frame, no batches. Methods and params
//!   are those of the API description; params are by name, or absent.
//! - Events are JSON-RPC notifications from the wallet: the method is the name of the event
//!   (`accountsChanged`, `statusChanged`, `txChanged`, `connected`), the params are the payload
//!   itself or an array that holds nothing else. Nothing is subscribed to.
//! - The session with the wallet is the wallet's, not the connection's: a new connection finds it
//!   by `status`. Credentials, where a wallet wants any before, go into the handshake
//!   ([`WsProviderBuilder::authorization`]).
//!
//! # What becomes of what a wallet says
//!
//! | the wallet says | the session hears |
//! |---|---|
//! | `connect` answers `isConnected: true` | connected, once `status` and `listAccounts` agree |
//! | `connect` answers `isConnected: false` and a `userUrl` | a login is needed there: `https`, or `http` on this computer |
//! | `isConnected: false` with a reason that means an end | the session is gone |
//! | `isConnected: false` otherwise | nobody knows; tried again |
//! | `statusChanged`, connected | network, reach of the network and expiry of the token change |
//! | `statusChanged` that cannot be understood | a report of that, nothing else |
//! | `accountsChanged` | look again: the standard lets the list be partial |
//! | `connected` | look again: it is never believed |
//! | anything else | passed through, freed of secrets |
//! | a frame that is no JSON-RPC, an answer to nothing | the link is broken; a new one is made |
//!
//! Decoding is lenient (unknown fields, missing messages of errors, errors that are bare strings),
//! reports are strict. Lists, of accounts for one, are never taken for empty because they failed.
//!
//! # Features
//!
//! - `tls` (default): `wss` addresses, by `rustls` with `ring`.

mod address;
#[cfg(feature = "http")]
pub mod auth;
pub mod client;
mod command_id;
mod config;
mod error;
mod events;
#[cfg(feature = "http")]
mod http;
mod jwt;
mod methods;
mod reading;
mod redact;
pub mod types;
mod ws;

#[cfg(feature = "http")]
pub use self::auth::{Authenticator, Credentials};
pub use self::client::{CallError, DappClient, Outcome, Transaction};
pub use self::config::ConfigError;
pub use self::events::STREAM_GAP;
#[cfg(feature = "http")]
pub use self::http::{
    Authentication, Facet, GatewaySession, GatewayState, HttpProvider, HttpProviderBuilder, Reach,
    StreamState,
};
pub use self::ws::{WsProvider, WsProviderBuilder};

/// What [`Provider::kind`](moorline::Provider::kind) says: the protocol, whatever carries it.
pub const KIND: &str = "cip0103";
