//! A wallet that does as it is told: a [`moorline::Provider`] played from a script.
//!
//! [`ScriptedWallet`] builds the provider for the session and a [`Control`] for the test. Without
//! instructions the wallet behaves well: it opens at once, has one account on one network, answers
//! every request and accepts every disconnect. The control changes how it answers the next calls
//! ([`Control::on`]), makes it say things by itself ([`Control::push`] and the methods named after
//! what happens), and tells what it saw ([`Control::calls`], [`Control::executions`]).
//! Where sessions are stored and built again, it says what its provider is built from
//! ([`ScriptedWallet::payload`]).
//!
//! Delays follow tokio's clock. Under paused time a test of a 30-day expiry takes milliseconds:
//!
//! ```
//! use std::time::Duration;
//!
//! use moorline::provider::{ErrorKind, ProviderError};
//! use moorline::{Session, Status};
//! use moorline_scripted::{Behaviour, On, ScriptedWallet};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (provider, wallet) = ScriptedWallet::new().accounts(["alice", "bob"]).build();
//! let session = Session::builder(provider).build()?;
//! session.connect().await?;
//!
//! // The wallet goes away, and comes back at the third attempt.
//! let refused = ProviderError::new(ErrorKind::Unreachable, "connection refused");
//! wallet.on(On::Open, Behaviour::fail(refused.clone()).times(2));
//! wallet.drop_link(refused);
//!
//! // An operation submitted meanwhile is held, and executed once.
//! let signed = session.request("signMessage", json!({ "message": "hello" })).await?;
//! assert_eq!(signed["account"], "alice");
//! assert_eq!(session.status(), Status::Connected);
//! assert_eq!(wallet.count(&On::Open), 4);
//! assert_eq!(wallet.executions("signMessage"), 1);
//!
//! // An answer that takes its time, in virtual time.
//! wallet.on(On::Probe, Behaviour::answer().after(Duration::from_secs(8)));
//! session.verify().await;
//! # Ok(())
//! # }
//! ```

mod behaviour;
mod builder;
mod control;
mod front;
mod provider;
mod state;
mod traffic;

pub use self::behaviour::{Behaviour, On, Script};
pub use self::builder::ScriptedWallet;
pub use self::control::Control;
pub use self::front::{Arranged, Arrangement, Flying, FrontProvider, Wire};
pub use self::provider::ScriptedProvider;
pub use self::traffic::{Call, Ending, What};
