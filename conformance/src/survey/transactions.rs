//! Transactions that are approved.

use serde_json::{Value, json};

use super::Survey;
use crate::evidence::Gap;
use crate::person::Deed;

/// A party that is nobody's.
const STRANGER: &str =
    "moorline-stranger::1220000000000000000000000000000000000000000000000000000000000000000f";

impl Survey<'_> {
    pub(super) async fn transactions(&mut self) {
        self.part = "tx";
        self.person(Deed::ExpectToApprove).await.ok();
        let command = self.command("tx");
        let commands = self.commands();
        self.submit(
            "tx/prepareExecute",
            json!({ "commandId": command, "commands": commands }),
        )
        .await;
        self.see_through(&command).await;
        self.quiet().await;

        self.part = "unnamed";
        self.submit("tx/prepareExecute-unnamed", json!({ "commands": commands }))
            .await;
        let wait = self.patience.briefly();
        self.hear_fresh_end(wait).await;
        self.quiet().await;

        self.part = "wait";
        let command = self.command("wait");
        let params = json!({ "commandId": command, "commands": commands });
        let longer = self.options.person.takes();
        self.ask_longer(
            "tx/prepareExecuteAndWait",
            "prepareExecuteAndWait",
            params,
            longer,
        )
        .await;

        self.part = "stranger";
        let command = self.command("stranger");
        let params = json!({ "commandId": command, "commands": commands, "actAs": [STRANGER] });
        self.submit("tx/stranger", params).await;
        self.quiet().await;
    }

    /// Submits commands, and has a person approve them where the wallet says where.
    pub(super) async fn submit(&mut self, label: &str, params: Value) -> Option<Value> {
        let result = self.ask(label, "prepareExecute", Some(params)).await;
        if let Some(url) = result.as_ref().and_then(|it| it["userUrl"].as_str()) {
            self.person(Deed::Approve(Some(url))).await.ok();
        }
        result
    }

    /// Waits until a transaction has ended; notes why if nobody can be blamed that it has not.
    async fn see_through(&mut self, command: &str) {
        let at_most = self.with_person();
        if self.hear_end(at_most, command).await && self.has_ended(command) {
            return;
        }
        let pending = !self.evidence.transaction(command).is_empty();
        if pending && let Err(unable) = self.person(Deed::Approve(None)).await {
            self.gap(
                "tx/end",
                Gap::Excused(format!("the transaction waits for approval: {unable}")),
            );
        }
    }

    fn has_ended(&self, command: &str) -> bool {
        let mut events = self.evidence.transaction(command).into_iter();
        events.any(|it| matches!(it["status"].as_str(), Some("executed" | "failed")))
    }

    /// Waits for the end of a transaction whose id the wallet chose.
    async fn hear_fresh_end(&mut self, at_most: std::time::Duration) {
        let known: Vec<Value> = self
            .evidence
            .events
            .iter()
            .filter(|it| it.during != "unnamed")
            .filter_map(|it| Some(it.payload.as_ref()?["commandId"].clone()))
            .collect();
        self.hear(at_most, "txChanged", move |it| {
            !known.contains(&it["commandId"])
                && matches!(it["status"].as_str(), Some("executed" | "failed"))
        })
        .await;
    }
}
