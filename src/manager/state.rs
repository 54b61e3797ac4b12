//! What a manager knows, behind one short lock that is never held over a call into a session.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Weak};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::NextActive;
use super::builder::Config;
use super::error::ManagerError;
use super::event::{Bulletin, CloseReason, ManagerEventKind};
use super::hydration::Cache;
use super::inner::Inner;
use super::key::{SessionKey, Who};
use super::managed::ManagedSession;
use super::own_record::Memory;
use super::place::Place;
use super::shelf::Shelf;
use super::turns::Turns;
use super::usage::{Times, Usage};
use crate::event::Event;
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::store::RecordName;

/// One session, from the moment it is built.
pub(super) struct Entry {
    /// Whom it acts for, once the wallet has said so and it has joined.
    pub(super) key: Option<Arc<SessionKey>>,
    pub(super) session: Option<Session>,
    /// As of its last event.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) usage: Arc<Usage>,
    /// Where it is stored.
    pub(super) place: Option<Arc<Place>>,
}

impl Entry {
    pub(super) fn is_connected(&self) -> bool {
        self.snapshot.as_deref().is_some_and(Snapshot::is_connected)
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.key.as_deref().is_some_and(SessionKey::is_read_only)
    }

    fn managed(&self, id: u64, home: &Weak<Inner>) -> Option<ManagedSession> {
        Some(ManagedSession {
            key: self.key.clone()?,
            session: self.session.clone()?,
            usage: self.usage.clone(),
            id,
            home: home.clone(),
            background: false,
        })
    }

    /// Under which name it is stored, if it is.
    pub(super) fn name(&self) -> Option<RecordName> {
        self.place.as_ref()?.name()
    }

    /// What is to be let go of once it has ended.
    pub(super) fn owned(&self) -> Option<Owned> {
        let place = self.place.clone()?;
        let name = place.name();
        Some(Owned { name, place })
    }
}

/// What a session has until it has ended.
pub(super) struct Owned {
    /// Under which name it is stored, unless another writes there by now.
    pub(super) name: Option<RecordName>,
    /// Whom it is stored by.
    pub(super) place: Arc<Place>,
}

/// What cannot be done under a lock.
pub(super) enum Chore {
    /// End a session that has left.
    Close {
        id: u64,
        session: Session,
        /// When it was used, if that is to be stored.
        usage: Option<Arc<Usage>>,
        detach: bool,
        owned: Option<Owned>,
    },
    /// Drop a handle: it may be the last one.
    Drop(#[allow(dead_code)] ManagedSession),
    /// Have a session's record written again.
    Save(Session),
    /// Remove a record that no session stands for any more.
    Forget(RecordName),
    /// Get the lease of what a session is stored under now.
    Claim(u64, RecordName),
}

pub(super) struct State {
    pub(super) closed: bool,
    last_id: u64,
    pub(super) entries: Shelf<Entry>,
    /// Sessions that have left and are being ended: what they tell is told.
    leaving: HashMap<u64, Arc<SessionKey>>,
    pub(super) by_key: BTreeMap<Arc<SessionKey>, u64>,
    active: Option<u64>,
    active_key: Option<Arc<SessionKey>>,
    pub(super) active_watch: watch::Sender<Option<ManagedSession>>,
    /// Who writes under a name: one at a time, the last one to come.
    pub(super) owners: HashMap<RecordName, Weak<Place>>,
    pub(super) bulletin: Bulletin,
    pub(super) chores: Vec<Chore>,
    pub(super) memory: Memory,
    /// When each session is looked at for having been idle, in milliseconds of the manager's time.
    pub(super) idle_turns: Option<Turns<u64>>,
    /// Whom room is made by.
    spare_turns: Option<Turns<(u64, u32)>>,
    /// The names of wallet protocols, once each.
    kinds: HashSet<Arc<str>>,
    /// Restores that are under way, and whatever else ends with the manager.
    pub(super) restores: Vec<AbortHandle>,
    /// How often everything was cleared, and how many times of that are not over.
    cleared: u64,
    clearing: u32,
    /// What is fetched about sessions, if anything is.
    pub(super) hydration: Option<Box<Cache>>,
    pub(super) home: Weak<Inner>,
    times: Arc<Times>,
    namespace: Arc<str>,
}

impl State {
    pub(super) fn new(times: Arc<Times>, config: &Config) -> Self {
        Self {
            closed: false,
            last_id: 0,
            entries: Shelf::new(),
            leaving: HashMap::new(),
            by_key: BTreeMap::new(),
            active: None,
            active_key: None,
            active_watch: watch::Sender::new(None),
            owners: HashMap::new(),
            bulletin: Bulletin::new(config.event_capacity),
            chores: Vec::new(),
            memory: Memory::default(),
            idle_turns: config.idle.map(|_| Turns::default()),
            spare_turns: config.makes_room().then(Turns::default),
            kinds: HashSet::new(),
            restores: Vec::new(),
            cleared: 0,
            clearing: 0,
            hydration: None,
            home: Weak::new(),
            times,
            namespace: config.namespace.clone(),
        }
    }

