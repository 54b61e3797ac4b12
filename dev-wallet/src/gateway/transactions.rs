//! Transactions and messages on their way through a person's hands.

use std::time::SystemTime;

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

use super::Owner;
use crate::approval::{Approval, PendingKind};
use crate::error::{network_down, not_found, plain, transaction_rejected, unauthorized};
use crate::state::{DevWalletState, Inner};

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    Pending,
    Signed,
    Executed,
    Failed,
}

impl Stage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Signed => "signed",
            Self::Executed => "executed",
            Self::Failed => "failed",
        }
    }
}

/// A transaction that was prepared.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) id: String,
    pub(crate) command_id: String,
    pub(crate) owner: Owner,
    pub(crate) origin: Option<String>,
    pub(crate) stage: Stage,
    pub(crate) act_as: Vec<String>,
    pub(crate) commands: String,
    pub(crate) created: SystemTime,
    pub(crate) payload: Option<Value>,
}

/// A message to sign.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) owner: Owner,
    pub(crate) text: String,
    pub(crate) decided: bool,
}

/// What a program wants executed.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) command_id: Option<String>,
    pub(crate) commands: Value,
    pub(crate) act_as: Vec<String>,
    pub(crate) owner: Owner,
    pub(crate) origin: Option<String>,
}

impl Transaction {
    /// The transaction as the user API writes it.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({
            "id": self.id,
            "commandId": self.command_id,
            "status": self.stage.name(),
            "preparedTransaction": base64_of(&self.commands),
            "preparedTransactionHash": hash_of(&self.commands),
            "origin": self.origin,
            "createdAt": humantime::format_rfc3339_millis(self.created).to_string(),
        });
        if let Some(payload) = &self.payload {
            json["payload"] = payload.clone();
        }
        json
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn hash_of(text: &str) -> String {
    use base64::Engine;
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(hash.as_ref())
}

impl Inner {
    pub(crate) fn transaction(&self, id: &str) -> Option<&Transaction> {
        self.gateway.transactions.iter().find(|it| it.id == id)
    }

    fn transaction_mut(&mut self, id: &str) -> Option<&mut Transaction> {
        self.gateway.transactions.iter_mut().find(|it| it.id == id)
    }

    /// Has the ledger prepare commands; its refusal, if it refuses.
    fn ledger_prepares(
        &mut self,
        id: &str,
        commands: &Value,
        act_as: &[String],
    ) -> Result<(), ErrorObjectOwned> {
        let internal = self.dialect().internal_ledger_errors;
        if !self.network_up {
            return Err(if internal {
                thrown("fetch failed")
            } else {
                network_down()
            });
        }
        let refuse = |code: &str, cause: &str, number: i32| {
            if internal {
                ErrorObjectOwned::owned(
                    -32603,
                    cause,
                    Some(json!({
                        "code": code, "cause": cause, "correlationId": null,
                        "traceId": "dev-wallet", "context": {}, "resources": [],
                        "errorCategory": 8, "grpcCodeValue": number, "retryInfo": null,
                        "definiteAnswer": null,
                    })),
                )
            } else {
                transaction_rejected(cause, json!({ "code": code, "commandId": id }))
            }
        };
        let known = |party: &&String| !self.accounts.iter().any(|it| it.party_id() == *party);
        if let Some(stranger) = act_as.iter().find(known) {
            let why = format!("the wallet cannot act as `{stranger}`");
            return Err(if internal {
                refuse("PERMISSION_DENIED", &why, 7)
            } else {
                unauthorized(&why)
            });
        }
        let empty = match commands {
            Value::Array(commands) => commands.is_empty(),
            Value::Object(commands) => commands.is_empty(),
            _ => true,
        };
        if empty || self.faults.fail_prepare {
            return Err(refuse(
                "INVALID_ARGUMENT",
                "the ledger cannot prepare the commands",
                3,
            ));
        }
        if !self.ledger.submit(id) {
            return Err(refuse(
                "DUPLICATE_COMMAND",
                "the command was submitted before",
                6,
            ));
        }
        Ok(())
    }
}

