//! The timers of sessions: one task and one list of alarms, any number of sessions.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{self, AtomicU32};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::networks::Networks;
use super::shared::Shared;
use crate::error::BuildError;

/// Serves the timers of sessions from one task, and says on which runtime they run: the one it
/// was made on. Cheap to clone; the task ends with the last clone and the last session that uses
/// it.
///
/// Sessions that are given none share one for each runtime they are built on. Give them one to
/// have them run on a runtime of their own, or to keep their timers apart.
#[derive(Clone)]
pub struct Driver(Arc<Running>);

/// The drivers of sessions that are given none: one for each runtime that has such sessions.
static DRIVERS: Mutex<Vec<(tokio::runtime::Id, Weak<Running>)>> = Mutex::new(Vec::new());

/// A task, and what it serves. The task holds the alarms alone, so that it can be ended with the
/// last handle; it is spawned once they are whole, for it may run at once.
struct Running {
    alarms: Arc<Alarms>,
    task: AbortHandle,
    runtime: Handle,
    networks: Networks,
}

/// When which session is woken. Sessions are told apart by where they are, which is nobody else's
/// place while this refers to them: so it does no harm to name an alarm that is over.
struct Alarm {
    /// In milliseconds of the list's own time, rounded up, and below them what is left of the
    /// session's number: those of one millisecond are woken in the order they were made in. Half as
    /// large as an instant.
    turn: i64,
    session: Weak<Shared>,
}

/// How many bits of a session's number are left. Of more sessions than that, some change places.
const NUMBER_BITS: u32 = 20;
/// The nanoseconds of a millisecond.
const NANOS: i64 = 1_000_000;
/// The farthest an alarm may be away, either way: some 278 years.
const FARTHEST: i64 = (1 << (63 - NUMBER_BITS)) - 1;

impl Alarm {
    fn rank(&self) -> (i64, *const Shared) {
        (self.turn, self.session.as_ptr())
    }

