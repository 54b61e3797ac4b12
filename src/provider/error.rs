//! Errors of wallets and of the way to them.

use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::clock::millis;

/// What went wrong between the session and a wallet, or inside the wallet.
///
/// It says what happened (`kind` and message), keeps the wallet's own `code` (EIP-1193 and
/// EIP-1474 numbers) and cause, and says whether the request may have reached the wallet
/// ([`Sent`]) and whether trying again can help ([`ProviderError::is_retryable`]).
///
/// Cheap to clone. Two errors are equal if kind, code and message are.
#[derive(Clone)]
pub struct ProviderError(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Box<str>,
    code: Option<i64>,
    sent: Sent,
    retry_after: Option<Duration>,
    data: Option<Value>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The classes of [`ProviderError`] that the session tells apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The wallet needs a person or a login before it answers this (EIP-1193 4100).
    Unauthorized,
    /// The session is definitely over at the wallet. The only kind whose verdict is "invalid".
    SessionGone,
    /// A person said no (EIP-1193 4001).
    UserRejected,
    /// A person has not finished yet; ask again later.
    UserActionPending,
    /// The wallet cannot be reached, or the link to it broke (EIP-1193 4900).
    Unreachable,
    /// The wallet is there, its network is not (EIP-1193 4901).
    NetworkUnreachable,
    /// No answer within the deadline.
    TimedOut,
    /// Too many requests (EIP-1474 -32005); see [`ProviderError::retry_after`].
    RateLimited,
    /// The wallet has no such method or feature (EIP-1193 4200, EIP-1474 -32004, -32601).
    Unsupported,
    /// The wallet says the request is wrong (EIP-1474 -32700, -32600, -32602, -32000).
    InvalidRequest,
    /// The wallet, or an application's hook, understood and refused (EIP-1474 -32001, -32003).
    Refused,
    /// The wallet's answer cannot be understood.
    Malformed,
    /// The wallet failed inside (EIP-1474 -32603) or is busy (-32002).
    Internal,
    /// The provider's own code panicked.
    Panicked,
    /// The session only watches its account: there is nothing to sign with.
    ReadOnly,
    /// This process does not hold the session's lease (any more): another may act for it.
    LeaseLost,
}

impl ErrorKind {
    /// The class of a code of EIP-1193 or EIP-1474; [`ErrorKind::Internal`] for others.
    pub fn from_code(code: i64) -> Self {
        match code {
            4001 => Self::UserRejected,
            4100 => Self::Unauthorized,
            4200 | -32004 | -32601 => Self::Unsupported,
            4900 => Self::Unreachable,
            4901 => Self::NetworkUnreachable,
            -32700 | -32600 | -32602 | -32000 => Self::InvalidRequest,
            -32001 | -32003 => Self::Refused,
            -32005 => Self::RateLimited,
            _ => Self::Internal,
        }
    }

    /// Whether the same thing, asked again, cannot end better.
    fn is_permanent(self) -> bool {
        matches!(
            self,
            Self::SessionGone
                | Self::UserRejected
                | Self::Unsupported
                | Self::InvalidRequest
                | Self::Refused
                | Self::LeaseLost
        )
    }
}

/// Whether a failed request may have reached the wallet.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sent {
    /// It never left this program: certainly not executed.
    No,
    /// It may have been executed: the link broke, or no answer came.
    #[default]
    Maybe,
    /// The wallet answered, with this error.
    Answered,
}

/// The answer to "is this session still good?".
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Verdict {
    /// The wallet confirmed it.
    Valid,
    /// The wallet definitely ended it. Only this ends a session.
    Invalid,
    /// Nobody knows: unreachable, silent, failing, ambiguous. Tried again.
    Unknown,
}

impl ProviderError {
    /// An error of `kind`; the request may have been sent, no code, no cause.
    pub fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            code: None,
            sent: Sent::default(),
            retry_after: None,
            data: None,
            source: None,
        }))
    }

    /// The wallet answered with an error code of EIP-1193 or EIP-1474; the kind follows from it.
    pub fn from_code(code: i64, message: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::from_code(code), message)
            .with_code(code)
            .answered()
    }

    fn edit(mut self, edit: impl FnOnce(&mut Inner)) -> Self {
        edit(Arc::make_mut(&mut self.0));
        self
    }

    /// Keeps the wallet's own code.
    #[must_use]
    pub fn with_code(self, code: i64) -> Self {
        self.edit(|inner| inner.code = Some(code))
    }

    /// The request never left: it was certainly not executed.
    #[must_use]
    pub fn not_sent(self) -> Self {
        self.edit(|inner| inner.sent = Sent::No)
    }

    /// The wallet itself answered with this error.
    #[must_use]
    pub fn answered(self) -> Self {
        self.edit(|inner| inner.sent = Sent::Answered)
    }

    /// The wallet asked not to be tried again before `after` has passed.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.edit(|inner| inner.retry_after = Some(after))
    }

    /// Keeps the wallet's structured details. They reach the caller of the failed operation only,
    /// never an event, a log or `Debug`.
    #[must_use]
    pub fn with_data(self, data: Value) -> Self {
        self.edit(|inner| inner.data = Some(data))
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        self.edit(|inner| inner.source = Some(Arc::new(source)))
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The wallet's own code, where it sent one.
    pub fn code(&self) -> Option<i64> {
        self.0.code
    }

    /// Whether the request may have reached the wallet.
    pub fn sent(&self) -> Sent {
        self.0.sent
    }

    /// How long the wallet asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The wallet's structured details, where it sent any.
    pub fn data(&self) -> Option<&Value> {
        self.0.data.as_ref()
    }

    /// Whether trying the same again can help.
    pub fn is_retryable(&self) -> bool {
        !self.0.kind.is_permanent()
    }

    /// What this error, as the answer to a probe, says of the session.
    pub fn verdict(&self) -> Verdict {
        match self.0.kind {
            ErrorKind::SessionGone => Verdict::Invalid,
            _ => Verdict::Unknown,
        }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match self.0.code {
            Some(code) => write!(f, " (code {code})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderError")
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("sent", &self.0.sent)
            .field("retry_after", &self.0.retry_after)
            .finish_non_exhaustive()
    }
}

impl Error for ProviderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}

impl PartialEq for ProviderError {
    fn eq(&self, other: &Self) -> bool {
        (self.0.kind, self.0.code, &self.0.message)
            == (other.0.kind, other.0.code, &other.0.message)
    }
}

impl Eq for ProviderError {}

impl Hash for ProviderError {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0.kind, self.0.code, &self.0.message).hash(state);
    }
}

impl Serialize for ProviderError {
    /// `{kind, message, code?, retryAfterMs?}`; structured details stay out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let retry_after = self.0.retry_after.map(millis);
        let fields = 2 + usize::from(self.0.code.is_some()) + usize::from(retry_after.is_some());
        let mut out = serializer.serialize_struct("ProviderError", fields)?;
        out.serialize_field("kind", &self.0.kind)?;
        out.serialize_field("message", &self.0.message)?;
        if let Some(code) = self.0.code {
            out.serialize_field("code", &code)?;
        }
        if let Some(after) = retry_after {
            out.serialize_field("retryAfterMs", &after)?;
        }
        out.end()
    }
}
