//! A running wallet.

use std::net::SocketAddr;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::account::DevAccount;
use crate::builder::DevWalletBuilder;
use crate::control::Control;
use crate::profile::{Dialect, Profile};
use crate::server::Command;
use crate::state::DevWalletState;

/// A wallet that is running. Dropping it stops it at once; [`stop`](Self::stop) waits until it has.
#[derive(Debug)]
#[must_use = "a wallet stops when dropped"]
pub struct DevWallet {
    state: DevWalletState,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl DevWallet {
    /// Builds a wallet.
    pub fn builder() -> DevWalletBuilder {
        DevWalletBuilder::new()
    }

    pub(crate) fn new(state: DevWalletState, address: SocketAddr, server: JoinHandle<()>) -> Self {
        Self {
            state,
            address,
            server,
        }
    }

    /// Where to connect to: `ws://` and the address.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where its dApp API is over HTTP.
    pub fn http_url(&self) -> String {
        self.state.lock().dapp_url()
    }

    /// Where its admin endpoint is; `None` if it has none.
    pub fn admin_url(&self) -> Option<String> {
        let inner = self.state.lock();
        let there = inner.gateway.admin;
        there.then(|| format!("{}/admin", inner.base_url()))
    }

    /// Whose manners it has over HTTP.
    pub fn profile(&self) -> Profile {
        self.state.lock().gateway.profile
    }

    /// Where it leaves the standard over HTTP.
    pub fn dialect(&self) -> Dialect {
        self.state.lock().dialect()
    }

    /// Whether a program needs a token over HTTP.
    pub fn needs_login(&self) -> bool {
        self.state.lock().gateway.require_login
    }

    /// The network it is on.
    pub fn network(&self) -> String {
        self.state.lock().network.clone()
    }

    /// Where it listens: for a restart at the same place.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The accounts, in order.
    pub fn accounts(&self) -> Vec<DevAccount> {
        self.state.lock().accounts.clone()
    }

    /// What steers it.
    pub fn control(&self) -> Control {
        Control::new(self.state.clone())
    }

    /// Stops: closes the port and cuts every connection. Returns the state to restart with.
    /// Requests that were being executed are executed to their end.
    pub async fn stop(self) -> DevWalletState {
        let server = self.state.lock().server.take();
        if let Some((server, _)) = server {
            let (done, stopped) = oneshot::channel();
            if server.send(Command::Stop(done)).await.is_ok() {
                stopped.await.ok();
            }
        }
        self.state.clone()
    }
}

impl Drop for DevWallet {
    fn drop(&mut self) {
        self.server.abort();
    }
}
