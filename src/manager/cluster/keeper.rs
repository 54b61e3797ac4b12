//! Hears what happens to leases and to records, and lets the manager follow.

use std::sync::{Arc, Weak};

use super::{RETRY, RETRY_CAP, TakeOver};
use crate::manager::inner::Inner;
use crate::manager::key::{SessionKey, session_prefix};
use crate::snapshot::{DisconnectReason, Status};
use crate::store::{Change, Changes, RecordName, Revision, Stored};
use crate::sync::lease::{LeaseNews, News};

/// For as long as the manager lives.
pub(super) async fn hear_leases(manager: Weak<Inner>, mut news: News) {
    loop {
        let news = news.next().await;
        let Some(manager) = manager.upgrade() else {
            return;
        };
        // Whatever it is: who is a member no more acts no more.
        manager.leave_what_is_lost();
        let Some(news) = news else { return };
        manager.look_for_orphans(news);
    }
}

/// For as long as the manager lives, and the store.
pub(super) async fn hear_store(manager: Weak<Inner>, mut changes: Changes) {
    loop {
        let next = std::future::poll_fn(|cx| changes.as_mut().poll_next(cx)).await;
        let (Some(manager), Some(change)) = (manager.upgrade(), next) else {
            return;
        };
        match change {
            Change::Written { slot, revision } => manager.heard_of(slot, revision),
            Change::Resync => manager.look_at_all(),
        }
    }
}

impl Inner {
    /// Notes what may have left sessions to nobody.
    fn look_for_orphans(&self, news: LeaseNews) {
        let Some(cluster) = self.cluster() else {
            return;
        };
        if matches!(cluster.settings.take_over, TakeOver::OnDemand) {
            return;
        }
        match news {
            LeaseNews::MemberGone { member } => {
                let mut gone = cluster
                    .gone
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                gone.push(member);
            }
            LeaseNews::Lost => return,
            // What is let go because it is of no use at present would go round for ever.
            LeaseNews::Changed { .. } if self.lets_go() => return,
            LeaseNews::Rejoined { .. } | LeaseNews::Changed { .. } | LeaseNews::Missed(_) => {}
        }
        cluster.orphans.notify_one();
    }

    /// Whether sessions are closed here to save room.
    fn lets_go(&self) -> bool {
        self.config.idle.is_some() || self.config.max_sessions.is_some()
    }

    fn heard_of(self: &Arc<Self>, slot: crate::store::Slot, revision: Revision) {
        let Some(cluster) = self.cluster() else {
            return;
        };
        let Some(name) = cluster.claims.name_of(slot) else {
            return;
        };
        if let Some(id) = self.id_under(&name) {
            let inner = self.clone();
            self.runtime.spawn(inner.look(id, name, Some(revision)));
        }
    }

    /// The session that is stored under this name.
    fn id_under(&self, name: &RecordName) -> Option<u64> {
        let prefix = session_prefix(&self.config.namespace);
        let key = SessionKey::from_record_name(name.as_str().strip_prefix(&prefix)?)?;
        self.lock().by_key.get(&key).copied()
    }

    /// Something may have been missed.
    fn look_at_all(self: &Arc<Self>) {
        let all: Vec<(u64, RecordName)> = {
            let state = self.lock();
            let entries = state.entries.iter();
            entries
                .filter_map(|(id, entry)| Some((id, entry.name()?)))
                .collect()
        };
        if all.is_empty() {
            return;
        }
        let inner = self.clone();
        // A few at a time: the store has just come back.
        self.runtime.spawn(async move {
            let room = Arc::new(tokio::sync::Semaphore::new(16));
            for (id, name) in all {
                let Ok(permit) = room.clone().acquire_owned().await else {
                    return;
                };
                let one = inner.clone().look(id, name, None);
                inner.runtime.spawn(async move {
                    one.await;
                    drop(permit);
                });
            }
        });
    }

    /// Looks at what stands under a session's name, and follows if somebody else wrote it.
    async fn look(self: Arc<Self>, id: u64, name: RecordName, revision: Option<Revision>) {
        let mut wait = RETRY;
        loop {
            let entry = {
                let state = self.lock();
                let entry = state.entries.get(id);
                let entry = entry.filter(|entry| entry.name().as_ref() == Some(&name));
                entry.and_then(|entry| Some((entry.place.clone()?, entry.session.clone()?)))
            };
            let Some((place, session)) = entry else {
                return;
            };
            let Some(gate) = place.gate() else { return };
            match self.within_deadline(gate.look(&name, revision)).await {
                Ok(None) => return,
                Ok(Some(Stored::Tombstone { tombstone, .. })) => {
                    // A session that has ended by itself has written so itself, perhaps with a
                    // write whose answer was lost.
                    let own = match session.status() {
                        Status::Disconnected { reason } => reason != DisconnectReason::Remote,
                        _ => false,
                    };
                    if !own {
                        drop(session);
                        self.ended_elsewhere(id, &name, tombstone.reason);
                    }
                    return;
                }
                // Never believed: the wallet is asked.
                Ok(Some(Stored::Record { .. } | Stored::Nothing)) => {
                    session.verify().await;
                    return;
                }
                Err(_) => {}
            }
            drop((place, session));
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_CAP);
        }
    }

    /// Somebody else has ended a session that is held here: it leaves, and the wallet is told by
    /// who can.
    fn ended_elsewhere(self: &Arc<Self>, id: u64, name: &RecordName, reason: DisconnectReason) {
        let policy = self.config.next_active;
        let ended = self.with(|state| {
            // It may act for somebody else by now.
            let entry = state.entries.get(id)?;
            if entry.name().as_ref() != Some(name) {
                return None;
            }
            let entry = state.log_out(id, policy)?;
            let owned = entry.owned();
            // What stands there is the other's, and final.
            if let Some(place) = &entry.place {
                place.take_away();
            }
            Some((entry, owned))
        });
        let Some((mut entry, owned)) = ended else {
            return;
        };
        let Some(session) = entry.session.take() else {
            return;
        };
        let inner = self.clone();
        self.spawn(async move {
            let report = match reason {
                DisconnectReason::User => session.disconnect().await,
                _ => session.detach().await,
            };
            session.close().await;
            inner.release(id, owned, &report).await;
        });
    }
}
