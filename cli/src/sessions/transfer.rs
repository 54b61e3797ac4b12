//! `moorline sessions export` and `import`: sessions in clear, between programs.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;

use moorline::store::{self, FileStore, RecordName, Revision, Store, Stored};
use serde_json::json;

use crate::failure::Failure;
use crate::output::{self, Output};

/// How a session is written in clear.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Format {
    /// As browser session managers for Canton read it
    V1,
    /// This program's own
    V2,
}

pub(super) async fn export(
    store: &FileStore,
    output: Output,
    name: &RecordName,
    out: &Path,
    format: Format,
) -> Result<(), Failure> {
    let Stored::Record { record, .. } = super::find(store, name).await? else {
        return Err(Failure::SessionEnded(name.clone()));
    };
    let text = match format {
        Format::V1 => store::export_v1(&record)?,
        Format::V2 => store::export(&record)?,
    };
    if out == Path::new("-") {
        return Ok(output::whole(&format!("{text}\n"))?);
    }
    write_new(out, &text)?;
    output.object(&json!({ "type": "exported", "name": name, "file": out }));
    output.say(&format!(
        "{name} is in {} in clear: delete it when it is no longer needed",
        out.display()
    ));
    Ok(())
}

pub(super) async fn import(
    store: &FileStore,
    output: Output,
    file: &Path,
    name: &RecordName,
    replace: bool,
) -> Result<(), Failure> {
    let text = read(file)?;
    let record = store::import(&text)?;
    let expected = match store.load(name).await? {
        Stored::Nothing => Revision::NONE,
        found if replace || matches!(found, Stored::Tombstone { .. }) => found.revision(),
        _ => return Err(Failure::SessionThere(name.clone())),
    };
    let identity = record.identity();
    store.save(name, record, expected).await?;
    output.object(&json!({ "type": "imported", "name": name, "identity": identity }));
    match identity {
        Some(identity) => output.say(&format!("{name} is stored: {identity}")),
        None => output.say(&format!("{name} is stored")),
    }
    Ok(())
}

/// Writes a file that only its owner can read, and never over one that is there.
pub(super) fn write_new(out: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(out).and_then(|mut file| {
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
    });
    written.map_err(|source| Failure::SessionFile {
        path: out.to_owned(),
        source,
    })
}

/// Reads a file, or the standard input for `-`.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().lock().read_to_string(&mut text);
        read.map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    text.map_err(|source| Failure::SessionFile {
        path: file.to_owned(),
        source,
    })
}
