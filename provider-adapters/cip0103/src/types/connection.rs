//! Whether the wallet is connected, to what, and as whom.

use secrecy::SecretString;
use serde::Deserialize;

/// The answer to `connect` and `isConnected` (CIP-0103, "connect").
///
/// The session with the wallet and the wallet's reach to its network are two things: a wallet that
/// is cut off from its network is still connected.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectResult {
    /// Whether the user is authenticated with the wallet.
    pub is_connected: bool,
    /// Why not, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether the wallet reaches its network. Optional in the standard.
    #[serde(default)]
    pub is_network_connected: Option<bool>,
    /// Why not, for people.
    #[serde(default)]
    pub network_reason: Option<String>,
    /// Where a person logs in (asynchronous variant, and wallets that follow it).
    #[serde(default)]
    pub user_url: Option<String>,
}

/// The answer to `status` and the payload of `statusChanged` and `connected` (CIP-0103, "status").
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct StatusEvent {
    /// Whether the wallet is connected.
    pub connection: ConnectResult,
    /// Which wallet it is.
    #[serde(default)]
    pub provider: Option<ProviderInfo>,
    /// The network behind the wallet.
    #[serde(default)]
    pub network: Option<Network>,
    /// The session, if the user is authenticated.
    #[serde(default)]
    pub session: Option<SessionInfo>,
}

/// Which wallet it is (CIP-0103, "status").
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ProviderInfo {
    /// The wallet's own id.
    pub id: Option<String>,
    /// The version of the dApp API it speaks, where it says so.
    pub version: Option<String>,
    /// `browser`, `desktop`, `mobile` or `remote`.
    pub provider_type: Option<String>,
    /// Where the wallet is.
    pub url: Option<String>,
    /// Where its user interface is.
    pub user_url: Option<String>,
}

/// A network (CIP-0103, "status" and "getActiveNetwork").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Network {
    /// The CAIP-2 id, defined by the operator: never a closed set.
    pub network_id: String,
    /// The base URL of the JSON Ledger API.
    #[serde(default)]
    pub ledger_api: Option<String>,
    /// A token for that API.
    #[serde(default)]
    pub access_token: Option<SecretString>,
}

/// A session at the wallet (CIP-0103, "status").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionInfo {
    /// The token of the session, usually a JWT.
    #[serde(default)]
    pub access_token: Option<SecretString>,
    /// The user's id at the wallet.
    #[serde(default)]
    pub user_id: Option<String>,
}
