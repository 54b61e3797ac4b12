//! A script in front of a real provider: calls go through, and what the script says about them is
//! arranged with the wallet behind, not pretended.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use moorline::provider::{
    Capabilities, CloseMode, ErrorKind, EventSink, Live, OpenRequest, Opened, Provider,
    ProviderError, ProviderFuture, ProviderPayload, Request,
};
use moorline::sync::Fence;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::behaviour::{Behaviour, Outcome};
use crate::control::Control;
use crate::state::{Begun, Wallet, waited};
use crate::traffic::{Ending, What};

/// What a wallet is to do with a call that is about to reach it, or has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Arrangement {
    /// Hold it back; `executed` says whether it is executed before.
    Hold {
        /// Whether it is executed although it is not answered.
        executed: bool,
    },
    /// Answer what is held back, with this error if there is one.
    Release(Option<ProviderError>),
    /// Fail it.
    Fail(ProviderError),
    /// Name no account.
    NoAccounts,
    /// Answer this.
    Value(Value),
    /// Send a person to the login.
    UserAction,
    /// Whatever was arranged for calls of this kind is over.
    Over,
}

/// What [`Wire::arrange`] returns.
pub type Arranged<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Has a real wallet treat a call as a script says.
pub trait Wire: Send + Sync + 'static {
    /// Arranges it. It holds when this returns.
    ///
    /// # Errors
    ///
    /// What went wrong; the call fails with it.
    fn arrange<'a>(&'a self, call: &'a What, how: Arrangement) -> Arranged<'a>;
}

/// A real provider behind a script. Made by [`Control::in_front_of`].
pub struct FrontProvider {
    inner: Arc<dyn Provider>,
    wire: Option<Arc<dyn Wire>>,
    wallet: Wallet,
    flying: Arc<AtomicUsize>,
    /// Calls whose arrangements nobody has ended, as their futures were dropped.
    unfinished: Arc<Mutex<Vec<What>>>,
}

/// How many calls are on their way: neither answered nor held back on purpose. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Flying(Arc<AtomicUsize>);

