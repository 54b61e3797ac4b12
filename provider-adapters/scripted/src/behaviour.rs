//! How the wallet treats a call.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use moorline::UserAction;
use moorline::provider::{ErrorKind, ProviderError, ProviderPayload};
use serde_json::Value;

/// The calls whose treatment can be scripted and counted.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum On {
    /// Opening a connection, with or without a prompt.
    Open,
    /// A probe.
    Probe,
    /// A request of any method; a script for the method itself goes first.
    Request,
    /// A request of this method.
    Method(Cow<'static, str>),
    /// Ending a connection.
    Close,
    /// Re-authentication by the provider's own means.
    Reauthenticate,
}

impl On {
    /// A request of `method`.
    pub fn method(method: impl Into<Cow<'static, str>>) -> Self {
        Self::Method(method.into())
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Probe => f.write_str("probe"),
            Self::Request => f.write_str("request"),
            Self::Method(method) => write!(f, "request {method}"),
            Self::Close => f.write_str("close"),
            Self::Reauthenticate => f.write_str("reauthenticate"),
        }
    }
}

/// How the wallet treats one call.
#[derive(Clone, Debug)]
pub struct Behaviour {
    pub(crate) outcome: Outcome,
    pub(crate) after: Duration,
    pub(crate) executes: Option<bool>,
    pub(crate) as_of_call: bool,
    pub(crate) payload: Option<ProviderPayload>,
}

#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Answer,
    Value(Value),
    NoAccounts,
    Silence,
    Fail(ProviderError),
    UserAction(UserAction),
    Panic(String),
    PanicAtCall(String),
}

impl Behaviour {
    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            after: Duration::ZERO,
            executes: None,
            as_of_call: false,
            payload: None,
        }
    }

    /// Answers as a well-behaved wallet in its present state.
    pub fn answer() -> Self {
        Self::of(Outcome::Answer)
    }

    /// Answers a request with this value.
    pub fn value(value: impl Into<Value>) -> Self {
        Self::of(Outcome::Value(value.into()))
    }

    /// Answers a probe with an empty list of accounts.
    pub fn no_accounts() -> Self {
        Self::of(Outcome::NoAccounts)
    }

    /// Never answers, unless [`Control::answer`](crate::Control::answer) has it answer later.
    pub fn silence() -> Self {
        Self::of(Outcome::Silence)
    }

    /// Fails.
    pub fn fail(error: ProviderError) -> Self {
        Self::of(Outcome::Fail(error))
    }

    /// Answers an open with something that a person must do. The wallet then answers probes with
    /// "not yet" until [`Control::approve`](crate::Control::approve).
    pub fn user_action(action: UserAction) -> Self {
        Self::of(Outcome::UserAction(action))
    }

    /// Panics while the session waits for the answer.
    pub fn panic(message: impl Into<String>) -> Self {
        Self::of(Outcome::Panic(message.into()))
    }

    /// Panics in the call itself, before there is a future to wait for.
    pub fn panic_at_call(message: impl Into<String>) -> Self {
        Self::of(Outcome::PanicAtCall(message.into()))
    }

    /// Takes this long, on tokio's clock.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }

    /// Says whether the wallet executes the request in spite of how it answers. By default it
    /// does if it answers or stays silent, and does not if it fails or panics.
    #[must_use]
    pub fn executed(mut self, executed: bool) -> Self {
        self.executes = Some(executed);
        self
    }

    /// Answers a probe with what was true when the call came, not when the answer leaves.
    #[must_use]
    pub fn as_of_call(mut self) -> Self {
        self.as_of_call = true;
        self
    }

    /// Has another [payload](moorline::Provider::payload) by the time it answers, and says so: as
    /// a provider does whose token is used up and another one given. Nothing changes if it fails.
    #[must_use]
    pub fn with_payload(mut self, payload: ProviderPayload) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Behaves so for the next `times` calls; after them as scripted by
    /// [`then`](Script::then), or well.
    #[must_use]
    pub fn times(self, times: u32) -> Script {
        Script(vec![(self, Some(times))])
    }

    /// Behaves so for the next call, and as `next` says after it.
    #[must_use]
    pub fn then(self, next: impl Into<Script>) -> Script {
        self.times(1).then(next)
    }

    /// Whether a real wallet can be made to behave so, through a [`Wire`](crate::Wire): it cannot
    /// make an adapter panic or say what it is built from, and it fails as wallets do, with a code or by hanging up.
    pub fn is_arrangeable(&self) -> bool {
        if self.payload.is_some() {
            return false;
        }
        match &self.outcome {
            Outcome::Panic(_) | Outcome::PanicAtCall(_) => false,
            Outcome::Fail(error) => {
                error.code().is_some()
                    || matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Internal)
            }
            Outcome::Answer
            | Outcome::Value(_)
            | Outcome::NoAccounts
            | Outcome::Silence
            | Outcome::UserAction(_) => true,
        }
    }

    pub(crate) fn executes(&self) -> bool {
        self.executes.unwrap_or(matches!(
            self.outcome,
            Outcome::Answer | Outcome::Value(_) | Outcome::Silence
        ))
    }
}

/// What the wallet does with call after call of one kind. A [`Behaviour`] alone is a script that
/// never ends.
#[derive(Clone, Debug)]
pub struct Script(pub(crate) Vec<(Behaviour, Option<u32>)>);

impl Script {
    /// Goes on with `next` once this has been played.
    #[must_use]
    pub fn then(mut self, next: impl Into<Self>) -> Self {
        self.0.extend(next.into().0);
        self
    }
}

impl Script {
    /// The behaviours, one after the other.
    pub fn behaviours(&self) -> impl Iterator<Item = &Behaviour> {
        self.0.iter().map(|(behaviour, _)| behaviour)
    }
}

impl From<Behaviour> for Script {
    fn from(behaviour: Behaviour) -> Self {
        Self(vec![(behaviour, None)])
    }
}
