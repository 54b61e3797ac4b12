//! The accounts ("wallets" in the API descriptions) a dApp may use.

use moorline::Account;
use serde::Deserialize;

/// One account: a Canton party and what the wallet knows of it (CIP-0103, "listAccounts").
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Wallet {
    /// The party id.
    pub party_id: String,
    /// Whether it is the account to act for.
    #[serde(default)]
    pub primary: bool,
    /// How far its creation got.
    #[serde(default)]
    pub status: AccountStatus,
    /// The name of the party, for people.
    #[serde(default)]
    pub hint: Option<String>,
    /// The public key of the party, as the wallet writes it.
    #[serde(default)]
    pub public_key: Option<String>,
    /// The namespace of the party.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The network the account lives on.
    #[serde(default)]
    pub network_id: Option<String>,
    /// Who signs for it.
    #[serde(default)]
    pub signing_provider_id: Option<String>,
    /// Whether the wallet has no signing provider of its own for it.
    #[serde(default)]
    pub disabled: Option<bool>,
    /// Why the account is in its state.
    #[serde(default)]
    pub reason: Option<String>,
}

/// How far the creation of an account got.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AccountStatus {
    /// The party is on the ledger.
    Allocated,
    /// Not yet on the ledger (`initialized` in the API description, `initializing` in the text).
    #[serde(alias = "initialized")]
    Initializing,
    /// No longer there.
    Removed,
    /// The wallet did not say.
    #[default]
    Unsaid,
    /// Something this version does not know.
    #[serde(untagged)]
    Other(String),
}

impl Wallet {
    /// The account as a session knows it.
    pub fn to_account(&self) -> Account {
        let account = if self.primary {
            Account::primary(self.party_id.as_str())
        } else {
            Account::new(self.party_id.as_str())
        };
        match &self.hint {
            Some(hint) => account.with_label(hint.as_str()),
            None => account,
        }
    }
}
