//! Sessions at the gateway, made through its user API.

use moorline::ProviderError;
use moorline::provider::ErrorKind;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use url::Url;

use super::gateway::{Caller, Gateway};
use crate::types::{StatusEvent, Wallet};
use crate::{methods, reading};

/// What is kept of the user API.
#[derive(Debug, Default)]
pub(super) struct Login {
    address: OnceCell<Url>,
    /// Held while a session is made: sessions that share a credential share it at the gateway, too,
    /// and each login there would end the one before.
    turn: Mutex<()>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WellKnown {
    user_path: String,
}

impl Gateway {
    /// Makes sure that the gateway has a session for this credential on the network that is
    /// configured. Does nothing if none is. Never asks a person.
    pub(super) async fn log_in(&self, caller: Caller<'_>) -> Result<(), ProviderError> {
        let Some(network) = self.options.network.as_deref() else {
            return Ok(());
        };
        let _turn = self.login.turn.lock().await;
        if self.is_logged_in(caller, network).await? {
            return Ok(());
        }
        let url = self.user_api().await?;
        let mut params = json!({ "networkId": network });
        if let Some(origin) = &self.options.origin {
            params["origin"] = json!(origin);
        }
        let added = self.call_at(&url, caller, "addSession", &params).await;
        let Err(error) = added else {
            tracing::debug!(gateway = %self.options.shown, network, "session made");
            return Ok(());
        };
        // A login that failed may have left a session all the same: with a ledger that is down it
        // is a good one, on a network that does not exist it is one on which nothing works.
        match self.status(caller).await {
            Ok(status) if status.connection.is_connected => match status.network {
                Some(there) if there.network_id == network => Ok(()),
                _ => Err(error),
            },
            Ok(_) => Err(error),
            Err(broken) if broken.kind() == ErrorKind::Internal => {
                let method = methods::DISCONNECT;
                let _swept = self.call(caller, method, &Value::Null).await;
                Err(error)
            }
            Err(_) => Err(error),
        }
    }

    /// Whether there is a session on this network, and it was made to its end.
    async fn is_logged_in(&self, caller: Caller<'_>, network: &str) -> Result<bool, ProviderError> {
        let status = match self.status(caller).await {
            Ok(status) => status,
            // What is left of a login that failed.
            Err(error) if error.kind() == ErrorKind::Internal => return Ok(false),
            Err(error) => return Err(error),
        };
        let there = status.network.is_some_and(|it| it.network_id == network);
        if !status.connection.is_connected || !there {
            return Ok(false);
        }
        let method = methods::LIST_ACCOUNTS;
        let wallets = self.call(caller, method, &Value::Null).await?;
        let wallets: Vec<Wallet> = reading::decode(method, wallets)?;
        Ok(!wallets.is_empty())
    }

    async fn status(&self, caller: Caller<'_>) -> Result<StatusEvent, ProviderError> {
        let method = methods::STATUS;
        let answer = self.call(caller, method, &Value::Null).await?;
        reading::decode(method, answer)
    }

    /// Where the user API is: as configured, else as the gateway says, else beside the dApp API.
    async fn user_api(&self) -> Result<Url, ProviderError> {
        if let Some(url) = &self.options.user_api {
            return Ok(url.clone());
        }
        let url = self
            .login
            .address
            .get_or_try_init(|| self.find_user_api())
            .await?;
        Ok(url.clone())
    }

    async fn find_user_api(&self) -> Result<Url, ProviderError> {
        let base = &self.options.url;
        let well_known = base.join("/.well-known/wallet-gateway-config");
        let found = match well_known {
            Ok(url) => self.fetch(url).await?,
            Err(_) => None,
        };
        let Some(found) = found else {
            let path = base.path().trim_end_matches('/');
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let mut url = base.clone();
            url.set_path(&format!("{parent}/user"));
            return Ok(url);
        };
        let refuse = |problem: &str| {
            let text = format!("the gateway's user API is at no good address: {problem}");
            ProviderError::new(ErrorKind::Malformed, text).answered()
        };
        let url = base.join(&found.user_path);
        let url = url.map_err(|problem| refuse(&problem.to_string()))?;
        // The token goes there.
        if url.host() != base.host() || (base.scheme() == "https" && url.scheme() != "https") {
            return Err(refuse(
                "it is on another host than the gateway; name it with `user_api` if it is right",
            ));
        }
        Ok(url)
    }

    /// What the gateway says of itself; `None` if it says nothing.
    async fn fetch(&self, url: Url) -> Result<Option<WellKnown>, ProviderError> {
        let response = self.client.get(url).send().await.map_err(|problem| {
            let text = format!("the gateway at {} cannot be reached", self.options.shown);
            ProviderError::new(ErrorKind::Unreachable, text).with_source(problem.without_url())
        })?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let body = super::client::collect(response, 64 * 1024).await;
        Ok(body
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok()))
    }
}