    pub(super) fn add(&mut self, entry: Entry) -> u64 {
        self.last_id += 1;
        self.entries.insert(self.last_id, entry);
        self.last_id
    }

    /// The name of a wallet protocol, shared.
    pub(super) fn kind(&mut self, kind: &str) -> Arc<str> {
        if let Some(known) = self.kinds.get(kind) {
            return known.clone();
        }
        let kind: Arc<str> = kind.into();
        self.kinds.insert(kind.clone());
        kind
    }

    /// Has a task aborted when the manager is gone, if it still runs then.
    pub(super) fn until_the_end(&mut self, task: AbortHandle) {
        self.restores.retain(|running| !running.is_finished());
        self.restores.push(task);
    }

    pub(super) fn tell(&mut self, id: u64, kind: impl FnOnce() -> ManagerEventKind) {
        let key = self.entries.get(id).and_then(|entry| entry.key.clone());
        self.bulletin.tell(self.times.wall(), id, key, kind);
    }

    /// Like [`tell`](Self::tell), about a session that has left.
    pub(super) fn tell_of(&mut self, id: u64, key: Arc<SessionKey>, kind: ManagerEventKind) {
        let at = self.times.wall();
        self.bulletin.tell(at, id, Some(key), || kind);
    }

    pub(super) fn active(&self) -> Option<u64> {
        self.active
    }

    pub(super) fn active_key(&self) -> Option<Arc<SessionKey>> {
        self.active_key.clone()
    }

    pub(super) fn managed(&self, id: u64) -> Option<ManagedSession> {
        self.entries.get(id)?.managed(id, &self.home)
    }

    pub(super) fn find(&self, who: &Who) -> Result<u64, ManagerError> {
        let none = || ManagerError::NotFound { who: who.clone() };
        match who {
            Who::Key(key) => self.by_key.get(key).copied().ok_or_else(none),
            Who::Account(account) => {
                let first = SessionKey {
                    account: account.clone(),
                    network: None,
                    provider: "".into(),
                };
                let of_account: Vec<_> = self
                    .by_key
                    .range(Arc::new(first)..)
                    .take_while(|(key, _)| key.account == *account)
                    .collect();
                match of_account[..] {
                    [] => Err(none()),
                    [(_, id)] => Ok(*id),
                    _ => Err(ManagerError::Ambiguous {
                        who: who.clone(),
                        keys: of_account.iter().map(|(key, _)| (*key).clone()).collect(),
                    }),
                }
            }
        }
    }

    /// The session that stands for the same account on the same network, by the same kind of
    /// wallet or where one of them only watches.
    pub(super) fn twin(&self, key: &SessionKey, but: u64) -> Option<u64> {
        let first = SessionKey {
            provider: "".into(),
            ..key.clone()
        };
        let watches = key.is_read_only();
        self.by_key
            .range(Arc::new(first)..)
            .take_while(|(it, _)| it.account == key.account && it.network == key.network)
            .find(|(it, id)| {
                let same = it.provider == key.provider;
                **id != but && (same || watches || it.is_read_only())
            })
            .map(|(_, id)| *id)
    }

