//! The development wallet, seen by a plain WebSocket client.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod client;
mod faults;
mod fences;
mod hostile;
mod methods;
mod page;
mod transactions;
