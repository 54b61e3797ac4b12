//! What all handles of a manager share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinHandle};

use super::builder::Config;
use super::cluster::Cluster;
use super::hydration::Cache;
use super::state::State;
use super::usage::Times;
use crate::session::Observe;

pub(super) struct Inner {
    pub(super) config: Config,
    pub(super) times: Arc<Times>,
    pub(super) runtime: Handle,
    pub(super) bell: Arc<Notify>,
    /// How many sessions are being ended.
    jobs: watch::Sender<usize>,
    /// Whether everything has ended.
    pub(super) ended: watch::Sender<bool>,
    pub(super) cluster: Option<Cluster>,
    pub(super) me: Weak<Self>,
    /// This, as sessions know it.
    pub(super) observer: Arc<Weak<dyn Observe>>,
    state: Mutex<State>,
}

/// Lasts as long as this does.
pub(super) struct Job(Arc<Inner>);

impl Drop for Job {
    fn drop(&mut self) {
        let jobs = &self.0.jobs;
        jobs.send_modify(|jobs| *jobs = jobs.saturating_sub(1));
    }
}

impl Inner {
    pub(super) fn new(mut config: Config, runtime: Handle) -> Arc<Self> {
        let times = Arc::new(Times::new(config.clock.clone(), config.unstored_use));
        let hydration = Cache::new(std::mem::take(&mut config.kit));
        let mut state = State::new(times.clone(), &config);
        state.hydration = hydration;
        let (settings, store) = (config.cluster.clone(), config.store.clone());
        let cluster = settings.zip(store);
        let patience = config.policy.deadlines.storage;
        let cluster = cluster.map(|(settings, store)| Cluster::new(settings, store, patience));
        Arc::new_cyclic(|me| Self {
            state: {
                state.home = me.clone();
                Mutex::new(state)
            },
            config,
            times,
            runtime,
            bell: Arc::default(),
            jobs: watch::Sender::new(0),
            ended: watch::Sender::new(false),
            cluster,
            me: me.clone(),
            observer: Arc::new(me.clone()),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held but a subscriber's waker: the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and rings for the chores that follow.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, busy) = {
            let mut state = self.lock();
            let result = change(&mut state);
            let memory = &state.memory;
            let busy = !state.chores.is_empty() || memory.dirty || memory.outdated;
            (result, busy)
        };
        if busy {
            self.bell.notify_one();
        }
        result
    }

    /// Something that [`quiet`](Self::quiet) waits for.
    pub(super) fn job(self: &Arc<Self>) -> Job {
        self.jobs.send_modify(|jobs| *jobs += 1);
        Job(self.clone())
    }

    /// Runs what [`quiet`](Self::quiet) waits for.
    pub(super) fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let ends = self.job();
        self.runtime.spawn(async move {
            let _ends = ends;
            job.await
        })
    }

    /// Has a task aborted when the manager is gone, if it still runs then.
    pub(super) fn until_the_end(&self, task: AbortHandle) {
        self.lock().until_the_end(task);
    }

    /// Until no session is being ended.
    pub(super) async fn quiet(&self) {
        let mut jobs = self.jobs.subscribe();
        // Fails only if the sender is gone, which is here.
        let _quiet = jobs.wait_for(|jobs| *jobs == 0).await.is_ok();
    }
}
