//! A wallet for development and tests: a real server on a real socket, with faults on request.
//!
//! It serves the synchronous dApp API of CIP-0103 as JSON-RPC 2.0 over WebSocket: every method of
//! the API description, and its events as JSON-RPC notifications to every connection, the method
//! being the name of the event and the only param its payload. Any WebSocket client can speak to
//! it. Behind it are accounts with real Ed25519 keys, a session with a real (signed) JWT, and a
//! ledger in memory.
//!
//! Over HTTP, at the same port, it is a wallet gateway: the asynchronous dApp API by POST, events
//! as server-sent events, a user API to log in by, a small OpenID Connect provider, and pages for
//! people. [`Profile`] says whose manners it has there: the standard's, or those of one of the two
//! generations of gateways that are in use; each way in which they leave the standard is a switch
//! of [`Dialect`].
//!
//! | path | what it is |
//! |---|---|
//! | `/api/v0/dapp` | JSON-RPC by POST: the dApp API |
//! | `/api/v0/dapp/events` | server-sent events; the token in the header or as `?token=` |
//! | `/api/v0/user` | JSON-RPC by POST: sessions, networks, transactions |
//! | `/idp/…` | discovery, keys, authorization code with PKCE, client credentials, refresh |
//! | `/ledger/…` | the ledger itself, for direct reads |
//! | `/login/`, `/approve/…` | pages for people |
//! | `/.well-known/wallet-gateway-…`, `/healthz`, `/readyz` | who and how it is |
//! | `/admin/…` | `POST` the name of an [`Act`]; `GET` `state`, `log`, `fences` and `acts`; from this computer alone |
//! | anything else | a WebSocket |
//!
//! Out of the box there is a user `dev-user` without a password, a public program `moorline-cli`, a
//! confidential one `moorline-backend` with the secret `dev-secret`, and (in [`Profile::G2`]) the
//! API key `dev-api-key`. [`DevWalletConfig`] has others from a file. Whoever knows the address of
//! a transaction's page may decide on it.
//!
//! What sets it apart is its [`Control`]: while clients are connected, it switches the party or
//! the network, ends the session, cuts every connection, refuses new ones, falls silent, sends
//! garbage; over HTTP it breaks streams, loses and doubles events, answers with pages, restarts. The
//! same is done by the admin endpoint, and by a [`Plan`] at its time. And it remembers every request,
//! so that a test can prove what the wallet saw.
//!
//! # Fences
//!
//! Where several programs share a session, the header `moorline-fence: <lease>:<epoch>` says under
//! which right one of them acts: with a POST that call, with the handshake of a WebSocket all of
//! that connection. The wallet remembers the highest epoch it saw of each lease. A call under a
//! lower one comes too late: it is counted ([`Control::fences`], `GET /admin/fences`) and, unless
//! [`Control::refuse_late_acts`] says otherwise, refused with `-32003`. Opening a WebSocket or a
//! stream late is no act; calls without the header are as ever.
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
//! Methods, params and answers go through jsonrpsee's `RpcModule`. HTTP is `hyper`, connection by
//! connection, on sockets that can be frozen, cut and slowed byte by byte. WebSockets are its own, with
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
mod fences;
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
pub use self::fences::{SeenFences, SeenLease};
pub use self::http::{HttpFault, Place};
pub use self::journal::Happening;
pub use self::log::Seen;
pub use self::profile::{Deviation, Dialect, Profile, UnknownProfile};
pub use self::state::DevWalletState;
pub use self::treat::{Becoming, How};
pub use self::wallet::DevWallet;
