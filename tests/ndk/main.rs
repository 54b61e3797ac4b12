//! The Nostr Development Kit: its files, and what goes wrong with its sessions and does not here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod files;
mod processes;
mod restores;
mod signers;
mod support;
mod transfer;

#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/moody.rs"]
mod moody;
