//! The task that keeps one session's event stream: opens it, listens, opens it again, and asks the
//! gateway where the stream cannot tell.

use std::sync::Arc;
use std::time::Duration;

use moorline::clock::{Clock, SystemClock};
use moorline::provider::{ErrorKind, EventSink, Live, Message, OpenMode, ProviderEvent};
use moorline::{NetworkLink, ProviderError};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::access::{Access, NOBODY};
use super::frames::{Frames, StreamEnd};
use super::gateway::{Refusal, Why};
use super::state::StreamState;
use crate::auth::Issued;
use crate::events::STREAM_GAP;
use crate::reading;
use crate::types::ConnectResult;

/// How long the gateway may take for one answer to the task, which has no session's deadline.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How often something ambiguous is asked again before the session is told.
const DOUBTS: u32 = 3;

/// The event stream of one epoch. Cut when dropped.
pub(super) struct Link {
    pub(super) events: EventSink,
    attempts: watch::Receiver<Attempt>,
    nudge: Arc<Notify>,
    task: AbortHandle,
    access: Arc<Access>,
}

/// How the attempt to open the stream that was made last ended.
#[derive(Clone, Debug, Default)]
struct Attempt {
    number: u32,
    refusal: Option<Refusal>,
}

impl Link {
    /// Begins to open the stream.
    pub(super) fn start(access: &Arc<Access>, events: EventSink) -> Self {
        let (sender, attempts) = watch::channel(Attempt::default());
        let nudge = Arc::new(Notify::new());
        let keeper = Keeper {
            access: Arc::clone(access),
            events: events.clone(),
            attempts: sender,
            nudge: Arc::clone(&nudge),
            gap: None,
        };
        let task = tokio::spawn(keeper.run()).abort_handle();
        Self {
            events,
            attempts,
            nudge,
            task,
            access: Arc::clone(access),
        }
    }

    /// Waits until the stream is open or refused, and says why if it is. But not for long: some
    /// servers send nothing, not even a head, before the first event.
    pub(super) async fn attempt(&self, limit: Duration) -> Option<Refusal> {
        self.attempt_after(0, limit).await
    }

    /// Has the stream opened now rather than after the pause, and waits for how that ends.
    pub(super) async fn again(&self, limit: Duration) -> Option<Refusal> {
        let before = self.attempts.borrow().number;
        self.nudge.notify_one();
        self.attempt_after(before, limit).await
    }

    async fn attempt_after(&self, before: u32, limit: Duration) -> Option<Refusal> {
        let mut attempts = self.attempts.clone();
        let made = attempts.wait_for(|attempt| attempt.number > before);
        let attempt = timeout(limit, made).await.ok()?.ok()?;
        attempt.refusal.clone()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
        self.access.stream(StreamState::Closed, None);
    }
}

/// The session is over for this task, or the epoch is: nothing more to do.
struct Over;

struct Keeper {
    access: Arc<Access>,
    events: EventSink,
    attempts: watch::Sender<Attempt>,
    nudge: Arc<Notify>,
    /// Since when events may be lost, and whether that was told.
    gap: Option<(Instant, bool)>,
}

impl Keeper {
    async fn run(mut self) {
        let ended = self.keep().await;
        let Over = ended.err().unwrap_or(Over);
        self.access.stream(StreamState::Closed, None);
    }

    async fn keep(&mut self) -> Result<(), Over> {
        let mut failures = 0;
        let mut doubts = 0;
        loop {
            let error = match self.open().await {
                Ok((frames, issued)) => {
                    self.attempts.send_modify(|attempt| {
                        attempt.number += 1;
                        attempt.refusal = None;
                    });
                    (failures, doubts) = (0, 0);
                    self.access.stream(StreamState::Open, None);
                    self.opened().await?;
                    let end = Box::pin(self.listen(frames, issued)).await?;
                    let text = format!("{end}; it will be opened again");
                    ProviderError::new(ErrorKind::Unreachable, text)
                }
                Err(refusal) => {
                    let error = refusal.error.clone();
                    let why = refusal.why;
                    self.attempts.send_modify(|attempt| {
                        attempt.number += 1;
                        attempt.refusal = Some(refusal);
                    });
                    self.refused(why, &error, &mut doubts).await?;
                    error
                }
            };
            failures += 1;
            self.access.stream(StreamState::Waiting, Some(&error));
            self.gap_began(&error);
            self.pause(failures, &error).await?;
        }
    }

