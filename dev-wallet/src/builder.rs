//! Builds a wallet.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::account::DevAccount;
use crate::approval::{Approval, Prompt};
use crate::error::StartError;
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::log::Log;
use crate::methods;
use crate::server;
use crate::state::{DevWalletState, Inner};
use crate::wallet::DevWallet;

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
            connections: HashMap::new(),
            connections_made: 0,
            server: None,
        }))
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
