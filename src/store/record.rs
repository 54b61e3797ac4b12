//! What a store keeps of a session.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::about::About;
use super::fields::Extra;
use crate::clock::Timestamp;
use crate::identity::{Account, Identity, NetworkId, primary_account, same_accounts};
use crate::provider::ProviderPayload;
use crate::snapshot::DisconnectReason;

/// What the user last asked for. Only the user changes it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// To be connected.
    Connected,
    /// To be disconnected.
    #[default]
    Disconnected,
}

/// A session as a store keeps it.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Record {
    /// The wallet protocol, as [`Provider::kind`](crate::Provider::kind) names it.
    pub provider: Arc<str>,
    /// What the user last asked for.
    pub intent: Intent,
    /// The accounts, as last known.
    pub accounts: Arc<[Account]>,
    /// The network, as last known.
    pub network: Option<NetworkId>,
    /// When the user's connection was established.
    pub connected_at: Timestamp,
    /// When the session expires.
    pub expires_at: Option<Timestamp>,
    /// Counts the states of the session that were to be written: a later state has a higher one.
    pub generation: u64,
    /// When the session was made and used, and by what: kept by a
    /// [manager](crate::manager::SessionManager). Whoever writes a record without it leaves what
    /// stands there, in stores that write records out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Arc<About>>,
    /// What the provider needs to be built again. It may be secret, and is written by stores that
    /// encrypt alone. In the envelope it is the member `providerPayload` of the record, beside
    /// `provider`, whose payload it is (and not `signer`: a wallet elsewhere has an address and a
    /// token, and signs by itself). Versions that do not know the member keep it as it is.
    #[serde(skip)]
    pub provider_payload: Option<ProviderPayload>,
    /// What a later version wrote beside and this one does not know; a store that reads it keeps
    /// it on the next save.
    #[serde(skip)]
    pub extra: Option<Arc<Extra>>,
}

impl Record {
    /// A record of a session that the user wants connected.
    pub fn new(
        provider: impl Into<Arc<str>>,
        accounts: impl Into<Arc<[Account]>>,
        network: Option<NetworkId>,
        connected_at: Timestamp,
    ) -> Self {
        Self {
            provider: provider.into(),
            intent: Intent::Connected,
            accounts: accounts.into(),
            network,
            connected_at,
            expires_at: None,
            generation: 0,
            about: None,
            provider_payload: None,
            extra: None,
        }
    }

    /// Sets the expiry.
    #[must_use]
    pub fn expiring_at(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Adds when it was made and used, and by what.
    #[must_use]
    pub fn with_about(mut self, about: About) -> Self {
        self.about = Some(Arc::new(about));
        self
    }

    /// Adds what the provider needs to be built again.
    #[must_use]
    pub fn with_payload(mut self, payload: Option<ProviderPayload>) -> Self {
        self.provider_payload = payload;
        self
    }

    /// Whether another record says the same, whenever it was written.
    pub(crate) fn is_same_session(&self, other: &Self) -> bool {
        let comparable = |record: &Self| {
            (
                record.provider.clone(),
                record.intent,
                record.accounts.clone(),
                record.network.clone(),
                record.connected_at,
                record.expires_at,
            )
        };
        comparable(self) == comparable(other)
    }

    /// Whether another record is of the same accounts on the same network.
    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        same_accounts(&self.accounts, &other.accounts) && self.network == other.network
    }

    /// Whether a session that has this to write finds it said in another member's record: all but
    /// when that one was connected.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        self.provider == other.provider
            && self.intent == other.intent
            && self.expires_at == other.expires_at
            && self.is_of_same(other)
    }

    /// Whom the session acted for.
    pub fn identity(&self) -> Option<Identity> {
        primary_account(&self.accounts)
            .map(|account| Identity::new(account.id.clone(), self.network.clone()))
    }
}

/// What is left of a record that was removed.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tombstone {
    /// Why the session ended: a restore tells the user's own disconnect from an expiry by it.
    pub reason: DisconnectReason,
    /// When.
    pub at: Timestamp,
    /// As in [`Record::generation`].
    pub generation: u64,
}

impl Tombstone {
    /// A tombstone of a session that ended for `reason` at `at`.
    pub fn new(reason: DisconnectReason, at: Timestamp) -> Self {
        Self {
            reason,
            at,
            generation: 0,
        }
    }
}
