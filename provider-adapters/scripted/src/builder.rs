//! How a scripted wallet is put together.

use moorline::provider::{Capabilities, ProviderPayload};
use moorline::{Account, NetworkId, NetworkLink, Timestamp};

use crate::behaviour::{On, Script};
use crate::control::Control;
use crate::provider::ScriptedProvider;
use crate::state::{State, Wallet};

/// Builds a scripted wallet. By default it has the account `alice` on the network
/// `canton:scripted`, reaches it, and does everything that is asked of it.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ScriptedWallet {
    kind: String,
    capabilities: Capabilities,
    state: State,
}

impl Default for ScriptedWallet {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptedWallet {
    /// A well-behaved wallet.
    pub fn new() -> Self {
        Self {
            kind: "scripted".into(),
            capabilities: Capabilities::default(),
            state: State::new(),
        }
    }

    /// What the provider calls itself. Default `scripted`.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }

    /// What the wallet says it can do. Default: everything but re-authentication.
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Its accounts by id, the first one primary.
    pub fn accounts<'a>(self, ids: impl IntoIterator<Item = &'a str>) -> Self {
        let accounts = ids
            .into_iter()
            .enumerate()
            .map(|(index, id)| match index {
                0 => Account::primary(id),
                _ => Account::new(id),
            })
            .collect();
        self.account_list(accounts)
    }

    /// Its accounts.
    pub fn account_list(mut self, accounts: Vec<Account>) -> Self {
        self.state.accounts = accounts;
        self
    }

    /// Its network; `None` for a wallet that never names one.
    pub fn network(mut self, network: Option<NetworkId>) -> Self {
        self.state.network = network;
        self
    }

    /// Whether it reaches its network. Default: it does.
    pub fn link(mut self, link: NetworkLink) -> Self {
        self.state.link = link;
        self
    }

    /// When its credentials end. Default: it does not say.
    pub fn expires_at(mut self, at: Option<Timestamp>) -> Self {
        self.state.expires_at = at;
        self
    }

    /// What its provider needs to be built again after a restart
    /// ([`Provider::payload`](moorline::Provider::payload)): a
    /// [`SessionManager`](moorline::manager::SessionManager) that stores finds a factory by its
    /// type. Default: nothing but its kind.
    pub fn payload(mut self, payload: ProviderPayload) -> Self {
        self.state.payload = Ok(Some(payload));
        self
    }

    /// How it treats calls, from the first one on.
    pub fn on(mut self, call: On, script: impl Into<Script>) -> Self {
        self.state.script(call, script.into());
        self
    }

    /// The provider for the session, and the control over it.
    pub fn build(self) -> (ScriptedProvider, Control) {
        let wallet = Wallet::new(self.state);
        let provider = ScriptedProvider::new(self.kind, self.capabilities, wallet.clone());
        (provider, Control::new(wallet))
    }
}