    async fn open(&self) -> Result<(Frames, Option<Issued>), Refusal> {
        self.access.stream(StreamState::Opening, None);
        let failing = |error| Refusal {
            why: Why::Failing,
            error,
        };
        let credential = self.access.credential(OpenMode::Silent, NOBODY);
        let issued = match timeout(PATIENCE, credential).await {
            Ok(issued) => issued.map_err(|error| Refusal {
                why: match error.kind() {
                    ErrorKind::SessionGone | ErrorKind::Refused => Why::NoSession,
                    _ => Why::Unauthenticated,
                },
                error,
            })?,
            Err(_) => return Err(failing(late("for a credential"))),
        };
        let credential = issued.as_ref().map(|issued| &*issued.credential);
        match timeout(PATIENCE, self.access.listen(credential)).await {
            Ok(Ok(frames)) => Ok((frames, issued)),
            Ok(Err(refusal)) => {
                if refusal.why == Why::Unauthenticated
                    && let (Some(issued), Some(all)) = (&issued, &self.access.gateway.credentials)
                {
                    all.reject(issued.number);
                }
                Err(refusal)
            }
            Err(_) => Err(failing(late("for the event stream"))),
        }
    }

    /// The stream is open: whatever happened while there was none is found out.
    async fn opened(&mut self) -> Result<(), Over> {
        let gap = self.gap.take();
        if !self.access.is_established() {
            // Whoever waits for a person learns that there may be a session now.
            return self.tell(ProviderEvent::Ready);
        }
        let Some((since, told)) = gap else {
            return Ok(());
        };
        self.resync().await?;
        if told {
            let forms = since.elapsed().as_millis();
            self.mark(
                "ended",
                "the event stream is open again",
                Some((true, forms)),
            )?;
        }
        Ok(())
    }

    /// There is no stream. Whether there is a session, and a gateway, is another question.
    async fn refused(
        &mut self,
        why: Why,
        error: &ProviderError,
        doubts: &mut u32,
    ) -> Result<(), Over> {
        if !self.access.is_established() {
            return Ok(());
        }
        match why {
            Why::NoSession => self.drop_session(error.clone()),
            Why::Unauthenticated => {
                *doubts += 1;
                self.access.note(None, Some(error));
                if *doubts > DOUBTS {
                    return self.drop_session(error.clone());
                }
                Ok(())
            }
            Why::Unreachable => self.check().await,
            Why::Failing => Ok(()),
        }
    }

    /// Listens until the stream ends.
    async fn listen(
        &mut self,
        mut frames: Frames,
        mut issued: Option<Issued>,
    ) -> Result<StreamEnd, Over> {
        let access = Arc::clone(&self.access);
        let options = &access.gateway.options;
        let mut fresh = access.gateway.credentials.as_ref().map(|all| all.watch());
        let mut poll = Instant::now() + about(options.poll_interval);
        let mut rotate = Instant::now() + about(options.max_stream_age);
        let mut renew = issued.as_ref().and_then(|issued| issued.renew_at);
        loop {
            let number = issued.as_ref().map_or(0, |issued| issued.number);
            let replaced = async {
                match &mut fresh {
                    Some(fresh) => fresh
                        .wait_for(|now| now.as_ref().is_some_and(|now| now.number > number))
                        .await
                        .ok()
                        .and_then(|now| now.clone()),
                    None => None,
                }
            };
            tokio::select! {
                frame = frames.next() => match frame {
                    Ok(frame) => self.hear(&frame)?,
                    Err(end) => return Ok(end),
                },
                () = sleep_until(poll) => {
                    if access.is_established() {
                        self.check().await?;
                    }
                    poll = Instant::now() + about(options.poll_interval);
                }
                () = sleep_until(rotate) => {
                    let next = self.replace(&mut frames, issued.as_ref(), true).await?;
                    let age = if next { options.max_stream_age } else { options.poll_interval };
                    rotate = Instant::now() + about(age);
                }
                () = sleep_until(renew.unwrap_or_else(Instant::now)), if renew.is_some() => {
                    renew = self.renew(number).await;
                }
                Some(next) = replaced => {
                    self.move_session(issued.as_ref(), &next).await;
                    renew = next.renew_at;
                    issued = Some(next);
                    if !self.replace(&mut frames, issued.as_ref(), false).await? {
                        return Ok(StreamEnd::Ended);
                    }
                    rotate = Instant::now() + about(options.max_stream_age);
                }
            }
        }
    }

