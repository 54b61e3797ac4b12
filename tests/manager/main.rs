//! Many sessions under one manager, under paused time with scripted wallets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod cluster;
mod events;
mod identity;
mod limits;
mod restore;
mod storage;
mod support;
