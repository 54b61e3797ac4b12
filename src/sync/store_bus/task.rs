//! The task that serves a bus: hears the store, asks it, tells the members.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::standing::Look;
use super::state::{Arrival, Core, Job, Looking, may_recover};
use crate::store::{Change, Changes, RecordName, Slot, StoreError, Stored};

/// How many questions the store is asked at once.
const AT_ONCE: usize = 32;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first pause after a failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a store is asked again that gives something older than it told of: a copy that is a
/// moment behind.
const OLD_COPIES: u32 = 5;

enum Answer {
    Place(Result<Option<Slot>, StoreError>),
    Look(Result<Stored, StoreError>),
}

/// How the store fares.
#[derive(Default)]
struct Mood {
    failures: u32,
    /// When it is asked again, while it fails.
    again_at: Option<Instant>,
}

impl Mood {
    fn failed(&mut self) {
        let pause = FIRST_PAUSE * 2_u32.pow(self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.again_at = Some(Instant::now() + pause.min(LONGEST_PAUSE));
    }

    fn worked(&mut self) {
        *self = Self::default();
    }

    /// How many questions may be under way.
    fn at_once(&self) -> usize {
        match (self.again_at, self.failures) {
            (Some(_), _) => 0,
            (None, 0) => AT_ONCE,
            // One to see whether it is back.
            (None, _) => 1,
        }
    }

    /// Whether a pause is over.
    fn wake_up(&mut self) -> bool {
        self.again_at.take_if(|at| *at <= Instant::now()).is_some()
    }
}

/// What the task waits for.
enum Woken {
    Heard(Option<Change>),
    Answered(Result<(Id, Answer), JoinError>),
    /// There is something to do.
    Called,
    /// A pause is over.
    Again,
}

pub(super) async fn serve(core: Arc<Core>, changes: Changes) {
    let mut changes = Some(changes);
    let mut asked: JoinSet<Answer> = JoinSet::new();
    let mut jobs: HashMap<Id, Job> = HashMap::new();
    let (mut asking, mut hearing) = (Mood::default(), Mood::default());
    loop {
        while asked.len() < asking.at_once() {
            let Some(job) = core.next_job() else { break };
            let id = asked.spawn(ask(core.clone(), &job)).id();
            jobs.insert(id, job);
        }
        let woken = wait(&core, &mut changes, &mut asked, &asking, &hearing).await;
        match woken {
            Woken::Heard(Some(change)) => {
                hearing.worked();
                core.hear(change);
            }
            // It ends with the store alone. One that ends sooner is listened to anew, and says by
            // its first word that something may have been missed.
            Woken::Heard(None) => {
                changes = None;
                hearing.failed();
            }
            Woken::Answered(answer) => {
                let (id, answer) = match answer {
                    Ok((id, answer)) => (id, Some(answer)),
                    Err(error) => (error.id(), None),
                };
                if let Some(job) = jobs.remove(&id) {
                    settle(&core, job, answer, &mut asking);
                }
            }
            Woken::Called => {}
            Woken::Again => {
                asking.wake_up();
                if hearing.wake_up() && changes.is_none() {
                    changes = core.store.changes();
                    if changes.is_none() {
                        hearing.failed();
                    }
                }
            }
        }
    }
}

async fn wait(
    core: &Core,
    changes: &mut Option<Changes>,
    asked: &mut JoinSet<Answer>,
    asking: &Mood,
    hearing: &Mood,
) -> Woken {
    let mut called = pin!(core.wake.notified());
    let soonest = [asking.again_at, hearing.again_at]
        .into_iter()
        .flatten()
        .min();
    let mut pause = pin!(async {
        match soonest {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|cx| {
        if let Poll::Ready(Some(answer)) = asked.poll_join_next_with_id(cx) {
            return Poll::Ready(Woken::Answered(answer));
        }
        if let Some(changes) = changes
            && let Poll::Ready(change) = changes.as_mut().poll_next(cx)
        {
            return Poll::Ready(Woken::Heard(change));
        }
        if called.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Woken::Called);
        }
        pause.as_mut().poll(cx).map(|()| Woken::Again)
    })
    .await
}

/// Asks the store. Not for ever: one that does not answer is away.
fn ask(core: Arc<Core>, job: &Job) -> impl Future<Output = Answer> + Send + use<> {
    let (name, look) = match job {
        Job::Place(Arrival { name, .. }) => (name.clone(), None),
        Job::Look(Looking { name, look, .. }) => (name.clone(), Some(*look)),
    };
    let late = || StoreError::Unavailable {
        reason: "it does not answer".into(),
    };
    async move {
        match look {
            None => {
                let slot = tokio::time::timeout(PATIENCE, core.store.slot(&name)).await;
                Answer::Place(slot.unwrap_or_else(|_| Err(late())))
            }
            Some(look) => {
                let stored = tokio::time::timeout(PATIENCE, load(&core, &name, look)).await;
                Answer::Look(stored.unwrap_or_else(|_| Err(late())))
            }
        }
    }
}

async fn load(core: &Core, name: &RecordName, look: Look) -> Result<Stored, StoreError> {
    for doublings in 0..OLD_COPIES {
        let stored = core.store.load(name).await?;
        if !look.is_behind(&stored) {
            return Ok(stored);
        }
        tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(doublings)).await;
    }
    core.store.load(name).await
}

/// Takes an answer; none if the store panicked.
fn settle(core: &Core, job: Job, answer: Option<Answer>, mood: &mut Mood) {
    let error = match (&job, answer) {
        (Job::Place(arrival), Some(Answer::Place(Ok(slot)))) => {
            mood.worked();
            return core.arrived(arrival, slot);
        }
        (Job::Look(looking), Some(Answer::Look(Ok(stored)))) => {
            mood.worked();
            return core.looked(looking, &stored);
        }
        (_, Some(Answer::Place(Err(error)) | Answer::Look(Err(error)))) => Some(error),
        (_, _) => None,
    };
    let again = error.as_ref().is_none_or(may_recover);
    if again {
        mood.failed();
        let error = error.map_or_else(|| "it panicked".into(), |error| error.to_string());
        tracing::debug!(
            error,
            "the store could not be asked for news; it is asked again"
        );
    }
    match job {
        Job::Place(arrival) if again => core.arrive_later(arrival),
        Job::Place(arrival) => core.arrived(&arrival, None),
        Job::Look(looking) => core.not_looked(&looking, again),
    }
}
