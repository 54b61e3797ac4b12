//! The development wallet over HTTP, seen by a plain client.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod admin;
mod client;
mod dialects;
mod faults;
mod fences;
mod idp;
mod lifecycle;
mod pages;
mod refusals;
