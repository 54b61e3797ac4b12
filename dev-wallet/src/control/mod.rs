//! Steers a running wallet: what a person does at it, what goes wrong with it, what it saw.

mod http;
mod people;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

pub use self::http::Sessions;
use crate::approval::{Approval, Pending};
use crate::builder::derive_all;
use crate::connection::Outgoing;
use crate::error::{StartError, UnknownAccount};
use crate::log::Seen;
use crate::server::Command;
use crate::state::DevWalletState;

/// Steers a wallet while clients are connected. Cheap to clone; goes on working when the wallet is
/// restarted with the same state.
#[derive(Clone, Debug)]
pub struct Control {
    state: DevWalletState,
}

/// What a person does at the wallet.
impl Control {
    pub(crate) fn new(state: DevWalletState) -> Self {
        Self { state }
    }

    pub(crate) fn state(&self) -> &DevWalletState {
        &self.state
    }

    /// Notes what was done to the wallet. `note` holds no secret.
    pub(crate) fn acted(&self, what: &str, note: impl std::fmt::Display) {
        let note = crate::journal::without_tokens(&note.to_string());
        tracing::info!(act = what, note, "somebody acts on the wallet");
        self.state.lock().record("act", what, note);
    }

    /// Makes another account primary, by party id or name. `accountsChanged` names the accounts
    /// that changed, and only those: the standard allows it.
    ///
    /// # Errors
    ///
    /// [`UnknownAccount`] if there is none; nothing changes then.
    pub fn switch_party(&self, account: &str) -> Result<(), UnknownAccount> {
        self.acted("switch-party", account);
        let changed = self.state.change(|inner| {
            let position = inner
                .accounts
                .iter()
                .position(|it| it.party_id() == account || it.hint() == account)
                .ok_or_else(|| UnknownAccount(account.to_owned()))?;
            let before = std::mem::replace(&mut inner.primary, position);
            let changed: Vec<Value> = [before, position]
                .into_iter()
                .filter_map(|index| Some((index, inner.accounts.get(index)?)))
                .map(|(index, it)| it.to_json(index == position, &inner.network))
                .collect();
            Ok(changed)
        })?;
        self.state.notify("accountsChanged", Value::Array(changed));
        self.state.tell_sessions_of_accounts();
        Ok(())
    }

    /// Replaces the accounts; the first is primary.
    ///
    /// # Errors
    ///
    /// [`StartError::NoAccount`] or [`StartError::SameAccount`]; nothing changes then.
    pub fn set_accounts<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(), StartError> {
        self.acted("set-accounts", "");
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let accounts = derive_all(&names)?;
        let list = self.state.change(|inner| {
            inner.accounts = accounts;
            inner.primary = 0;
            inner.accounts_json()
        });
        self.state.notify("accountsChanged", list);
        self.state.tell_sessions_of_accounts();
        Ok(())
    }

    /// Moves to another network. `statusChanged` says so.
    pub fn switch_network(&self, id: &str) {
        self.acted("switch-network", id);
        self.state.change(|inner| inner.move_to(id));
        self.state.announce_status("statusChanged");
        self.state.tell_sessions_of_status();
    }

    /// Sets whether the wallet reaches its network, that is its ledger. `statusChanged` says so,
    /// where the dialect does.
    pub fn set_network_link(&self, up: bool) {
        self.acted("set-network-link", up);
        self.state.change(|inner| inner.network_up = up);
        self.state.announce_status("statusChanged");
        if !self.state.lock().dialect().network_loss_is_silent {
            self.state.tell_sessions_of_status();
        }
    }

    /// Changes what happens to whatever needs consent from now on.
    pub fn set_approval(&self, approval: Approval) {
        self.acted("set-approval", format_args!("{approval:?}"));
        self.state.change(|inner| inner.approval = approval);
    }

    /// What waits for a person.
    pub fn pending(&self) -> Vec<Pending> {
        self.state.pending()
    }

