//! What one member knows of its record, and what of the rest is news to it. No locks, no waiting.

use std::sync::Arc;

use super::super::{Notice, Own};
use crate::identity::{Account, NetworkId, primary_account, same_accounts};
use crate::snapshot::DisconnectReason;
use crate::store::{Intent, Record, Revision, Stored, Tombstone};

#[derive(Debug, Default)]
pub(super) struct Standing {
    /// What it has read, written or been told last.
    known: Option<Known>,
    /// What it began to write, until it is known what became of that.
    attempt: Option<Box<Attempt>>,
    /// Whether it reads or writes just now: what it hears meanwhile is looked at afterwards.
    busy: bool,
    /// Whether its place has changed while it was busy: what that ends with says nothing.
    moved: bool,
    due: Option<Due>,
}

#[derive(Debug, Default)]
struct Known {
    revision: Revision,
    /// Whom the last record was of. It stays when the record is gone.
    face: Option<Face>,
}

/// What of a record matters to others.
#[derive(Clone, Debug)]
struct Face {
    accounts: Arc<[Account]>,
    network: Option<NetworkId>,
}

#[derive(Debug, Default)]
struct Attempt {
    saved: Option<Face>,
    erased: Option<Tombstone>,
    /// Whether the later of the two is the end.
    ends: bool,
}

/// Why the record is to be looked at.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Due {
    /// This was written.
    Written(Revision),
    /// Something may have happened.
    Anything,
    /// Something was removed, or nobody knows what was written: revisions may begin again.
    Removed,
}

/// What a look at a record was for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// The highest revision that any of those who look knew when it began: more than that they
    /// had not seen.
    pub(super) highest: Revision,
    /// What was said to be there.
    pub(super) promised: Revision,
    /// Whether revisions may have begun again. Otherwise what is earlier than what is known is an
    /// old copy.
    pub(super) removed: bool,
}

impl Look {
    fn add(&mut self, due: Option<Due>, known: Option<Revision>) {
        self.highest = self.highest.max(known.unwrap_or_default());
        match due {
            Some(Due::Written(revision)) => self.promised = self.promised.max(revision),
            Some(Due::Removed) => self.removed = true,
            Some(Due::Anything) | None => {}
        }
    }

    /// What is due if it fails.
    pub(super) fn due(&self) -> Due {
        match self.removed {
            true => Due::Removed,
            false => Due::Anything,
        }
    }

    /// Whether a store that gives this gives an old copy.
    pub(super) fn is_behind(&self, stored: &Stored) -> bool {
        !self.removed && *stored != Stored::Nothing && stored.revision() < self.promised
    }
}

