//! What the tests share.

use std::path::{Path, PathBuf};

use moorline::store::{Record, RecordName, Tombstone};
use moorline::{Account, DisconnectReason, NetworkId, Timestamp};

#[path = "../support/folder.rs"]
mod folder;

pub(crate) use self::folder::Folder;

pub(crate) const PARTY: &str = "alice::1220c0ffee";
pub(crate) const APPLICATION: &str = "shop";

pub(crate) fn name(text: &str) -> RecordName {
    RecordName::from(text)
}

pub(crate) fn record(party: &str) -> Record {
    Record::new(
        "scripted",
        vec![Account::primary(party).with_label("Alice")],
        Some(NetworkId::new("canton:local")),
        Timestamp::from_millis(1_773_144_000_000),
    )
}

pub(crate) fn tombstone() -> Tombstone {
    Tombstone::new(
        DisconnectReason::User,
        Timestamp::from_millis(1_773_144_000_001),
    )
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
