//! This process's own membership: its record, and the renewal of it.

use std::sync::Arc;

use super::vocabulary::{
    Alive, Answer, Call, Content, Deadline, Effect, MemberRecord, Place, Record, Stage, ttl_ms,
};
use super::{MemberId, Step};
use crate::clock::{Moment, Mono};
use crate::store::Revision;

/// A membership, from the first attempt to create its record to its end.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Own {
    id: MemberId,
    /// What is known to stand in its place.
    revision: Revision,
    /// The number of the last attempt to write, and when it began.
    beat: u64,
    begun: Moment,
    /// `None` until the record was created.
    deadline: Option<Deadline>,
    released: u64,
    failures: u32,
    /// Whether the next thing is to read: the last write may have taken effect.
    doubt: bool,
    leaving: bool,
    /// Whether the last write was the one that ends it.
    ended: bool,
    stage: Stage,
}

/// What an answer meant for the membership.
pub(super) enum Fate {
    Goes,
    Left,
    /// It was ended by others.
    Over(&'static str),
    /// It is over here; what its record says is not certain.
    Unsure(&'static str),
}

impl Own {
    pub(super) fn begin(id: MemberId, name: &Arc<str>, step: &mut Step<'_>) -> Self {
        let mut own = Self {
            id,
            revision: Revision::NONE,
            beat: 0,
            begun: step.now,
            deadline: None,
            released: 0,
            failures: 0,
            doubt: false,
            leaving: false,
            ended: false,
            stage: Stage::Rest(step.now.mono),
        };
        own.write(name, step);
        own
    }

    pub(super) fn id(&self) -> MemberId {
        self.id
    }

    pub(super) fn is_member(&self) -> bool {
        self.deadline.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    pub(super) fn next_timeout(&self) -> Mono {
        let due = self.stage.due().unwrap_or(Mono::NEVER);
        due.min(self.deadline.map_or(Mono::NEVER, |deadline| deadline.mono))
    }

    pub(super) fn expects(&self, call: Call) -> bool {
        self.stage.call() == Some(call)
    }

    /// Others hear of it with the next renewal.
    pub(super) fn has_released(&mut self) {
        self.released += 1;
    }

    pub(super) fn leave(&mut self, step: &mut Step<'_>) {
        self.deadline = None;
        self.leaving = true;
        self.failures = 0;
        if self.stage.due().is_some() {
            self.stage = Stage::Rest(step.now.mono);
        }
    }

    pub(super) fn pass_time(&mut self, name: &Arc<str>, step: &mut Step<'_>) {
        if self.stage.due().is_some_and(|due| due <= step.now.mono) {
            if self.doubt {
                self.stage = step.get(Place::Member(self.id));
            } else {
                self.write(name, step);
            }
        }
    }

    fn write(&mut self, name: &Arc<str>, step: &mut Step<'_>) {
        self.ended = self.leaving;
        let record = if self.leaving {
            MemberRecord::Ended
        } else {
            self.beat += 1;
            self.begun = step.now;
            MemberRecord::Alive(Alive {
                name: name.clone(),
                ttl_ms: ttl_ms(&step.timing),
                beat: self.beat,
                released: self.released,
            })
        };
        let record = Record::Member(self.id, record);
        self.stage = step.put(Place::Member(self.id), record, self.revision);
    }

    pub(super) fn answered(
        &mut self,
        answer: &Answer,
        name: &Arc<str>,
        step: &mut Step<'_>,
    ) -> Fate {
        match answer {
            Answer::Written if self.ended => return Fate::Left,
            Answer::Written => self.confirmed(self.revision.next(), name, step),
            Answer::Conflict => {
                self.doubt = true;
                self.stage = step.get(Place::Member(self.id));
            }
            Answer::Found(revision, content) => {
                return self.found(*revision, content, name, step);
            }
            Answer::Failed(_) | Answer::Listed(_) => {
                self.doubt = true;
                self.failures += 1;
                if self.leaving && self.failures > 2 {
                    return Fate::Left;
                }
                self.stage = step.after(self.failures);
            }
        }
        Fate::Goes
    }

    fn found(
        &mut self,
        revision: Revision,
        content: &Content,
        name: &Arc<str>,
        step: &mut Step<'_>,
    ) -> Fate {
        self.doubt = false;
        match content {
            Content::Member(MemberRecord::Alive(alive)) if alive.beat == self.beat => {
                self.confirmed(revision, name, step);
            }
            // An earlier attempt than the last: it is not known any more when that one began.
            Content::Member(MemberRecord::Alive(_)) => {
                self.revision = revision;
                self.write(name, step);
            }
            Content::Nothing if self.revision == Revision::NONE && !self.leaving => {
                self.write(name, step);
            }
            Content::Member(MemberRecord::Ended) | Content::Nothing if self.leaving => {
                return Fate::Left;
            }
            Content::Member(MemberRecord::Ended) => {
                return Fate::Over("others took it for dead and ended it");
            }
            Content::Nothing => return Fate::Unsure("its record is gone"),
            Content::Lease(_) | Content::Unreadable(_) => {
                return Fate::Unsure("its record cannot be understood any more");
            }
        }
        Fate::Goes
    }

    /// The last attempt is known to have taken effect: its time counts from when it began.
    fn confirmed(&mut self, revision: Revision, name: &Arc<str>, step: &mut Step<'_>) {
        self.revision = revision;
        self.doubt = false;
        self.failures = 0;
        self.stage = Stage::Rest(self.begun.mono.after(step.timing.period));
        let deadline = Deadline::of(self.begun, &step.timing);
        if self.leaving || deadline.passed(step.now) {
            self.write(name, step);
            return;
        }
        let first = self.deadline.replace(deadline).is_none();
        if first {
            step.out.push(Effect::Joined(self.id));
        }
    }
}
