//! What is known of other members: who lives, who is dead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::vocabulary::{Answer, Call, Content, Effect, MemberRecord, Place, Record, Stage};
use super::{Member, MemberId, Step};
use crate::clock::{Moment, Mono};
use crate::store::{Revision, Slot};

/// The members that this process has heard of.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Others {
    members: BTreeMap<MemberId, Other>,
    listing: Option<Stage>,
}

/// One of them.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Other {
    name: Option<Arc<str>>,
    /// The revision seen last, and since when: the time at which the first answer that showed it
    /// had come, which is later than the write.
    seen: Option<(Revision, Mono)>,
    /// How long it must stand unchanged.
    patience: Duration,
    phase: Phase,
    /// This process itself, under an id it does not use any more.
    own: bool,
    released: u64,
    failures: u32,
    /// Whose leases wait for what becomes of it.
    waiting: Vec<Slot>,
    stage: Stage,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Phase {
    Unknown,
    Alive,
    Unreadable(Arc<str>),
    Ended,
}

/// What a member is to those that would take over from it.
pub(super) enum Standing {
    Unknown,
    Alive(Member),
    Ended,
    Unreadable(Arc<str>),
    Unavailable(Arc<str>),
}

impl Other {
    fn new(step: &Step<'_>, own: bool) -> Self {
        Self {
            name: None,
            seen: None,
            patience: step.timing.patience(0),
            phase: Phase::Unknown,
            own,
            released: 0,
            failures: 0,
            waiting: Vec::new(),
            stage: Stage::Rest(step.now.mono),
        }
    }

    fn member(&self, id: MemberId) -> Member {
        match &self.name {
            Some(name) => Member::new(id, name.clone()),
            None => Member::new(id, id.to_string()),
        }
    }

    /// Whether nothing of it was ever seen, and nobody waits for what becomes of it.
    fn is_a_rumour(&self) -> bool {
        self.phase == Phase::Unknown && self.seen.is_none() && !self.own && self.waiting.is_empty()
    }

    /// Whether it may be ended: seen unchanged for long enough, by this process's own clock.
    fn is_dead(&self, now: Mono) -> bool {
        let unchanged = self.seen.map(|(_, since)| now.since(since));
        self.own || unchanged.is_some_and(|unchanged| unchanged >= self.patience)
    }
}

impl Others {
    pub(super) fn next_timeout(&self) -> Mono {
        let members = self.members.values().filter_map(|other| other.stage.due());
        let listing = self.listing.as_ref().and_then(Stage::due);
        members.chain(listing).min().unwrap_or(Mono::NEVER)
    }

    /// Keeps an eye on a member from now on.
    pub(super) fn watch(&mut self, id: MemberId, step: &mut Step<'_>) {
        self.members.entry(id).or_insert_with(|| {
            let mut other = Other::new(step, false);
            other.stage = step.get(Place::Member(id));
            other
        });
    }

    /// The feed says that something was written there.
    pub(super) fn look(&mut self, id: MemberId, step: &mut Step<'_>) {
        self.watch(id, step);
        if let Some(other) = self.members.get_mut(&id)
            && other.phase != Phase::Ended
            && other.stage.due().is_some()
        {
            other.stage = step.get(Place::Member(id));
        }
    }

    pub(super) fn look_at_all(&mut self, step: &mut Step<'_>) {
        let all: Vec<MemberId> = self.members.keys().copied().collect();
        for id in all {
            self.look(id, step);
        }
        if self.listing.is_some_and(|stage| stage.due().is_some()) {
            self.listing = Some(Stage::Rest(step.now.mono));
        }
    }

    /// This process was that member and is it no more: nothing is done under its name, so it is
    /// ended without waiting.
    pub(super) fn fence_own(&mut self, id: MemberId, name: &Arc<str>, step: &mut Step<'_>) {
        let mut other = Other::new(step, true);
        other.name = Some(name.clone());
        other.stage = step.get(Place::Member(id));
        self.members.insert(id, other);
    }

    /// That member is known to have ended.
    pub(super) fn ended(&mut self, id: MemberId, name: &Arc<str>, now: Moment) {
        let other = Other {
            name: Some(name.clone()),
            seen: None,
            patience: Duration::ZERO,
            phase: Phase::Ended,
            own: true,
            released: 0,
            failures: 0,
            waiting: Vec::new(),
            stage: Stage::Rest(now.mono),
        };
        self.members.insert(id, other);
    }

    pub(super) fn standing(&self, id: MemberId) -> Standing {
        let Some(other) = self.members.get(&id) else {
            return Standing::Unknown;
        };
        match &other.phase {
            Phase::Ended => Standing::Ended,
            Phase::Unreadable(why) => Standing::Unreadable(why.clone()),
            Phase::Alive => Standing::Alive(other.member(id)),
            Phase::Unknown if other.failures > 2 => {
                Standing::Unavailable("the record of its holder cannot be read".into())
            }
            Phase::Unknown => Standing::Unknown,
        }
    }

