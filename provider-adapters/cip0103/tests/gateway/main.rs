//! Sessions on the development wallet's gateway side, of both generations, through everything that
//! goes wrong there.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod approvals;
mod crowd;
#[cfg(feature = "tls")]
#[path = "../support/tls.rs"]
mod door;
mod events;
mod fences;
mod hostile;
mod logins;
mod many;
mod outages;
mod rig;
mod secrets;
#[path = "../support"]
mod support {
    pub(crate) mod names;
    pub(crate) mod scribe;
    pub(crate) mod session;
}
#[cfg(feature = "tls")]
mod tls;
