//! One authenticator, shared: what it yielded, and at most one call of it at a time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moorline::clock::{Clock, SystemClock};
use moorline::provider::OpenMode;
use moorline::{Timestamp, UserAction};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::{AuthError, AuthErrorKind, AuthRequest, Authenticator, Credential};

/// A credential that was rejected is not replaced before it is this old: a gateway that cannot
/// reach its identity provider rejects everything, fresh tokens included.
const TOO_FRESH: Duration = Duration::from_secs(2);

/// An [`Authenticator`] and what it yielded last, for any number of sessions. Cheap to clone.
///
/// Sessions that share credentials share their renewals: however many need a fresh token, the
/// identity provider is asked once, and all of them get what it says.
#[derive(Clone)]
pub struct Credentials(Arc<Shared>);

struct Shared {
    authenticator: Box<dyn Authenticator>,
    current: watch::Sender<Option<Issued>>,
    /// Held while the authenticator is asked; why and when that was in vain last.
    flight: Mutex<Option<(Instant, AuthError)>>,
    /// How many times it was asked in vain.
    failures: AtomicU64,
    /// The number of the credential that a gateway rejected last.
    rejected: AtomicU64,
    margin: Duration,
}

/// A credential and its number among those that were issued.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) credential: Arc<Credential>,
    pub(crate) number: u64,
    at: Instant,
    /// When it is time to have it renewed.
    pub(crate) renew_at: Option<Instant>,
}

impl Credentials {
    /// What this authenticator yields.
    pub fn new(authenticator: impl Authenticator) -> Self {
        Self::with_margin(authenticator, Duration::from_secs(60))
    }

    /// As [`new`](Self::new), with another margin: how long before its end a credential is
    /// renewed. Default 60 s, never more than a fifth of its life; up to half of it is added at
    /// random, so that programs that started together do not renew together.
    pub fn with_margin(authenticator: impl Authenticator, margin: Duration) -> Self {
        Self(Arc::new(Shared {
            authenticator: Box::new(authenticator),
            current: watch::Sender::new(None),
            flight: Mutex::new(None),
            failures: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            margin,
        }))
    }

    /// Whether a fresh credential can be had without a person.
    pub fn renews(&self) -> bool {
        self.0.authenticator.renews()
    }

    /// The credential in use, where there is one.
    pub(crate) fn current(&self) -> Option<Issued> {
        self.0.current.borrow().clone()
    }

    /// Tells of every credential that is issued.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Issued>> {
        self.0.current.subscribe()
    }

    /// A gateway rejected this one. What that means is not certain.
    pub(crate) fn reject(&self, number: u64) {
        self.0.rejected.fetch_max(number, Ordering::Relaxed);
    }

    /// A credential that is good as far as anybody knows here: the one in use, else a fresh one.
    pub(crate) async fn get(
        &self,
        mode: OpenMode,
        prompt: &(dyn Fn(UserAction) + Send + Sync),
    ) -> Result<Issued, AuthError> {
        match self.current() {
            None => self.renew(0, mode, prompt).await,
            Some(issued) if issued.credential.has_ended(now()) => {
                self.renew(issued.number, mode, prompt).await
            }
            Some(issued) if self.is_doubtful(&issued) => {
                match self.renew(issued.number, mode, prompt).await {
                    // Nothing better is to be had: the doubt may be the gateway's own.
                    Err(error) if error.kind() != AuthErrorKind::UserRefused => Ok(issued),
                    renewed => renewed,
                }
            }
            Some(issued) => Ok(issued),
        }
    }

    /// Whether it was rejected and is old enough to be replaced for that.
    fn is_doubtful(&self, issued: &Issued) -> bool {
        self.0.rejected.load(Ordering::Relaxed) >= issued.number && issued.at.elapsed() >= TOO_FRESH
    }

    /// A credential issued after the one with the number `stale`.
    pub(crate) async fn renew(
        &self,
        stale: u64,
        mode: OpenMode,
        prompt: &(dyn Fn(UserAction) + Send + Sync),
    ) -> Result<Issued, AuthError> {
        let failures = self.0.failures.load(Ordering::Acquire);
        let mut flight = self.0.flight.lock().await;
        let current = self.current();
        if let Some(issued) = current.as_ref().filter(|issued| issued.number > stale) {
            return Ok(issued.clone());
        }
        // Whoever was asked while this one waited could not help: that answer is shared. A person
        // may do what could not be done silently.
        if mode == OpenMode::Silent
            && self.0.failures.load(Ordering::Acquire) != failures
            && let Some((_, error)) = &*flight
        {
            return Err(error.clone());
        }
        // One that is good but for a doubt is not worth asking all the time.
        let in_doubt = current
            .as_ref()
            .is_some_and(|issued| !issued.credential.has_ended(now()));
        if let Some((at, error)) = &*flight
            && in_doubt
            && mode == OpenMode::Silent
            && at.elapsed() < TOO_FRESH
        {
            return Err(error.clone());
        }
        let replaces = current.as_ref().map(|issued| &*issued.credential);
        let request = AuthRequest::new(mode, prompt).replacing(replaces);
        match self.0.authenticator.authenticate(request).await {
            Ok(credential) if credential.has_ended(now()) => {
                let error = AuthError::new(
                    AuthErrorKind::NeedsUser,
                    "the credential that was given has already ended",
                );
                Err(self.failed(&mut flight, error))
            }
            Ok(credential) => {
                *flight = None;
                let issued = self.issue(credential, stale.max(current.map_or(0, |it| it.number)));
                self.0.current.send_replace(Some(issued.clone()));
                Ok(issued)
            }
            Err(error) => Err(self.failed(&mut flight, error)),
        }
    }

    fn failed(&self, flight: &mut Option<(Instant, AuthError)>, error: AuthError) -> AuthError {
        tracing::debug!(authenticator = self.0.authenticator.name(), %error, "no credential");
        *flight = Some((Instant::now(), error.clone()));
        self.0.failures.fetch_add(1, Ordering::Release);
        error
    }

    fn issue(&self, credential: Credential, after: u64) -> Issued {
        let at = Instant::now();
        let renew_at = credential
            .expires_at()
            .filter(|_| self.renews())
            .map(|end| {
                let life = end.saturating_since(now());
                let margin = self.0.margin.min(life / 5);
                let early = margin.mul_f64(1.0 + fastrand::f64() / 2.0);
                at + life.saturating_sub(early)
            });
        Issued {
            credential: Arc::new(credential),
            number: after + 1,
            at,
            renew_at,
        }
    }
}

