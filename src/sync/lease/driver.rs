//! Carries out what the machine wants: one task a process.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use async_broadcast::Sender;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::calls::{self, Limits, lease_slot};
use super::error::LeaseError;
use super::held::Lease;
use super::leases::Handle;
use super::machine::{Answer, Call, Effect, Input, Machine, Refusal, Timing};
use super::member::{Member, MemberId};
use super::news::LeaseNews;
use super::standing::{Clocks, Standing};
use crate::store::backend::Backend;
use crate::store::{Change, Slot};
use crate::sync::Fence;

/// What reaches the task.
pub(super) enum Message {
    Acquire {
        slot: Slot,
        reply: AcquireReply,
    },
    /// Of the lease that was held by that member with that epoch.
    Release {
        slot: Slot,
        member: MemberId,
        epoch: u64,
        done: Option<oneshot::Sender<()>>,
    },
    Holder {
        slot: Slot,
        reply: HolderReply,
    },
    Leave {
        done: Option<oneshot::Sender<()>>,
    },
    Answer(Call, Answer),
    Changed(Change),
}

type AcquireReply = oneshot::Sender<Result<Lease, LeaseError>>;
type HolderReply = oneshot::Sender<Result<Option<Member>, LeaseError>>;

pub(super) struct Driver {
    backend: Arc<dyn Backend>,
    machine: Machine,
    limits: Limits,
    /// How often at least the wall clock is looked at.
    wall_check: Duration,
    name: Arc<str>,
    clocks: Clocks,
    /// Ids are drawn from it, so that drawing one cannot fail later.
    seed: [u8; 32],
    drawn: u64,
    handle: Weak<Handle>,
    messages: UnboundedSender<Message>,
    inbox: UnboundedReceiver<Message>,
    news: Sender<LeaseNews>,
    joined: Option<oneshot::Sender<()>>,
    standing: Option<Arc<Standing>>,
    wanted: HashMap<Slot, AcquireReply>,
    asked: HashMap<Slot, Vec<HolderReply>>,
    releasing: HashMap<Slot, Vec<oneshot::Sender<()>>>,
    leaving: Vec<oneshot::Sender<()>>,
    /// By where its lease stands.
    interest: HashMap<Slot, Interest>,
    /// Backend calls under way, and the reader of the feed.
    tasks: JoinSet<()>,
    has_feed: bool,
    left: bool,
}

/// What somebody who was, or may be, refused wants to hear.
struct Interest {
    slot: Slot,
    /// Whether something was written there since the question was asked.
    heard: bool,
}

