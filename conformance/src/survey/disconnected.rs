//! While not connected: what a wallet tells strangers, and what it does after a disconnect.

use serde_json::{Value, json};

use super::{Line, Survey};
use crate::evidence::Gap;
use crate::line::sse::Place;
use crate::options::Credential;

impl Survey<'_> {
    pub(super) async fn while_disconnected(&mut self) {
        self.part = "out";
        self.ask_as_nobody("out/disconnect", "disconnect", None)
            .await;
        for method in ["status", "isConnected"] {
            self.ask_as_nobody(&format!("out/{method}"), method, None)
                .await;
        }
        self.ask_protected("out", Credential::None).await;
        if self.is_http() {
            let garbage = Credential::Bearer("moorline-check-garbage-token".into());
            drop(
                self.open_stream("sse/nobody", &Credential::None, Place::Header)
                    .await,
            );
            drop(
                self.open_stream("sse/garbage", &garbage, Place::Header)
                    .await,
            );
            self.ask_as(&garbage, "garbage/isConnected", "isConnected", None)
                .await;
            self.ask_as(&garbage, "garbage/listAccounts", "listAccounts", None)
                .await;
        }
    }

    /// Asks for everything that wants a session.
    async fn ask_protected(&mut self, part: &str, credential: Credential) {
        let command = self.command(part);
        let submission = json!({ "commandId": command, "commands": self.commands() });
        let mut requests: Vec<(&str, Option<Value>)> = vec![
            ("getActiveNetwork", None),
            ("listAccounts", None),
            ("getPrimaryAccount", None),
            ("signMessage", Some(json!({ "message": "moorline-check" }))),
            (
                "ledgerApi",
                Some(json!({ "requestMethod": "get", "resource": "/v2/version" })),
            ),
            ("prepareExecute", Some(submission.clone())),
        ];
        if !self.is_http() {
            let submission =
                json!({ "commandId": format!("{command}-wait"), "commands": self.commands() });
            requests.push(("prepareExecuteAndWait", Some(submission)));
        }
        for (method, params) in requests {
            self.ask_as(&credential, &format!("{part}/{method}"), method, params)
                .await;
        }
        self.quiet().await;
    }

    /// Whether the event stream ends now.
    pub(super) async fn note_end_of_stream(&mut self, fact: &'static str) {
        if let Some(stream) = &self.stream {
            let wait = self.patience.briefly();
            let ended = stream.wait(wait, |it| it.ended.is_some()).await;
            self.evidence.facts.insert(fact, ended);
        }
    }

    /// Disconnects, and looks at what is left.
    pub(super) async fn end(&mut self) {
        self.part = "end";
        self.ask("end/disconnect", "disconnect", None).await;
        let wait = self.patience.briefly();
        self.hear(wait, "statusChanged", |it| {
            it["connection"]["isConnected"] == false
        })
        .await;
        self.note_end_of_stream("end/stream-ended").await;
        for method in ["status", "isConnected"] {
            self.ask(&format!("end/{method}"), method, None).await;
        }
        self.ask_protected("end", self.credential.clone()).await;
        if self.is_http() {
            let credential = self.credential.clone();
            drop(
                self.open_stream("sse/after-end", &credential, Place::Header)
                    .await,
            );
        }
        self.revive().await;
        self.ask("end/disconnect-again", "disconnect", None).await;
    }

    /// Tries to make a session with the token of the one that was ended.
    async fn revive(&mut self) {
        let (Line::Http(line), Credential::Bearer(_)) = (&self.line, &self.credential) else {
            self.gap("revived", Gap::Excused("no token was given".into()));
            return;
        };
        let (line, credential) = (line.clone(), self.credential.clone());
        if self.user_api(&line).await.is_none() {
            let why = "the wallet has no user API to make a session at";
            self.gap("revived", Gap::Excused(why.into()));
            return;
        }
        self.add_session(&credential, None).await;
        self.ask("revived/isConnected", "isConnected", None).await;
    }
}
