//! The session under paused time: what needs tasks, wakers and dropped futures to be seen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod at_once;
mod budget;
mod cancel_safety;
mod close;
mod deadlines;
mod events;
mod hooks;
mod operations;
mod persistence;
mod reauth;
mod reconnect;
mod shared_store;
mod sharing;
mod support;

#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/moody.rs"]
mod moody;
