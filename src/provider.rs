//! The seam: everything an adapter for a wallet protocol needs to see.
//!
//! A [`Provider`] speaks to one wallet. The session calls it, at most one [`open`](Provider::open)
//! and one [`close`](Provider::close) at a time, bounds every call with a deadline, drops the
//! future of a call it no longer wants, and forgets whatever an earlier epoch still has to say. An
//! adapter therefore needs no timers, no retries and no state machine of its own.

mod capabilities;
mod error;
mod event;
mod payload;
mod sink;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::capabilities::Capabilities;
pub use self::error::{ErrorKind, ProviderError, Sent, Verdict};
pub use self::event::{Message, NetworkLink, ProviderEvent, UserAction, UserActionKind};
pub use self::payload::{PayloadError, ProviderPayload};
pub use self::sink::EventSink;
pub(crate) use self::sink::ReceiveEvent;
use crate::clock::Timestamp;
use crate::identity::{Account, Identity, NetworkId};
use crate::sync::Fence;

/// What a [`Provider`] returns: a boxed future, so that the trait can be used as `dyn Provider`.
pub type ProviderFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// The number of one attempt to be connected. Every attempt and every disconnect takes the next.
///
/// The highest number is taken for the one below it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct Epoch(
    // Kept one higher: so an `Option` of what has an epoch takes no more room than that.
    NonZeroU32,
);

impl Epoch {
    /// The epoch with this number.
    pub const fn new(number: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(number))
    }

    /// The number of this epoch.
    pub const fn number(self) -> u32 {
        self.0.get() - 1
    }

    /// The one that follows; the first after the last.
    pub(crate) fn next(self) -> Self {
        Self(self.0.checked_add(1).unwrap_or(NonZeroU32::MIN))
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self::new(0)
    }
}

impl From<u32> for Epoch {
    fn from(number: u32) -> Self {
        Self::new(number)
    }
}

