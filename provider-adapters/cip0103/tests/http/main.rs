//! The remote transport on real sockets, against gateways that misbehave.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod calls;
mod gate;
mod reauth;
mod recordings;
mod rig;
mod stream;
#[path = "../support"]
mod support {
    pub(crate) mod names;
    pub(crate) mod session;
}