    /// Waits until at least `count` things wait for a person. Cancel safe.
    pub async fn until_pending(&self, count: usize) {
        self.state.until(|inner| inner.waiting.len() >= count).await;
    }

    /// Approves everything that waits. Returns how much that was.
    pub fn approve(&self) -> usize {
        self.acted("approve", "");
        self.state.answer_all(true)
    }

    /// Rejects everything that waits. Returns how much that was.
    pub fn reject(&self) -> usize {
        self.acted("reject", "");
        self.state.answer_all(false)
    }

    /// Logs out at the wallet, everybody. `statusChanged` says so.
    pub fn end_session(&self) {
        self.acted("end-session", "");
        self.state.change(|inner| inner.session = None);
        self.state.announce_end("removed session");
        self.state.log_everybody_out();
    }

    /// Lets every token there is expire, without a word. Refresh tokens stay good.
    pub fn expire_session(&self) {
        self.acted("expire-session", "");
        self.state.change(|inner| {
            inner.expire_tokens();
            if let Some(session) = &mut inner.session {
                session.expire();
            }
        });
    }

    /// Whether there is a session: the one that needs no login, or any user's.
    pub fn has_session(&self) -> bool {
        let inner = self.state.lock();
        inner.not_connected().is_none() || !inner.gateway.sessions.is_empty()
    }
}

/// What goes wrong with it.
impl Control {
    /// Drops every connection, without a goodbye. They are gone when this returns; returns how
    /// many there were.
    pub async fn cut_all(&self) -> usize {
        self.acted("cut-all", "");
        let (done, cut) = oneshot::channel();
        self.command(Command::CutAll(done)).await;
        cut.await.unwrap_or_default()
    }

    /// Stops taking in connections (`true`: the port is closed), or begins again at the same port.
    /// Connections that stand are left alone. Done when this returns.
    pub async fn refuse(&self, refuse: bool) {
        self.acted("refuse", refuse);
        let (done, obeyed) = oneshot::channel();
        self.command(Command::Refuse(refuse, done)).await;
        obeyed.await.ok();
    }

    /// Falls silent: requests are seen, and neither executed nor answered until this is lifted.
    /// Pings are answered.
    pub fn hang(&self, hang: bool) {
        self.acted("hang", hang);
        self.state.change(|inner| inner.faults.hang = hang);
    }

    /// Freezes: sockets are not read, pings not answered, new connections get no handshake. When
    /// it is lifted, the connections that were frozen end.
    pub fn freeze(&self, freeze: bool) {
        self.acted("freeze", freeze);
        self.state.freeze(freeze);
    }

    /// Every request takes this long before it is executed; `Duration::ZERO` for none.
    pub fn slow(&self, delay: Duration) {
        self.acted("slow", format_args!("{delay:?}"));
        let slow = Some(delay).filter(|delay| !delay.is_zero());
        self.state.change(|inner| inner.faults.slow = slow);
    }

    /// Answers every request with an error, until [`reply_normally`](Self::reply_normally).
    pub fn reply_errors(&self, code: i32, message: &str) {
        self.acted("reply-errors", code);
        let error = Some((code, message.to_owned()));
        self.state.change(|inner| inner.faults.error = error);
    }

    /// Answers every request of one method with an error.
    pub fn reply_errors_to(&self, method: &str, code: i32, message: &str) {
        self.acted("reply-errors-to", format_args!("{method}: {code}"));
        let error = (code, message.to_owned());
        self.state
            .change(|inner| inner.faults.errors.insert(method.to_owned(), error));
    }

    /// Answers as it should again.
    pub fn reply_normally(&self) {
        self.acted("reply-normally", "");
        self.state.change(|inner| {
            inner.faults.error = None;
            inner.faults.errors.clear();
        });
    }

    /// Lets the ledger reject what is signed.
    pub fn fail_transactions(&self, fail: bool) {
        self.acted("fail-transactions", fail);
        self.state
            .change(|inner| inner.faults.fail_transactions = fail);
    }

