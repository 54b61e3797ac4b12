//! What is known of a gateway, one thing at a time.

use moorline::clock::{Clock, SystemClock};
use moorline::{ProviderError, Timestamp};

/// What is known of a gateway: four things that change apart from one another.
///
/// "Not connected" is one word of gateways for an expired token, an identity provider that is down,
/// a session that ended and a login elsewhere. These are kept apart here, for people who look for
/// the reason; the [session](moorline::Session) knows what follows from them.
///
/// | this | the session |
/// |---|---|
/// | a token that ends | `Live::expires_at`, moved by every renewal |
/// | authentication expired or rejected | verdict unknown: reconnecting; expired at its expiry |
/// | session gone | verdict invalid: re-authenticated, or revoked |
/// | network unreachable | verdict unknown: reconnecting |
/// | stream down, everything else well | connected; `streamGap` events mark what may be lost |
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GatewayState {
    /// Whether the gateway takes this program's credential.
    pub authentication: Facet<Authentication>,
    /// Whether the gateway has a session for it.
    pub session: Facet<GatewaySession>,
    /// Whether the gateway can be reached.
    pub network: Facet<Reach>,
    /// Whether its events come in.
    pub stream: Facet<StreamState>,
}

/// One thing that is known, since when, and what went wrong with it last.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Facet<T> {
    /// What it is now.
    pub state: T,
    /// Since when.
    pub since: Timestamp,
    /// What went wrong last; kept after it has passed.
    pub problem: Option<ProviderError>,
}

/// Whether a gateway takes this program's credential.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Authentication {
    /// None was shown yet, or none is needed.
    #[default]
    Unknown,
    /// A credential is being fetched; a person may be needed.
    Pending,
    /// It was taken.
    Valid,
    /// It has ended, by this computer's clock.
    Expired,
    /// The gateway does not take it. It may be wrong; or the gateway cannot ask its identity
    /// provider.
    Rejected,
    /// There is none to be had: the authenticator failed.
    Missing,
}

/// Whether a gateway has a session for this program.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum GatewaySession {
    /// Nobody asked yet, or the answer was ambiguous.
    #[default]
    Unknown,
    /// It has one.
    Present,
    /// It has none, for certain.
    Gone,
}

/// Whether a gateway can be reached.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reach {
    /// Not tried yet.
    #[default]
    Unknown,
    /// It answers.
    Reachable,
    /// It answers that it had too many requests.
    Limited,
    /// It does not answer.
    Unreachable,
}

/// Whether a gateway's events come in.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum StreamState {
    /// Not wanted: there is no connection.
    #[default]
    Closed,
    /// Being opened.
    Opening,
    /// Open.
    Open,
    /// Lost or refused; opened again after a pause.
    Waiting,
}

impl<T: Copy + PartialEq> Facet<T> {
    fn new(state: T) -> Self {
        Self {
            state,
            since: SystemClock.wall(),
            problem: None,
        }
    }

    /// Returns whether anything changed.
    pub(super) fn set(&mut self, state: T, problem: Option<&ProviderError>) -> bool {
        let moved = self.state != state;
        if moved {
            self.state = state;
            self.since = SystemClock.wall();
        }
        let told = problem.is_some() && self.problem.as_ref() != problem;
        if told {
            self.problem = problem.cloned();
        }
        moved || told
    }
}

impl Default for GatewayState {
    fn default() -> Self {
        Self {
            authentication: Facet::new(Authentication::default()),
            session: Facet::new(GatewaySession::default()),
            network: Facet::new(Reach::default()),
            stream: Facet::new(StreamState::default()),
        }
    }
}
