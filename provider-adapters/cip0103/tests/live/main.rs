//! The adapter against the development wallet, over real sockets.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "tls")]
#[path = "../support/tls.rs"]
mod door;
mod faults;
mod fences;
mod harness;
mod opening;
mod requests;
mod session_cuts;
mod session_lifecycle;
#[path = "../support"]
mod support {
    pub(crate) mod session;
}
#[cfg(feature = "tls")]
mod tls;
mod typed_client;
