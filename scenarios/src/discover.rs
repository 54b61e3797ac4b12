//! Finding scenario files.

use std::path::{Path, PathBuf};

use crate::load::LoadError;

/// How the name of a scenario file ends.
const SUFFIX: &str = ".scenario.toml";

/// The scenario files under these paths, each once, in order of their names: a folder is searched
/// through all its folders for `*.scenario.toml`, a file is taken whatever it is called.
///
/// # Errors
///
/// [`LoadError::Unreadable`] for a path that cannot be read, [`LoadError::NothingFound`] for a
/// folder without scenarios.
pub fn discover<P: AsRef<Path>>(
    paths: impl IntoIterator<Item = P>,
) -> Result<Vec<PathBuf>, LoadError> {
    let mut found = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
        if !metadata.is_dir() {
            found.push(path.into());
            continue;
        }
        let before = found.len();
        search(path, &mut found)?;
        if found.len() == before {
            return Err(LoadError::NothingFound { path: path.into() });
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, error))?;
        let kind = entry
            .file_type()
            .map_err(|error| unreadable(&entry.path(), error))?;
        // Links are not followed: they could lead back up.
        if kind.is_dir() {
            search(&entry.path(), found)?;
        } else if entry.file_name().to_string_lossy().ends_with(SUFFIX) {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn unreadable(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::Unreadable {
        path: path.into(),
        source,
    }
}
