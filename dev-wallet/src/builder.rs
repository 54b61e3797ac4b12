//! Builds a wallet.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::account::DevAccount;
use crate::admin::Plan;
use crate::approval::{Approval, Prompt};
use crate::clock::Clock;
use crate::config::{Config, DevWalletConfig, Network};
use crate::error::StartError;
use crate::faults::Faults;
use crate::fences::Fences;
use crate::gateway::Gateway;
use crate::idp::Idp;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::methods;
use crate::profile::{Dialect, Profile};
use crate::server;
use crate::state::{DevWalletState, Inner};
use crate::wallet::DevWallet;

/// The longest body a request may have, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// Builds a [`DevWallet`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct DevWalletBuilder {
    accounts: Vec<String>,
    network: String,
    approval: Approval,
    prompt: Prompt,
    session_ttl: Option<Duration>,
    address: SocketAddr,
    state: Option<DevWalletState>,
    profile: Profile,
    dialect: Option<Dialect>,
    deviations: Vec<(String, bool)>,
    require_login: bool,
    time_scale: f64,
    token_ttl: Option<Duration>,
    keep_alive: Duration,
    heartbeat: Option<Duration>,
    rate_limit: Option<u32>,
    admin: bool,
    public_url: Option<String>,
    config: Config,
    plan: Plan,
}

impl DevWalletBuilder {
    pub(crate) fn new() -> Self {
        Self {
            accounts: vec!["alice".to_owned(), "bob".to_owned()],
            network: "canton:local".to_owned(),
            approval: Approval::default(),
            prompt: Prompt::default(),
            session_ttl: Some(Duration::from_secs(3600)),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state: None,
            profile: Profile::default(),
            dialect: None,
            deviations: Vec::new(),
            require_login: false,
            time_scale: 1.0,
            token_ttl: None,
            keep_alive: Duration::from_secs(5),
            heartbeat: None,
            rate_limit: None,
            admin: true,
            public_url: None,
            config: Config::default(),
            plan: Plan::default(),
        }
    }

    /// The names of the accounts; the first is primary. Default `alice` and `bob`.
    pub fn accounts<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.accounts = names.into_iter().map(Into::into).collect();
        self
    }

    /// The network. Default `canton:local`.
    pub fn network(mut self, id: impl Into<String>) -> Self {
        self.network = id.into();
        self
    }

    /// What happens to whatever needs a person's consent. Default [`Approval::Auto`].
    pub fn approval(mut self, approval: Approval) -> Self {
        self.approval = approval;
        self
    }

    /// How `connect` waits under [`Approval::Manual`]. Default [`Prompt::UserUrl`].
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.prompt = prompt;
        self
    }

    /// How long a session lives; `None` for one without an end. Default 1 h.
    pub fn session_ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.session_ttl = ttl.into();
        self
    }

    /// Whose manners the wallet has over HTTP. Default [`Profile::Strict`].
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Other manners than the profile's: a mixture, to try one deviation alone.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Whether a program needs a token over HTTP. Default `false` for [`Profile::Strict`]; the
    /// other profiles always need one. A WebSocket never does.
    pub fn require_login(mut self, require: bool) -> Self {
        self.require_login = require;
        self
    }

    /// How many times as fast the wallet's time runs: the lives of tokens and sessions, approvals
    /// that take a while, rate limits. 3600 lets an hour pass in a second. Default 1.
    pub fn time_scale(mut self, scale: f64) -> Self {
        self.time_scale = scale;
        self
    }

    /// How long a token lives. Default as long as a session, or 1 h if sessions have no end.
    pub fn token_ttl(mut self, ttl: Duration) -> Self {
        self.token_ttl = Some(ttl);
        self
    }

    /// How long an idle HTTP connection is kept. Default 5 s, as gateways do.
    pub fn keep_alive(mut self, idle: Duration) -> Self {
        self.keep_alive = idle;
        self
    }

    /// How often event streams carry a comment, in real time, so that whoever listens knows they
    /// live. Default never, as gateways do; at least 1 ms.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = Some(interval);
        self
    }

    /// How many requests a minute a caller may make. Default none for [`Profile::Strict`], 10,000
    /// for the others.
    pub fn rate_limit(mut self, requests: u32) -> Self {
        self.rate_limit = Some(requests);
        self
    }

    /// Whether there is an admin endpoint. Default `true`. Only this computer can reach it.
    pub fn admin(mut self, admin: bool) -> Self {
        self.admin = admin;
        self
    }

    /// Where others reach the HTTP side, if not at the address it listens on; without a slash at
    /// the end.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// Takes over what a file says, and leaves what it does not.
    pub fn config(mut self, config: DevWalletConfig) -> Self {
        macro_rules! take {
            ($($field:ident)*) => {$( if let Some(it) = config.$field { self.$field = it; } )*};
        }
        take!(profile require_login time_scale approval keep_alive admin accounts network);
        self.address = config.listen.unwrap_or(self.address);
        self.session_ttl = config.session_ttl.or(self.session_ttl);
        self.token_ttl = config.token_ttl.or(self.token_ttl);
        self.heartbeat = config.heartbeat.or(self.heartbeat);
        self.rate_limit = config.rate_limit.or(self.rate_limit);
        self.public_url = config.public_url.or(self.public_url);
        self.deviations = config.dialect;
        self.config = config.known;
        self
    }

    /// What happens to the wallet by itself.
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Where to listen. Default the loopback interface, on a free port. Anybody who reaches the
    /// address can use the wallet.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Goes on with the state of a wallet that was stopped. Accounts, network, approval and time
    /// to live of the builder then count for nothing.
    pub fn state(mut self, state: DevWalletState) -> Self {
        self.state = Some(state);
        self
    }

    /// Starts the wallet. It listens when this returns.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what cannot be, and what to do.
    pub async fn start(mut self) -> Result<DevWallet, StartError> {
        let state = match self.state.take() {
            Some(state) => state,
            None => self.fresh_state()?,
        };
        let module = methods::module(state.clone())
            .map_err(|problem| StartError::Methods(problem.to_string()))?;
        let methods: jsonrpsee::Methods = module.into();
        let cannot_listen = |cause| StartError::Listen {
            address: self.address,
            cause,
        };
        let listener = TcpListener::bind(self.address)
            .await
            .map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let (sender, commands) = mpsc::channel(16);
        {
            let mut inner = state.lock();
            if let Some((server, _)) = &inner.server
                && !server.is_closed()
            {
                return Err(StartError::Running);
            }
            inner.server = Some((sender, address.to_string()));
        }
        let server = server::run(
            listener,
            address,
            state.clone(),
            Arc::new(methods),
            commands,
        );
        tracing::info!(%address, "development wallet listens");
        Ok(DevWallet::new(state, address, tokio::spawn(server)))
    }

    fn fresh_state(&self) -> Result<DevWalletState, StartError> {
        Ok(DevWalletState::new(Inner {
            accounts: derive_all(&self.accounts)?,
            primary: 0,
            network: self.network.clone(),
            network_up: true,
            session: None,
            session_ttl: self.session_ttl,
            sessions_started: 0,
            approval: self.approval,
            prompt: self.prompt,
            logging_in: false,
            waiting: Vec::new(),
            next_pending: 0,
            ledger: Ledger::default(),
            log: Log::default(),
            faults: Faults::default(),
            fences: Fences::default(),
            gateway: self.fresh_gateway()?,
            journal: Journal::default(),
            plan: self.plan.clone(),
            lines: BTreeMap::new(),
            connections: HashMap::new(),
            connections_made: 0,
            server: None,
        }))
    }
}