impl Face {
    fn of(record: &Record) -> Self {
        Self {
            accounts: record.accounts.clone(),
            network: record.network.clone(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        same_accounts(&self.accounts, &other.accounts) && self.network == other.network
    }

    /// What this says to one that knows `before`. Unknown is not empty: it says nothing.
    fn news(&self, before: &Self) -> Option<Notice> {
        if let Some(primary) = primary_account(&self.accounts)
            && !same_accounts(&self.accounts, &before.accounts)
        {
            let account = primary.id.clone();
            return Some(Notice::PartyChanged { account });
        }
        let network = self.network.clone()?;
        (before.network.as_ref() != Some(&network)).then_some(Notice::NetworkChanged { network })
    }
}

impl Standing {
    /// Another record is its own from here on: nothing is known of it.
    pub(super) fn move_away(&mut self) {
        self.known = None;
        self.due = None;
        self.moved = self.busy;
    }

    /// The revision it knows.
    fn revision(&self) -> Option<Revision> {
        self.known.as_ref().map(|known| known.revision)
    }

    /// It is placed, and hears of its record from here on. Whether that is to be looked at: not if
    /// it knows it already, or is about to.
    pub(super) fn placed(&mut self, missed: Option<Due>) {
        if self.known.is_none() && !self.busy {
            self.due = Some(Due::Anything);
        } else if let Some(missed) = missed {
            self.hear(missed);
        }
    }

    /// Something was written, or may have been.
    pub(super) fn hear(&mut self, what: Due) {
        self.due = self.due.max(Some(what));
    }

    /// Whether there is something to look at now, and then on whose account. What it has seen by
    /// now is let go.
    pub(super) fn wants_look(&mut self) -> bool {
        if self.busy {
            return false;
        }
        if let (Some(Due::Written(revision)), Some(known)) = (self.due, self.revision())
            && revision <= known
        {
            self.due = None;
        }
        self.due.is_some()
    }

    /// A look begins.
    pub(super) fn begin(&mut self, look: &mut Look) {
        if !self.busy {
            look.add(self.due.take(), self.revision());
        }
    }

    /// What stands there.
    pub(super) fn seen(&mut self, stored: &Stored, look: &Look) -> Option<Notice> {
        let revision = stored.revision();
        if self.busy {
            // It may be its own: that is known in a moment.
            self.hear(match look.removed {
                true => Due::Removed,
                false => Due::Written(revision),
            });
            return None;
        }
        let Some(before) = &mut self.known else {
            // It stood there before.
            self.known = Some(Known {
                revision,
                face: match stored {
                    Stored::Record { record, .. } => Some(Face::of(record)),
                    Stored::Tombstone { .. } | Stored::Nothing => None,
                },
            });
            return None;
        };
        let again = look.removed && before.revision <= look.highest;
        if revision == before.revision || (revision < before.revision && !again) {
            return None;
        }
        before.revision = revision;
        let attempt = self.attempt.take();
        match stored {
            Stored::Nothing => None,
            Stored::Tombstone { tombstone, .. } => {
                let own = attempt.is_some_and(|it| it.erased.as_ref() == Some(tombstone));
                let final_word = matches!(
                    tombstone.reason,
                    DisconnectReason::User | DisconnectReason::Detached | DisconnectReason::Remote
                );
                (final_word && !own).then_some(Notice::Disconnected)
            }
            Stored::Record { record, .. } => {
                let face = Face::of(record);
                let own = attempt
                    .and_then(|it| it.saved)
                    .is_some_and(|saved| saved.is_same(&face));
                let before = before.face.replace(face.clone());
                if own {
                    return None;
                }
                if record.intent == Intent::Disconnected {
                    return Some(Notice::Disconnected);
                }
                face.news(&before?)
            }
        }
    }

    /// The session's own doing.
    pub(super) fn own(&mut self, what: Own<'_>) {
        let moved = std::mem::take(&mut self.moved);
        let attempt = &mut self.attempt;
        self.busy = matches!(what, Own::Loading | Own::Saving(_) | Own::Erasing(_));
        match what {
            Own::Loading | Own::Unknown => {}
            Own::Saving(record) => {
                let attempt = attempt.get_or_insert_default();
                attempt.saved = Some(Face::of(record));
                attempt.ends = false;
            }
            Own::Erasing(tombstone) => {
                let attempt = attempt.get_or_insert_default();
                attempt.erased = Some(tombstone.clone());
                attempt.ends = true;
            }
            // Of the place before, or of this one: nobody knows. What stands here is looked at.
            _ if moved => self.due = Some(Due::Anything),
            Own::Found(stored) => {
                let face = match stored {
                    Stored::Record { record, .. } => Some(Face::of(record)),
                    Stored::Tombstone { .. } | Stored::Nothing => None,
                };
                self.know(stored.revision(), face);
            }
            Own::Written(revision) => {
                let saved = attempt.take().filter(|attempt| !attempt.ends);
                self.know(revision, saved.and_then(|attempt| attempt.saved));
            }
            Own::Ended(revision) => self.know(revision, None),
        }
        if !self.busy && self.known.is_none() {
            self.due = Some(Due::Anything);
        }
    }

    fn know(&mut self, revision: Revision, face: Option<Face>) {
        self.attempt = None;
        let before = self.known.take().and_then(|known| known.face);
        self.known = Some(Known {
            revision,
            face: face.or(before),
        });
    }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
