//! Control over a development wallet, by its acts: the same in process and over its admin endpoint.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use moorline::provider::{CloseMode, OpenMode};
use moorline::{Account, NetworkLink, Timestamp};
use moorline_scripted::{Arrangement, What};
use serde_json::{Value, json};

use crate::play::{CommandFuture, STAND_IN, WalletCommand, WalletControl, is_known};

/// How long a wallet is waited for that is to release a request it may not have yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an act answers.
pub type ActFuture<'a> = Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>>;

/// Does acts at a development wallet: `act` is given the name of the act and its fields, as the admin
/// endpoint takes them, and answers the result.
pub struct DevWalletControl<F> {
    act: F,
    over_http: bool,
}

impl<F> DevWalletControl<F>
where
    F: Fn(&'static str, Value) -> ActFuture<'static> + Send + Sync + 'static,
{
    /// Control through this.
    pub fn new(act: F) -> Self {
        Self {
            act,
            over_http: false,
        }
    }

    /// Control for programs that reach the wallet over HTTP with an event stream. There an adapter
    /// mends a broken stream by itself, and no session hears of a link that is only cut: the first
    /// attempt to mend it, and its look whether the wallet is there, meet a closed connection too.
    #[must_use]
    pub fn over_http(mut self) -> Self {
        self.over_http = true;
        self
    }

    /// Breaks the link so that the adapter gives it up.
    async fn cut(&self) -> Result<(), String> {
        if self.over_http {
            let fault = json!({ "fault": "close-unanswered", "place": "events", "times": 1 });
            self.act("misbehave", fault).await?;
            let look = json!({ "methods": ["isConnected"], "how": "close", "times": 2 });
            self.act("treat", look).await?;
        }
        self.act("cut-all", json!({})).await?;
        Ok(())
    }

    async fn act(&self, name: &'static str, fields: Value) -> Result<Value, String> {
        (self.act)(name, fields).await
    }

    async fn arrange(&self, call: &What, how: Arrangement) -> Result<(), String> {
        let Some((methods, key)) = requests(call) else {
            // Nothing of this call reaches the wallet.
            return Ok(());
        };
        let treat = |how: &str, times: u32, more: Value| {
            let mut fields = json!({ "methods": [methods], "how": how, "times": times });
            if let Some(key) = key {
                fields["key"] = json!(key);
            }
            for (name, value) in more.as_object().into_iter().flatten() {
                fields[name] = value.clone();
            }
            self.act("treat", fields)
        };
        match how {
            Arrangement::Hold { executed: true } => treat("hold-answer", 1, json!({})).await?,
            Arrangement::Hold { executed: false } => treat("hold", 1, json!({})).await?,
            Arrangement::Fail(error) => match error.code() {
                None if error.kind() == moorline::provider::ErrorKind::Unreachable => {
                    // What is harmless is tried once more over another connection.
                    treat("close", 2, json!({})).await?
                }
                code => {
                    let code = code.unwrap_or(-32603);
                    let mut fields = json!({ "code": code, "message": error.message() });
                    if let Some(after) = error.retry_after() {
                        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                        fields["value"] = json!({ "retryAfterMs": millis });
                    }
                    treat("fail", 1, fields).await?
                }
            },
            Arrangement::NoAccounts => treat("value", 1, json!({ "value": [] })).await?,
            Arrangement::Value(value) => treat("value", 1, json!({ "value": value })).await?,
            Arrangement::UserAction => self.act("become", json!({ "login": true })).await?,
            Arrangement::Over => {
                if matches!(call, What::Open { .. }) {
                    self.act("become", json!({ "login": false })).await?;
                }
                self.act("untreat", json!({ "methods": [methods] })).await?
            }
            Arrangement::Release(error) => {
                let mut fields = json!({ "methods": [methods] });
                if let Some(key) = key {
                    fields["key"] = json!(key);
                }
                if let Some(error) = error {
                    fields["code"] = json!(error.code().unwrap_or(-32603));
                    fields["message"] = json!(error.message());
                }
                self.release(fields).await?
            }
            other => return Err(format!("a development wallet cannot do this: {other:?}")),
        };
        Ok(())
    }

    /// What is to be released may still be on its way.
    async fn release(&self, fields: Value) -> Result<Value, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.act("release", fields.clone()).await?;
            if answer["released"] != json!(0) || Instant::now() > until {
                return Ok(answer);
            }
            // Real time, whatever the clock of the runtime does.
            let pause = || std::thread::sleep(Duration::from_millis(1));
            tokio::task::spawn_blocking(pause).await.ok();
        }
    }

    async fn do_it(&self, command: WalletCommand) -> Result<(), String> {
        match command {
            WalletCommand::Prepare {
                accounts,
                network,
                link,
                expires_at,
            } => {
                let mut fields = people(&accounts);
                fields["network"] = json!(network);
                fields["ledger-up"] = json!(link != NetworkLink::Down);
                fields["session-ends"] = ends(expires_at);
                self.act("begin-anew", fields).await?;
            }
            WalletCommand::Accounts { accounts, silently } => {
                let mut fields = people(&accounts);
                fields["silently"] = json!(silently);
                self.act("become", fields).await?;
            }
            WalletCommand::AccountsFalsely(accounts) => {
                let payload: Value = accounts
                    .iter()
                    .map(|it| json!({ "partyId": it.id }))
                    .collect();
                let event = json!({ "event": "accountsChanged", "payload": payload });
                self.act("notify", event).await?;
            }
            WalletCommand::Network { network, silently } => {
                let fields = json!({ "network": network, "silently": silently });
                self.act("become", fields).await?;
            }
            WalletCommand::Link { link, silently } => {
                let up = link != NetworkLink::Down;
                let fields = json!({ "ledger-up": up, "silently": silently });
                self.act("become", fields).await?;
            }
            WalletCommand::Expires { at, silently } => {
                let fields = json!({ "session-ends": at.as_millis(), "silently": silently });
                self.act("become", fields).await?;
            }
            WalletCommand::Revoke { silently } => {
                let fields = json!({ "session": false, "silently": silently });
                self.act("become", fields).await?;
            }
            WalletCommand::Admit(until) => {
                let mut fields = json!({ "session": true, "silently": true });
                if let Some(until) = until {
                    fields["session-ends"] = json!(until.as_millis());
                }
                self.act("become", fields).await?;
            }
            WalletCommand::Cut => self.cut().await?,
            WalletCommand::GoAway => {
                self.act("refuse", json!({ "on": true })).await?;
                self.act("cut-all", json!({})).await?;
            }
            WalletCommand::ComeBack => {
                self.act("refuse", json!({ "on": false })).await?;
            }
            WalletCommand::Approve { silently } => {
                if silently {
                    self.act("lose-events", json!({ "count": 2 })).await?;
                }
                self.act("approve", json!({})).await?;
            }
            WalletCommand::Reject => {
                self.act("reject", json!({})).await?;
            }
            WalletCommand::Ready => {
                let payload = json!({ "connection": { "isConnected": true } });
                let event = json!({ "event": "connected", "payload": payload });
                self.act("notify", event).await?;
            }
            WalletCommand::Recheck => {
                let event = json!({ "event": "accountsChanged", "payload": [] });
                self.act("notify", event).await?;
            }
            WalletCommand::Message(name, payload) => {
                let event = json!({ "event": name, "payload": payload });
                self.act("notify", event).await?;
            }
            WalletCommand::Malformed => {
                let event = json!({ "event": "statusChanged", "payload": {} });
                self.act("notify", event).await?;
            }
            WalletCommand::Arrange(call, how) => self.arrange(&call, how).await?,
            WalletCommand::Behave => {
                self.act("behave", json!({})).await?;
            }
        }
        Ok(())
    }
}

