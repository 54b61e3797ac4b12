//! The leases that this process holds, gets, or lets go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::others::{Others, Standing};
use super::vocabulary::{Answer, Call, Content, Effect, LeaseRecord, Place, Record, Refusal};
use super::{MemberId, Step};
use crate::clock::Mono;
use crate::store::{Revision, Slot};

/// Failures in a row before who wants a lease is told.
const PATIENCE: u32 = 3;

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Claims {
    claims: BTreeMap<Slot, Claim>,
    /// Which call is about which.
    calls: BTreeMap<Call, Slot>,
    /// Which are to be tried again, and when.
    resting: BTreeSet<(Mono, Slot)>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Claim {
    goal: Goal,
    at: At,
    /// What was found, or written, last.
    revision: Revision,
    epoch: u64,
    /// A write that would make it ours and may have taken effect, or may yet: its epoch, and the
    /// revision it replaces.
    doubt: Option<(u64, Revision)>,
    /// Whether it is wanted again once it was let go.
    again: bool,
    failures: u32,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Goal {
    Hold,
    Free,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum At {
    Reading,
    /// Making it ours.
    Taking,
    /// Making it nobody's.
    Freeing,
    Held,
    /// For what becomes of its holder.
    Waiting(MemberId),
    Resting(Mono),
}

impl Claims {
    pub(super) fn held(&self, slot: Slot) -> Option<u64> {
        let claim = self.claims.get(&slot)?;
        (claim.at == At::Held && claim.goal == Goal::Hold).then_some(claim.epoch)
    }

    pub(super) fn next_timeout(&self) -> Mono {
        self.resting.first().map_or(Mono::NEVER, |(at, _)| *at)
    }

    /// The membership is over: nothing is held or wanted any more.
    pub(super) fn clear(&mut self, out: &mut Vec<Effect>) {
        for (slot, claim) in std::mem::take(self).claims {
            let waited = claim.goal == Goal::Hold && claim.at != At::Held;
            if waited || claim.again {
                out.push(Effect::Refused(slot, Refusal::NotMember));
            }
        }
    }

    pub(super) fn acquire(&mut self, slot: Slot, step: &mut Step<'_>) {
        match self.claims.get_mut(&slot) {
            None => {
                let claim = Claim {
                    goal: Goal::Hold,
                    at: At::Reading,
                    revision: Revision::NONE,
                    epoch: 0,
                    doubt: None,
                    again: false,
                    failures: 0,
                };
                self.claims.insert(slot, claim);
                self.read(slot, step);
            }
            Some(claim) if claim.goal == Goal::Free && !claim.again => claim.again = true,
            Some(_) => step.out.push(Effect::Refused(slot, Refusal::HeldHere)),
        }
    }

    pub(super) fn release(&mut self, slot: Slot, step: &mut Step<'_>) {
        let Some(claim) = self.claims.get_mut(&slot) else {
            return;
        };
        claim.again = false;
        if claim.goal == Goal::Free {
            return;
        }
        claim.goal = Goal::Free;
        claim.failures = 0;
        match claim.at {
            At::Held => self.free(slot, step),
            At::Waiting(_) | At::Resting(_) if claim.doubt.is_none() => {
                self.forget(slot);
            }
            At::Waiting(_) => self.read(slot, step),
            At::Resting(_) | At::Reading | At::Taking | At::Freeing => {}
        }
    }

    pub(super) fn pass_time(&mut self, step: &mut Step<'_>) {
        while let Some((at, slot)) = self.resting.first().copied() {
            if at > step.now.mono {
                break;
            }
            self.read(slot, step);
        }
    }

    /// An answer to a call of here. Whether a lease was released with it.
    pub(super) fn answered(
        &mut self,
        call: Call,
        answer: &Answer,
        others: &mut Others,
        step: &mut Step<'_>,
    ) -> bool {
        let Some(slot) = self.calls.remove(&call) else {
            return false;
        };
        let Some(claim) = self.claims.get_mut(&slot) else {
            return false;
        };
        match (answer, claim.at) {
            (Answer::Found(revision, content), _) => {
                claim.failures = 0;
                claim.revision = *revision;
                self.found(slot, content, others, step);
            }
            (Answer::Written, At::Taking) => {
                claim.revision = claim.revision.next();
                self.taken(slot, step);
            }
            (Answer::Written, _) => {
                self.done(slot, step);
                return true;
            }
            (Answer::Conflict, _) => self.read(slot, step),
            (Answer::Failed(why), _) => self.failed(slot, why.clone(), step),
            (Answer::Listed(_), _) => self.read(slot, step),
        }
        false
    }

    /// What waited for a member goes on.
    pub(super) fn resolve(&mut self, slot: Slot, others: &mut Others, step: &mut Step<'_>) {
        if let Some(Claim {
            at: At::Waiting(member),
            ..
        }) = self.claims.get(&slot)
        {
            let member = *member;
            self.wait(slot, member, others, step);
        }
    }

    fn found(&mut self, slot: Slot, content: &Content, others: &mut Others, step: &mut Step<'_>) {
        let Some(claim) = self.claims.get_mut(&slot) else {
            return;
        };
        let lease = match content {
            Content::Lease(lease) => Some(lease),
            Content::Nothing => None,
            Content::Unreadable(why) => {
                return self.refuse(slot, Refusal::Unreadable(why.clone()), step);
            }
            Content::Member(_) => {
                let why = "a member stands where a lease should".into();
                return self.refuse(slot, Refusal::Unreadable(why), step);
            }
        };
        claim.epoch = lease.map_or(0, |lease| lease.epoch);
        let ours = lease.filter(|lease| Some(lease.member) == step.me && !lease.released);
        let unsure = claim.doubt;
        if unsure.is_some_and(|(_, replaced)| replaced != claim.revision) {
            // That write has taken effect, or never will.
            claim.doubt = None;
        }
        match (claim.goal, ours, lease) {
            (Goal::Hold, Some(ours), _) if unsure.is_some_and(|(epoch, _)| epoch == ours.epoch) => {
                self.taken(slot, step);
            }
            (Goal::Hold, None, Some(lease)) if !lease.released => {
                self.wait(slot, lease.member, others, step);
            }
            (Goal::Hold, ..) => self.take(slot, step),
            (Goal::Free, Some(_), _) => self.free(slot, step),
            // A late write is kept out by one before it.
            (Goal::Free, None, _) if claim.doubt.is_some() => self.free(slot, step),
            (Goal::Free, None, _) => self.done(slot, step),
        }
    }

    /// Goes on as the holder's standing allows.
    fn wait(&mut self, slot: Slot, holder: MemberId, others: &mut Others, step: &mut Step<'_>) {
        others.watch(holder, step);
        match others.standing(holder) {
            Standing::Unknown => {
                others.wait(holder, slot, step);
                self.set(slot, At::Waiting(holder));
            }
            Standing::Alive(member) => self.refuse(slot, Refusal::Held(member), step),
            Standing::Unreadable(why) => self.refuse(slot, Refusal::Unreadable(why), step),
            Standing::Unavailable(why) => self.refuse(slot, Refusal::Unavailable(why), step),
            Standing::Ended => self.take(slot, step),
        }
    }

    fn read(&mut self, slot: Slot, step: &mut Step<'_>) {
        let call = step.calls.next();
        step.out.push(Effect::Get(call, Place::Lease(slot)));
        self.calls.insert(call, slot);
        self.set(slot, At::Reading);
    }

    /// Writes it as ours, with the next epoch.
    fn take(&mut self, slot: Slot, step: &mut Step<'_>) {
        if let Some(claim) = self.claims.get_mut(&slot) {
            claim.epoch += 1;
        }
        self.write(slot, At::Taking, step);
    }

    /// Writes it as nobody's. From here on nothing is done under it.
    fn free(&mut self, slot: Slot, step: &mut Step<'_>) {
        self.write(slot, At::Freeing, step);
    }

    fn write(&mut self, slot: Slot, at: At, step: &mut Step<'_>) {
        let (Some(claim), Some(member)) = (self.claims.get(&slot), step.me) else {
            return;
        };
        let record = Record::Lease(LeaseRecord {
            member,
            epoch: claim.epoch,
            released: at == At::Freeing,
        });
        let (call, expected) = (step.calls.next(), claim.revision);
        step.out
            .push(Effect::Put(call, Place::Lease(slot), record, expected));
        self.calls.insert(call, slot);
        self.set(slot, at);
    }

    /// It is known to be ours.
    fn taken(&mut self, slot: Slot, step: &mut Step<'_>) {
        let Some(claim) = self.claims.get_mut(&slot) else {
            return;
        };
        claim.doubt = None;
        claim.failures = 0;
        if claim.goal == Goal::Free {
            self.free(slot, step);
            return;
        }
        step.out.push(Effect::Acquired(slot, claim.epoch));
        self.set(slot, At::Held);
    }

    /// It is nobody's, or somebody else's.
    fn done(&mut self, slot: Slot, step: &mut Step<'_>) {
        step.out.push(Effect::Freed(slot));
        if self.forget(slot).is_some_and(|claim| claim.again) {
            self.acquire(slot, step);
        }
    }

    fn refuse(&mut self, slot: Slot, refusal: Refusal, step: &mut Step<'_>) {
        let Some(claim) = self.claims.get_mut(&slot) else {
            return;
        };
        if claim.goal == Goal::Free {
            return self.done(slot, step);
        }
        step.out.push(Effect::Refused(slot, refusal));
        if claim.doubt.is_none() {
            self.forget(slot);
            return;
        }
        claim.goal = Goal::Free;
        let later = step.now.mono.after(step.timing.backoff(claim.failures));
        self.set(slot, At::Resting(later));
    }

    fn failed(&mut self, slot: Slot, why: Arc<str>, step: &mut Step<'_>) {
        let Some(claim) = self.claims.get_mut(&slot) else {
            return;
        };
        if claim.at == At::Taking {
            claim.doubt = Some((claim.epoch, claim.revision));
        }
        claim.failures += 1;
        if claim.goal == Goal::Hold && claim.failures >= PATIENCE {
            return self.refuse(slot, Refusal::Unavailable(why), step);
        }
        let later = step.now.mono.after(step.timing.backoff(claim.failures));
        self.set(slot, At::Resting(later));
    }

    fn set(&mut self, slot: Slot, at: At) {
        if let Some(claim) = self.claims.get_mut(&slot) {
            if let At::Resting(until) = claim.at {
                self.resting.remove(&(until, slot));
            }
            if let At::Resting(until) = at {
                self.resting.insert((until, slot));
            }
            claim.at = at;
        }
    }

    fn forget(&mut self, slot: Slot) -> Option<Claim> {
        let claim = self.claims.remove(&slot)?;
        if let At::Resting(until) = claim.at {
            self.resting.remove(&(until, slot));
        }
        Some(claim)
    }
}
