//! Commands on their way to the ledger.

use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::approval::PendingKind;
use crate::error::{invalid_params, network_down, rejected, transaction_rejected, unauthorized};
use crate::state::DevWalletState;

/// What is submitted: the fields that the wallet looks at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Submission {
    #[serde(default)]
    command_id: Option<String>,
    commands: Value,
    #[serde(default)]
    act_as: Vec<String>,
}

/// A command that was prepared: the ledger knows it, a person has not seen it.
#[derive(Debug)]
pub(crate) struct Prepared {
    command_id: String,
    act_as: Vec<String>,
    hash: String,
}

impl DevWalletState {
    /// Prepares commands and tells everybody that they are pending.
    pub(crate) fn prepare(&self, submission: Submission) -> Result<Prepared, ErrorObjectOwned> {
        let empty = match &submission.commands {
            Value::Array(commands) => commands.is_empty(),
            Value::Object(commands) => commands.is_empty(),
            _ => true,
        };
        if empty {
            return Err(invalid_params("`commands` holds no command"));
        }
        let mut inner = self.lock();
        if !inner.network_up {
            return Err(network_down());
        }
        let mut act_as = submission.act_as;
        if act_as.is_empty()
            && let Some(primary) = inner.accounts.get(inner.primary)
        {
            act_as.push(primary.party_id().to_owned());
        }
        let stranger = act_as.iter().find(|party| {
            !inner
                .accounts
                .iter()
                .any(|it| it.party_id() == party.as_str())
        });
        if let Some(stranger) = stranger {
            return Err(unauthorized(&format!(
                "the wallet cannot act as `{stranger}`"
            )));
        }
        let fresh = || inner.ledger.fresh_id();
        let command_id = submission.command_id.filter(|id| !id.is_empty());
        let command_id = command_id.unwrap_or_else(fresh);
        if !inner.ledger.submit(&command_id) {
            return Err(transaction_rejected(
                "the command was submitted before",
                json!({ "code": "DUPLICATE_COMMAND", "commandId": command_id }),
            ));
        }
        drop(inner);
        self.notify(
            "txChanged",
            json!({ "status": "pending", "commandId": command_id }),
        );
        Ok(Prepared {
            hash: submission.commands.to_string(),
            command_id,
            act_as,
        })
    }

    /// Has a prepared command approved, signs it, executes it. Answers the `executed` event.
    pub(crate) async fn execute(&self, prepared: Prepared) -> Result<Value, ErrorObjectOwned> {
        let Prepared {
            command_id, act_as, ..
        } = &prepared;
        if !self.consent(PendingKind::Submit, command_id).await {
            self.change(|inner| inner.ledger.withdraw(command_id));
            self.notify(
                "txChanged",
                json!({ "status": "failed", "commandId": command_id }),
            );
            return Err(rejected());
        }
        if let Some(signed) = self.sign_prepared(&prepared) {
            self.notify("txChanged", signed);
        }
        let completion = self.change(|inner| {
            let well = inner.network_up && !inner.faults.fail_transactions;
            inner.ledger.complete(command_id, act_as, well)
        });
        let Some(update_id) = completion.update_id else {
            self.notify(
                "txChanged",
                json!({ "status": "failed", "commandId": command_id }),
            );
            return Err(transaction_rejected(
                "the ledger rejected the transaction",
                json!({ "code": "DEV_WALLET_FAILS_TRANSACTIONS", "commandId": command_id }),
            ));
        };
        let executed = json!({
            "status": "executed",
            "commandId": command_id,
            "payload": { "updateId": update_id, "completionOffset": completion.offset },
        });
        self.notify("txChanged", executed.clone());
        Ok(executed)
    }

    /// The `signed` event; `None` if the account has gone meanwhile.
    fn sign_prepared(&self, prepared: &Prepared) -> Option<Value> {
        let party = prepared.act_as.first()?;
        let inner = self.lock();
        let account = inner.accounts.iter().find(|it| it.party_id() == party)?;
        Some(json!({
            "status": "signed",
            "commandId": prepared.command_id,
            "payload": {
                "signature": account.sign_base64(prepared.hash.as_bytes()),
                "signedBy": account.fingerprint(),
                "party": party,
            },
        }))
    }
}
