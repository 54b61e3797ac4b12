//! Processes, their store, what is under way between them, and what can happen next.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};

use moorline::sync::lease::MemberId;
use moorline::sync::lease::machine::{Answer, Effect, Input, MemberRecord, Place, Record, Refusal};

use crate::faults::Planted;
use crate::process::{Knows, Pending, Process, SLOT};
use crate::store::Store;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    OneActs,
    FencesGrow,
    DisconnectWins,
    NothingForgotten,
}

/// The session's record, in another store: its revision, and whether it is a tombstone.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct SessionRecord {
    pub(crate) revision: u64,
    pub(crate) tombstone: bool,
}

/// What may still go wrong.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct Budget {
    /// Steps of time left to be played.
    pub(crate) time: u32,
    /// Answers delayed or lost.
    pub(crate) answers: u32,
    pub(crate) crashes: u32,
    pub(crate) sleeps: u32,
    /// Releases, and leaving.
    pub(crate) releases: u32,
    pub(crate) disconnects: u32,
    pub(crate) saves: u32,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) store: Store,
    pub(crate) record: SessionRecord,
    pub(crate) processes: Vec<Process>,
    /// Writes that nobody waits for any more and that may still take effect.
    pub(crate) late: Vec<Effect>,
    pub(crate) budget: Budget,
    /// The highest epoch that anybody was given.
    pub(crate) highest: u64,
    /// What it was when the user disconnected.
    pub(crate) disconnected_at: Option<u64>,
    /// Whether an epoch was given that is not higher than all before.
    repeated: bool,
    pub(crate) planted: Option<Planted>,
    /// Whether reads take time too. Otherwise only what asks for them comes late.
    pub(crate) slow_reads: bool,
    /// Whether records of members are removed within the time that is played.
    removes: bool,
    drawn: u8,
}

