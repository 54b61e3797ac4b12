//! Stores that outlive the process: what they keep, refuse and survive.

#![allow(clippy::unwrap_used, clippy::panic)]

mod forgery;
mod keys;
mod promises;
mod sessions;
mod suite;
mod support;