impl<A: Authenticator> From<A> for Credentials {
    fn from(authenticator: A) -> Self {
        Self::new(authenticator)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("authenticator", &self.0.authenticator.name())
            .finish_non_exhaustive()
    }
}

/// The wall clock: the ends of tokens are on it.
pub(crate) fn now() -> Timestamp {
    SystemClock.wall()
}

#[cfg(test)]
mod tests {
    use super::super::AuthFuture;
    use super::*;
    use futures_util::future::join_all;

    /// Yields what it is told, slowly, and counts.
    struct Slow {
        asked: Arc<AtomicU64>,
        fails: bool,
        life: Duration,
    }

    impl Authenticator for Slow {
        fn name(&self) -> &str {
            "slow"
        }

        fn renews(&self) -> bool {
            true
        }

        fn authenticate<'a>(&'a self, request: AuthRequest<'a>) -> AuthFuture<'a> {
            Box::pin(async move {
                let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
                if self.fails {
                    return Err(AuthError::unavailable("down"));
                }
                assert_eq!(request.replaces.is_some(), number > 1);
                let token = Credential::bearer(format!("token-{number}").into());
                Ok(token.expiring_at(now().saturating_add(self.life)))
            })
        }
    }

    fn slow(fails: bool) -> (Credentials, Arc<AtomicU64>) {
        let asked = Arc::new(AtomicU64::new(0));
        let authenticator = Slow {
            asked: Arc::clone(&asked),
            fails,
            life: Duration::from_secs(100),
        };
        (Credentials::new(authenticator), asked)
    }

    const NOBODY: &(dyn Fn(UserAction) + Send + Sync) = &|_| panic!("nobody is asked");

    #[tokio::test(start_paused = true)]
    async fn many_sessions_ask_once() {
        let (credentials, asked) = slow(false);
        let get = || credentials.get(OpenMode::Silent, NOBODY);
        let first = join_all((0..100).map(|_| get())).await;
        assert!(first.iter().all(|it| it.as_ref().unwrap().number == 1));
        let renew = || credentials.renew(1, OpenMode::Silent, NOBODY);
        let second = join_all((0..100).map(|_| renew())).await;
        assert!(second.iter().all(|it| it.as_ref().unwrap().number == 2));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_share_a_failure_too() {
        let (credentials, asked) = slow(true);
        let get = || credentials.get(OpenMode::Silent, NOBODY);
        let all = join_all((0..100).map(|_| get())).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        get().await.unwrap_err();
        assert_eq!(asked.load(Ordering::Relaxed), 2, "later, it is asked again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fresh_credential_that_is_rejected_stays() {
        let (credentials, asked) = slow(false);
        let first = credentials.get(OpenMode::Silent, NOBODY).await.unwrap();
        credentials.reject(first.number);
        let second = credentials.get(OpenMode::Silent, NOBODY).await.unwrap();
        assert_eq!(second.number, first.number);
        tokio::time::advance(TOO_FRESH).await;
        let third = credentials.get(OpenMode::Silent, NOBODY).await.unwrap();
        assert_eq!((third.number, asked.load(Ordering::Relaxed)), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_ahead_of_its_end() {
        let (credentials, _) = slow(false);
        let issued = credentials.get(OpenMode::Silent, NOBODY).await.unwrap();
        let ahead = issued.renew_at.unwrap() - issued.at;
        let (earliest, latest) = (Duration::from_secs(69), Duration::from_secs(80));
        assert!((earliest..=latest).contains(&ahead), "{ahead:?}");
    }
}