impl From<Epoch> for u32 {
    fn from(epoch: Epoch) -> Self {
        epoch.number()
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Epoch").field(&self.number()).finish()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// Speaks to one wallet on behalf of one session.
///
/// # Write an adapter in 60 lines
///
/// A wallet that is a plain request/answer service needs four methods. What it cannot do it says
/// in its [`Capabilities`]; what went wrong it says with an [`ErrorKind`].
///
/// ```
/// use moorline::provider::{
///     Capabilities, CloseMode, ErrorKind, EventSink, Live, OpenRequest, Opened, Provider,
///     ProviderError, ProviderFuture, Request,
/// };
/// use moorline::{Account, NetworkLink, Session};
/// use serde_json::{Value, json};
///
/// /// A wallet that lives in this process and has one account.
/// struct PocketWallet {
///     party: String,
/// }
///
/// impl Provider for PocketWallet {
///     // Goes into records and logs: lets a restore find the adapter again.
///     fn kind(&self) -> &str {
///         "pocket"
///     }
///
///     // It never pushes events, so the session polls while a person has something to do.
///     fn capabilities(&self) -> Capabilities {
///         Capabilities { events: false, ..Capabilities::default() }
///     }
///
///     // Dial. Keep the sink if the wallet can call back: `events.send(...)` from any task.
///     fn open(&self, _request: OpenRequest, _events: EventSink) -> ProviderFuture<'_, Opened> {
///         Box::pin(async { Ok(Opened::Established) })
///     }
///
///     // Who is there, on which network? "Gone" is said only where it is certain.
///     fn probe(&self) -> ProviderFuture<'_, Live> {
///         Box::pin(async move {
///             Ok(Live::new(vec![Account::primary(self.party.as_str())])
///                 .on_network("canton:local")
///                 .with_link(NetworkLink::Up))
///         })
///     }
///
///     // The request names the identity it may act for; never act for another.
///     fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
///         Box::pin(async move {
///             match &*request.method {
///                 "signMessage" => Ok(json!({ "signature": "c2lnbmVk" })),
///                 other => Err(ProviderError::new(
///                     ErrorKind::Unsupported,
///                     format!("the pocket wallet has no method `{other}`"),
///                 )
///                 .with_code(4200)
///                 .not_sent()),
///             }
///         })
///     }
///
///     // `Disconnect` ends the session at the wallet, `Detach` only drops the link.
///     fn close(&self, _mode: CloseMode) -> ProviderFuture<'_, ()> {
///         Box::pin(async { Ok(()) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::builder(PocketWallet { party: "alice::1220".into() }).build()?;
/// let snapshot = session.connect().await?;
/// assert_eq!(snapshot.primary().map(|account| account.id.as_str()), Some("alice::1220"));
/// session.request("signMessage", json!({ "message": "hello" })).await?;
/// session.close().await;
/// # Ok(())
/// # }
/// ```
///
/// # Rules for adapters
///
/// - **Cancel safety.** Every future may be dropped at any point: at a deadline, at a disconnect,
///   when the caller loses interest. A dropped `open` must not leave a live connection behind.
/// - **Silence on reopening.** [`OpenMode::Silent`] must never bring up a prompt.
/// - **A partial list is not a list.** If the wallet announces only some of the accounts, list
///   again and send the whole, or send [`ProviderEvent::Recheck`] and let the session probe.
/// - **Say whether it was sent.** [`Sent`] decides what the caller is told after a failure, and
///   whether a repeatable operation runs again.
/// - **No secrets** in error messages and event payloads.
pub trait Provider: Send + Sync + 'static {
    /// A short stable name of the wallet protocol, such as `cip0103`. Stored with the session.
    fn kind(&self) -> &str;

    /// What this wallet can and cannot do. Asked once, when the session is built.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Opens a connection for one epoch. `events` carries what the wallet says during that epoch;
    /// sinks of earlier epochs are dead.
    ///
    /// # Errors
    ///
    /// Any [`ProviderError`]; [`ErrorKind::SessionGone`] if the wallet definitely no longer knows
    /// the session, [`ErrorKind::UserRejected`] if the person said no.
    fn open(&self, request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened>;

    /// Asks the wallet for the truth: accounts, network, reachability, expiry of credentials.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SessionGone`] is the verdict "invalid" and ends the session (or has it
    /// re-authenticated). Every other error is the verdict "unknown" and is tried again.
    fn probe(&self) -> ProviderFuture<'_, Live>;

    /// Hands one request to the wallet. Called concurrently for concurrent operations.
    ///
    /// # Errors
    ///
    /// The wallet's own error with its code, or what went wrong on the way, with [`Sent`] telling
    /// whether the wallet may have acted on it.
    fn request(&self, request: Request) -> ProviderFuture<'_, Value>;

    /// Ends the connection. Called at most once an epoch, never for an epoch that a later `open`
    /// has replaced.
    ///
    /// # Errors
    ///
    /// Reported to the caller of `disconnect`; the session is over locally in any case.
    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()>;

    /// Makes an expired or revoked session valid again by the provider's own means, without a
    /// person (a refresh token, a service credential). Called only if
    /// [`Capabilities::reauthentication`] is set, and the application gave no hook of its own or
    /// the session is being restored: nobody is asked for anything then.
    ///
    /// # Errors
    ///
    /// An error that [cannot pass](ProviderError::is_retryable) is a refusal: the session ends with
    /// the reason "re-authentication failed", and what is stored of it is erased. So say
    /// [`ErrorKind::Refused`] or [`ErrorKind::SessionGone`] where it is certain that these means
    /// will not do (a refresh token that was taken back), and only there.
    ///
    /// Every other error (nobody to be reached, too many requests, a failure inside), and the
    /// deadline [`Deadlines::reauth`](crate::policy::Deadlines::reauth), says nothing of the
    /// session: it is asked for again like a lost link is opened again, with the same backoff, the
    /// same limits and an answer's [`retry_after`](ProviderError::retry_after), and operations stay
    /// held. At the limit the session gives up; what is stored of it stays.
    fn reauthenticate(&self) -> ProviderFuture<'_, ()> {
        Box::pin(async {
            Err(ProviderError::new(
                ErrorKind::Unsupported,
                "this provider cannot re-authenticate by itself; set a re-authentication hook",
            )
            .not_sent())
        })
    }

    /// What is needed to build this provider again after a restart, keys and tokens included.
    /// Asked by a [`SessionManager`](crate::manager::SessionManager) whenever the session is
    /// stored. Must not block. Default: nothing but its [`kind`](Self::kind) is needed.
    ///
    /// # Errors
    ///
    /// Any, if it cannot be told now: what was stored before is then kept.
    fn payload(&self) -> Result<Option<ProviderPayload>, ProviderError> {
        Ok(None)
    }

    /// Whoever shares a store with other processes acts under this from now on, until told
    /// otherwise: an adapter whose protocol has room for it sends it along, with every request or
    /// where a connection is opened, so that the wallet can tell late acts of an earlier holder.
    /// Told before [`open`](Self::open). Must not block. Default: it is not sent.
    fn fenced(&self, _fence: &Fence) {}
}

/// Why and how a connection is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenRequest {
    /// The epoch of the connection to open.
    pub epoch: Epoch,
    /// Whether a person may be asked for something.
    pub mode: OpenMode,
    /// Whom the session last acted for, where it is a return to an earlier session.
    pub last_known: Option<Arc<Identity>>,
}

