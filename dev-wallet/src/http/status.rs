//! What the HTTP side says of connections, sessions and accounts.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::gateway::GatewaySession;
use crate::state::Inner;

/// The version of the API description that is served.
const API_VERSION: &str = "0.1.0";

impl Inner {
    /// The network of a session.
    pub(super) fn session_network(&self, session: &GatewaySession) -> Value {
        let networks = &self.gateway.networks;
        let network = networks.iter().find(|it| it.id == session.network);
        json!({
            "networkId": session.network,
            "ledgerApi": network.map(|it| it.ledger_url(&self.base_url())),
            "accessToken": session.token.expose_secret(),
        })
    }

    /// The accounts of a session.
    pub(crate) fn session_accounts(&self, session: &GatewaySession) -> Value {
        let users = &self.gateway.users;
        let user = users.iter().find(|it| it.name == session.user);
        let visible = |hint: &str| {
            user.and_then(|it| it.accounts.as_ref())
                .is_none_or(|names| names.iter().any(|name| name == hint))
        };
        let mut accounts: Vec<Value> = (self.accounts.iter().enumerate())
            .filter(|(_, account)| visible(account.hint()))
            .map(|(index, account)| account.to_json(index == self.primary, &session.network))
            .collect();
        let has_primary = accounts.iter().any(|it| it["primary"] == json!(true));
        if !has_primary && let Some(first) = accounts.first_mut() {
            first["primary"] = json!(true);
        }
        if self.dialect().account_rights {
            for account in &mut accounts {
                account["disabled"] = json!(false);
                account["rights"] = json!(["CanActAs"]);
            }
        }
        Value::Array(accounts)
    }

    fn remote_provider(&self, versioned: bool) -> Value {
        let mut provider = json!({
            "id": "moorline-dev-wallet",
            "providerType": "remote",
            "url": self.dapp_url(),
            "userUrl": self.login_url(),
        });
        if self.dialect().version_todo {
            if versioned {
                provider["version"] = json!("TODO");
            }
        } else {
            provider["version"] = json!(API_VERSION);
        }
        provider
    }

    /// `status` where no login is needed.
    pub(super) fn remote_status(&self) -> Value {
        let mut status = self.status();
        status["provider"] = self.remote_provider(true);
        status
    }

    /// The connection of somebody who is logged in.
    pub(super) fn live_connection(&self, stale: bool) -> Value {
        let trouble = if stale {
            Some("Ledger unreachable: Attempted to refresh a token, but it came back expired.")
        } else if self.network_up {
            None
        } else if self.dialect().reason_ok {
            Some("Ledger unreachable: fetch failed")
        } else {
            Some("the network is unreachable")
        };
        let mut connection = json!({
            "isConnected": true,
            "isNetworkConnected": trouble.is_none(),
        });
        if let Some(trouble) = trouble {
            connection["networkReason"] = json!(trouble);
        }
        if self.dialect().reason_ok {
            connection["reason"] = json!("OK");
            if trouble.is_none() {
                connection["networkReason"] = json!("OK");
            }
        }
        connection
    }

    /// The status of somebody who is logged in.
    pub(crate) fn session_status(&self, session: &GatewaySession, stale: bool) -> Value {
        json!({
            "provider": self.remote_provider(true),
            "connection": self.live_connection(stale),
            "network": self.session_network(session),
            "session": { "accessToken": session.token.expose_secret(), "userId": session.user },
        })
    }

    /// `connect` and `isConnected` of somebody who is not logged in.
    pub(super) fn no_session_connection(&self) -> Value {
        let url = self.login_url();
        if self.dialect().blames_network {
            return json!({
                "isConnected": false, "isNetworkConnected": false,
                "networkReason": "Unauthenticated", "userUrl": url,
            });
        }
        json!({
            "isConnected": false, "reason": "not logged in",
            "isNetworkConnected": self.network_up, "userUrl": url,
        })
    }

    pub(super) fn no_session_status(&self) -> Value {
        let mut connection = self.no_session_connection();
        if self.dialect().blames_network
            && let Some(connection) = connection.as_object_mut()
        {
            connection.remove("userUrl");
            connection.insert("reason".into(), json!("Unauthenticated"));
        }
        json!({ "provider": self.remote_provider(true), "connection": connection })
    }

    /// The status that tells of a session's end.
    pub(crate) fn ended_status(
        &self,
        reason: &str,
        network_reason: &str,
        by_wallet: bool,
    ) -> Value {
        let dialect = self.dialect();
        let mut status = json!({
            "provider": self.remote_provider(by_wallet),
            "connection": {
                "isConnected": false, "reason": reason,
                "isNetworkConnected": false, "networkReason": network_reason,
            },
        });
        if by_wallet && dialect.extra_status_fields {
            status["userUrl"] = json!(self.login_url());
        }
        if !dialect.blames_network {
            status["connection"] = json!({
                "isConnected": false, "reason": network_reason,
                "isNetworkConnected": self.network_up,
            });
        }
        status
    }
}
