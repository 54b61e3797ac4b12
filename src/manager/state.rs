//! What a manager knows, behind one short lock that is never held over a call into a session.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::NextActive;
use super::error::ManagerError;
use super::event::{Bulletin, CloseReason, ManagerEventKind};
use super::key::{SessionKey, Who};
use super::managed::ManagedSession;
use super::own_record::Memory;
use super::place::Place;
use super::read_only;
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
    pub(super) kind: Arc<str>,
    /// As of its last event.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) usage: Arc<Usage>,
    pub(super) place: Option<Arc<Place>>,
    /// Where it is stored.
    pub(super) name: Option<RecordName>,
}

impl Entry {
    pub(super) fn is_connected(&self) -> bool {
        self.snapshot.as_deref().is_some_and(Snapshot::is_connected)
    }

    pub(super) fn is_read_only(&self) -> bool {
        &*self.kind == read_only::KIND
    }

    fn managed(&self) -> Option<ManagedSession> {
        Some(ManagedSession {
            key: self.key.clone()?,
            session: self.session.clone()?,
            usage: self.usage.clone(),
        })
    }

    /// Whom it is stored by, if it is.
    pub(super) fn owned(&self) -> Option<(RecordName, Arc<Place>)> {
        self.name.clone().zip(self.place.clone())
    }
}

/// What cannot be done under a lock.
pub(super) enum Chore {
    /// End a session that has left.
    Close {
        session: Session,
        detach: bool,
        owned: Option<(RecordName, Arc<Place>)>,
    },
    /// Drop a handle: it may be the last one.
    Drop(#[allow(dead_code)] ManagedSession),
    /// Remove a record that no session stands for any more.
    Forget(RecordName),
    /// Get the lease of what a session is stored under now.
    Claim(u64, RecordName),
}

pub(super) struct State {
    pub(super) closed: bool,
    last_id: u64,
    pub(super) entries: HashMap<u64, Entry>,
    pub(super) by_key: BTreeMap<Arc<SessionKey>, u64>,
    active: Option<u64>,
    active_key: Option<Arc<SessionKey>>,
    pub(super) active_watch: watch::Sender<Option<ManagedSession>>,
    /// Who writes under a name: one at a time, the last one to come.
    pub(super) owners: HashMap<RecordName, Weak<Place>>,
    pub(super) bulletin: Bulletin,
    pub(super) chores: Vec<Chore>,
    pub(super) memory: Memory,
    times: Arc<Times>,
    namespace: Arc<str>,
}

impl State {
    pub(super) fn new(times: Arc<Times>, namespace: Arc<str>, event_capacity: usize) -> Self {
        Self {
            closed: false,
            last_id: 0,
            entries: HashMap::new(),
            by_key: BTreeMap::new(),
            active: None,
            active_key: None,
            active_watch: watch::Sender::new(None),
            owners: HashMap::new(),
            bulletin: Bulletin::new(event_capacity),
            chores: Vec::new(),
            memory: Memory::default(),
            times,
            namespace,
        }
    }

    pub(super) fn add(&mut self, entry: Entry) -> u64 {
        self.last_id += 1;
        self.entries.insert(self.last_id, entry);
        self.last_id
    }

    pub(super) fn tell(&mut self, id: u64, kind: impl FnOnce() -> ManagerEventKind) {
        let key = self.entries.get(&id).and_then(|entry| entry.key.clone());
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
        self.entries.get(&id)?.managed()
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
        let watches = &*key.provider == read_only::KIND;
        self.by_key
            .range(Arc::new(first)..)
            .take_while(|(it, _)| it.account == key.account && it.network == key.network)
            .find(|(it, id)| {
                let same = it.provider == key.provider;
                **id != but && (same || watches || &*it.provider == read_only::KIND)
            })
            .map(|(_, id)| *id)
    }

