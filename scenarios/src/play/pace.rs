//! How time passes while a scenario is played: from timer to timer, or as it does.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use moorline_scripted::Flying;
use tokio::time::Instant;

/// Knows when a paused runtime has nothing left to do at its present time.
///
/// [`Stillness::parking`] is the runtime's `on_thread_park` hook. While somebody waits for
/// stillness it wakes them instead of letting the runtime sleep, and so keeps it from moving its
/// clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Stillness(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    waker: Option<Waker>,
    /// Waits for stillness at any other time than this.
    not_at: Option<Instant>,
    still: bool,
    /// How often the runtime had nothing left to do.
    pauses: u64,
    /// Whether stillness will never come.
    restless: bool,
    /// Whether time may move, where it is held.
    moving: bool,
    /// Whom to tell that.
    alarm: Option<Waker>,
}

impl Stillness {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime has no task to run.
    pub(super) fn parking(&self) {
        let mut waiting = self.lock();
        waiting.pauses += 1;
        if waiting.pauses > PAUSES {
            drop(waiting);
            self.give_up();
            return;
        }
        if waiting.not_at == Some(Instant::now()) {
            return;
        }
        if let Some(waker) = waiting.waker.take() {
            waiting.still = true;
            waiting.moving = false;
            drop(waiting);
            waker.wake();
        }
    }

    /// There will be no stillness: whoever waits, for whatever, stops waiting.
    fn give_up(&self) {
        let mut waiting = self.lock();
        waiting.restless = true;
        if let Some(waker) = waiting.alarm.take() {
            drop(waiting);
            waker.wake();
        }
    }

    /// Waits for something, but not for ever in a world that never comes to rest.
    async fn or_restless<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(result) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
            let mut waiting = self.lock();
            if waiting.restless {
                return Poll::Ready(None);
            }
            waiting.alarm = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Runs a future and lets no time pass meanwhile, but while somebody waits for the next timer:
    /// a runtime that has something to do does not move its clock.
    pub(super) async fn holding_time<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(result) = future.as_mut().poll(cx) {
                return Poll::Ready(result);
            }
            if !self.lock().moving {
                std::thread::sleep(SPIN);
                // The runtime looks for answers of the wallet before it goes on.
                let mut again = std::pin::pin!(tokio::task::yield_now());
                let _pending = again.as_mut().poll(cx);
            }
            Poll::Pending
        })
        .await
    }

    async fn wait(&self, not_at: Option<Instant>) {
        {
            let mut waiting = self.lock();
            waiting.still = false;
            waiting.not_at = not_at;
            waiting.moving = true;
        }
        let _held = Held(self);
        poll_fn(|cx| {
            let mut waiting = self.lock();
            if waiting.still {
                return Poll::Ready(());
            }
            waiting.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Time is held again, however waiting for the next timer ends.
struct Held<'a>(&'a Stillness);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.lock().moving = false;
    }
}

/// How time passes.
#[derive(Clone, Debug)]
pub(super) enum Pace {
    /// From timer to timer.
    Virtual(Stillness),
    /// From timer to timer as well, but with a live wallet: it stands still while calls are flying.
    Stepped {
        stillness: Stillness,
        flying: Flying,
        /// What is expected may take this long to come true, in real time.
        patience: Duration,
    },
    /// As it does. What is expected may take this long to come true.
    Live { patience: Duration },
}

/// How often a run may pause for the next timer: as often as three years with a look at the clock
/// every minute need. A session that needs more looks at its timers all the time.
pub(super) const PAUSES: u64 = if cfg!(test) { 10_000 } else { 2_000_000 };

/// The furthest a single timer is set.
const FURTHEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long a runtime sleeps while it holds its clock.
const SPIN: Duration = Duration::from_micros(200);

/// How long nothing must have been under way before a live wallet is taken to be still: after a
/// step, and between timers.
const QUIET: Duration = Duration::from_millis(15);
const BETWEEN_TIMERS: Duration = Duration::from_millis(4);

/// Calls that are under way for longer do not end by themselves.
const LONG_FLIGHT: Duration = Duration::from_secs(10);

/// How often a live run looks again.
const LIVE_LOOK: Duration = Duration::from_millis(20);

impl Pace {
    /// Waits until everything that follows from what just happened has happened. No virtual time
    /// passes.
    pub(super) async fn settle(&self) {
        match self {
            Self::Virtual(_) => {
                // Restless or not, there is nothing more to wait for.
                let _restless = self.guard(self.stillness(None)).await;
            }
            Self::Stepped { flying, .. } => quiet(flying, QUIET).await,
            Self::Live { .. } => tokio::time::sleep(LIVE_LOOK).await,
        }
    }

    /// The same before time moves to the next timer.
    async fn settle_between(&self) {
        match self {
            Self::Stepped { flying, .. } => quiet(flying, BETWEEN_TIMERS).await,
            _ => self.settle().await,
        }
    }