    fn hear(&self, frame: &super::frames::Frame) -> Result<(), Over> {
        let said = self.access.ear().hear(frame);
        said.into_iter().try_for_each(|event| self.tell(event))
    }

    /// Puts a new stream in place of this one, which goes on meanwhile: nothing is lost between.
    /// `false` if there was none to be had.
    async fn replace(
        &mut self,
        frames: &mut Frames,
        issued: Option<&Issued>,
        aged: bool,
    ) -> Result<bool, Over> {
        sleep_until(self.access.gateway.next_opening()).await;
        let credential = issued.map(|issued| &*issued.credential);
        let Ok(Ok(next)) = timeout(PATIENCE, self.access.listen(credential)).await else {
            return Ok(false);
        };
        while let Some(frame) = frames.next_if_here() {
            self.hear(&frame)?;
        }
        *frames = next;
        if self.access.is_established() {
            self.resync().await?;
            if aged {
                let reason = "the event stream was replaced: it was old, and may have been dead";
                self.mark("ended", reason, Some((false, 0)))?;
            }
        }
        Ok(true)
    }

    /// Has the credential renewed ahead of its end. Returns when to try again, where that failed:
    /// a renewal that succeeds is seen by everybody who shares it.
    async fn renew(&self, number: u64) -> Option<Instant> {
        let credentials = self.access.gateway.credentials.as_ref()?;
        let renewed = credentials.renew(number, OpenMode::Silent, NOBODY);
        match timeout(PATIENCE, renewed).await {
            Ok(Ok(_)) => None,
            Ok(Err(_)) | Err(_) => {
                let left = credentials.current()?.credential.expires_at()?;
                let left = left.saturating_since(SystemClock.wall());
                let wait = (left / 3).clamp(Duration::from_millis(200), Duration::from_secs(30));
                (!left.is_zero()).then(|| Instant::now() + about(wait))
            }
        }
    }

    /// Gateways of the second generation tie a session to its token: a fresh token needs one made.
    /// Only if the old one still has its session: one that ended at the gateway ended.
    async fn move_session(&self, before: Option<&Issued>, next: &Issued) {
        let access = &self.access;
        if access.gateway.options.network.is_none() || !access.is_established() {
            return;
        }
        let moving = async {
            if access.connected_status(Some(next)).await.is_ok() {
                return;
            }
            if let Some(before) = before
                && access.connected_status(Some(before)).await.is_ok()
                && let Err(error) = access.log_in(&next.credential).await
            {
                tracing::debug!(%error, "the session was not moved to the fresh credential");
            }
        };
        if timeout(PATIENCE, moving).await.is_err() {
            tracing::debug!("the session was not moved to the fresh credential in time");
        }
    }

    /// A cheap look whether the gateway is there and the session stands.
    async fn check(&mut self) -> Result<(), Over> {
        let asked = self.access.call("isConnected", &Value::Null);
        let answer = match timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(late("`isConnected`")),
        };
        let answer: Result<ConnectResult, _> =
            answer.and_then(|answer| reading::decode("isConnected", answer));
        match answer {
            Ok(answer) if answer.is_connected => self.link(reading::link(&answer)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::RateLimited | ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            Err(error) if is_unreachable(&error) => self.drop_session(error),
            Ok(_) | Err(_) => self.resync().await,
        }
    }

    fn link(&self, link: NetworkLink) -> Result<(), Over> {
        let known = self.access.ear().known().cloned();
        match known {
            Some(known) if link != NetworkLink::Unknown && known.link != link => {
                self.access.ear().learn(Some(known.with_link(link)));
                self.tell(ProviderEvent::Link(link))
            }
            _ => Ok(()),
        }
    }

    /// Asks for the truth and tells what of it is new. What is ambiguous is asked again a few times
    /// before the session is told.
    async fn resync(&mut self) -> Result<(), Over> {
        let mut tries = 0;
        loop {
            let known = self.access.ear().known().cloned();
            let error = match timeout(PATIENCE, self.access.ask()).await {
                Ok(Ok(live)) => return self.compare(known.as_ref(), &live),
                Ok(Err(error)) => error,
                Err(_) => late("what it knows"),
            };
            tries += 1;
            let certain = error.kind() == ErrorKind::SessionGone;
            if certain || is_unreachable(&error) || tries > DOUBTS {
                return self.drop_session(error);
            }
            self.sleep(tries, &error).await;
        }
    }

