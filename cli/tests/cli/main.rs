//! The command as its users meet it: real processes, real sockets on this computer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod check;
mod connect;
mod demo;
mod graph;
mod help;
mod output;
mod run;
mod secrets;
mod sessions;
mod sessions_ndk;
mod support;
mod top;
mod wallet;
