//! What the tests share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use moorline::store::{Record, RecordName, Tombstone};
use moorline::{Account, DisconnectReason, NetworkId, Timestamp};

pub(crate) const PARTY: &str = "alice::1220c0ffee";
pub(crate) const APPLICATION: &str = "shop";

/// A folder of its own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("moorline-stores-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

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
