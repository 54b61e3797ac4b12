//! The protocol of members and leases for one process, on its own: inputs in, effects out. No
//! async, no clock, no randomness, no locks, no I/O.
//!
//! A short driver carries the effects out for [`Leases`](super::Leases); the tests play the very
//! same machine against everything that a backend, other processes and time can do.

mod claims;
mod others;
mod own;
mod vocabulary;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use self::claims::Claims;
use self::others::Others;
use self::own::Own;
use self::vocabulary::Stage;
pub use self::vocabulary::{
    Alive, Answer, Call, Content, Deadline, Effect, Input, LeaseRecord, MemberRecord, Place,
    Record, Refusal, Timing,
};
use super::member::{Member, MemberId};
use crate::clock::{Moment, Mono};
use crate::store::Slot;

/// The protocol of one process. A value: cloning it is how a path is tried.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Machine {
    timing: Timing,
    name: Arc<str>,
    own: Option<Own>,
    /// Its id, also while it joins or leaves.
    me: Option<MemberId>,
    others: Others,
    claims: Claims,
    /// Who is asked for without being wanted.
    asks: BTreeMap<Slot, Ask>,
    calls: Calls,
    left: bool,
}

/// Numbers calls.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Calls(Call);

impl Calls {
    fn next(&mut self) -> Call {
        self.0.0 += 1;
        self.0
    }
}

/// A question under way.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Ask {
    Reading(Call),
    Waiting(MemberId),
}

/// What surrounds a step.
struct Step<'a> {
    now: Moment,
    timing: Timing,
    me: Option<MemberId>,
    calls: &'a mut Calls,
    out: &'a mut Vec<Effect>,
}

impl Step<'_> {
    fn get(&mut self, place: Place) -> Stage {
        let call = self.calls.next();
        self.out.push(Effect::Get(call, place));
        Stage::Reading(call)
    }

    fn put(&mut self, place: Place, record: Record, expected: crate::store::Revision) -> Stage {
        let call = self.calls.next();
        self.out.push(Effect::Put(call, place, record, expected));
        Stage::Writing(call)
    }

    fn after(&self, failures: u32) -> Stage {
        Stage::Rest(self.now.mono.after(self.timing.backoff(failures)))
    }
}

macro_rules! step {
    ($self:ident, $now:ident, $out:ident) => {
        &mut Step {
            now: $now,
            timing: $self.timing,
            me: $self.me,
            calls: &mut $self.calls,
            out: $out,
        }
    };
}

impl Machine {
    /// A process that is not a member yet and calls itself `name`.
    pub fn new(timing: Timing, name: impl Into<Arc<str>>) -> Self {
        Self {
            timing,
            name: name.into(),
            own: None,
            me: None,
            others: Others::default(),
            claims: Claims::default(),
            asks: BTreeMap::new(),
            calls: Calls(Call(0)),
            left: false,
        }
    }

    /// Takes one input. What is to be done is added to `out`.
    pub fn handle(&mut self, now: Moment, input: Input, out: &mut Vec<Effect>) {
        // Whatever it is that happened: a deadline that has passed has passed before it.
        if self.deadline().is_some_and(|deadline| deadline.passed(now)) {
            self.lose("its membership was not renewed in time", true, now, out);
        }
        match input {
            Input::Time => {}
            Input::Join(id) => self.join(id, now, out),
            Input::Leave => self.leave(now, out),
            Input::Acquire(slot) => self.acquire(slot, now, out),
            Input::Release(slot) => self.claims.release(slot, step!(self, now, out)),
            Input::Ask(slot) => self.ask(slot, out),
            Input::Answer(call, answer) => self.answer(call, &answer, now, out),
            Input::Look(id) => {
                if self.me != Some(id) && !self.left {
                    self.others.look(id, step!(self, now, out));
                }
            }
            Input::LookAll => self.others.look_at_all(step!(self, now, out)),
        }
        self.pass_time(now, out);
    }

    /// When something is due; hand in [`Input::Time`] then. [`Mono::NEVER`] if nothing is.
    pub fn next_timeout(&self) -> Mono {
        let own = self.own.as_ref().map_or(Mono::NEVER, Own::next_timeout);
        own.min(self.others.next_timeout())
            .min(self.claims.next_timeout())
    }

    /// Its present membership.
    pub fn member(&self) -> Option<MemberId> {
        self.own.as_ref().filter(|own| own.is_member()).map(Own::id)
    }

    /// Until when everything it holds may be acted on. `None` while it is not a member.
    pub fn deadline(&self) -> Option<Deadline> {
        self.own.as_ref().and_then(Own::deadline)
    }

    /// The epoch with which it holds a lease. To act on it, the [deadline](Self::deadline) must
    /// not have passed either.
    pub fn holds(&self, slot: Slot) -> Option<u64> {
        self.claims.held(slot)
    }

    fn join(&mut self, id: MemberId, now: Moment, out: &mut Vec<Effect>) {
        if self.own.is_none() && !self.left {
            let own = Own::begin(id, &self.name, step!(self, now, out));
            self.own = Some(own);
            self.me = Some(id);
        }
    }

