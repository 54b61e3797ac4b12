//! Many sessions within one budget of attempts, and a clock that jumps past their turns.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::policy::ReconnectBudget;
use moorline::provider::{
    CloseMode, EventSink, Live, OpenRequest, Opened, Provider, ProviderFuture, Request,
};
use moorline::session::Driver;
use moorline::{Account, ProviderEvent, Session, Status};
use tokio::time::{Instant, advance, sleep};

use crate::support::{policy, settle, unreachable};

const SESSIONS: usize = 1000;
const RATE: u32 = 100;
const BURST: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);
/// Before the first attempt, without jitter.
const BACKOFF: Duration = Duration::from_millis(500);

/// A wallet that notes when it is opened.
struct Noted {
    opened: Arc<Mutex<Vec<Instant>>>,
    sink: Arc<Mutex<Option<EventSink>>>,
}

impl Provider for Noted {
    fn kind(&self) -> &str {
        "noted"
    }

    fn open(&self, _: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(async move {
            self.opened.lock().unwrap().push(Instant::now());
            *self.sink.lock().unwrap() = Some(events);
            Ok(Opened::Established)
        })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async { Ok(Live::new(vec![Account::primary("alice")])) })
    }

    fn request(&self, _: Request) -> ProviderFuture<'_, serde_json::Value> {
        Box::pin(async { Ok(serde_json::Value::Null) })
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// Sessions that have lost their wallets, all at the same time.
struct Crowd {
    sessions: Vec<Session>,
    opened: Arc<Mutex<Vec<Instant>>>,
    lost: Instant,
}

impl Crowd {
    async fn lost() -> Self {
        let budget = ReconnectBudget::per_second(RATE, BURST);
        let driver = Driver::new().unwrap();
        let opened = Arc::<Mutex<Vec<Instant>>>::default();
        let mut sessions = Vec::new();
        let mut sinks = Vec::new();
        for _ in 0..SESSIONS {
            let sink = Arc::<Mutex<Option<EventSink>>>::default();
            sinks.push(sink.clone());
            let provider = Noted {
                opened: opened.clone(),
                sink,
            };
            let builder = Session::builder(provider).policy(policy());
            let builder = builder.budget(budget.clone()).driver(&driver);
            let session = builder.build().unwrap();
            session.connect().await.unwrap();
            sessions.push(session);
        }
        opened.lock().unwrap().clear();
        let lost = Instant::now();
        for sink in sinks {
            let sink = sink.lock().unwrap().clone().unwrap();
            sink.send(ProviderEvent::Dropped(unreachable()));
        }
        Self {
            sessions,
            opened,
            lost,
        }
    }

    fn are_back(&self) -> bool {
        let mut sessions = self.sessions.iter();
        sessions.all(|session| session.status() == Status::Connected)
    }

    /// When attempts were made, once all are back. Nobody needed two.
    async fn attempts(&self) -> Vec<Duration> {
        let limit = Instant::now() + Duration::from_secs(120);
        while !self.are_back() {
            assert!(Instant::now() < limit, "some never came back");
            sleep(Duration::from_millis(50)).await;
        }
        let opened = self.opened.lock().unwrap();
        let attempts: Vec<Duration> = opened.iter().map(|at| *at - self.lost).collect();
        assert_eq!(attempts.len(), SESSIONS);
        assert!(attempts.is_sorted());
        attempts
    }
}

/// The most attempts within less than a second, wherever it begins.
fn fullest_second(attempts: &[Duration]) -> usize {
    let within = |from: Duration| {
        let after = attempts.iter().filter(|at| **at >= from);
        after.filter(|at| **at < from + SECOND).count()
    };
    attempts.iter().map(|at| within(*at)).max().unwrap()
}

/// How long the budget takes for so many attempts that ask at once.
fn paced(attempts: usize) -> Duration {
    SECOND * u32::try_from(attempts).unwrap().saturating_sub(BURST) / RATE
}

#[tokio::test(start_paused = true)]
async fn without_a_stall_every_attempt_has_its_exact_time() {
    let attempts = Crowd::lost().await.attempts().await;
    // Delays are told in whole milliseconds, and timers have that grain.
    for (number, at) in attempts.iter().enumerate() {
        let due = BACKOFF + paced(number + 1);
        let late = at.checked_sub(due).unwrap();
        assert!(late <= Duration::from_millis(2), "{number}: {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_jump_past_all_turns_does_not_end_in_a_stampede() {
    let crowd = Crowd::lost().await;
    sleep(2 * SECOND + Duration::from_millis(5)).await;
    let begun = crowd.opened.lock().unwrap().len();
    assert_eq!(begun, (BURST + RATE + RATE / 2) as usize);
    advance(60 * SECOND).await;
    settle().await;
    let woken = crowd.lost.elapsed();
    let attempts = crowd.attempts().await;
    let most = fullest_second(&attempts);
    assert!(most <= (RATE + BURST) as usize, "{most} in one second");
    // The budget is never idle from then on.
    let took = attempts[SESSIONS - 1] - woken;
    let bound = paced(SESSIONS - begun);
    assert!(took <= bound + Duration::from_millis(20), "{took:?}");
    assert!(took >= bound - Duration::from_millis(20), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_jump_past_some_turns_leaves_the_others_theirs() {
    let crowd = Crowd::lost().await;
    sleep(2 * SECOND).await;
    advance(3 * SECOND).await;
    settle().await;
    let attempts = crowd.attempts().await;
    let most = fullest_second(&attempts);
    assert!(most <= (RATE + BURST) as usize, "{most} in one second");
    // What was lost is the time of the jump, but for a burst.
    let took = attempts[SESSIONS - 1];
    let bound = BACKOFF + paced(SESSIONS) + 3 * SECOND;
    assert!(took <= bound, "{took:?}");
    assert!(took >= bound - SECOND * (BURST + 5) / RATE, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_held_up_again_and_again_comes_back_all_the_same() {
    let crowd = Crowd::lost().await;
    // Time stands still in between: the worst there is. Each jump passes 15 turns and leaves a
    // burst.
    let jump = Duration::from_millis(150);
    let mut jumps = 0;
    while !crowd.are_back() {
        jumps += 1;
        assert!(jumps <= 2 * SESSIONS / BURST as usize, "no end");
        advance(jump).await;
        settle().await;
    }
    let attempts = crowd.attempts().await;
    let most = fullest_second(&attempts);
    assert!(most <= (RATE + BURST) as usize, "{most} in one second");
}
