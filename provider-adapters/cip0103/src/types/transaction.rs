//! Commands on their way to the ledger, and signatures.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Commands to prepare, sign and execute (CIP-0103, "prepareExecute").
///
/// The adapter fills in [`act_as`](Self::act_as) with the party of the identity the operation is
/// bound to where it is left empty, so that a change of party in the wallet cannot redirect it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PrepareExecute {
    /// Names the submission; `txChanged` events carry it. Chosen by the wallet if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// The Daml commands: in practice an array of create and exercise commands.
    pub commands: Value,
    /// The parties to act for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub act_as: Vec<String>,
    /// Further parties to read as.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_as: Vec<String>,
    /// Contracts the participant does not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disclosed_contracts: Vec<DisclosedContract>,
    /// The synchronizer to use; chosen by the participant if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synchronizer_id: Option<String>,
    /// Packages to prefer when names are resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub package_id_selection_preference: Vec<String>,
}

impl PrepareExecute {
    /// These commands, for the session's own party.
    pub fn new(commands: Value) -> Self {
        Self {
            command_id: None,
            commands,
            act_as: Vec::new(),
            read_as: Vec::new(),
            disclosed_contracts: Vec::new(),
            synchronizer_id: None,
            package_id_selection_preference: Vec::new(),
        }
    }

    /// Names the submission. Use an id once: the ledger refuses to execute it again.
    #[must_use]
    pub fn with_command_id(mut self, id: impl Into<String>) -> Self {
        self.command_id = Some(id.into());
        self
    }
}

/// A contract the participant does not know, handed to it with the commands.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DisclosedContract {
    /// Its template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<String>,
    /// Its creation, as the ledger wrote it.
    pub created_event_blob: String,
    /// The synchronizer it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronizer_id: Option<String>,
}

/// The payload of `txChanged` (CIP-0103, "txChanged").
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TxChanged {
    /// How far the transaction is.
    pub status: TxStatus,
    /// Which submission it is.
    pub command_id: String,
    /// What belongs to the status. Kept as it came: wallets are known to leave it out, and to put
    /// other things here. See [`signed`](Self::signed) and [`executed`](Self::executed).
    #[serde(default)]
    pub payload: Option<Value>,
}

impl TxChanged {
    /// Who signed, where the wallet says so.
    pub fn signed(&self) -> Option<SignedPayload> {
        self.payload_of(&TxStatus::Signed)
    }

    /// What became of it on the ledger, where it was executed and the wallet says so.
    pub fn executed(&self) -> Option<ExecutedPayload> {
        self.payload_of(&TxStatus::Executed)
    }

    fn payload_of<T: for<'a> Deserialize<'a>>(&self, status: &TxStatus) -> Option<T> {
        let payload = self.payload.as_ref().filter(|_| self.status == *status)?;
        T::deserialize(payload).ok()
    }
}

/// How far a transaction is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TxStatus {
    /// Prepared; a signature is awaited.
    Pending,
    /// Signed, on its way to the ledger.
    Signed,
    /// On the ledger.
    Executed,
    /// Not executed. Some wallets say this, too, when a person refused.
    Failed,
    /// Something this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// Who signed a transaction.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SignedPayload {
    /// The signature.
    pub signature: String,
    /// The fingerprint of the key, or the provider that signed.
    pub signed_by: String,
    /// The party that signed.
    pub party: String,
}

/// What became of a transaction on the ledger.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExecutedPayload {
    /// The id of the update on the ledger.
    pub update_id: String,
    /// The offset of the completion.
    pub completion_offset: i64,
}

/// A signature (CIP-0103, "signMessage").
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignMessageResult {
    /// The signature, as the wallet writes it.
    pub signature: String,
}

/// The answer to `signMessage`: the signature, as an object in the API description and as a bare
/// string in the text of the standard; or, from newer gateways, where a person approves it, and the
/// id under which its events come.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum SignAnswer {
    Bare(String),
    Done {
        signature: String,
    },
    #[serde(rename_all = "camelCase")]
    Pending {
        message_id: String,
    },
}

/// The payload of `messageSignature` (newer gateways; not in the standard).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MessageSignature {
    /// How far it is: `pending`, `signed`, or `failed`, which is what they say of a refusal, too.
    pub status: TxStatus,
    /// Which message.
    pub message_id: String,
    /// The signature, once there is one.
    #[serde(default)]
    pub signature: Option<String>,
}
