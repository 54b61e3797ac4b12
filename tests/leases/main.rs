//! Leases over a backend, in virtual time and in real time.

#![cfg(feature = "stores")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod faults;
mod feed;
mod stress;
mod support;
mod takeover;

#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/wire.rs"]
mod wire;
