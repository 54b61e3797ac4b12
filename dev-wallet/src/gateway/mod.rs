//! What the wallet knows as a gateway: who its users are, who is logged in, who listens, which
//! transactions wait.

mod clients;
mod sessions;
mod streams;
mod transactions;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use secrecy::SecretString;

pub(crate) use self::clients::{Caller, Known};
pub(crate) use self::sessions::{GatewaySession, Login, SCOPE};
pub(crate) use self::streams::{Frame, Listener, Owner, Stream};
pub(crate) use self::transactions::{Message, Stage, Transaction, Wanted, thrown};

use crate::clock::Clock;
use crate::config::{Client, Network, User};
use crate::idp::Idp;
use crate::profile::{Dialect, Profile};
use crate::state::Inner;

/// Everything that concerns HTTP.
pub(crate) struct Gateway {
    pub(crate) profile: Profile,
    pub(crate) dialect: Dialect,
    /// Whether a program needs a token.
    pub(crate) require_login: bool,
    pub(crate) clock: Clock,
    pub(crate) token_ttl: Duration,
    pub(crate) audience: String,
    pub(crate) self_signed_secret: SecretString,
    /// Keys that open a session without a login, and whose they are.
    pub(crate) api_keys: Vec<(SecretString, String)>,
    pub(crate) networks: Vec<Network>,
    pub(crate) users: Vec<User>,
    pub(crate) clients: Vec<Client>,
    pub(crate) idp: Idp,
    pub(crate) sessions: Vec<GatewaySession>,
    /// Users whose accounts were read from the ledger once.
    pub(crate) known_to_ledger: HashSet<String>,
    /// Tokens that have expired before their time, or were revoked: their digests.
    pub(crate) dead_tokens: HashSet<[u8; 32]>,
    pub(crate) streams: BTreeMap<u64, Stream>,
    pub(crate) streams_opened: u64,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) messages: Vec<Message>,
    pub(crate) keep_alive: Duration,
    /// How often streams carry a comment.
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) body_limit: usize,
    /// Requests a minute and caller; `None` for no limit.
    pub(crate) rate_limit: Option<u32>,
    /// Who has made how many requests since when.
    pub(crate) buckets: HashMap<String, (Instant, u32)>,
    pub(crate) admin: bool,
    pub(crate) public_url: Option<String>,
}

impl Inner {
    /// Where the HTTP side is reached, without a slash at the end.
    pub(crate) fn base_url(&self) -> String {
        if let Some(url) = &self.gateway.public_url {
            return url.clone();
        }
        let address = self.server.as_ref().map(|(_, address)| address.as_str());
        let address = address.unwrap_or("localhost");
        match address.parse::<SocketAddr>() {
            // Nobody can be sent to "every interface".
            Ok(any) if any.ip().is_unspecified() => format!("http://localhost:{}", any.port()),
            _ => format!("http://{address}"),
        }
    }

    pub(crate) fn dapp_url(&self) -> String {
        format!("{}{}", self.base_url(), crate::http::DAPP_PATH)
    }

    pub(crate) fn login_url(&self) -> String {
        format!("{}/login/", self.base_url())
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.gateway.dialect
    }
}
