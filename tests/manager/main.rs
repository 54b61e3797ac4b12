//! Many sessions under one manager, under paused time with scripted wallets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod about;
mod accounts;
mod cluster;
mod events;
mod failing;
mod hydration;
mod identity;
mod limits;
mod own_record;
mod restore;
mod revoke;
mod sealed;
mod storage;
mod support;

#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/moody.rs"]
mod moody;
#[allow(dead_code, reason = "leases are what it is for")]
#[path = "../support/wire.rs"]
mod wire;