    /// A session joins, or is found to act for somebody else.
    pub(super) fn put(&mut self, id: u64, key: Arc<SessionKey>, name: Option<RecordName>) {
        let name = name.unwrap_or_else(|| key.record_name(&self.namespace));
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if let Some(before) = entry.key.replace(key.clone())
            && self.by_key.get(&before) == Some(&id)
        {
            self.by_key.remove(&before);
        }
        self.by_key.insert(key, id);
        if let Some(place) = &entry.place {
            if place.gate().is_some_and(|gate| gate.right().named(&name)) {
                self.chores.push(Chore::Claim(id, name.clone()));
            }
            let before = self.owners.insert(name.clone(), Arc::downgrade(place));
            let before = before.and_then(|before| before.upgrade());
            if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, place)) {
                before.take_away();
            }
            place.put(name.clone());
        }
        self.memory.forgotten.remove(&name);
        self.memory.known.remove(&name);
        entry.name = Some(name);
        self.memory.dirty = true;
    }

    /// A session leaves. Who is active instead is the caller's to say.
    pub(super) fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        if let Some(key) = &entry.key
            && self.by_key.get(key) == Some(&id)
        {
            self.by_key.remove(key);
        }
        self.memory.dirty = true;
        Some(entry)
    }

    /// The manager closes a session, which may be restored later.
    pub(super) fn shut(&mut self, id: u64, reason: CloseReason, detach: bool, heir: Option<u64>) {
        let was_active = self.active == Some(id);
        let Some(mut entry) = self.remove(id) else {
            return;
        };
        let owned = entry.owned();
        match reason {
            // Another writes there now, or nobody is to.
            CloseReason::Replaced | CloseReason::Merged => {
                if let Some(place) = &entry.place {
                    place.take_away();
                }
                // Unless the other one is stored there.
                self.chores.extend(entry.name.clone().map(Chore::Forget));
            }
            // Another writes there.
            CloseReason::LeaseLost => {
                if let Some(place) = &entry.place {
                    place.take_away();
                }
            }
            CloseReason::Idle | CloseReason::Capacity => {
                if let Some(name) = entry.name.clone() {
                    if detach {
                        self.memory.forgotten.insert(name);
                    } else {
                        self.memory.known.insert(name, entry.usage.last());
                    }
                }
            }
        }
        if let Some(session) = entry.session.take() {
            self.chores.push(Chore::Close {
                session,
                detach,
                owned,
            });
        }
        let next = if was_active { heir } else { self.active };
        let active = next.and_then(|next| self.entries.get(&next)?.key.clone());
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
        if let Some(name) = entry.name.clone() {
            self.memory.forgotten.insert(name);
        }
        let next = match policy {
            _ if !was_active => self.active,
            NextActive::None => None,
            NextActive::MostRecent => self.most_recent(),
        };
        let active = next.and_then(|next| self.entries.get(&next)?.key.clone());
        if let Some(key) = entry.key.clone() {
            self.tell_of(id, key, ManagerEventKind::LoggedOut { active });
        }
        if was_active {
            self.set_active(next);
        }
        Some(entry)
    }

    pub(super) fn most_recent(&self) -> Option<u64> {
        let ids = self.by_key.values();
        ids.max_by_key(|id| self.entries.get(id).map(|entry| entry.usage.recency()))
            .copied()
    }

    /// Who has not been used for longest, of those that can be spared.
    pub(super) fn least_recent(&self) -> Option<u64> {
        let ids = self.by_key.values().copied();
        let spare = |id: &u64| {
            let busy = self.entries.get(id).is_some_and(|it| it.usage.is_busy());
            self.active != Some(*id) && !busy
        };
        ids.filter(spare)
            .min_by_key(|id| self.entries.get(id).map(|entry| entry.usage.recency()))
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

    /// A session has published an event. Called under that session's lock.
    pub(super) fn observe(&mut self, id: u64, event: &Event, snapshot: &Arc<Snapshot>) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.snapshot = Some(snapshot.clone());
        if let (Some(key), Some(identity)) = (&entry.key, snapshot.primary())
            && (identity.id != key.account || snapshot.network != key.network)
        {
            self.rekey(id, snapshot);
        }
        self.tell(id, || ManagerEventKind::Session {
            event: event.clone(),
        });
    }

    /// The wallet has made a session act for somebody else.
    fn rekey(&mut self, id: u64, snapshot: &Snapshot) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let (Some(identity), Some(previous)) = (snapshot.identity(), entry.key.clone()) else {
            return;
        };
        let before = entry.name.clone();
        let key = Arc::new(SessionKey::new(identity, entry.kind.clone()));
        let active = self.active == Some(id);
        if let Some(twin) = self.twin(&key, id) {
            let stays = self
                .entries
                .get(&twin)
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
