//! Looks at a folder now and then, where nobody says what happens in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::super::files;
use super::{Folder, Stop};
use crate::store::{Change, Slot};

/// File systems note times in steps. A folder that changed so shortly before it was looked at may
/// change again without a later time.
const COARSEST: Duration = Duration::from_secs(2);
/// A folder whose time has not moved is looked through all the same now and then: files that are
/// written in place do not move it.
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);

/// What a look at the folder found.
pub(super) struct Seen {
    /// When the folder changed last, if it is there.
    folder: Option<SystemTime>,
    /// Whether it may have changed after it was looked at without that showing in the time.
    fresh: bool,
    files: BTreeMap<Slot, Stamp>,
    /// Since when it has not been looked through.
    idle: Duration,
}

/// What differs when a file is replaced.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Seen {
    pub(super) fn look(path: &Path) -> Self {
        let folder = modified(path);
        let age = folder.and_then(|at| SystemTime::now().duration_since(at).ok());
        Self {
            folder,
            // A time ahead of the clock says nothing.
            fresh: age.is_none_or(|age| age < COARSEST),
            files: files(path),
            idle: Duration::ZERO,
        }
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

fn files(path: &Path) -> BTreeMap<Slot, Stamp> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let slot = files::slot_of(entry.file_name().to_str()?)?;
            let metadata = entry.metadata().ok()?;
            #[cfg(unix)]
            let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
            #[cfg(not(unix))]
            let inode = 0;
            let stamp = Stamp {
                modified: metadata.modified().ok(),
                length: metadata.len(),
                inode,
            };
            Some((slot, stamp))
        })
        .collect()
}

/// Looks until it is time to end.
pub(super) fn run(folder: &Folder, interval: Duration, stop: &Stop, mut seen: Seen) {
    while !stop.wait(interval) {
        seen.idle += interval;
        let now = modified(&folder.path);
        if now == seen.folder && !seen.fresh && seen.idle < AT_LEAST_EVERY {
            continue;
        }
        let found = Seen::look(&folder.path);
        if found.folder.is_none() {
            // Away: what is there when it is back is told then.
            seen.folder = None;
            continue;
        }
        if seen.folder.is_none() {
            folder.feed.tell(Change::Resync);
        } else {
            let changed = found
                .files
                .iter()
                .filter(|(slot, stamp)| seen.files.get(slot) != Some(stamp));
            changed.for_each(|(slot, _)| folder.tell(*slot));
            let gone = seen.files.keys();
            gone.filter(|slot| !found.files.contains_key(slot))
                .for_each(|slot| folder.tell(*slot));
        }
        seen = found;
    }
}
