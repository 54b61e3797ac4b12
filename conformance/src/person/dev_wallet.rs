//! The development wallet's admin endpoint, in the place of a person.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::{Deed, Doing, Person, Unable};
use crate::line::http::HttpLine;
use crate::options::Credential;

/// How long the endpoint may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Plays the person at a `moorline wallet` through its admin endpoint.
#[derive(Clone, Debug)]
pub struct DevWalletPerson {
    line: HttpLine,
}

impl DevWalletPerson {
    /// The person at the wallet whose admin endpoint is at `url`, such as
    /// `http://127.0.0.1:4103/admin`.
    ///
    /// # Errors
    ///
    /// [`Unable`] if the address is none.
    pub fn new(url: &str) -> Result<Self, Unable> {
        let base = Url::parse(url).map_err(|problem| Unable(format!("`{url}`: {problem}")))?;
        let line = HttpLine::new(base).map_err(Unable)?;
        Ok(Self { line })
    }

    /// The person at the wallet at `wallet`, if that is a development wallet on this computer.
    ///
    /// # Errors
    ///
    /// [`Unable`] if it is not on this computer, or has no admin endpoint.
    pub async fn detect(wallet: &str) -> Result<Self, Unable> {
        let no = |why: String| Unable(format!("{wallet} has no admin endpoint: {why}"));
        let mut url = Url::parse(wallet).map_err(|problem| no(problem.to_string()))?;
        if !crate::shape::is_loopback(&url) {
            return Err(no("it is not on this computer".into()));
        }
        let scheme = if matches!(url.scheme(), "wss" | "https") {
            "https"
        } else {
            "http"
        };
        url.set_query(None);
        url.set_path("/admin");
        let url =
            url.to_string()
                .replacen("wss:", "ws:", 1)
                .replacen("ws:", &format!("{scheme}:"), 1);
        let person = Self::new(&url)?;
        let state = person.line.on_server("/admin/state");
        let request = person.line.request(Method::GET, state, &Credential::None);
        let reply = person
            .line
            .reply(request, PATIENCE)
            .await
            .map_err(|it| no(it.describe()))?;
        match (reply.head.as_ref().map(|it| it.status), reply.json) {
            (Some(200), Some(_)) => Ok(person),
            (status, _) => Err(no(format!("HTTP {}", status.unwrap_or_default()))),
        }
    }

    /// An account that is not the primary one.
    async fn another_account(&self) -> Result<Value, Unable> {
        let unable = |why: &str| Unable(format!("the wallet's admin endpoint: {why}"));
        let path = format!("{}/state", self.line.base.path().trim_end_matches('/'));
        let request = self
            .line
            .request(Method::GET, self.line.on_server(&path), &Credential::None);
        let reply = self.line.reply(request, PATIENCE).await;
        let reply = reply.map_err(|it| unable(&it.describe()))?;
        let state = reply.json.unwrap_or_default();
        let mut accounts = state["accounts"].as_array().into_iter().flatten();
        let another = accounts.find(|it| it["primary"] == false);
        another
            .map(|it| it["partyId"].clone())
            .ok_or_else(|| unable("there is no second account"))
    }

    async fn post(&self, what: &str, body: Value) -> Result<Value, Unable> {
        let path = format!("{}/{what}", self.line.base.path().trim_end_matches('/'));
        let request = self
            .line
            .request(Method::POST, self.line.on_server(&path), &Credential::None)
            .header("Content-Type", "application/json")
            .body(body.to_string());
        let unable = |why: String| {
            Unable(format!(
                "the wallet's admin endpoint cannot `{what}`: {why}"
            ))
        };
        let reply = self
            .line
            .reply(request, PATIENCE)
            .await
            .map_err(|it| unable(it.describe()))?;
        match reply.head.as_ref().map(|it| it.status) {
            Some(200..300) => Ok(reply.json.unwrap_or_default()),
            status => Err(unable(format!("HTTP {}", status.unwrap_or_default()))),
        }
    }
}

impl Person for DevWalletPerson {
    fn does<'a>(&'a self, deed: Deed<'a>) -> Doing<'a> {
        Box::pin(async move {
            match deed {
                Deed::ExpectToApprove => {
                    self.post("set-approval", json!({ "approval": "auto" }))
                        .await
                }
                Deed::ExpectToReject => {
                    self.post("set-approval", json!({ "approval": "reject" }))
                        .await
                }
                Deed::ExpectToBeAsked => {
                    self.post("set-approval", json!({ "approval": "manual" }))
                        .await
                }
                Deed::LogIn(_) | Deed::Approve(_) => self.post("approve", json!({})).await,
                Deed::Reject(_) => self.post("reject", json!({})).await,
                Deed::SwitchParty => {
                    let account = self.another_account().await?;
                    self.post("switch-party", json!({ "account": account }))
                        .await
                }
                Deed::CutNetwork => self.post("set-ledger", json!({ "up": false })).await,
                Deed::RestoreNetwork => self.post("set-ledger", json!({ "up": true })).await,
                Deed::BreakLedger => self.post("fail-transactions", json!({ "on": true })).await,
                Deed::MendLedger => self.post("fail-transactions", json!({ "on": false })).await,
                Deed::StopIdentityProvider => self.post("set-idp", json!({ "up": false })).await,
                Deed::StartIdentityProvider => self.post("set-idp", json!({ "up": true })).await,
                Deed::ExceedLimit => {
                    let fault = json!({
                        "fault": "rate-limit", "place": "dapp", "method": "isConnected",
                        "times": 1, "retry-after": "1s",
                    });
                    self.post("misbehave", fault).await
                }
                Deed::ExpireSession => self.post("expire-session", json!({})).await,
                Deed::LogOut => self.post("end-session", json!({})).await,
            }
            .map(drop)
        })
    }
}