impl Flying {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Control {
    /// A provider that hands every call on to `inner` and keeps count of it here. Scripts apply: the
    /// wallet behind is made to follow them through `wire`. What the wallet is (its accounts and so
    /// on) is its own: the setters of this control do nothing for it.
    pub fn in_front_of(
        &self,
        inner: Arc<dyn Provider>,
        wire: Option<Arc<dyn Wire>>,
        flying: &Flying,
    ) -> FrontProvider {
        FrontProvider {
            inner,
            wire,
            wallet: self.wallet().clone(),
            flying: flying.0.clone(),
            unfinished: Arc::default(),
        }
    }
}

/// A call that is on its way.
struct Flight(Arc<AtomicUsize>);

impl Flight {
    fn begin(flying: &Arc<AtomicUsize>) -> Self {
        flying.fetch_add(1, Ordering::SeqCst);
        Self(flying.clone())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn failed(problem: String) -> ProviderError {
    ProviderError::new(ErrorKind::Internal, problem)
}

impl FrontProvider {
    async fn arrange(&self, call: &What, how: Arrangement) -> Result<(), ProviderError> {
        match &self.wire {
            Some(wire) => wire.arrange(call, how).await.map_err(failed),
            None => Err(failed("nobody can arrange this with the wallet".into())),
        }
    }

    fn lock_unfinished(&self) -> std::sync::MutexGuard<'_, Vec<What>> {
        self.unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn play<T>(
        &self,
        call: What,
        begun: Begun,
        forward: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let Begun {
            behaviour,
            overruled,
            guard,
            ..
        } = begun;
        let unfinished = std::mem::take(&mut *self.lock_unfinished());
        for call in unfinished {
            self.arrange(&call, Arrangement::Over).await?;
        }
        let result = self.treated(&call, behaviour, overruled, forward).await;
        guard.end(match &result {
            Ok(_) => Ending::Answered,
            Err(_) => Ending::Failed,
        });
        result
    }

    async fn treated<T>(
        &self,
        call: &What,
        behaviour: Behaviour,
        overruled: oneshot::Receiver<Behaviour>,
        forward: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let how = match &behaviour.outcome {
            Outcome::Answer if !waited(behaviour.after) => {
                let _flight = Flight::begin(&self.flying);
                return forward.await;
            }
            Outcome::Answer | Outcome::Silence => {
                return self.held(call, behaviour, overruled, forward).await;
            }
            Outcome::Fail(error) => Arrangement::Fail(error.clone()),
            Outcome::NoAccounts => Arrangement::NoAccounts,
            Outcome::Value(value) => Arrangement::Value(value.clone()),
            Outcome::UserAction(_) => Arrangement::UserAction,
            Outcome::Panic(_) | Outcome::PanicAtCall(_) => {
                return Err(failed("a live wallet does not panic here".into()));
            }
        };
        if waited(behaviour.after) {
            tokio::time::sleep(behaviour.after).await;
        }
        let _flight = Flight::begin(&self.flying);
        self.lock_unfinished().push(call.clone());
        self.arrange(call, how).await?;
        let result = forward.await;
        self.lock_unfinished().retain(|other| other != call);
        self.arrange(call, Arrangement::Over).await?;
        result
    }

    /// A call that is held back, for a while or until it is said otherwise.
    async fn held<T>(
        &self,
        call: &What,
        behaviour: Behaviour,
        overruled: oneshot::Receiver<Behaviour>,
        forward: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let silent = matches!(behaviour.outcome, Outcome::Silence);
        // A request is the wallet's once it has it; an answer that is late tells the truth of then.
        let executed = behaviour.as_of_call || matches!(call, What::Request { .. });
        {
            let _flight = Flight::begin(&self.flying);
            self.arrange(call, Arrangement::Hold { executed }).await?;
        }
        let mut forward = pin!(forward);
        let mut word = pin!(word(silent, behaviour.after, overruled));
        let early = poll_fn(|cx| {
            if let Poll::Ready(result) = forward.as_mut().poll(cx) {
                return Poll::Ready(Err(result));
            }
            word.as_mut().poll(cx).map(Ok)
        });
        let released = match early.await {
            Err(result) => return result,
            Ok(behaviour) => behaviour,
        };
        let _flight = Flight::begin(&self.flying);
        let error = match released.outcome {
            Outcome::Fail(error) => Some(error),
            _ => None,
        };
        self.arrange(call, Arrangement::Release(error)).await?;
        forward.await
    }
}

/// How a call that is held back is treated in the end.
async fn word(silent: bool, after: Duration, overruled: oneshot::Receiver<Behaviour>) -> Behaviour {
    let overruling = if silent {
        overruled.await.ok()
    } else {
        match tokio::time::timeout(after, overruled).await {
            Ok(overruling) => overruling.ok(),
            Err(_) => return Behaviour::answer(),
        }
    };
    match overruling {
        Some(behaviour) if !matches!(behaviour.outcome, Outcome::Silence) => {
            if waited(behaviour.after) {
                tokio::time::sleep(behaviour.after).await;
            }
            behaviour
        }
        _ => pending().await,
    }
}

impl Provider for FrontProvider {
    fn kind(&self) -> &str {
        self.inner.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        self.wallet.lock().sinks.push(events.clone());
        let what = What::Open {
            mode: request.mode,
            last_known: request.last_known.clone(),
        };
        let begun = self.wallet.begin(what.clone(), Some(request.epoch));
        let forward = self.inner.open(request, events);
        Box::pin(self.play(what, begun, forward))
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        let begun = self.wallet.begin(What::Probe, None);
        Box::pin(self.play(What::Probe, begun, self.inner.probe()))
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        let what = What::Request {
            method: request.method.clone().into_owned(),
            params: request.params.clone(),
            identity: request.identity.clone(),
        };
        let begun = self.wallet.begin(what.clone(), None);
        let forward = self.inner.request(request);
        Box::pin(self.play(what, begun, forward))
    }

    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()> {
        let what = What::Close(mode);
        let begun = self.wallet.begin(what.clone(), None);
        let forward = self.inner.close(mode);
        Box::pin(self.play(what, begun, forward))
    }

    fn reauthenticate(&self) -> ProviderFuture<'_, ()> {
        let begun = self.wallet.begin(What::Reauthenticate, None);
        let forward = self.inner.reauthenticate();
        Box::pin(self.play(What::Reauthenticate, begun, forward))
    }

    fn payload(&self) -> Result<Option<ProviderPayload>, ProviderError> {
        self.inner.payload()
    }

    fn fenced(&self, fence: &Fence) {
        self.wallet.lock().fence = Some(fence.clone());
        self.inner.fenced(fence);
    }
}

impl fmt::Debug for FrontProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontProvider").finish_non_exhaustive()
    }
}
