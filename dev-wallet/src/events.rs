//! What the wallet says by itself, and what it says of its state.

use serde_json::{Value, json};

use crate::gateway::Owner;
use crate::session::USER;
use crate::state::{DevWalletState, Inner};

/// The version of the API description that is served.
const API_VERSION: &str = "0.5.0";

/// A notification as it travels: the method is the name of the event, the only param its payload.
pub(crate) fn notification(name: &str, payload: Value) -> String {
    json!({ "jsonrpc": "2.0", "method": name, "params": [payload] }).to_string()
}

impl Inner {
    /// Why there is no session; `None` if there is one.
    pub(crate) fn not_connected(&self) -> Option<&'static str> {
        match &self.session {
            Some(session) if session.is_over() => Some("session expired"),
            Some(_) => None,
            None if self.logging_in => Some("waiting for the user to log in"),
            None => Some("no session"),
        }
    }

    /// The answer to `connect` and `isConnected`.
    pub(crate) fn connection(&self) -> Value {
        let reason = self.not_connected();
        let mut connection = json!({
            "isConnected": reason.is_none(),
            "isNetworkConnected": self.network_up,
        });
        if let Some(reason) = reason {
            connection["reason"] = json!(reason);
        }
        if !self.network_up {
            connection["networkReason"] = json!("the network is unreachable");
        }
        connection
    }

    /// The answer to `status`.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({ "provider": provider(), "connection": self.connection() });
        if self.not_connected().is_none()
            && let Some(session) = &self.session
        {
            status["network"] = self.network_json();
            status["session"] = json!({ "accessToken": session.token(), "userId": USER });
        }
        status
    }

    /// The answer to `getActiveNetwork`.
    pub(crate) fn network_json(&self) -> Value {
        let mut network = json!({ "networkId": self.network });
        if let Some(session) = &self.session {
            network["accessToken"] = json!(session.token());
        }
        network
    }

    /// The answer to `listAccounts`.
    pub(crate) fn accounts_json(&self) -> Value {
        let accounts = self.accounts.iter().enumerate();
        accounts
            .map(|(index, account)| account.to_json(index == self.primary, &self.network))
            .collect()
    }
}

impl DevWalletState {
    /// Tells every connection the wallet's status.
    pub(crate) fn announce_status(&self, name: &str) {
        let status = self.lock().status();
        self.notify(name, status);
    }

    /// Tells every connection that the session ended, and with which reason.
    pub(crate) fn announce_end(&self, reason: &str) {
        let connection = json!({
            "isConnected": false, "reason": reason,
            "isNetworkConnected": false, "networkReason": reason,
        });
        let status = json!({ "provider": provider(), "connection": connection });
        self.notify("statusChanged", status);
    }

    /// Pushes an event to everybody who needs no login: every WebSocket, streams without a token.
    pub(crate) fn notify(&self, name: &str, payload: Value) {
        self.emit(&Owner::Everybody, name, payload);
    }
}

fn provider() -> Value {
    json!({ "id": "moorline-dev-wallet", "version": API_VERSION, "providerType": "desktop" })
}