/// The request in which a call reaches the wallet for certain, and what tells it from others.
fn requests(call: &What) -> Option<(&str, Option<&str>)> {
    Some(match call {
        What::Open {
            mode: OpenMode::Interactive,
            ..
        } => ("connect", None),
        What::Open { .. } => ("status", None),
        What::Probe => ("listAccounts", None),
        What::Request { method, .. } if is_known(method) => (method, None),
        What::Request { method, .. } => (STAND_IN, Some(method)),
        What::Close(CloseMode::Disconnect) => ("disconnect", None),
        _ => return None,
    })
}

fn people(accounts: &[Account]) -> Value {
    let names: Vec<&str> = accounts.iter().map(|it| it.id.as_str()).collect();
    let primary = accounts
        .iter()
        .find(|it| it.primary)
        .map(|it| it.id.as_str());
    json!({ "accounts": names, "primary": primary })
}

fn ends(at: Option<Timestamp>) -> Value {
    at.map_or_else(|| json!("never"), |at| json!(at.as_millis()))
}

impl<F> WalletControl for DevWalletControl<F>
where
    F: Fn(&'static str, Value) -> ActFuture<'static> + Send + Sync + 'static,
{
    fn supports(&self, command: &WalletCommand) -> bool {
        match command {
            WalletCommand::Prepare {
                accounts,
                network,
                link,
                ..
            } => !accounts.is_empty() && network.is_some() && *link != NetworkLink::Unknown,
            WalletCommand::Link { link, .. } => *link != NetworkLink::Unknown,
            _ => true,
        }
    }

    fn is_over_http(&self) -> bool {
        self.over_http
    }

    fn lag(&self) -> Duration {
        match self.over_http {
            true => Duration::from_millis(5),
            false => Duration::ZERO,
        }
    }

    fn carry_out(&self, command: WalletCommand) -> CommandFuture<'_> {
        Box::pin(self.do_it(command))
    }

    fn executed<'a>(&'a self, method: &'a str) -> CommandFuture<'a, Option<u64>> {
        Box::pin(async move {
            let answer = self.act("count", json!({ "key": method })).await?;
            Ok(answer["executed"].as_u64())
        })
    }

    fn signer<'a>(
        &'a self,
        message: &'a str,
        signature: &'a str,
    ) -> CommandFuture<'a, Option<String>> {
        let fields = json!({ "message": message, "signature": signature });
        Box::pin(async move {
            let answer = self.act("who-signed", fields).await?;
            Ok(answer["account"].as_str().map(str::to_owned))
        })
    }
}