    /// Has what is named by `slot` resolved once more is known of a member.
    pub(super) fn wait(&mut self, id: MemberId, slot: Slot, step: &mut Step<'_>) {
        self.watch(id, step);
        if let Some(other) = self.members.get_mut(&id)
            && !other.waiting.contains(&slot)
        {
            other.waiting.push(slot);
        }
    }

    /// An answer; if it is one to a call of here, what is to be resolved.
    pub(super) fn answered(
        &mut self,
        call: Call,
        answer: &Answer,
        step: &mut Step<'_>,
    ) -> Option<Vec<Slot>> {
        if self.listing.and_then(|stage| stage.call()) == Some(call) {
            self.listed(answer, step);
            return Some(Vec::new());
        }
        let (id, other) = self
            .members
            .iter_mut()
            .find(|(_, other)| other.stage.call() == Some(call))?;
        let id = *id;
        match answer {
            // Removed, by this process or another.
            Answer::Written | Answer::Conflict | Answer::Found(_, Content::Nothing)
                if other.phase == Phase::Ended =>
            {
                self.members.remove(&id);
                return Some(Vec::new());
            }
            // Its record went before it was ever read, and nobody asks for it: it has ended, and
            // whoever removed it knows. A feed tells of removals, too.
            Answer::Found(_, Content::Nothing) if other.is_a_rumour() => {
                self.members.remove(&id);
                return Some(Vec::new());
            }
            Answer::Found(revision, content) => other.found(id, *revision, content, step),
            Answer::Written => other.is_over(id, step),
            Answer::Conflict => other.stage = step.get(Place::Member(id)),
            Answer::Failed(_) | Answer::Listed(_) => {
                other.failures += 1;
                other.stage = step.after(other.failures);
            }
        }
        Some(std::mem::take(&mut other.waiting))
    }

    fn listed(&mut self, answer: &Answer, step: &mut Step<'_>) {
        let again = if let Answer::Listed(ids) = answer {
            for id in ids {
                self.watch(*id, step);
            }
            step.timing.keep
        } else {
            step.timing.ttl
        };
        self.listing = Some(Stage::Rest(step.now.mono.after(again)));
    }

    pub(super) fn pass_time(&mut self, step: &mut Step<'_>) {
        let now = step.now.mono;
        let is_due = |stage: &Stage| stage.due().is_some_and(|due| due <= now);
        if self.listing.as_ref().is_none_or(is_due) {
            let call = step.calls.next();
            step.out.push(Effect::List(call));
            self.listing = Some(Stage::Reading(call));
        }
        for (id, other) in &mut self.members {
            if is_due(&other.stage) {
                let place = Place::Member(*id);
                other.stage = match (&other.phase, other.seen) {
                    (Phase::Ended, Some((revision, _))) => {
                        let call = step.calls.next();
                        step.out.push(Effect::Remove(call, place, revision));
                        Stage::Writing(call)
                    }
                    _ => step.get(place),
                };
            }
        }
    }
}

impl Other {
    fn found(&mut self, id: MemberId, revision: Revision, content: &Content, step: &mut Step<'_>) {
        self.failures = 0;
        if self.seen.is_none_or(|(seen, _)| seen != revision) {
            self.seen = Some((revision, step.now.mono));
        }
        match content {
            Content::Member(MemberRecord::Ended) => {
                self.is_over(id, step);
                // Not the one after it, which `is_over` took it to be.
                self.seen = Some((revision, step.now.mono));
                return;
            }
            Content::Member(MemberRecord::Alive(alive)) => {
                self.name = Some(alive.name.clone());
                self.patience = step.timing.patience(alive.ttl_ms);
                if self.phase == Phase::Alive && alive.released != self.released {
                    step.out.push(Effect::Released(id));
                }
                self.released = alive.released;
                self.lives(step.now.mono);
            }
            // Nothing there is watched as a record is: if it is missing for good, it is ended as
            // one that is not renewed.
            Content::Nothing => self.lives(step.now.mono),
            Content::Lease(_) => {
                self.phase = Phase::Unreadable("a lease stands where a member should".into());
            }
            Content::Unreadable(why) => self.phase = Phase::Unreadable(why.clone()),
        }
        let readable = !matches!(self.phase, Phase::Unreadable(_));
        self.stage = if readable && self.is_dead(step.now.mono) {
            let record = Record::Member(id, MemberRecord::Ended);
            step.put(Place::Member(id), record, revision)
        } else {
            Stage::Rest(step.now.mono.after(step.timing.period))
        };
    }

    fn lives(&mut self, now: Mono) {
        // This process itself, or one about to be ended, is not said to live.
        if !self.is_dead(now) || matches!(self.phase, Phase::Unreadable(_)) {
            self.phase = Phase::Alive;
        }
    }

    /// It has ended. Its record is kept for a while, then removed.
    fn is_over(&mut self, id: MemberId, step: &mut Step<'_>) {
        let removal = step.now.mono.after(step.timing.keep);
        self.stage = Stage::Rest(removal);
        if let Some((revision, _)) = &mut self.seen {
            *revision = revision.next();
        }
        let known = self.own || self.phase == Phase::Alive;
        if std::mem::replace(&mut self.phase, Phase::Ended) != Phase::Ended && known {
            step.out.push(Effect::Gone(self.member(id)));
        }
    }
}