    /// Lets so much time pass, and everything happen that is due meanwhile.
    pub(super) async fn advance(&self, by: Duration) {
        let end = Instant::now() + by;
        loop {
            let now = Instant::now();
            if now >= end {
                break;
            }
            // A timer of tokio's reaches thirty years ahead at the most.
            let end = end.min(now + FURTHEST);
            if let Self::Stepped { .. } = self {
                self.settle_between().await;
                let _end = tokio::time::timeout_at(end, self.stillness(Some(now))).await;
                continue;
            }
            let sleep = tokio::time::sleep_until(end);
            if self.guard(sleep).await.is_none() {
                break;
            }
        }
        self.settle().await;
    }

    /// Lets time pass until something is true. `false` if it is not so within the limit.
    pub(super) async fn until(&self, within: Duration, mut is_true: impl FnMut() -> bool) -> bool {
        let end = Instant::now() + within;
        self.settle().await;
        loop {
            self.settle_between().await;
            if is_true() {
                return true;
            }
            let now = Instant::now();
            if now >= end {
                return false;
            }
            // The runtime moves its clock to whatever comes first: a timer, or the end.
            let moved = async {
                let _end = tokio::time::timeout_at(end, self.stillness(Some(now))).await;
            };
            if self.guard(moved).await.is_none() {
                return false;
            }
        }
    }

    /// Waits for stillness, at another time than this if one is given. Live, settling is all.
    async fn stillness(&self, not_at: Option<Instant>) {
        if let Self::Virtual(stillness) | Self::Stepped { stillness, .. } = self {
            stillness.wait(not_at).await;
        }
    }

    /// Waits for something; `None` if the world never comes to rest.
    pub(super) async fn guard<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        match self {
            Self::Virtual(stillness) => stillness.or_restless(future).await,
            Self::Stepped { .. } | Self::Live { .. } => Some(future.await),
        }
    }

    /// Stops waiting for stillness that will not come.
    pub(super) fn give_up(&self) {
        if let Self::Virtual(stillness) | Self::Stepped { stillness, .. } = self {
            stillness.give_up();
        }
    }

    /// Whether the world never comes to rest.
    pub(super) fn is_restless(&self) -> bool {
        match self {
            Self::Virtual(stillness) | Self::Stepped { stillness, .. } => stillness.lock().restless,
            Self::Live { .. } => false,
        }
    }

    /// How long an expectation may take to come true.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Virtual(_) => Duration::ZERO,
            Self::Stepped { patience, .. } | Self::Live { patience } => *patience,
        }
    }
}

/// Waits, in real time, until nothing has been flying for so long.
async fn quiet(flying: &Flying, long: Duration) {
    let start = std::time::Instant::now();
    let mut since = start;
    while since.elapsed() < long && start.elapsed() < LONG_FLIGHT {
        tokio::task::yield_now().await;
        if flying.count() > 0 {
            since = std::time::Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play<T>(story: impl AsyncFnOnce(Pace) -> T) -> T {
        let stillness = Stillness::default();
        let hook = stillness.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .on_thread_park(move || hook.parking())
            .build()
            .unwrap();
        runtime.block_on(story(Pace::Virtual(stillness)))
    }

    #[test]
    fn settling_runs_every_task_and_no_timer() {
        play(async |pace| {
            let start = Instant::now();
            let hops = Arc::new(Mutex::new(0));
            let counted = hops.clone();
            tokio::spawn(async move {
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                    *counted.lock().unwrap() += 1;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
                *counted.lock().unwrap() += 1;
            });
            pace.settle().await;
            assert_eq!(
                (*hops.lock().unwrap(), start.elapsed()),
                (1000, Duration::ZERO)
            );
            pace.advance(Duration::from_millis(1)).await;
            assert_eq!(*hops.lock().unwrap(), 1001);
            assert_eq!(start.elapsed(), Duration::from_millis(1));
        });
    }

    #[test]
    fn waiting_stops_at_the_timer_that_makes_it_true_or_at_the_limit() {
        play(async |pace| {
            let start = Instant::now();
            let rings = Arc::new(Mutex::new(0));
            let counted = rings.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(7)).await;
                    *counted.lock().unwrap() += 1;
                }
            });
            let limit = Duration::from_secs(60);
            assert!(pace.until(limit, || *rings.lock().unwrap() == 3).await);
            assert_eq!(start.elapsed(), Duration::from_secs(21));
            assert!(!pace.until(limit, || false).await);
            assert_eq!(start.elapsed(), Duration::from_secs(81));
        });
    }

    #[test]
    fn a_world_that_never_comes_to_rest_is_given_up() {
        play(async |pace| {
            let start = Instant::now();
            let watcher = pace.clone();
            tokio::spawn(async move {
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                }
                watcher.give_up();
                loop {
                    tokio::task::yield_now().await;
                }
            });
            pace.settle().await;
            pace.advance(Duration::from_secs(1)).await;
            assert!(!pace.until(Duration::from_secs(1), || false).await);
            assert_eq!(start.elapsed(), Duration::ZERO);
        });
    }

    #[test]
    fn timers_without_end_are_given_up() {
        play(async |pace| {
            let start = Instant::now();
            tokio::spawn(async {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            pace.advance(Duration::from_secs(3600)).await;
            assert!(pace.is_restless());
            assert!(start.elapsed() <= Duration::from_millis(PAUSES));
        });
    }
}