    /// Sends a text frame that is no JSON to every connection.
    pub fn send_garbage(&self) {
        self.send_raw("{\"jsonrpc\":\"2.0\",\"id\":");
    }

    /// Sends a text frame with any content to every connection.
    pub fn send_raw(&self, text: &str) {
        self.acted("send-raw", "");
        self.state.push(text);
    }

    /// Sends a binary frame to every connection.
    pub fn send_bytes(&self, bytes: &[u8]) {
        self.acted("send-bytes", "");
        self.state.push_all(&Outgoing::Bytes(bytes.to_vec()));
    }

    /// Answers a request that nobody made.
    pub fn unknown_id(&self) {
        self.send_raw(r#"{"jsonrpc":"2.0","id":987654321,"result":null}"#);
    }

    /// Sends `statusChanged` in every broken form there is: without params, empty, without
    /// `connection`, with wrong types. Returns how many.
    pub fn send_malformed_status(&self) -> usize {
        let forms = [
            r#"{"jsonrpc":"2.0","method":"statusChanged"}"#.to_owned(),
            r#"{"jsonrpc":"2.0","method":"statusChanged","params":[]}"#.to_owned(),
            crate::events::notification("statusChanged", json!({})),
            crate::events::notification("statusChanged", json!({ "connection": null })),
            crate::events::notification("statusChanged", json!({ "connection": "down" })),
            crate::events::notification(
                "statusChanged",
                json!({ "connection": { "isConnected": "no" } }),
            ),
        ];
        for form in &forms {
            self.send_raw(form);
        }
        forms.len()
    }

    /// Sends `n` `txChanged` events, as fast as it can.
    pub fn event_storm(&self, n: usize) {
        self.acted("event-storm", n);
        for number in 0..n {
            self.notify(
                "txChanged",
                json!({ "status": "pending", "commandId": format!("storm-{number}") }),
            );
        }
    }

    /// Sends any event to every connection.
    pub fn notify(&self, name: &str, payload: Value) {
        self.state.notify(name, payload);
    }

    async fn command(&self, command: Command) {
        let server = self.state.lock().server.clone();
        if let Some((server, _)) = server {
            server.send(command).await.ok();
        }
    }
}

/// What it saw and did.
impl Control {
    /// The latest requests, at most 65 536, in the order they came.
    pub fn log(&self) -> Vec<Seen> {
        self.state.lock().log.requests()
    }

    /// How many requests of a method it saw.
    pub fn seen(&self, method: &str) -> u64 {
        self.state.lock().log.seen(method)
    }

    /// How many requests of a method it executed and answered with a result (whoever got that).
    pub fn executions(&self, method: &str) -> u64 {
        self.state.lock().log.executions(method)
    }

    /// How many requests it saw for one thing: the id of a command, else a message to sign, else a
    /// resource of the ledger.
    pub fn seen_of(&self, key: &str) -> u64 {
        self.state.lock().log.seen_of(key)
    }

    /// How many requests for one thing it executed.
    pub fn executions_of(&self, key: &str) -> u64 {
        self.state.lock().log.executions_of(key)
    }

    /// How often a command was executed on the ledger.
    pub fn ledger_executions(&self, command_id: &str) -> u64 {
        self.state.lock().ledger.executions(command_id)
    }

    /// Waits until it has seen at least `count` requests of a method. Cancel safe.
    pub async fn until_seen(&self, method: &str, count: u64) {
        self.state
            .until(|inner| inner.log.seen(method) >= count)
            .await;
    }

    /// Waits until it has executed at least `count` requests of a method. Cancel safe.
    pub async fn until_executed(&self, method: &str, count: u64) {
        self.state
            .until(|inner| inner.log.executions(method) >= count)
            .await;
    }

    /// How many WebSockets stand.
    pub fn connections(&self) -> usize {
        self.state.lock().connections.len()
    }

    /// Waits until exactly `count` WebSockets stand. Cancel safe.
    pub async fn until_connections(&self, count: usize) {
        self.state
            .until(|inner| inner.connections.len() == count)
            .await;
    }
}
