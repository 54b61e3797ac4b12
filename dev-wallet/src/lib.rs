//! A wallet for development and tests: a real server on a real socket, with faults on request.
//!
//! It serves the synchronous dApp API of CIP-0103 as JSON-RPC 2.0 over WebSocket: every method of
//! the API description, and its events as JSON-RPC notifications to every connection, the method
//! being the name of the event and the only param its payload. Any WebSocket client can speak to
//! it. Behind it are accounts with real Ed25519 keys, a session with a real (signed) JWT, and a
//! ledger in memory.
//!
//! What sets it apart is its [`Control`]: while clients are connected, it switches the party or
//! the network, ends the session, cuts every connection, refuses new ones, falls silent, sends
//! garbage. And it remembers every request, so that a test can prove what the wallet saw.
//!
//! ```
//! use moorline_dev_wallet::{Approval, DevWallet};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let wallet = DevWallet::builder()
//!     .accounts(["alice", "bob"])
//!     .network("canton:local")
//!     .approval(Approval::Auto)
//!     .start()
//!     .await?;
//! println!("a wallet at {}", wallet.url());
//! wallet.control().cut_all().await;
//! wallet.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How it is built
//!
//! Methods, params and answers go through jsonrpsee's `RpcModule`. The sockets are its own, with
//! `soketto`, the WebSocket implementation below jsonrpsee's server: that server pushes
//! notifications only to who has subscribed (CIP-0103 has no subscriptions), writes nothing but
//! valid JSON (a hostile wallet must be able to), always answers pings (a frozen one does not),
//! and stops running calls when a connection ends (a real wallet executes what it has).
//!
//! # Not for production
//!
//! Keys are derived from names, everybody who reaches the port is the same user, and approval is a
//! setting. It listens on the loopback interface unless told otherwise.

mod account;
mod admin;
mod approval;
mod builder;
mod clock;
mod config;
mod connection;
mod control;
mod error;
mod events;
mod faults;
mod gateway;
mod http;
mod idp;
mod journal;
mod ledger;
mod ledger_api;
mod log;
mod methods;
mod pages;
mod profile;
mod random;
mod rpc;
mod server;
mod session;
mod state;
mod transactions;
mod treat;
mod wallet;

pub use self::account::DevAccount;
pub use self::admin::{Act, Ends, FaultName, HowName, Kind, PlaceName, Plan, SessionsName};
pub use self::approval::{Approval, Pending, PendingKind, Prompt};
pub use self::builder::DevWalletBuilder;
pub use self::config::{DevWalletConfig, FileError};
pub use self::control::{Control, Sessions};
pub use self::error::{ControlError, StartError, UnknownAccount};
pub use self::http::{HttpFault, Place};
pub use self::journal::Happening;
pub use self::log::Seen;
pub use self::profile::{Deviation, Dialect, Profile, UnknownProfile};
pub use self::state::DevWalletState;
pub use self::treat::{Becoming, How};
pub use self::wallet::DevWallet;