impl DevWalletState {
    /// Prepares commands: tells their owner, and has the person asked. Answers where to go.
    pub(crate) fn prepare_for(&self, wanted: Wanted) -> Result<String, ErrorObjectOwned> {
        let dialect = self.lock().dialect();
        let given = wanted.command_id.filter(|id| !id.is_empty());
        let command_id = given.unwrap_or_else(crate::random::uuid);
        let tx = |status: &str| json!({ "status": status, "commandId": command_id });
        self.emit(&wanted.owner, "txChanged", tx("pending"));
        let prepared = self.change(|inner| {
            let mut act_as = wanted.act_as;
            if act_as.is_empty()
                && let Some(primary) = inner.accounts.get(inner.primary)
            {
                act_as.push(primary.party_id().to_owned());
            }
            inner.ledger_prepares(&command_id, &wanted.commands, &act_as)?;
            let transaction = Transaction {
                id: crate::random::uuid(),
                command_id: command_id.clone(),
                owner: wanted.owner.clone(),
                origin: wanted.origin,
                stage: Stage::Pending,
                act_as,
                commands: wanted.commands.to_string(),
                created: SystemTime::now(),
                payload: None,
            };
            inner.gateway.transactions.push(transaction.clone());
            Ok((transaction, inner.approval_for(&wanted.owner)))
        });
        let (transaction, approval) = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => {
                if !dialect.prepare_failure_is_silent {
                    self.emit(&wanted.owner, "txChanged", tx("failed"));
                }
                return Err(refusal);
            }
        };
        let id = transaction.id;
        self.decide_later(approval, PendingKind::Submit, &command_id, &id);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("transactionId", &id)
            .append_pair("commandId", &command_id)
            .finish();
        let base = self.lock().base_url();
        Ok(format!(
            "{base}/approve/index.html?{query}&closeafteraction"
        ))
    }

    /// Takes a message to sign. Answers its id and where to go.
    pub(crate) fn message_for(&self, owner: Owner, text: String) -> (String, String) {
        let id = crate::random::uuid();
        let (approval, base) = self.change(|inner| {
            inner.gateway.messages.push(Message {
                id: id.clone(),
                owner: owner.clone(),
                text: text.clone(),
                decided: false,
            });
            (inner.approval_for(&owner), inner.base_url())
        });
        let pending = json!({ "status": "pending", "messageId": id });
        self.emit(&owner, "messageSignature", pending);
        self.decide_later(approval, PendingKind::Sign, &text, &id);
        let url = format!("{base}/approve/index.html?messageId={id}&closeafteraction");
        (id, url)
    }

    /// Decides on a transaction or a message as the settings say, or has a person asked.
    fn decide_later(&self, approval: Approval, kind: PendingKind, summary: &str, id: &str) {
        let (state, id) = (self.clone(), id.to_owned());
        let asked = (approval == Approval::Manual).then(|| self.ask_about(kind, summary, &id));
        let delay = match approval {
            Approval::After(delay) => Some(self.lock().gateway.clock.real(delay)),
            _ => None,
        };
        tokio::spawn(async move {
            let agreed = match (approval, asked) {
                (Approval::Reject, _) => false,
                // Not decided: the transaction was decided elsewhere, or the wallet went away.
                (_, Some(asked)) => match asked.await {
                    Ok(agreed) => agreed,
                    Err(_) => return,
                },
                _ => {
                    if let Some(delay) = delay {
                        tokio::time::sleep(delay).await;
                    }
                    true
                }
            };
            if agreed {
                state.approve_by_id(&id).ok();
            } else {
                state.reject_by_id(&id).ok();
            }
        });
    }

    /// A person approves a transaction or a message: signs it, executes it.
    pub(crate) fn approve_by_id(&self, id: &str) -> Result<(), ErrorObjectOwned> {
        self.drop_question(id);
        if self.lock().transaction(id).is_none() {
            return self.sign_message_by_id(id, true);
        }
        self.sign_transaction(id, None)?;
        self.execute_transaction(id).map(drop)
    }

    /// A person rejects a transaction or a message.
    pub(crate) fn reject_by_id(&self, id: &str) -> Result<(), ErrorObjectOwned> {
        self.drop_question(id);
        if self.lock().transaction(id).is_none() {
            return self.sign_message_by_id(id, false);
        }
        let (owner, command_id, silent) = self.change(|inner| {
            let position = inner.gateway.transactions.iter().position(|it| it.id == id);
            let transaction = position.map(|at| inner.gateway.transactions.remove(at));
            let transaction = transaction.ok_or_else(|| not_found("transaction"))?;
            // The ledger never hears of what a person refused.
            inner.ledger.withdraw(&transaction.command_id);
            let over = matches!(transaction.stage, Stage::Executed | Stage::Failed);
            let silent = over || inner.dialect().reject_is_silent;
            Ok::<_, ErrorObjectOwned>((transaction.owner, transaction.command_id, silent))
        })?;
        if !silent {
            let failed = json!({ "status": "failed", "commandId": command_id });
            self.emit(&owner, "txChanged", failed);
        }
        Ok(())
    }

    /// Signs a transaction. Answers what the user API's `sign` does.
    pub(crate) fn sign_transaction(
        &self,
        id: &str,
        party: Option<&str>,
    ) -> Result<Value, ErrorObjectOwned> {
        self.drop_question(id);
        let (owner, event, answer) = self.change(|inner| {
            let dialect = inner.dialect();
            let transaction = inner
                .transaction(id)
                .ok_or_else(|| not_found("transaction"))?;
            if !matches!(transaction.stage, Stage::Pending | Stage::Signed) {
                return Err(plain(-32000, "the transaction is over"));
            }
            let signer = party.or_else(|| transaction.act_as.first().map(String::as_str));
            let account = inner
                .accounts
                .iter()
                .find(|it| Some(it.party_id()) == signer)
                .ok_or_else(|| not_found("party"))?;
            let payload = json!({
                "signature": account.sign_base64(transaction.commands.as_bytes()),
                "signedBy": account.fingerprint(),
                "party": account.party_id(),
            });
            let answer = json!({
                "status": "signed",
                "signature": payload["signature"],
                "signedBy": payload["signedBy"],
                "partyId": account.party_id(),
            });
            let already = transaction.stage == Stage::Signed;
            let transaction = inner
                .transaction_mut(id)
                .ok_or_else(|| not_found("transaction"))?;
            transaction.stage = Stage::Signed;
            let event = if already || dialect.signed_unannounced {
                None
            } else if dialect.signed_without_signature {
                Some(transaction.to_json())
            } else {
                let id = &transaction.command_id;
                Some(json!({ "status": "signed", "commandId": id, "payload": payload }))
            };
            Ok::<_, ErrorObjectOwned>((transaction.owner.clone(), event, answer))
        })?;
        if let Some(event) = event {
            self.emit(&owner, "txChanged", event);
        }
        Ok(answer)
    }

    /// Executes a signed transaction on the ledger. Answers what the user API's `execute` does.
    pub(crate) fn execute_transaction(&self, id: &str) -> Result<Value, ErrorObjectOwned> {
        self.drop_question(id);
        let outcome = self.change(|inner| {
            let transaction = inner
                .transaction(id)
                .ok_or_else(|| not_found("transaction"))?;
            if transaction.stage != Stage::Signed {
                return Err(plain(-32000, "the transaction is not signed, or over"));
            }
            let Transaction {
                command_id, act_as, ..
            } = transaction.clone();
            let well = inner.network_up && !inner.faults.fail_transactions;
            let completion = inner.ledger.complete(&command_id, &act_as, well);
            let (superset, silent) = {
                let dialect = inner.dialect();
                (dialect.tx_superset, dialect.execute_failure_is_silent)
            };
            let transaction = inner
                .transaction_mut(id)
                .ok_or_else(|| not_found("transaction"))?;
            let Some(update_id) = completion.update_id else {
                transaction.stage = Stage::Failed;
                let event = json!({ "status": "failed", "commandId": command_id });
                return Ok((transaction.owner.clone(), (!silent).then_some(event), None));
            };
            let payload = json!({ "updateId": update_id, "completionOffset": completion.offset });
            transaction.stage = Stage::Executed;
            transaction.payload = Some(payload.clone());
            let event = if superset {
                transaction.to_json()
            } else {
                json!({ "status": "executed", "commandId": command_id, "payload": payload })
            };
            Ok((transaction.owner.clone(), Some(event), Some(payload)))
        });
        let (owner, event, payload) = outcome?;
        if let Some(event) = event {
            self.emit(&owner, "txChanged", event);
        }
        payload.ok_or_else(|| {
            let details = json!({ "code": "DEV_WALLET_FAILS_TRANSACTIONS" });
            transaction_rejected("the ledger rejected the transaction", details)
        })
    }

    fn sign_message_by_id(&self, id: &str, agreed: bool) -> Result<(), ErrorObjectOwned> {
        let (owner, event) = self.change(|inner| {
            let messages = &mut inner.gateway.messages;
            let open = messages.iter_mut().find(|it| it.id == id && !it.decided);
            let message = open.ok_or_else(|| not_found("message"))?;
            message.decided = true;
            let (owner, text) = (message.owner.clone(), message.text.clone());
            let signer = agreed.then(|| inner.accounts.get(inner.primary)).flatten();
            let event = match signer {
                Some(account) => json!({
                    "status": "signed", "messageId": id,
                    "signature": account.sign_base64(text.as_bytes()),
                }),
                None => json!({ "status": "failed", "messageId": id }),
            };
            Ok::<_, ErrorObjectOwned>((owner, event))
        })?;
        self.emit(&owner, "messageSignature", event);
        Ok(())
    }
}

impl Inner {
    /// What happens to whatever this owner wants: nobody is asked about an API key's wishes.
    fn approval_for(&self, owner: &Owner) -> Approval {
        let by_key = match owner {
            Owner::User { session, .. } => {
                let sessions = self.gateway.sessions.iter();
                sessions
                    .into_iter()
                    .any(|it| it.id == *session && it.api_key)
            }
            Owner::Everybody => false,
        };
        if by_key {
            Approval::Auto
        } else {
            self.approval
        }
    }
}

/// An exception, as gateways answer with one.
pub(crate) fn thrown(message: &str) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(-32603, message, Some(json!({})))
}