impl DevWalletBuilder {
    fn fresh_gateway(&self) -> Result<Gateway, StartError> {
        let strict = self.profile == Profile::Strict;
        let gateways_limit = (!strict).then_some(10_000);
        let mut dialect = self.dialect.unwrap_or_else(|| self.profile.dialect());
        for (name, on) in &self.deviations {
            dialect.set(name, *on);
        }
        let ttl = self.token_ttl.or(self.session_ttl);
        let mut networks = self.config.networks.clone();
        if !networks.iter().any(|it| it.id == self.network) {
            networks.insert(0, Network::new(&self.network, "idp-oauth"));
        }
        Ok(Gateway {
            profile: self.profile,
            dialect,
            require_login: self.require_login || !strict,
            clock: Clock::new(self.time_scale).ok_or(StartError::TimeScale(self.time_scale))?,
            token_ttl: ttl.unwrap_or(Duration::from_secs(3600)),
            audience: self.config.audience.clone(),
            self_signed_secret: self.config.self_signed_secret.clone(),
            api_keys: self.config.api_keys.clone(),
            networks,
            users: self.config.users.clone(),
            clients: self.config.clients.clone(),
            idp: Idp::new().ok_or(StartError::Keys)?,
            sessions: Vec::new(),
            known_to_ledger: HashSet::new(),
            dead_tokens: HashSet::new(),
            streams: BTreeMap::new(),
            streams_opened: 0,
            transactions: Vec::new(),
            messages: Vec::new(),
            keep_alive: self.keep_alive,
            heartbeat: self.heartbeat,
            body_limit: BODY_LIMIT,
            rate_limit: self.rate_limit.or(gateways_limit),
            buckets: HashMap::new(),
            admin: self.admin,
            public_url: self.public_url.clone(),
        })
    }
}

/// Accounts with these names.
pub(crate) fn derive_all(names: &[String]) -> Result<Vec<DevAccount>, StartError> {
    if names.is_empty() {
        return Err(StartError::NoAccount);
    }
    for (index, name) in names.iter().enumerate() {
        if names.iter().skip(index + 1).any(|other| other == name) {
            return Err(StartError::SameAccount(name.clone()));
        }
    }
    names
        .iter()
        .map(|name| DevAccount::derive(name).ok_or(StartError::Keys))
        .collect()
}
