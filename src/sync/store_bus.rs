//! A bus over a store: what others write to a session's record is what they tell.

mod seat;
mod standing;
mod state;
mod task;

use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use self::seat::{Receiver, Seat};
use self::state::Core;
use super::{Bus, Notice, Own};
use crate::error::BuildError;
use crate::store::{RecordName, Store};

/// Lets sessions that share a store hear of each other, in whatever processes they are: over
/// [`Files`](crate::store::backend::Files) for the processes of one machine, over the store of a
/// cluster for those of many. Nothing is sent beside the records themselves: to write is to tell.
/// With nobody else there it costs nothing and changes nothing.
///
/// A session is given a [`member`](Self::member) of its own, most easily by
/// [`SessionBuilder::shared`](crate::session::SessionBuilder::shared). When its record was
/// written by somebody else, it is read once, and
///
/// - a user's disconnect (a tombstone that says so) is a [`Notice::Disconnected`];
/// - other accounts are a [`Notice::PartyChanged`], another network a [`Notice::NetworkChanged`]
///   (one notice for both): the session asks its own wallet, and believes that alone;
/// - everything else is no news: what the session wrote itself, the same written again, a session
///   that expired elsewhere.
///
/// News that is late, doubled or lost does no harm: it says where to look, never what; revisions
/// keep it in order; and after a gap every member's record is looked at again. Hearing never
/// writes, so nothing can go round in circles: a session that was told writes only if its own
/// wallet then says what the record does not.
///
/// A store that is away is asked again, after 100 ms at first and 30 s at last; nothing is lost
/// meanwhile.
///
/// One task and one map serve all sessions of a process. Cheap to clone; the task ends with the
/// last clone and the last member.
#[derive(Clone)]
pub struct StoreBus(Arc<Running>);

/// The task, and what it serves.
struct Running {
    core: Arc<Core>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StoreBus {
    /// A bus over `store`, served on the runtime that is running here.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoChanges`] if the store cannot tell what changes in it;
    /// [`BuildError::NoRuntime`] outside a tokio runtime (with time enabled).
    pub fn new(store: Arc<dyn Store>) -> Result<Self, BuildError> {
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let mut changes = store.changes().ok_or(BuildError::NoChanges)?;
        // The first word is that something may have been missed: where it comes at once, by nobody.
        let _first = changes
            .as_mut()
            .poll_next(&mut Context::from_waker(Waker::noop()));
        let core = Arc::new(Core::new(store));
        let task = runtime.spawn(task::serve(core.clone(), changes));
        Ok(Self(Arc::new(Running {
            core,
            task: task.abort_handle(),
        })))
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.core.store
    }

    /// What a session that is stored under `name` joins with.
    pub fn member(&self, name: impl Into<RecordName>) -> StoreMember {
        let member = self.unplaced();
        member.move_to(name);
        member
    }

    /// What a session joins with whose name is not known yet. It hears nothing until it is
    /// [moved](StoreMember::move_to) to one.
    pub fn unplaced(&self) -> StoreMember {
        StoreMember(Arc::new(Joined {
            seat: Arc::default(),
            bus: self.0.clone(),
        }))
    }

    /// How many members there are.
    #[cfg(test)]
    pub(crate) fn members(&self) -> usize {
        self.0.core.members()
    }
}

impl std::fmt::Debug for StoreBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreBus").finish_non_exhaustive()
    }
}

/// One session's end of a [`StoreBus`]. Clones are the same member; it is forgotten with the last
/// of them.
///
/// [`send`](Bus::send) does nothing: what the session writes to the store is the message.
#[derive(Clone)]
pub struct StoreMember(Arc<Joined>);

struct Joined {
    seat: Arc<Seat>,
    bus: Arc<Running>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.bus.core.leave(&self.seat);
    }
}

impl StoreMember {
    /// From now on it is the record of this name that matters. What stands there already is taken
    /// as known: only what is written after that is news. A name that it has already changes
    /// nothing.
    ///
    /// Call it when the session's writes begin to go there; a moment sooner or later does no harm.
    pub fn move_to(&self, name: impl Into<RecordName>) {
        self.0.bus.core.place(&self.0.seat, Some(name.into()));
    }

    /// Hears nothing from now on, until it is moved to a name.
    pub fn take_away(&self) {
        self.0.bus.core.place(&self.0.seat, None);
    }
}

impl Bus for StoreMember {
    fn send(&self, _: Notice) {}

    fn subscribe(&self, receive: Receiver) {
        self.0.seat.add_receiver(receive);
    }

    fn own(&self, what: Own<'_>) {
        if let Some(slot) = self.0.seat.own(what) {
            self.0.bus.core.look_at(slot);
        }
    }
}

impl std::fmt::Debug for StoreMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreMember").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