    fn compare(&self, known: Option<&Live>, live: &Live) -> Result<(), Over> {
        let Some(known) = known else {
            return self.tell(ProviderEvent::Ready);
        };
        if known.accounts != live.accounts {
            self.tell(match live.accounts.is_empty() {
                true => ProviderEvent::Recheck,
                false => ProviderEvent::Accounts(live.accounts.clone()),
            })?;
        }
        if let Some(network) = &live.network
            && known.network.as_ref() != Some(network)
        {
            self.tell(ProviderEvent::Network(network.clone()))?;
        }
        if live.link != NetworkLink::Unknown && live.link != known.link {
            self.tell(ProviderEvent::Link(live.link))?;
        }
        match live.expires_at {
            Some(at) if known.expires_at != Some(at) => self.tell(ProviderEvent::Expires(at)),
            _ => Ok(()),
        }
    }

    /// Waits before the stream is opened again. The session is looked after meanwhile.
    async fn pause(&mut self, failures: u32, error: &ProviderError) -> Result<(), Over> {
        let wait = self.backoff(failures, error);
        let until = (Instant::now() + wait).max(self.access.gateway.next_opening());
        let interval = self.access.gateway.options.poll_interval;
        let nudge = Arc::clone(&self.nudge);
        let mut poll = Instant::now() + about(interval);
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                () = nudge.notified() => return Ok(()),
                () = sleep_until(poll) => {
                    if self.access.is_established() {
                        self.check().await?;
                    }
                    poll = Instant::now() + about(interval);
                }
            }
        }
    }

    async fn sleep(&self, failures: u32, error: &ProviderError) {
        tokio::time::sleep(self.backoff(failures, error)).await;
    }

    /// At random up to the base, doubled with each failure; at least what the gateway asks for.
    fn backoff(&self, failures: u32, error: &ProviderError) -> Duration {
        let options = &self.access.gateway.options;
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(20));
        let most = options.backoff_base.saturating_mul(doubled);
        let wait = most.min(options.backoff_cap).mul_f64(fastrand::f64());
        wait.max(error.retry_after().unwrap_or_default())
    }

    /// From here on events may be lost.
    fn gap_began(&mut self, error: &ProviderError) {
        let (since, told) = self.gap.unwrap_or_else(|| (Instant::now(), false));
        let tell = !told && self.access.is_established();
        if tell {
            // Unheard once the epoch is over; the next answer of the sink ends this task.
            let _heard = self.mark("began", error.message(), None);
        }
        self.gap = Some((since, told || tell));
    }

    fn mark(&self, phase: &str, reason: &str, ended: Option<(bool, u128)>) -> Result<(), Over> {
        let mut payload = json!({ "phase": phase, "reason": reason });
        if let Some((certain, millis)) = ended {
            payload["certain"] = json!(certain);
            payload["forMs"] = json!(u64::try_from(millis).unwrap_or(u64::MAX));
        }
        self.tell(ProviderEvent::Message(Message::new(STREAM_GAP, payload)))
    }

    /// Tells the session that it is lost, for this reason.
    fn drop_session(&self, error: ProviderError) -> Result<(), Over> {
        let gateway = &self.access.gateway.options.shown;
        tracing::debug!(%gateway, epoch = %self.events.epoch(), %error, "session lost");
        self.events.send(ProviderEvent::Dropped(error));
        Err(Over)
    }

    fn tell(&self, event: ProviderEvent) -> Result<(), Over> {
        match self.events.send(event) {
            true => Ok(()),
            false => Err(Over),
        }
    }
}

fn is_unreachable(error: &ProviderError) -> bool {
    matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::TimedOut)
}

fn late(what: &str) -> ProviderError {
    ProviderError::new(
        ErrorKind::TimedOut,
        format!(
            "the gateway did not answer {what} within {} s",
            PATIENCE.as_secs()
        ),
    )
}

/// A time ± 20 %, so that what began together does not stay together.
fn about(time: Duration) -> Duration {
    time.mul_f64(0.8 + 0.4 * fastrand::f64())
}
