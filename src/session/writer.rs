//! Carries out one write of the machine against the store.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::identity::primary_account;
use crate::machine::{Need, Write};
use crate::snapshot::DisconnectReason;
use crate::store::{Record, RecordName, Revision, Store, StoreError, Stored};
use crate::sync::Notice;

/// How often a write is made against a newer revision before it counts as failed.
const MAX_CONFLICTS: usize = 5;

/// What the session knows of what stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) revision: Revision,
    /// Whom it was of, as a number; 0 for nobody.
    face: u64,
}

impl Known {
    pub(super) fn read(stored: &Stored) -> Self {
        let face = match stored {
            Stored::Record { record, .. } => face(record),
            Stored::Tombstone { .. } | Stored::Nothing => 0,
        };
        Self {
            revision: stored.revision(),
            face,
        }
    }

    /// Whether it is another that is found there.
    fn is_news(self, face: u64) -> bool {
        self.face != 0 && self.face != face
    }

    pub(super) fn written(face: u64, revision: Revision) -> Self {
        Self { revision, face }
    }
}

/// Whom a write is of, for [`Known::written`].
pub(super) fn face_of(write: &Write) -> u64 {
    match write {
        Write::Save { record, .. } => face(record),
        Write::Erase(_) => 0,
    }
}

/// A number for the accounts and the network of a record. Two of the same may have different ones,
/// as where the order differs.
fn face(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&record.accounts, &record.network).hash(&mut hasher);
    hasher.finish() | 1
}

/// How a write ended.
pub(super) enum Written {
    /// It stands in the store under this revision.
    Done(Revision),
    /// It stands there in place of another member's, who acts for somebody else by then.
    Over(Revision, Notice),
    /// Somebody else ended the session meanwhile; what they wrote stands.
    EndedElsewhere(Revision),
}

/// Writes, against the revision that is known or the one that stands there.
pub(super) async fn write(
    store: &dyn Store,
    name: &RecordName,
    write: &Write,
    known: Option<Known>,
) -> Result<Written, StoreError> {
    if let Write::Save { record, need, .. } = write
        && *need != Need::Always
        && let Ok(Stored::Record {
            record: found,
            revision,
        }) = store.load(name).await
    {
        let said = match need {
            Need::IfOthers => found.is_of_same(record),
            _ => found.is_same_session(record),
        };
        if said {
            return Ok(Written::Done(revision));
        }
    }
    let mut revision = match known.filter(|_| !follows_elsewhere(write)) {
        Some(known) => known.revision,
        None => match look(store, name, write).await? {
            Ok(found) => found.revision,
            Err(written) => return Ok(written),
        },
    };
    let mut conflict = None;
    let mut over = None;
    for _ in 0..MAX_CONFLICTS {
        let result = match write {
            Write::Save { record, .. } => store.save(name, record.clone(), revision).await,
            Write::Erase(tombstone) => store.erase(name, tombstone.clone(), revision).await,
        };
        match result {
            Ok(revision) => {
                return Ok(match over {
                    Some(notice) => Written::Over(revision, notice),
                    None => Written::Done(revision),
                });
            }
            Err(error @ (StoreError::Conflict { .. } | StoreError::Unreadable { .. })) => {
                conflict = Some(error);
            }
            Err(error) => return Err(error),
        }
        revision = match look(store, name, write).await? {
            Ok(found) => {
                over = found
                    .notice
                    .filter(|_| known.is_some_and(|it| it.is_news(found.face)));
                found.revision
            }
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

/// Whether what is to be written stands there already.
fn is_said(write: &Write, found: &Record) -> bool {
    matches!(write, Write::Save { record, fresh: false, .. } if found.agrees_with(record))
}

/// What stands there, to write over.
struct Found {
    revision: Revision,
    face: u64,
    /// What it would tell the one who writes over it.
    notice: Option<Notice>,
}

impl From<Revision> for Found {
    fn from(revision: Revision) -> Self {
        Self {
            revision,
            face: 0,
            notice: None,
        }
    }
}

/// What another member's record says that this one's does not.
fn notice(write: &Write, found: &Record) -> Option<Notice> {
    match write {
        Write::Save { record, .. } if !found.is_of_same(record) => {
            let account = primary_account(&found.accounts)?.id.clone();
            Some(Notice::PartyChanged { account })
        }
        Write::Save { .. } | Write::Erase(_) => None,
    }
}

/// What to write against, unless what stands there is final or says it already.
async fn look(
    store: &dyn Store,
    name: &RecordName,
    write: &Write,
) -> Result<Result<Found, Written>, StoreError> {
    let stored = match store.load(name).await {
        // What cannot be read is kept elsewhere; the session that lives is written down.
        Err(StoreError::Unreadable { .. }) => return Ok(Ok(store.set_aside(name).await?.into())),
        loaded => loaded?,
    };
    let revision = stored.revision();
    let tombstone = match stored {
        Stored::Tombstone { tombstone, .. } => tombstone,
        // Another member was told the same by its wallet, and wrote it first.
        Stored::Record { record: found, .. } if is_said(write, &found) => {
            return Ok(Err(Written::Done(revision)));
        }
        Stored::Record { record: found, .. } => {
            let (face, notice) = (face(&found), notice(write, &found));
            return Ok(Ok(Found {
                revision,
                face,
                notice,
            }));
        }
        Stored::Nothing => return Ok(Ok(revision.into())),
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
        _ => Ok(revision.into()),
    })
}
