//! CIP-0103, the Canton dApp standard, for moorline.
//!
//! Two transports, one API: [`WsProvider`] is a [`Provider`](moorline::Provider) for wallets that
//! serve the synchronous dApp API over a WebSocket, [`HttpProvider`] one for remote gateways, which
//! serve the asynchronous one over HTTP with server-sent events. [`DappClient`] gives the methods of
//! the API types, over either. [`types`] is what travels.
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
//! # How the API travels over a WebSocket
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
//! # How the API travels over HTTP
//!
//! - One JSON-RPC 2.0 request a `POST`, no batches, params by name or absent, never `null`. The
//!   status of the answer means something, but the body says more: it is read first. Connections
//!   are shared by all sessions on a gateway ([`HttpProvider::another`]), HTTP/2 where the gateway
//!   offers it over TLS.
//! - Events come on `GET …/events` as `text/event-stream`: the name is that of the event, the data
//!   a JSON array that holds the payload, or the payload itself. There is no id, no replay, no
//!   heartbeat: what is sent while nobody listens is lost. So the stream is opened before anything
//!   is asked for, opened again whenever it ends, replaced before it is old, and after every gap
//!   accounts, network and session are asked again. [`STREAM_GAP`] events mark where something may
//!   be missing.
//! - The credential goes into the `Authorization` header, on the stream as well. It comes from an
//!   [`Authenticator`]: no gateway hands it out over this API. It is renewed
//!   ahead of its end, once for all sessions that share it.
//! - A session at the gateway is made by a person at its login page, or by this program through the
//!   gateway's user API ([`HttpProviderBuilder::network`]).
//! - `disconnect` ends the session at the gateway; at those of the first generation (one session a
//!   user) that of every other program of the user, too. [`Session::detach`](moorline::Session::detach)
//!   leaves it alone.
//!
//! # Fences
//!
//! A session that several processes share is held by one of them under a
//! [`Fence`](moorline::sync::Fence), which travels as the header `moorline-fence: <lease>:<epoch>`:
//! over HTTP with every call of the gateway's APIs and with the event stream, from the moment the
//! provider was told; over a WebSocket with the handshake, so that all of a connection is under the
//! fence it was opened with. A login finds out for whom it is before there can be a lease: its
//! first calls, over a WebSocket its whole first connection, are under none. The standard knows no
//! such header; wallets pass over it unless they refuse what comes late.
//!
//! "Not connected" is one answer of gateways for many things. They are told apart like this:
//!
//! | what happens | how it is known | verdict | the session |
//! |---|---|---|---|
//! | the credential ended | by its own `exp`, or as the identity provider said | unknown | renewed ahead; else expired, at its expiry |
//! | the session ended | the stream is refused with `No session`; `-32603 No session found` | invalid | re-authenticated, or revoked |
//! | the credential is not taken, or the gateway cannot ask its identity provider | the stream is refused with `Unauthenticated`; 4100 | unknown | asked again with pauses, with a fresh credential where there is one; then reconnecting |
//! | the gateway cannot be reached | neither stream nor request | unknown | reconnecting |
//! | the stream ended, requests work | a look at `isConnected` | valid | connected, the gap marked |
//! | too many requests | 429 | unknown | waits as long as the gateway says (`Retry-After` in seconds or as a date), at most a day |
//! | the ledger is away | `isNetworkConnected: false` | valid | connected, its link down |
//!
//! Where a session is re-authenticated, a no of the identity provider (`invalid_grant`,
//! `invalid_client`, a refresh token that is good no more) ends it. An identity provider or a
//! gateway that is away, busy or failing does not, nor a gateway that does not take a credential:
//! they are asked again.
//!
//! [`HttpProvider::status`] shows the four things behind this (authentication, session, network,
//! stream) each on its own.
//!
//! # What becomes of what a wallet says
//!
//! | the wallet says | the session hears |
//! |---|---|
//! | `connect` answers `isConnected: true` | connected, once `status` and `listAccounts` agree |
//! | `connect` answers `isConnected: false` and a `userUrl` | a login is needed there: `https`, or `http` on this computer |
//! | `isConnected: false` with a reason that means an end | the session is gone |
//! | `isConnected: false` otherwise | nobody knows; tried again |
//! | `statusChanged`, connected | over a WebSocket: network, reach of the network and expiry of the token change; over HTTP: look again, as it may be about another login |
//! | `statusChanged`, not connected | over a WebSocket as above; over HTTP: look again |
//! | `statusChanged` that cannot be understood | a report of that, nothing else |
//! | `accountsChanged` | look again: the standard lets the list be partial |
//! | `connected` | look again: it is never believed |
//! | `txChanged`, `messageSignature` | passed through, freed of secrets; over HTTP only what this program asked for, once |
//! | a `userUrl` for an approval | a person is needed there; an address that cannot be trusted is reported and not passed on |
//! | anything else | passed through, freed of secrets |
//! | a frame that is no JSON-RPC, an answer to nothing | the link is broken; a new one is made |
//!
//! Decoding is lenient (unknown fields, missing messages of errors, errors that are bare strings),
//! reports are strict. Lists, of accounts for one, are never taken for empty because they failed.
//!
//! # Features
//!
//! - `http` (default): remote gateways, [`HttpProvider`] and [`auth`].
//! - `tls` (default): `wss` and `https` addresses, by `rustls` with `ring`.

mod address;
#[cfg(feature = "http")]
pub mod auth;
pub mod client;
mod command_id;
mod config;
mod error;
mod events;
mod fence;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "http")]
mod http;
mod jwt;
mod methods;
mod reading;
pub mod redact;
#[cfg(feature = "tls")]
mod tls;
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
