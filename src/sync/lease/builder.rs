//! What a membership can be told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::driver::Driver;
use super::error::LeaseError;
use super::leases::{Handle, Leases};
use super::machine::Timing;
use super::member::{Member, MemberId};
use super::standing::Clocks;
use crate::clock::{Clock, SystemClock, millis};
use crate::store::backend::Backend;

/// News that a reader may be behind before it loses the oldest.
const NEWS: usize = 256;
const DEFAULT_TTL: Duration = Duration::from_secs(10);
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes [`Leases`]: see [`Leases::builder`].
#[must_use]
pub struct LeasesBuilder {
    backend: Arc<dyn Backend>,
    name: Option<Arc<str>>,
    ttl: Duration,
    clock: Arc<dyn Clock>,
}

impl LeasesBuilder {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            name: None,
            ttl: DEFAULT_TTL,
            clock: SystemClock::shared(),
        }
    }

    /// What this process calls itself, such as an address at which others reach it. Everybody who
    /// can read the backend can read it. Default: the text of its id.
    pub fn member(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long the membership lasts without being renewed: after a crash, others take over after
    /// this and up to 0.8 of it more. From 100 ms to a day; default: 10 s. Members may differ in
    /// it.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The wall clock, by which sleep is noticed. Default: the computer's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Joins. Must be called inside a tokio runtime with time enabled.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Ttl`]; [`LeaseError::Unavailable`] if the backend did not let it join within
    /// the ttl (at least five seconds).
    ///
    /// # Cancel safety
    ///
    /// It leaves in the background if the future is dropped.
    pub async fn join(self) -> Result<Leases, LeaseError> {
        if !(SHORTEST..=LONGEST).contains(&self.ttl) {
            return Err(LeaseError::Ttl {
                ttl_ms: millis(self.ttl),
            });
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| {
            LeaseError::unavailable(format!("no randomness for the member's id: {error}"))
        })?;
        let (messages, inbox) = mpsc::unbounded_channel();
        let (mut news, receiver) = async_broadcast::broadcast(NEWS);
        news.set_overflow(true);
        news.set_await_active(false);
        let handle = Arc::new(Handle {
            messages: messages.clone(),
            member: Mutex::new(Member::new(MemberId::new([0; 16]), "")),
            news: receiver.deactivate(),
            ttl: self.ttl,
        });
        let (joined, first) = oneshot::channel();
        let clocks = Clocks {
            origin: Instant::now(),
            wall: self.clock,
        };
        let place = self.backend.describe();
        let driver = Driver::new(
            self.backend,
            Timing::new(self.ttl),
            self.name,
            clocks,
            seed,
            (messages, inbox),
            news,
            joined,
        );
        tokio::spawn(driver.run(Arc::downgrade(&handle)));
        let patience = self.ttl.max(Duration::from_secs(5));
        match tokio::time::timeout(patience, first).await {
            Ok(Ok(())) => Ok(Leases { handle }),
            Ok(Err(_)) | Err(_) => Err(LeaseError::unavailable(format!(
                "could not join in {place} within {} ms",
                millis(patience)
            ))),
        }
    }
}