impl Driver {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        timing: Timing,
        name: Option<Arc<str>>,
        clocks: Clocks,
        seed: [u8; 32],
        (messages, inbox): (UnboundedSender<Message>, UnboundedReceiver<Message>),
        news: Sender<LeaseNews>,
        joined: oneshot::Sender<()>,
    ) -> Self {
        let name = name.unwrap_or_else(|| draw(&seed, 1).to_string().into());
        Self {
            backend,
            machine: Machine::new(timing, name.clone()),
            limits: Limits::new(&timing),
            wall_check: (timing.ttl / 10).min(Duration::from_secs(1)),
            name,
            clocks,
            seed,
            drawn: 0,
            handle: Weak::new(),
            messages,
            inbox,
            news,
            joined: Some(joined),
            standing: None,
            wanted: HashMap::new(),
            asked: HashMap::new(),
            releasing: HashMap::new(),
            leaving: Vec::new(),
            interest: HashMap::new(),
            tasks: JoinSet::new(),
            has_feed: false,
            left: false,
        }
    }

    /// Until the process has left. `handle`: what is left of by whoever holds leases.
    pub(super) async fn run(mut self, handle: Weak<Handle>) {
        self.handle = handle;
        self.follow_changes();
        self.join();
        while !self.left {
            let next = self.next_wake();
            match timeout_at(next, self.inbox.recv()).await {
                Ok(Some(message)) => self.take(message),
                // Never closed: the task itself keeps a sender.
                Ok(None) => break,
                Err(_) => self.feed(Input::Time),
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn next_wake(&self) -> Instant {
        let next = self.clocks.instant(self.machine.next_timeout());
        match &self.standing {
            // The wall clock may have moved while the other stood still.
            Some(_) => next.min(Instant::now() + self.wall_check),
            None => next,
        }
    }

    fn follow_changes(&mut self) {
        let Some(mut changes) = self.backend.changes() else {
            return;
        };
        self.has_feed = true;
        let messages = self.messages.clone();
        self.tasks.spawn(async move {
            while let Some(change) = poll_fn(|cx| changes.as_mut().poll_next(cx)).await {
                if messages.send(Message::Changed(change)).is_err() {
                    break;
                }
            }
        });
    }

    fn join(&mut self) {
        self.drawn += 1;
        let id = draw(&self.seed, self.drawn);
        self.feed(Input::Join(id));
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Answer(call, answer) => self.feed(Input::Answer(call, answer)),
            Message::Acquire { slot, reply } => self.acquire(slot, reply),
            Message::Release {
                slot,
                member,
                epoch,
                done,
            } => {
                let held = self.machine.member() == Some(member)
                    && self.machine.holds(slot) == Some(epoch);
                if held {
                    self.releasing.entry(slot).or_default().extend(done);
                    self.feed(Input::Release(slot));
                }
            }
            Message::Holder { slot, reply } => {
                self.asked.entry(slot).or_default().push(reply);
                self.feed(Input::Ask(slot));
            }
            Message::Leave { done } => {
                self.leaving.extend(done);
                self.feed(Input::Leave);
            }
            Message::Changed(change) => self.changed(change),
        }
    }

    fn acquire(&mut self, slot: Slot, reply: AcquireReply) {
        match self.wanted.get_mut(&slot) {
            Some(waiting) if !waiting.is_closed() => {
                let _gone = reply.send(Err(LeaseError::HeldHere));
            }
            // Whoever asked first has gone: its question is taken over.
            Some(waiting) => *waiting = reply,
            None => {
                if self.has_feed {
                    let heard = false;
                    self.interest
                        .insert(lease_slot(slot), Interest { slot, heard });
                }
                self.wanted.insert(slot, reply);
                self.feed(Input::Acquire(slot));
            }
        }
    }

    fn changed(&mut self, change: Change) {
        match change {
            Change::Resync => {
                self.feed(Input::LookAll);
                self.tell(LeaseNews::Changed { slot: None });
            }
            Change::Written { slot, .. } => {
                if let Some(member) = MemberId::of_slot(slot) {
                    self.feed(Input::Look(member));
                } else if let Some(interest) = self.interest.get_mut(&slot) {
                    interest.heard = true;
                    let at = interest.slot;
                    if !self.wanted.contains_key(&at) {
                        self.pass_on(at);
                    }
                }
            }
        }
    }

    /// Tells whoever was refused, if something was written since.
    fn pass_on(&mut self, slot: Slot) {
        let place = lease_slot(slot);
        if self.interest.get(&place).is_some_and(|it| it.heard) {
            self.interest.remove(&place);
            self.tell(LeaseNews::Changed { slot: Some(slot) });
        }
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            let now = self.clocks.now();
            self.machine.handle(now, input, &mut effects);
            // What is not held any more is not, before anything else is done.
            match (&self.standing, self.machine.deadline()) {
                (Some(standing), None) => standing.end(),
                (Some(standing), Some(deadline))
                    if self.machine.member() == Some(standing.member.id) =>
                {
                    standing.renew(deadline);
                }
                _ => {}
            }
            for effect in effects {
                self.carry_out(effect, &mut inputs);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, inputs: &mut VecDeque<Input>) {
        match effect {
            Effect::Get(..) | Effect::Put(..) | Effect::Remove(..) | Effect::List(_) => {
                let work = calls::call(effect, &self.backend, self.limits, &self.messages);
                if let Some(work) = work {
                    self.tasks.spawn(work);
                }
            }
            Effect::Joined(id) => self.joined(id),
            Effect::Lost(why) => {
                tracing::warn!(why, "lost the membership, and all leases with it");
                self.standing = None;
                self.releasing.clear();
                self.tell(LeaseNews::Lost);
            }
            Effect::JoinAnew => {
                self.drawn += 1;
                inputs.push_back(Input::Join(draw(&self.seed, self.drawn)));
            }
            Effect::Left => {
                self.left = true;
                self.leaving.clear();
            }
            Effect::Acquired(slot, epoch) => self.acquired(slot, epoch, inputs),
            Effect::Refused(slot, refusal) => {
                if let Some(reply) = self.wanted.remove(&slot) {
                    let _gone = reply.send(Err(refusal.clone().into()));
                }
                if matches!(refusal, Refusal::Held(_)) {
                    self.pass_on(slot);
                } else {
                    self.interest.remove(&lease_slot(slot));
                }
            }
            Effect::Freed(slot) => drop(self.releasing.remove(&slot)),
            Effect::Told(slot, told) => {
                for reply in self.asked.remove(&slot).into_iter().flatten() {
                    let _gone = reply.send(told.clone().map_err(LeaseError::from));
                }
            }
            Effect::Gone(member) => {
                tracing::info!(%member, "a member is gone");
                self.tell(LeaseNews::MemberGone { member });
            }
            Effect::Released(_) if !self.has_feed => {
                self.tell(LeaseNews::Changed { slot: None });
            }
            // The feed has told which.
            Effect::Released(_) => {}
        }
    }

    fn joined(&mut self, id: MemberId) {
        let member = Member::new(id, self.name.clone());
        let standing = Standing::new(member.clone(), self.clocks.clone());
        if let Some(deadline) = self.machine.deadline() {
            standing.renew(deadline);
        }
        self.standing = Some(Arc::new(standing));
        if let Some(handle) = self.handle.upgrade() {
            let mut shown = handle.member.lock().unwrap_or_else(PoisonError::into_inner);
            *shown = member.clone();
        }
        tracing::debug!(%member, "joined");
        match self.joined.take() {
            Some(joined) => drop(joined.send(())),
            None => self.tell(LeaseNews::Rejoined { member }),
        }
    }

    fn acquired(&mut self, slot: Slot, epoch: u64, inputs: &mut VecDeque<Input>) {
        self.interest.remove(&lease_slot(slot));
        let reply = self.wanted.remove(&slot);
        let parts = (reply, self.standing.clone(), self.handle.upgrade());
        let (Some(reply), Some(standing), Some(handle)) = parts else {
            inputs.push_back(Input::Release(slot));
            return;
        };
        // Dropped on the way, it releases itself.
        let _gone = reply.send(Ok(Lease {
            slot,
            fence: Fence::new(lease_slot(slot).to_string(), epoch),
            standing,
            handle,
            released: false.into(),
        }));
    }

    fn tell(&self, news: LeaseNews) {
        // Fails if nobody listens.
        let _unheard = self.news.try_broadcast(news);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(standing) = &self.standing {
            standing.end();
        }
    }
}

fn draw(seed: &[u8; 32], number: u64) -> MemberId {
    let mut hash = Sha256::new();
    hash.update(seed);
    hash.update(number.to_be_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    MemberId::new(id)
}