    fn leave(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if self.left {
            return;
        }
        self.left = true;
        self.claims.clear(out);
        self.others = Others::default();
        for slot in std::mem::take(&mut self.asks).into_keys() {
            out.push(Effect::Told(slot, Err(Refusal::NotMember)));
        }
        match &mut self.own {
            Some(own) => own.leave(step!(self, now, out)),
            None => out.push(Effect::Left),
        }
    }

    /// The membership is over. `doubt`: its record may still say otherwise, and is ended.
    fn lose(&mut self, why: &'static str, doubt: bool, now: Moment, out: &mut Vec<Effect>) {
        let Some(own) = self.own.take() else { return };
        self.me = None;
        if own.is_member() {
            out.push(Effect::Lost(why));
        }
        self.claims.clear(out);
        if self.left {
            out.push(Effect::Left);
            return;
        }
        if doubt {
            self.others
                .fence_own(own.id(), &self.name, step!(self, now, out));
        } else {
            self.others.ended(own.id(), &self.name, now);
        }
        out.push(Effect::JoinAnew);
    }

    fn acquire(&mut self, slot: Slot, now: Moment, out: &mut Vec<Effect>) {
        if self.member().is_none() || self.left {
            out.push(Effect::Refused(slot, Refusal::NotMember));
        } else {
            self.claims.acquire(slot, step!(self, now, out));
        }
    }

    fn ask(&mut self, slot: Slot, out: &mut Vec<Effect>) {
        if self.left {
            out.push(Effect::Told(slot, Err(Refusal::NotMember)));
        } else if let Entry::Vacant(ask) = self.asks.entry(slot) {
            let call = self.calls.next();
            out.push(Effect::Get(call, Place::Lease(slot)));
            ask.insert(Ask::Reading(call));
        }
    }

    fn answer(&mut self, call: Call, answer: &Answer, now: Moment, out: &mut Vec<Effect>) {
        if let Some(own) = self.own.as_mut().filter(|own| own.expects(call)) {
            match own.answered(answer, &self.name, step!(self, now, out)) {
                own::Fate::Goes => {}
                own::Fate::Left => {
                    self.own = None;
                    self.me = None;
                    out.push(Effect::Left);
                }
                own::Fate::Over(why) => self.lose(why, false, now, out),
                own::Fate::Unsure(why) => self.lose(why, true, now, out),
            }
            return;
        }
        if let Some(waiting) = self.others.answered(call, answer, step!(self, now, out)) {
            for slot in waiting {
                self.resolve(slot, now, out);
            }
            return;
        }
        let asked = self
            .asks
            .iter()
            .find(|(_, ask)| **ask == Ask::Reading(call))
            .map(|(slot, _)| *slot);
        if let Some(slot) = asked {
            self.told(slot, answer, now, out);
            return;
        }
        let step = step!(self, now, out);
        let released = self.claims.answered(call, answer, &mut self.others, step);
        if released && let Some(own) = &mut self.own {
            own.has_released();
        }
    }

    /// A member that claims or questions waited for is known better now.
    fn resolve(&mut self, slot: Slot, now: Moment, out: &mut Vec<Effect>) {
        if let Some(Ask::Waiting(member)) = self.asks.get(&slot) {
            let told = match self.others.standing(*member) {
                others::Standing::Unknown => None,
                others::Standing::Alive(member) => Some(Ok(Some(member))),
                others::Standing::Ended => Some(Ok(None)),
                others::Standing::Unreadable(why) => Some(Err(Refusal::Unreadable(why))),
                others::Standing::Unavailable(why) => Some(Err(Refusal::Unavailable(why))),
            };
            match told {
                None => self.others.wait(*member, slot, step!(self, now, out)),
                Some(told) => {
                    self.asks.remove(&slot);
                    out.push(Effect::Told(slot, told));
                }
            }
        }
        self.claims
            .resolve(slot, &mut self.others, step!(self, now, out));
    }

    fn told(&mut self, slot: Slot, answer: &Answer, now: Moment, out: &mut Vec<Effect>) {
        let told = match answer {
            Answer::Found(_, Content::Lease(lease)) if lease.released => Ok(None),
            Answer::Found(_, Content::Lease(lease)) if self.me == Some(lease.member) => {
                let me = Member::new(lease.member, self.name.clone());
                Ok(self.holds(slot).map(|_| me))
            }
            Answer::Found(_, Content::Lease(lease)) => {
                self.asks.insert(slot, Ask::Waiting(lease.member));
                self.others.watch(lease.member, step!(self, now, out));
                self.resolve(slot, now, out);
                return;
            }
            Answer::Found(_, Content::Unreadable(why)) => Err(Refusal::Unreadable(why.clone())),
            Answer::Failed(why) => Err(Refusal::Unavailable(why.clone())),
            _ => Ok(None),
        };
        self.asks.remove(&slot);
        out.push(Effect::Told(slot, told));
    }

    /// Does what is due.
    fn pass_time(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if let Some(own) = &mut self.own {
            own.pass_time(&self.name, step!(self, now, out));
        }
        if self.left {
            return;
        }
        self.others.pass_time(step!(self, now, out));
        self.claims.pass_time(step!(self, now, out));
    }
}
