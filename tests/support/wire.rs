//! A backend that misbehaves on request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::store::backend::{Backend, BackendError, BackendFuture, Blob, Memory};
use moorline::store::{Revision, Slot};

/// One process's way to the shared memory.
#[derive(Clone)]
pub(crate) struct Wire {
    memory: Memory,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    cut: AtomicBool,
    refusing: AtomicBool,
    answers_lost: AtomicU64,
    writes: AtomicU64,
    delay: Mutex<Duration>,
}

impl Wire {
    pub(crate) fn new(memory: &Memory) -> Self {
        Self {
            memory: memory.clone(),
            state: Arc::default(),
        }
    }

    /// From now on no call is answered, or takes effect.
    pub(crate) fn cut(&self, cut: bool) {
        self.state.cut.store(cut, Ordering::SeqCst);
    }

    /// From now on calls fail, and none takes effect.
    #[allow(dead_code, reason = "leases are tested with worse")]
    pub(crate) fn refuse(&self, refuse: bool) {
        self.state.refusing.store(refuse, Ordering::SeqCst);
    }

    /// The next writes take effect and are never answered.
    pub(crate) fn lose_answers(&self, count: u64) {
        self.state.answers_lost.store(count, Ordering::SeqCst);
    }

    /// Calls take this long, half of it before they take effect.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.state.delay.lock().unwrap() = delay;
    }

    pub(crate) fn writes(&self) -> u64 {
        self.state.writes.load(Ordering::SeqCst)
    }

    async fn before(&self) -> Result<(), BackendError> {
        self.one_way().await;
        match self.state.refusing.load(Ordering::SeqCst) {
            true => Err(BackendError::Unavailable {
                reason: "cut".into(),
            }),
            false => Ok(()),
        }
    }

    async fn one_way(&self) {
        let half = *self.state.delay.lock().unwrap() / 2;
        if !half.is_zero() {
            tokio::time::sleep(half).await;
        }
        if self.state.cut.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    async fn after_write(&self) {
        self.state.writes.fetch_add(1, Ordering::SeqCst);
        let lost = &self.state.answers_lost;
        let less = |count: u64| count.checked_sub(1);
        if lost
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
            std::future::pending::<()>().await;
        }
        self.one_way().await;
    }
}

impl Backend for Wire {
    fn describe(&self) -> String {
        "a wire".into()
    }

    fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>> {
        Box::pin(async move {
            self.before().await?;
            let found = self.memory.get(slot).await;
            self.one_way().await;
            found
        })
    }

    fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(async move {
            self.before().await?;
            let put = self.memory.put(slot, blob, expected).await;
            self.after_write().await;
            put
        })
    }

    fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>> {
        self.memory.set_aside(slot)
    }

    fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()> {
        Box::pin(async move {
            self.before().await?;
            let removed = self.memory.remove(slot, expected).await;
            self.after_write().await;
            removed
        })
    }

    fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
        Box::pin(async move {
            self.before().await?;
            self.memory.list().await
        })
    }
}