/// What happens next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Move {
    /// Time passes, for all.
    Time,
    /// Time passes, and this one sleeps.
    Sleep(usize),
    /// A process does what is due. Until then it is paused.
    Wake(usize),
    /// A call takes effect and is answered.
    Serve(usize, usize),
    /// A call takes effect; its answer comes later.
    Delay(usize, usize),
    /// A call is given up. If it has not taken effect, it still may.
    GiveUp(usize, usize),
    /// A late write takes effect.
    Land(usize),
    Crash(usize),
    Acquire(usize),
    Release(usize),
    Leave(usize),
    /// A holder reads the record: after acquiring, when the feed says so, or now and then.
    Look(usize),
    /// A holder writes the record.
    Save(usize),
    /// The user disconnects at this process.
    Disconnect(usize),
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl World {
    /// Processes that have not joined yet, with their ttls.
    pub(crate) fn new(ttls: &[u64], keep: u64) -> Self {
        let processes = ttls.iter().zip(0_u64..).map(|(ttl, number)| {
            // Their clocks are far apart.
            Process::new(*ttl, keep, 1000 * (number + 1))
        });
        let mut world = Self {
            now: 0,
            store: Store::default(),
            record: SessionRecord::default(),
            processes: processes.collect(),
            late: Vec::new(),
            budget: Budget::default(),
            highest: 0,
            disconnected_at: None,
            repeated: false,
            planted: None,
            slow_reads: false,
            removes: keep < 100,
            drawn: 0,
        };
        for process in 0..ttls.len() {
            let id = world.draw();
            world.feed(process, Input::Join(id));
        }
        world
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = Mix::default();
        self.hash(&mut hasher);
        hasher.finish()
    }

    fn draw(&mut self) -> MemberId {
        self.drawn += 1;
        MemberId::new([self.drawn; 16])
    }

    /// Everything that could happen now.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let budget = &self.budget;
        if budget.time > 0 {
            moves.push(Move::Time);
        }
        for (number, process) in self.processes.iter().enumerate() {
            if !process.lives {
                continue;
            }
            let holds = process.machine.holds(SLOT).is_some();
            let acts = matches!(process.knows, Knows::Acts(_));
            let mut may = |can: bool, step: Move| moves.extend(can.then_some(step));
            may(process.is_due(self.now), Move::Wake(number));
            for (call, pending) in process.calls.iter().enumerate() {
                may(true, Move::Serve(number, call));
                let open = pending.done.is_none();
                may(open && budget.answers > 0, Move::Delay(number, call));
                // That a read failed is no news of anything.
                let writes = !matches!(pending.call, Effect::Get(..));
                may(writes && budget.answers > 0, Move::GiveUp(number, call));
            }
            may(self.may_acquire(number), Move::Acquire(number));
            may(process.knows == Knows::Unread, Move::Look(number));
            may(acts && self.record.tombstone, Move::Look(number));
            may(acts && budget.saves > 0, Move::Save(number));
            may(budget.crashes > 0, Move::Crash(number));
            may(budget.sleeps > 0 && budget.time > 0, Move::Sleep(number));
            may(holds && budget.releases > 0, Move::Release(number));
            let member = process.machine.member().is_some();
            may(member && budget.releases > 0, Move::Leave(number));
            let connected = !self.record.tombstone;
            may(
                connected && budget.disconnects > 0,
                Move::Disconnect(number),
            );
        }
        for (write, call) in self.late.iter().enumerate() {
            if self.store.could_land(call) {
                moves.push(Move::Land(write));
            }
        }
        moves
    }

    /// Whether the program at this process would ask for the lease.
    pub(crate) fn may_acquire(&self, number: usize) -> bool {
        let process = &self.processes[number];
        let idle = process.knows == Knows::Nothing;
        process.lives && idle && process.machine.member().is_some() && !self.record.tombstone
    }

    /// Plays a move.
    pub(crate) fn play(&mut self, step: Move) {
        self.carry_out(step);
        // What can never land makes no difference. Revisions count anew only after a removal.
        let (store, removes) = (&self.store, self.removes);
        let may = |call: &Effect| {
            let lease = matches!(call, Effect::Put(_, Place::Lease(_), ..));
            store.could_land(call) || (removes && !lease)
        };
        self.late.retain(may);
    }

    fn carry_out(&mut self, step: Move) {
        let budget = &mut self.budget;
        match step {
            Move::Time => {
                budget.time = budget.time.saturating_sub(1);
                self.now += 1;
            }
            Move::Sleep(number) => {
                let slept = 3.min(budget.time);
                budget.time -= slept;
                budget.sleeps -= 1;
                self.now += u64::from(slept);
                self.processes[number].slept += u64::from(slept);
            }
            Move::Wake(number) => self.feed(number, Input::Time),
            Move::Serve(number, call) => self.serve(number, call),
            Move::Delay(number, call) => {
                budget.answers -= 1;
                let pending = &mut self.processes[number].calls[call];
                pending.done = Some(self.store.carry_out(&pending.call));
            }
            Move::GiveUp(number, call) => {
                budget.answers -= 1;
                self.give_up(number, call);
            }
            Move::Land(write) => {
                let call = self.late.remove(write);
                self.store.carry_out(&call);
            }
            Move::Crash(number) => {
                budget.crashes -= 1;
                self.crash(number);
            }
            Move::Acquire(number) => {
                self.processes[number].knows = Knows::Asked;
                self.feed(number, Input::Acquire(SLOT));
            }
            Move::Release(number) => {
                budget.releases -= 1;
                self.release(number);
            }
            Move::Leave(number) => {
                budget.releases -= 1;
                self.processes[number].knows = Knows::Nothing;
                self.feed(number, Input::Leave);
            }
            Move::Look(number) => self.look(number),
            Move::Save(number) => {
                budget.saves -= 1;
                self.save(number);
            }
            Move::Disconnect(number) => {
                budget.disconnects -= 1;
                self.record.revision += 1;
                self.record.tombstone = true;
                self.disconnected_at = Some(self.highest);
                self.release(number);
            }
        }
    }

    fn serve(&mut self, number: usize, call: usize) {
        let Pending { call, done } = self.processes[number].calls.remove(call);
        let (Effect::Get(id, place) | Effect::Put(id, place, ..) | Effect::Remove(id, place, _)) =
            call
        else {
            return;
        };
        let answer = match done {
            Some(answer) => answer,
            None => match self.planted {
                Some(Planted::TakesOverUnfenced) if self.fences(number, &call) => Answer::Written,
                Some(Planted::NeverFences) if self.fences(number, &call) => {
                    Answer::Failed("not now".into())
                }
                _ => self.store.carry_out(&call),
            },
        };
        let process = &mut self.processes[number];
        let renewed = Some(place) == process.machine.member().map(Place::Member);
        let counts = self.planted == Some(Planted::CountsFromTheEnd);
        if counts && renewed && answer == Answer::Written {
            process.confirmed = self.now;
        }
        self.feed(number, Input::Answer(id, answer));
    }

    /// Whether this ends another member.
    fn fences(&self, number: usize, call: &Effect) -> bool {
        let own = self.processes[number].machine.member();
        matches!(call, Effect::Put(_, Place::Member(id), Record::Member(_, MemberRecord::Ended), _)
                if Some(*id) != own)
    }

    fn give_up(&mut self, number: usize, call: usize) {
        let Pending { call, done } = self.processes[number].calls.remove(call);
        let (Effect::Put(id, ..) | Effect::Remove(id, ..)) = call else {
            return;
        };
        if done.is_none() {
            self.late.push(call);
        }
        let answer = Answer::Failed("given up".into());
        self.feed(number, Input::Answer(id, answer));
    }

    fn crash(&mut self, number: usize) {
        let process = &mut self.processes[number];
        let calls = std::mem::take(&mut process.calls);
        *process = Process::gone();
        let writes = calls.into_iter().filter(|it| it.done.is_none());
        self.late.extend(
            writes
                .map(|it| it.call)
                .filter(|call| !matches!(call, Effect::Get(..))),
        );
    }

    fn release(&mut self, number: usize) {
        let process = &mut self.processes[number];
        if process.knows != Knows::Nothing {
            if self.planted == Some(Planted::ReleasesBeforeStopping) {
                process.letting_go = process.machine.holds(SLOT);
            }
            process.knows = Knows::Nothing;
            self.feed(number, Input::Release(SLOT));
        }
    }

    pub(crate) fn look(&mut self, number: usize) {
        if self.record.tombstone {
            self.release(number);
        } else {
            self.processes[number].knows = Knows::Acts(self.record.revision);
        }
    }

    fn save(&mut self, number: usize) {
        let process = &mut self.processes[number];
        let Knows::Acts(revision) = process.knows else {
            return;
        };
        let over = self.planted == Some(Planted::SavesOverATombstone);
        if revision == self.record.revision || over {
            self.record.revision += 1;
            self.record.tombstone = false;
            process.knows = Knows::Acts(self.record.revision);
        } else {
            self.look(number);
        }
    }

    /// Hands an input to a machine and carries out what takes no time.
    fn feed(&mut self, number: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            let process = &mut self.processes[number];
            let now = process.moment(self.now);
            process.machine.handle(now, input, &mut effects);
            for effect in effects {
                inputs.extend(self.effect(number, effect));
            }
        }
    }

    fn effect(&mut self, number: usize, mut effect: Effect) -> Option<Input> {
        match (&mut effect, self.planted) {
            (Effect::Put(_, _, Record::Lease(lease), _), Some(Planted::UsesTheSameEpoch)) => {
                lease.epoch = lease.epoch.saturating_sub(1).max(1);
            }
            (
                Effect::Put(_, _, Record::Member(_, MemberRecord::Alive(alive)), _),
                Some(Planted::DoesNotWaitTheFullTtl),
            ) => alive.ttl_ms = 0,
            _ => {}
        }
        let planted = self.planted;
        let process = &mut self.processes[number];
        match effect {
            Effect::Get(call, _) if !self.slow_reads => {
                let found = self.store.carry_out(&effect);
                return Some(Input::Answer(call, found));
            }
            Effect::List(call) => {
                let listed = self.store.carry_out(&effect);
                return Some(Input::Answer(call, listed));
            }
            Effect::Get(..) | Effect::Put(..) | Effect::Remove(..) => {
                let done = None;
                process.calls.push(Pending { call: effect, done });
            }
            Effect::Lost(_) => {
                process.knows = Knows::Nothing;
                process.letting_go = None;
            }
            Effect::JoinAnew => return Some(Input::Join(self.draw())),
            Effect::Acquired(_, epoch) => {
                let unread = planted != Some(Planted::DoesNotReadBeforeActing);
                process.knows = match unread {
                    true => Knows::Unread,
                    false => Knows::Acts(self.record.revision),
                };
                let epoch = match planted {
                    Some(Planted::UsesTheSameEpoch) => epoch.saturating_sub(1).max(1),
                    _ => epoch,
                };
                self.repeated |= epoch <= self.highest;
                self.highest = self.highest.max(epoch);
            }
            Effect::Refused(_, Refusal::HeldHere) => panic!("asked twice"),
            Effect::Refused(..) => process.knows = Knows::Nothing,
            Effect::Freed(_) => process.letting_go = None,
            Effect::Left => *process = Process::gone(),
            _ => {}
        }
        None
    }

    /// The rules that hold in every situation.
    pub(crate) fn check(&self) -> Result<(), (Rule, String)> {
        let holders = |acting: bool| {
            self.processes
                .iter()
                .filter_map(move |process| match acting {
                    true => process.acts(self.now, self.planted),
                    false => process.holds(self.now, self.planted),
                })
        };
        if self.repeated {
            let what = format!("epoch {} was given again", self.highest);
            return Err((Rule::FencesGrow, what));
        }
        if holders(false).count() > 1 {
            let epochs: Vec<u64> = holders(false).collect();
            return Err((Rule::OneActs, format!("two may act, with {epochs:?}")));
        }
        if let Some(before) = self.disconnected_at {
            if !self.record.tombstone {
                return Err((Rule::DisconnectWins, "the tombstone is gone".into()));
            }
            if holders(true).any(|epoch| epoch > before) {
                let what = "acquired after the disconnect, and acts";
                return Err((Rule::DisconnectWins, what.into()));
            }
        }
        Ok(())
    }
}

/// Hashes quickly; nobody picks what is hashed.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn finish(&self) -> u64 {
        let mixed = self.0.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 32)
    }
}
