//! The kit against wallets that do nothing, wallets that do everything, and wallets with one fault.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod catalogue;
mod dev_wallet;
mod gateways;
mod null_wallets;
mod person;
mod planted;
mod planted_http;
mod proxy;
mod swap;
