//! What a person does at the wallet: reject, switch, log out; and what only a person can break.

use serde_json::json;

use super::Survey;
use crate::evidence::Gap;
use crate::options::Credential;
use crate::person::Deed;

impl Survey<'_> {
    pub(super) async fn people(&mut self) {
        self.reject().await;
        self.fail().await;
        if self.is_http() {
            self.exceed_limit().await;
            self.stop_identity_provider().await;
        }
        self.switch().await;
        self.cut().await;
        self.expire().await;
        self.log_out().await;
    }

    /// Has a person do something; notes why not if they cannot.
    async fn have(&mut self, part: &'static str, deed: Deed<'_>) -> bool {
        self.part = part;
        match self.person(deed).await {
            Ok(()) => true,
            Err(unable) => {
                self.gap(part, Gap::Excused(unable));
                false
            }
        }
    }

    async fn reject(&mut self) {
        if !self.have("reject", Deed::ExpectToReject).await {
            return;
        }
        let longer = self.options.person.takes();
        self.ask_longer(
            "reject/signMessage",
            "signMessage",
            json!({ "message": "moorline: reject me" }),
            longer,
        )
        .await;
        let command = self.command("reject");
        let params = json!({ "commandId": command, "commands": self.commands() });
        let answer = self
            .ask_longer("reject/prepareExecute", "prepareExecute", params, longer)
            .await;
        let url = answer.as_ref().and_then(|it| it["userUrl"].as_str());
        if let Some(url) = url {
            self.person(Deed::Reject(Some(url))).await.ok();
        }
        let wait = self.patience.briefly().saturating_add(longer);
        self.hear_end(wait, &command).await;
        if !self.is_http() {
            let command = self.command("reject-wait");
            let params = json!({ "commandId": command, "commands": self.commands() });
            self.ask_longer(
                "reject/prepareExecuteAndWait",
                "prepareExecuteAndWait",
                params,
                longer,
            )
            .await;
        }
        self.person(Deed::ExpectToApprove).await.ok();
    }

    /// A submission that the ledger rejects after it was approved.
    async fn fail(&mut self) {
        if !self.have("failing", Deed::BreakLedger).await {
            return;
        }
        let command = self.command("failing");
        let params = json!({ "commandId": command, "commands": self.commands() });
        self.submit("failing/prepareExecute", params).await;
        let wait = self.patience.briefly();
        self.hear_end(wait, &command).await;
        self.person(Deed::MendLedger).await.ok();
    }

    async fn exceed_limit(&mut self) {
        if self.have("limited", Deed::ExceedLimit).await {
            self.ask("limited/isConnected", "isConnected", None).await;
        }
    }

    async fn stop_identity_provider(&mut self) {
        if !matches!(self.credential, Credential::Bearer(_)) {
            self.gap("outage", Gap::Excused("no token was given".into()));
            return;
        }
        if self.have("outage", Deed::StopIdentityProvider).await {
            self.ask("outage/isConnected", "isConnected", None).await;
            self.person(Deed::StartIdentityProvider).await.ok();
        }
    }

    async fn switch(&mut self) {
        let accounts = self.evidence.result("in/listAccounts").ok();
        if accounts
            .and_then(|it| it.as_array())
            .is_none_or(|it| it.len() < 2)
        {
            self.gap(
                "switch",
                Gap::Excused("the wallet has no second account".into()),
            );
            return;
        }
        if !self.have("switch", Deed::SwitchParty).await {
            return;
        }
        let wait = self.with_person();
        self.hear(wait, "accountsChanged", |_| true).await;
        self.ask("switch/listAccounts", "listAccounts", None).await;
        self.ask("switch/getPrimaryAccount", "getPrimaryAccount", None)
            .await;
        let primary = |label: &str| {
            self.evidence
                .result(label)
                .ok()
                .map(|it| it["partyId"].clone())
        };
        let same = primary("switch/getPrimaryAccount") == primary("in/getPrimaryAccount");
        if same && !self.options.person.takes().is_zero() {
            self.gap(
                "switch",
                Gap::Excused("nobody switched the account in time".into()),
            );
        }
    }

    async fn cut(&mut self) {
        if !self.have("cut", Deed::CutNetwork).await {
            return;
        }
        let wait = self.patience.briefly();
        self.hear(wait, "statusChanged", |it| {
            it["connection"]["isNetworkConnected"] == false
        })
        .await;
        self.ask("cut/status", "status", None).await;
        let command = self.command("cut");
        let params = json!({ "commandId": command, "commands": self.commands() });
        self.ask("cut/prepareExecute", "prepareExecute", Some(params))
            .await;
        let params = json!({ "requestMethod": "get", "resource": "/v2/state/ledger-end" });
        self.ask("cut/ledgerApi", "ledgerApi", Some(params)).await;
        self.quiet().await;
        self.person(Deed::RestoreNetwork).await.ok();
        self.part = "restored";
        let wait = self.patience.briefly();
        self.hear(wait, "statusChanged", |it| {
            it["connection"]["isNetworkConnected"] == true
        })
        .await;
    }

    async fn expire(&mut self) {
        if !self.have("expired", Deed::ExpireSession).await {
            return;
        }
        self.note_end_of_stream("expired/stream-ended").await;
        self.ask("expired/isConnected", "isConnected", None).await;
        self.ask("expired/listAccounts", "listAccounts", None).await;
        if matches!(self.credential, Credential::Bearer(_)) {
            self.ask("expired/disconnect", "disconnect", None).await;
        } else {
            let why = Gap::Excused("no token was given".into());
            self.gap("expired/disconnect", why);
        }
        self.log_in_again().await;
    }

    async fn log_out(&mut self) {
        if !self.have("logout", Deed::LogOut).await {
            return;
        }
        let wait = self
            .patience
            .briefly()
            .saturating_add(self.options.person.takes());
        self.hear(wait, "statusChanged", |it| {
            it["connection"]["isConnected"] == false
        })
        .await;
        self.note_end_of_stream("logout/stream-ended").await;
        self.ask("logout/isConnected", "isConnected", None).await;
        self.ask("logout/listAccounts", "listAccounts", None).await;
        let answer = self.evidence.result("logout/isConnected");
        let still = answer.is_ok_and(|it| it["isConnected"] == true);
        if still && !self.options.person.takes().is_zero() {
            self.gap("logout", Gap::Excused("nobody logged out in time".into()));
        }
        self.log_in_again().await;
    }

    /// Logs in once more, with fresh credentials where there is somebody to ask for them.
    pub(super) async fn log_in_again(&mut self) -> bool {
        if let Ok(fresh) = crate::login::credential(self.options, self.patience.now()).await
            && !fresh.is_none()
        {
            if let Credential::Bearer(token) = &fresh {
                use secrecy::ExposeSecret;
                self.evidence.secrets.learn(token.expose_secret());
            }
            self.note_events();
            self.credential = fresh;
            self.stream = None;
        }
        self.log_in("again").await
    }
}