    /// A session joins, or is found to act for somebody else.
    pub(super) fn put(&mut self, id: u64, key: Arc<SessionKey>, name: Option<RecordName>) {
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        if entry.key.is_none() {
            let (here, entries) = (self.by_key.len(), &self.entries);
            let is_here = |id| entries.get(id).is_some();
            if let Some(turns) = &mut self.idle_turns {
                turns.forget_gone(here, is_here);
                turns.take_turn(id, self.times.elapsed());
            }
            if let Some(turns) = &mut self.spare_turns {
                turns.forget_gone(here, is_here);
                turns.take_turn(id, entry.usage.recency());
            }
        }
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if let Some(before) = entry.key.replace(key.clone())
            && self.by_key.get(&before) == Some(&id)
        {
            self.by_key.remove(&before);
        }
        self.by_key.insert(key.clone(), id);
        if let Some(place) = entry.place.clone() {
            let name = name.unwrap_or_else(|| key.record_name(&self.namespace));
            if let Some(before) = place.name().filter(|before| *before != name) {
                disown(&mut self.owners, &before, &place);
            }
            if place.gate().is_some_and(|gate| gate.right().named(&name)) {
                self.chores.push(Chore::Claim(id, name.clone()));
            }
            let before = self.owners.insert(name.clone(), Arc::downgrade(&place));
            let before = before.and_then(|before| before.upgrade());
            if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, &place)) {
                before.take_away();
            }
            self.memory.came(&name, entry.usage.last());
            place.put(name);
        }
        self.memory.outdated = true;
        self.hydrate(id);
    }

    /// The session that is stored under this name, if one is.
    pub(super) fn owner(&self, name: &RecordName) -> Option<u64> {
        let id = self.owners.get(name)?.upgrade()?.id;
        self.entries.get(id)?.key.is_some().then_some(id)
    }

    /// Nobody tells anything of a session any more, and nobody writes under its name unless another
    /// session does.
    pub(super) fn release(&mut self, id: u64, owned: Option<&Owned>) {
        self.leaving.remove(&id);
        if let Some(Owned {
            name: Some(name),
            place,
        }) = owned
        {
            disown(&mut self.owners, name, place);
        }
    }

    /// A session leaves. Who is active instead is the caller's to say.
    pub(super) fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        if let Some(key) = &entry.key
            && self.by_key.get(key) == Some(&id)
        {
            self.by_key.remove(key);
        }
        if let (Some(key), Some(_)) = (&entry.key, &entry.session) {
            self.leaving.insert(id, key.clone());
        }
        self.dehydrate(id);
        Some(entry)
    }

    /// The manager closes a session, which may be restored later.
    pub(super) fn shut(&mut self, id: u64, reason: CloseReason, detach: bool, heir: Option<u64>) {
        let was_active = self.active == Some(id);
        let Some(mut entry) = self.remove(id) else {
            return;
        };
        let owned = entry.owned();
        let name = owned.as_ref().and_then(|owned| owned.name.clone());
        let mut usage = None;
        match reason {
            // Another writes there now, or nobody is to.
            CloseReason::Replaced | CloseReason::Merged => {
                if let Some(place) = &entry.place {
                    place.take_away();
                }
                // Unless the other one is stored there.
                self.chores.extend(name.map(Chore::Forget));
            }
            // What is stored is removed by whoever clears.
            CloseReason::Cleared => {}
            CloseReason::Ended => {
                if let Some(place) = &entry.place {
                    place.take_away();
                }
            }
            // Another writes there.
            CloseReason::LeaseLost => {
                if let Some(place) = &entry.place {
                    place.take_away();
                }
            }
            CloseReason::Idle | CloseReason::Capacity => {
                if !detach {
                    usage = Some(entry.usage.clone());
                } else if let Some(name) = name {
                    self.memory.went(&name);
                    self.memory.forgotten.insert(name);
                }
            }
        }
        if let Some(session) = entry.session.take() {
            self.chores.push(Chore::Close {
                id,
                session,
                usage,
                detach,
                owned,
            });
        }
        let next = if was_active { heir } else { self.active };
        let active = next.and_then(|next| self.entries.get(next)?.key.clone());
        if let Some(key) = entry.key {
            self.tell_of(id, key, ManagerEventKind::Closed { reason, active });
        }
        if was_active {
            self.set_active(heir);
        }
    }

    /// The session leaves because the user said so.
    pub(super) fn log_out(&mut self, id: u64, policy: NextActive) -> Option<Entry> {
        let was_active = self.active == Some(id);
        let entry = self.remove(id)?;
        if let Some(name) = entry.name() {
            self.memory.went(&name);
            self.memory.forgotten.insert(name);
        }
        let next = match policy {
            _ if !was_active => self.active,
            NextActive::None => None,
            NextActive::MostRecent => self.most_recent(),
        };
        let active = next.and_then(|next| self.entries.get(next)?.key.clone());
        if let Some(key) = entry.key.clone() {
            self.tell_of(id, key, ManagerEventKind::LoggedOut { active });
        }
        if was_active {
            self.set_active(next);
        }
        Some(entry)
    }

    /// Looks at everybody: asked for only where the user ends the active session.
    pub(super) fn most_recent(&self) -> Option<u64> {
        let ids = self.by_key.values();
        ids.max_by_key(|id| self.entries.get(**id).map(|entry| entry.usage.recency()))
            .copied()
    }

    /// Who has not been used for longest, of those that can be spared.
    pub(super) fn least_recent(&mut self) -> Option<u64> {
        let turns = self.spare_turns.as_mut()?;
        let mut needed = Vec::new();
        let mut found = None;
        while let Some((at, id)) = turns.next() {
            let Some(entry) = self.entries.get(id) else {
                continue;
            };
            let recency = entry.usage.recency();
            if recency > at {
                turns.take_turn(id, recency);
                continue;
            }
            needed.push((at, id));
            if self.active != Some(id) && !entry.usage.is_busy() {
                found = Some(id);
                break;
            }
        }
        for (at, id) in needed {
            turns.take_turn(id, at);
        }
        found
    }

    /// Makes a session the active one, or none. Session and account change in one step.
    pub(super) fn set_active(&mut self, next: Option<u64>) {
        let managed = next.and_then(|id| self.managed(id));
        self.active = managed.as_ref().and(next);
        let current = managed.as_ref().map(|managed| managed.key.clone());
        let previous = std::mem::replace(&mut self.active_key, current.clone());
        let same = *self.active_watch.borrow() == managed;
        if same {
            // Dropped where no session is locked.
            self.chores.extend(managed.map(Chore::Drop));
            return;
        }
        let before = self.active_watch.send_replace(managed);
        self.chores.extend(before.map(Chore::Drop));
        self.memory.active_touched = true;
        self.memory.dirty = true;
        if previous != current {
            let id = self.active.unwrap_or_default();
            self.tell(id, || ManagerEventKind::ActiveChanged { previous, current });
        }
    }

    /// What is restored belongs to the time in which that was begun; none while everything is
    /// being cleared.
    pub(super) fn era(&self) -> Option<u64> {
        (self.clearing == 0).then_some(self.cleared)
    }

    pub(super) fn cleared(&mut self) {
        self.clearing = self.clearing.saturating_sub(1);
    }

    /// All sessions leave, those that have not joined yet included, and nothing of them is written
    /// any more. Says what they were stored as.
    pub(super) fn clear(&mut self) -> Vec<RecordName> {
        let ids = self.entries.numbers();
        let mut names = Vec::new();
        self.cleared += 1;
        self.clearing += 1;
        // First, so that nobody becomes active in between.
        self.set_active(None);
        for id in ids {
            let Some(entry) = self.entries.get(id) else {
                continue;
            };
            names.extend(entry.name());
            if let Some(place) = &entry.place {
                place.take_away();
            }
            if entry.key.is_some() {
                self.shut(id, CloseReason::Cleared, true, None);
            } else if let Some(session) = self.entries.remove(id).and_then(|it| it.session) {
                self.chores.push(Chore::Close {
                    id,
                    session,
                    usage: None,
                    detach: true,
                    owned: None,
                });
            }
        }
        // Those that are being ended write no more either.
        for (name, place) in self.owners.drain() {
            if let Some(place) = place.upgrade() {
                place.take_away();
            }
            names.push(name);
        }
        if let Some(turns) = &mut self.idle_turns {
            turns.clear();
        }
        if let Some(turns) = &mut self.spare_turns {
            turns.clear();
        }
        names.extend(self.memory.clear());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A session has published an event. Called under that session's lock.
    pub(super) fn observe(&mut self, id: u64, event: &Event, snapshot: &Arc<Snapshot>) {
        let Some(entry) = self.entries.get_mut(id) else {
            if let Some(key) = self.leaving.get(&id).cloned() {
                let event = event.clone();
                self.tell_of(id, key, ManagerEventKind::Session { event });
            }
            return;
        };
        entry.snapshot = Some(snapshot.clone());
        if let (Some(key), Some(identity)) = (&entry.key, snapshot.primary())
            && (identity.id != key.account || snapshot.network != key.network)
        {
            self.rekey(id, snapshot);
        }
        self.hydrate(id);
        self.tell(id, || ManagerEventKind::Session {
            event: event.clone(),
        });
    }

    /// The wallet has made a session act for somebody else.
    fn rekey(&mut self, id: u64, snapshot: &Snapshot) {
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        let (Some(identity), Some(previous)) = (snapshot.identity(), entry.key.clone()) else {
            return;
        };
        let before = entry.name();
        let key = Arc::new(SessionKey::new(identity, previous.provider.clone()));
        let active = self.active == Some(id);
        if let Some(twin) = self.twin(&key, id) {
            let stays = self
                .entries
                .get(twin)
                .is_some_and(|twin| twin.is_connected() && !twin.is_read_only());
            if stays {
                self.shut(id, CloseReason::Merged, false, active.then_some(twin));
                return;
            }
            let was_active = self.active == Some(twin);
            self.put(id, key, None);
            self.shut(twin, CloseReason::Replaced, false, was_active.then_some(id));
        } else {
            self.put(id, key, None);
        }
        self.chores.extend(before.map(Chore::Forget));
        self.tell(id, || ManagerEventKind::Rekeyed { previous });
        if self.active == Some(id) {
            self.set_active(Some(id));
        }
    }
}

fn disown(owners: &mut HashMap<RecordName, Weak<Place>>, name: &RecordName, place: &Arc<Place>) {
    if let Some(owner) = owners.get(name)
        && owner.as_ptr() == Arc::as_ptr(place)
    {
        owners.remove(name);
    }
}
