//! Carries out one write of the machine against the store.

use std::sync::Arc;

use crate::machine::Write;
use crate::snapshot::DisconnectReason;
use crate::store::{RecordName, Revision, Store, StoreError, Stored};

/// How often a write is made against a newer revision before it counts as failed.
const MAX_CONFLICTS: usize = 5;

/// How a write ended.
pub(super) enum Written {
    /// It stands in the store under this revision.
    Done(Revision),
    /// Somebody else ended the session meanwhile; what they wrote stands.
    EndedElsewhere(Revision),
}

/// Writes, against the revision that is known or the one that stands there.
pub(super) async fn write(
    store: &dyn Store,
    name: &RecordName,
    write: &Write,
    known: Option<Revision>,
) -> Result<Written, StoreError> {
    if let Write::Save {
        record,
        unchanged: true,
        ..
    } = write
        && let Ok(Stored::Record {
            record: found,
            revision,
        }) = store.load(name).await
        && found.is_same_session(record)
    {
        return Ok(Written::Done(revision));
    }
    let mut revision = match known.filter(|_| !follows_elsewhere(write)) {
        Some(revision) => revision,
        None => match look(store, name, write).await? {
            Ok(revision) => revision,
            Err(written) => return Ok(written),
        },
    };
    let mut conflict = None;
    for _ in 0..MAX_CONFLICTS {
        let result = match write {
            Write::Save { record, .. } => store.save(name, record.clone(), revision).await,
            Write::Erase(tombstone) => store.erase(name, tombstone.clone(), revision).await,
        };
        match result {
            Ok(revision) => return Ok(Written::Done(revision)),
            Err(error @ (StoreError::Conflict { .. } | StoreError::Unreadable { .. })) => {
                conflict = Some(error);
            }
            Err(error) => return Err(error),
        }
        revision = match look(store, name, write).await? {
            Ok(revision) => revision,
            Err(written) => return Ok(written),
        };
    }
    Err(conflict.unwrap_or_else(|| StoreError::Unavailable {
        reason: Arc::from("too many conflicts"),
    }))
}

/// Whether the write follows from an end that another process may have written already.
fn follows_elsewhere(write: &Write) -> bool {
    matches!(write, Write::Erase(tombstone) if tombstone.reason == DisconnectReason::Remote)
}

/// The revision to write against, unless what stands there is final.
async fn look(
    store: &dyn Store,
    name: &RecordName,
    write: &Write,
) -> Result<Result<Revision, Written>, StoreError> {
    let stored = match store.load(name).await {
        // What cannot be read is kept elsewhere; the session that lives is written down.
        Err(StoreError::Unreadable { .. }) => return Ok(Ok(store.set_aside(name).await?)),
        loaded => loaded?,
    };
    let revision = stored.revision();
    let Stored::Tombstone { tombstone, .. } = stored else {
        return Ok(Ok(revision));
    };
    Ok(match write {
        // A user's disconnect is final for everything but a later `connect`.
        Write::Save { fresh: false, .. }
            if matches!(
                tombstone.reason,
                DisconnectReason::User | DisconnectReason::Detached | DisconnectReason::Remote
            ) =>
        {
            Err(Written::EndedElsewhere(revision))
        }
        _ if follows_elsewhere(write) => Err(Written::Done(revision)),
        _ => Ok(revision),
    })
}