    fn at_millis(&self) -> i64 {
        self.turn >> NUMBER_BITS
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Alarm {}

struct Alarms {
    due: Mutex<BTreeSet<Alarm>>,
    /// Wakes the task for an alarm that comes before all others.
    sooner: Notify,
    /// What alarms count from.
    origin: Instant,
    /// How many sessions there were.
    sessions: AtomicU32,
}

impl Driver {
    /// Starts a driver on the runtime that is running here.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoRuntime`] if there is none.
    pub fn new() -> Result<Self, BuildError> {
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let alarms = Arc::new(Alarms::new());
        let task = runtime.spawn(serve(alarms.clone())).abort_handle();
        Ok(Self(Arc::new(Running {
            alarms,
            task,
            runtime,
            networks: Networks::default(),
        })))
    }

    /// The driver that sessions of this runtime share unless they are given one. It lives as long
    /// as one of them.
    pub(super) fn of_this_runtime() -> Result<Self, BuildError> {
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let mut drivers = DRIVERS.lock().unwrap_or_else(PoisonError::into_inner);
        // A runtime that has ended may have had the same id: its drivers serve nothing any more.
        drivers.retain(|(_, running)| running.strong_count() > 0);
        let known = drivers
            .iter()
            .filter(|(id, _)| *id == runtime.id())
            .filter_map(|(_, running)| running.upgrade())
            .find(|running| !running.task.is_finished());
        if let Some(running) = known {
            return Ok(Self(running));
        }
        let driver = Self::new()?;
        drivers.push((runtime.id(), Arc::downgrade(&driver.0)));
        Ok(driver)
    }

    /// The runtime it runs on, and with it its sessions.
    pub(super) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// What its sessions call networks.
    pub(super) fn networks(&self) -> &Networks {
        &self.0.networks
    }

    /// The number of a new session: sessions that are due at once are woken in this order.
    pub(super) fn number(&self) -> u32 {
        self.0
            .alarms
            .sessions
            .fetch_add(1, atomic::Ordering::Relaxed)
    }

    /// Has the session woken at `at`, and no longer at `before`.
    pub(super) fn arm(&self, at: Instant, session: &Shared, before: Option<Instant>) {
        let alarms = &self.0.alarms;
        let alarm = alarms.alarm(at, session);
        let before = before.map(|before| alarms.alarm(before, session));
        let mut due = alarms.lock();
        if let Some(before) = before {
            due.remove(&before);
        }
        let first = due.first().is_none_or(|first| alarm < *first);
        due.insert(alarm);
        drop(due);
        if first {
            alarms.sooner.notify_one();
        }
    }

    /// The session is no longer woken at `at`.
    pub(super) fn disarm(&self, at: Instant, session: &Shared) {
        let alarms = &self.0.alarms;
        let alarm = alarms.alarm(at, session);
        alarms.lock().remove(&alarm);
    }
}

/// What the task does next.
enum Next {
    Wake(Weak<Shared>),
    SleepUntil(Instant),
    /// There is no alarm.
    Rest,
}

impl Alarms {
    fn new() -> Self {
        Self {
            due: Mutex::default(),
            sooner: Notify::new(),
            origin: Instant::now(),
            sessions: AtomicU32::new(0),
        }
    }

    fn alarm(&self, at: Instant, session: &Shared) -> Alarm {
        let at = self.nanos(at);
        let up = i64::from(at.rem_euclid(NANOS) > 0);
        let at = (at.div_euclid(NANOS) + up).clamp(-FARTHEST, FARTHEST);
        let number = session.number() & ((1 << NUMBER_BITS) - 1);
        Alarm {
            turn: (at << NUMBER_BITS) | i64::from(number),
            session: session.weak(),
        }
    }

    /// An instant as a number: negative if it is before this list was made, as it may be where
    /// another runtime's time stood still meanwhile.
    fn nanos(&self, at: Instant) -> i64 {
        let whole = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        match at.checked_duration_since(self.origin) {
            Some(after) => whole(after),
            None => -whole(self.origin.saturating_duration_since(at)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Alarm>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Next {
        let mut due = self.lock();
        let Some(first) = due.first() else {
            return Next::Rest;
        };
        let now = Instant::now();
        let at = first.at_millis().saturating_mul(NANOS);
        let left = u64::try_from(at.saturating_sub(self.nanos(now))).unwrap_or(0);
        if left > 0 {
            // What is too far away to be told never comes.
            let at = now.checked_add(Duration::from_nanos(left));
            return at.map_or(Next::Rest, Next::SleepUntil);
        }
        due.pop_first()
            .map_or(Next::Rest, |alarm| Next::Wake(alarm.session))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// Wakes sessions, in the order of their alarms. It sleeps on the driver's own runtime, wherever
/// the alarm was set.
async fn serve(alarms: Arc<Alarms>) {
    loop {
        match alarms.next() {
            Next::Wake(session) => {
                wake(&session);
                // Many sessions may be due at once: others get their turn.
                tokio::task::coop::consume_budget().await;
            }
            Next::SleepUntil(at) => {
                let _either = tokio::time::timeout_at(at, alarms.sooner.notified()).await;
            }
            Next::Rest => alarms.sooner.notified().await,
        }
    }
}

/// A panic (of an application's clock, schedule or waker) stays with the session it happened in.
fn wake(session: &Weak<Shared>) {
    let woken = std::panic::catch_unwind(AssertUnwindSafe(|| {
        if let Some(session) = session.upgrade() {
            session.timer_fired();
        }
    }));
    if woken.is_err() {
        tracing::error!(name: "moorline.timer.panicked", "a session panicked when its timer fired");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::Session;
    use crate::clock::{Clock, Timestamp};
    use crate::policy::Policy;
    use crate::provider::{
        CloseMode, ErrorKind, EventSink, Live, OpenRequest, Opened, Provider, ProviderError,
        ProviderFuture, Request,
    };
    use crate::snapshot::Status;

    /// A wallet that never answers: what becomes of a session is up to its timers.
    struct Silent;

    impl Provider for Silent {
        fn kind(&self) -> &str {
            "silent"
        }

        fn open(&self, _: OpenRequest, _: EventSink) -> ProviderFuture<'_, Opened> {
            Box::pin(std::future::pending())
        }

        fn probe(&self) -> ProviderFuture<'_, Live> {
            Box::pin(std::future::pending())
        }

        fn request(&self, _: Request) -> ProviderFuture<'_, serde_json::Value> {
            Box::pin(std::future::ready(Err(ProviderError::new(
                ErrorKind::Unreachable,
                "silent",
            ))))
        }

        fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    /// A clock that works once, when the session is built.
    struct Broken(AtomicU64);

    impl Clock for Broken {
        fn wall(&self) -> Timestamp {
            let before = self.0.fetch_add(1, Ordering::Relaxed);
            assert!(before < 2, "the clock is broken");
            Timestamp::EPOCH
        }
    }

    fn runtime() -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    }

    fn session() -> Session {
        Session::builder(Silent).build().unwrap()
    }

    /// When an unanswered connect has failed, and not earlier.
    async fn connect_times_out(session: &Session) {
        let deadline = Policy::default().deadlines.connect;
        let begun = Instant::now();
        session.connect().await.unwrap_err();
        assert!(begun.elapsed() >= deadline);
        assert!(begun.elapsed() < deadline + Duration::from_secs(1));
    }

    #[test]
    fn sessions_of_a_runtime_share_a_driver_until_the_last_is_gone() {
        let (first, second) = (runtime(), runtime());
        let driver = |runtime: &Runtime| {
            let _here = runtime.enter();
            Driver::of_this_runtime().unwrap()
        };
        let one = driver(&first);
        let two = driver(&first);
        let other = driver(&second);
        assert!(Arc::ptr_eq(&one.0, &two.0));
        assert!(!Arc::ptr_eq(&one.0, &other.0));

        let alarms = Arc::downgrade(&one.0);
        let task = one.0.task.clone();
        drop((one, two));
        assert!(alarms.upgrade().is_none());
        first.block_on(tokio::task::yield_now());
        assert!(task.is_finished());
        assert!(!other.0.task.is_finished());
        assert!(driver(&first).0.alarms.lock().is_empty());
    }

    #[test]
    fn a_runtime_that_ended_leaves_the_sessions_of_the_next_alone() {
        let before = runtime();
        let left = before.block_on(async { session() });
        drop(before);
        let after = runtime();
        after.block_on(async {
            connect_times_out(&session()).await;
            // Nothing serves it any more; it can still be asked and dropped.
            assert!(left.status().is_disconnected());
            drop(left);
        });
    }

    #[test]
    fn timers_run_on_the_runtime_of_the_driver_wherever_they_are_set() {
        let mut home = Builder::new_multi_thread();
        let home = home.worker_threads(1).enable_time().build().unwrap();
        let away = runtime();
        let policy = Policy::default();
        let mut short = policy.clone();
        short.deadlines.connect = Duration::from_millis(20);
        let build = |policy| Session::builder(Silent).policy(policy).build().unwrap();
        let (one, two) = home.block_on(async { (build(short.clone()), build(policy)) });
        // Set on a runtime that ends before the alarm is due.
        let waits = two.clone();
        away.block_on(async move {
            tokio::spawn(async move { waits.connect().await });
            tokio::task::yield_now().await;
        });
        drop(away);
        assert_eq!(two.status(), Status::Connecting);
        home.block_on(async { one.connect().await.unwrap_err() });
    }

    #[test]
    fn a_panic_in_one_session_does_not_stop_the_timers_of_others() {
        runtime().block_on(async {
            let sound = session();
            let mut policy = Policy::default();
            policy.deadlines.connect = Duration::from_secs(1);
            let broken = Session::builder(Silent)
                .policy(policy)
                .clock(Broken(AtomicU64::new(0)))
                .build()
                .unwrap();
            let hangs = broken.clone();
            let hangs = tokio::spawn(async move { hangs.connect().await });
            connect_times_out(&sound).await;
            assert!(!hangs.is_finished());
            // Its last handle would ask the clock.
            std::mem::forget(broken);
        });
    }

    /// A task that runs before its driver is whole must not take that for the end.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_driver_serves_however_early_its_task_runs() {
        for _ in 0..5000 {
            let driver = Driver::new().unwrap();
            tokio::task::yield_now().await;
            assert!(!driver.0.task.is_finished());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn alarms_come_in_order_and_only_while_they_are_set() {
        let driver = Driver::new().unwrap();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let (one, two) = (session(), session());
        let (one, two) = (&*one.shared, &*two.shared);
        driver.arm(at(20), one, None);
        driver.arm(at(30), two, None);
        driver.arm(at(10), one, Some(at(20)));
        tokio::time::sleep_until(at(15)).await;
        assert_eq!(driver.0.alarms.lock().len(), 1);
        // Over, and nobody else's.
        driver.disarm(at(10), one);
        driver.disarm(at(30), one);
        assert_eq!(driver.0.alarms.lock().len(), 1);
        driver.disarm(at(30), two);
        assert!(driver.0.alarms.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_in_one_millisecond_comes_in_the_order_of_building() {
        let driver = Driver::new().unwrap();
        let now = Instant::now();
        let build = |count| -> Vec<Session> {
            let build = |_| Session::builder(Silent).driver(&driver).build().unwrap();
            (0..count).map(build).collect()
        };
        // The later ones find place before the earlier ones.
        let before = build(50);
        let mut sessions = build(50);
        drop(before);
        sessions.extend(build(50));
        for (number, session) in sessions.iter().enumerate().rev() {
            let within = Duration::from_nanos(1_000 * (number as u64 * 7 % 100));
            driver.arm(now + within, &session.shared, None);
        }
        let due = driver.0.alarms.lock();
        let order: Vec<_> = due.iter().map(|alarm| alarm.session.as_ptr()).collect();
        let built: Vec<_> = sessions
            .iter()
            .map(|session| Arc::as_ptr(&session.shared))
            .collect();
        // The first is due at once, all others within a millisecond.
        assert_eq!(order, built);
    }
}
