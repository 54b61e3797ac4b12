//! Who a session acts for: accounts, networks and their pair, the identity.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An account id in the spirit of CAIP-10: on Canton the party id, on other chains whatever the
/// wallet calls an account. Opaque: moorline compares it and never looks inside.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(Arc<str>);

/// A network id in the form of CAIP-2 (`canton:da-mainnet`, `eip155:1`). Defined by the operator
/// of the network, so never a closed set and never parsed.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkId(Arc<str>);

macro_rules! opaque_id {
    ($name:ident) => {
        impl $name {
            /// Wraps an id as the wallet wrote it.
            pub fn new(id: impl Into<Arc<str>>) -> Self {
                Self(id.into())
            }

            /// The id as the wallet wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self::new(id)
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self::new(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

opaque_id!(AccountId);
opaque_id!(NetworkId);

/// One account that the wallet lets this program use.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Account {
    /// The account's id.
    pub id: AccountId,
    /// Whether the wallet marks it as the one to act for.
    #[serde(default)]
    pub primary: bool,
    /// A name for people, where the wallet has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
}

impl Account {
    /// An account that is not the primary one and has no label.
    pub fn new(id: impl Into<AccountId>) -> Self {
        Self {
            id: id.into(),
            primary: false,
            label: None,
        }
    }

    /// An account that the wallet marks as primary.
    pub fn primary(id: impl Into<AccountId>) -> Self {
        Self {
            primary: true,
            ..Self::new(id)
        }
    }

    /// Sets the name shown to people.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }
}

/// The account to act for: the first one marked primary, else the first of the list.
pub fn primary_account(accounts: &[Account]) -> Option<&Account> {
    accounts
        .iter()
        .find(|account| account.primary)
        .or_else(|| accounts.first())
}

/// Whether two lists name the same accounts with the same primary one, in whatever order.
pub(crate) fn same_accounts(before: &[Account], now: &[Account]) -> bool {
    before.len() == now.len()
        && primary_account(before).map(|account| &account.id)
            == primary_account(now).map(|account| &account.id)
        && now.iter().all(|account| before.contains(account))
}

/// Whom and where a session acts for: an account on a network.
///
/// The network is `None` only where the wallet never names one. Operations are bound to the
/// identity they were submitted under and run under no other.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The account (on Canton, the party).
    pub account: AccountId,
    /// The network, where the wallet names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkId>,
}

impl Identity {
    /// The identity of `account` on `network`.
    pub fn new(account: impl Into<AccountId>, network: Option<NetworkId>) -> Self {
        Self {
            account: account.into(),
            network,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.network {
            Some(network) => write!(f, "{} on {network}", self.account),
            None => write!(f, "{}", self.account),
        }
    }
}