impl OpenRequest {
    /// A request to open `epoch` in `mode`, with nobody known. For tests of adapters.
    pub fn new(epoch: Epoch, mode: OpenMode) -> Self {
        Self {
            epoch,
            mode,
            last_known: None,
        }
    }
}

/// Whether a person may be asked for something while a connection is opened.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum OpenMode {
    /// The user asked to connect: the wallet may prompt.
    Interactive,
    /// A restore or a reconnect: no prompt, ever.
    Silent,
}

/// How an `open` ended well.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Opened {
    /// The wallet is connected. The session probes it next.
    Established,
    /// A person must do something first. The session waits for
    /// [`ProviderEvent::Ready`] (or polls) until the deadline for user actions.
    UserActionRequired(UserAction),
}

/// How a connection is ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CloseMode {
    /// End the session at the wallet too, then drop the link.
    Disconnect,
    /// Drop the link only; the wallet keeps its session.
    Detach,
}

/// What a probe found: the wallet's own truth about the session.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Live {
    /// All accounts the program may use. An empty list counts as a failed probe: a session that
    /// is connected always has an account.
    pub accounts: Vec<Account>,
    /// The network, or `None` where the wallet did not say (what is known is then kept).
    pub network: Option<NetworkId>,
    /// Whether the wallet reaches that network.
    pub link: NetworkLink,
    /// When the wallet's credentials end, where it says so.
    pub expires_at: Option<Timestamp>,
}

impl Live {
    /// A live session with these accounts; network and expiry unsaid, network link unknown.
    pub fn new(accounts: Vec<Account>) -> Self {
        Self {
            accounts,
            network: None,
            link: NetworkLink::Unknown,
            expires_at: None,
        }
    }

    /// Names the network.
    #[must_use]
    pub fn on_network(mut self, network: impl Into<NetworkId>) -> Self {
        self.network = Some(network.into());
        self
    }

    /// Says whether the wallet reaches its network.
    #[must_use]
    pub fn with_link(mut self, link: NetworkLink) -> Self {
        self.link = link;
        self
    }

    /// Says when the wallet's credentials end.
    #[must_use]
    pub fn expiring_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }
}

/// One request to the wallet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The method, in the wallet protocol's own words.
    pub method: Cow<'static, str>,
    /// Its parameters; `Value::Null` for none.
    pub params: Value,
    /// Whom it may act for. Adapters pin it down on the wire where the protocol allows.
    pub identity: Arc<Identity>,
}

impl Request {
    /// A request of `method` for `identity`.
    pub fn new(
        method: impl Into<Cow<'static, str>>,
        params: Value,
        identity: Arc<Identity>,
    ) -> Self {
        Self {
            method: method.into(),
            params,
            identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Ticket;

    #[test]
    fn epochs_keep_their_numbers_and_an_option_of_a_ticket_is_free() {
        assert_eq!(size_of::<Option<Ticket>>(), size_of::<Ticket>());
        assert_eq!(Epoch::default(), Epoch::new(0));
        for number in [0, 1, 7, u32::MAX - 1] {
            let epoch = Epoch::new(number);
            assert_eq!(epoch.number(), number);
            assert_eq!(epoch.to_string(), number.to_string());
            assert_eq!(serde_json::to_value(epoch).unwrap(), number);
            assert_eq!(
                serde_json::from_value::<Epoch>(number.into()).unwrap(),
                epoch
            );
        }
        assert_eq!(Epoch::new(7).next(), Epoch::new(8));
        assert_eq!(Epoch::new(u32::MAX), Epoch::new(u32::MAX - 1));
        assert_eq!(Epoch::new(u32::MAX).next(), Epoch::default());
        assert_eq!(format!("{:?}", Epoch::new(3)), "Epoch(3)");
    }
}
