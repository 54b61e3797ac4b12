//! What sessions are told apart by, and how they are asked for.

use std::fmt;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::read_only;
use crate::identity::{AccountId, Identity, NetworkId};
use crate::store::{Record, RecordName};

/// What a manager tells its sessions apart by: account, network and wallet protocol. Sorted in
/// this order.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct SessionKey {
    /// The account that the wallet confirmed.
    pub account: AccountId,
    /// Its network, where the wallet names one.
    pub network: Option<NetworkId>,
    /// The wallet protocol, as [`Provider::kind`](crate::Provider::kind) names it.
    pub provider: Arc<str>,
}

impl SessionKey {
    /// A key.
    pub fn new(identity: Identity, provider: impl Into<Arc<str>>) -> Self {
        Self {
            account: identity.account,
            network: identity.network,
            provider: provider.into(),
        }
    }

    /// Whether it is that of a session that only watches.
    pub(super) fn is_read_only(&self) -> bool {
        &*self.provider == read_only::KIND
    }

    /// Whom a session with this key acts for.
    pub fn identity(&self) -> Identity {
        Identity::new(self.account.clone(), self.network.clone())
    }

    /// Where its record stands. Wallets of different kinds never share a record.
    pub(super) fn record_name(&self, namespace: &str) -> RecordName {
        let mut name = session_prefix(namespace);
        escape(&self.provider, &mut name);
        name.push_str(&self.name_end());
        name.into()
    }

    /// How the names of all records end that are of the same account on the same network.
    pub(super) fn name_end(&self) -> String {
        let mut end = String::new();
        match &self.network {
            Some(network) => {
                end.push_str("/=");
                escape(network.as_str(), &mut end);
            }
            None => end.push_str("/-"),
        }
        end.push('/');
        escape(self.account.as_str(), &mut end);
        end
    }
}

#[cfg(feature = "stores")]
impl SessionKey {
    /// The key whose record has this name, without what all names begin with.
    pub(super) fn from_record_name(rest: &str) -> Option<Self> {
        let mut parts = rest.split('/');
        let (provider, network, account) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let network = match network.strip_prefix('=') {
            Some(network) => Some(unescape(network)?.into()),
            None if network == "-" => None,
            None => return None,
        };
        Some(Self {
            account: unescape(account)?.into(),
            network,
            provider: unescape(provider)?.into(),
        })
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.identity(), self.provider)
    }
}

/// What the names of all sessions' records begin with.
pub(super) fn session_prefix(namespace: &str) -> String {
    format!("{namespace}/session/")
}

/// Where the manager's own record stands.
pub(super) fn own_name(namespace: &str) -> RecordName {
    format!("{namespace}/manager").into()
}

/// Whether a session's record stands for this account, by its name.
pub(super) fn is_of_account(name: &RecordName, account: &AccountId) -> bool {
    let mut escaped = String::new();
    escape(account.as_str(), &mut escaped);
    name.as_str().rsplit('/').next() == Some(&*escaped)
}

/// Whom a record says it acts for.
pub(super) fn of_record(record: &Record) -> Option<Arc<SessionKey>> {
    let key = SessionKey::new(record.identity()?, record.provider.clone());
    Some(Arc::new(key))
}

fn escape(part: &str, name: &mut String) {
    for c in part.chars() {
        match c {
            '/' | '%' => {
                // Writing to a string cannot fail.
                let _written = write!(name, "%{:02X}", u32::from(c));
            }
            _ => name.push(c),
        }
    }
}

#[cfg(feature = "stores")]
fn unescape(part: &str) -> Option<String> {
    let mut text = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let code = u8::from_str_radix(after.get(..2)?, 16).ok()?;
        text.push(char::from(code));
        rest = after.get(2..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// Asks for a session: by account alone where that is enough, or by the whole key.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Who {
    /// The session of this account, if there is one only.
    Account(AccountId),
    /// The session with this key.
    Key(SessionKey),
}

impl From<&str> for Who {
    fn from(account: &str) -> Self {
        Self::Account(account.into())
    }
}

impl From<AccountId> for Who {
    fn from(account: AccountId) -> Self {
        Self::Account(account)
    }
}

impl From<&AccountId> for Who {
    fn from(account: &AccountId) -> Self {
        Self::Account(account.clone())
    }
}

impl From<SessionKey> for Who {
    fn from(key: SessionKey) -> Self {
        Self::Key(key)
    }
}

impl From<&SessionKey> for Who {
    fn from(key: &SessionKey) -> Self {
        Self::Key(key.clone())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => account.fmt(f),
            Self::Key(key) => key.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_different_keys_differ() {
        let name = |account: &str, network: Option<&str>, kind: &str| {
            let identity = Identity::new(account, network.map(NetworkId::from));
            SessionKey::new(identity, kind).record_name("app")
        };
        let names = [
            name("a", None, "k"),
            name("a", Some("-"), "k"),
            name("a", Some(""), "k"),
            name("-/a", None, "k"),
            name("a", None, "k/-"),
            name("%2Fa", None, "k"),
            name("/a", None, "k"),
        ];
        for (index, one) in names.iter().enumerate() {
            assert!(!names[index + 1..].contains(one), "{one}");
        }
        assert_eq!(names[1].as_str(), "app/session/k/=-/a");
    }

    #[cfg(feature = "stores")]
    #[test]
    fn a_key_is_read_from_its_name() {
        for (account, network) in [("a", None), ("%2Fa/%", Some("n/=")), ("é::1", Some(""))] {
            let identity = Identity::new(account, network.map(NetworkId::from));
            let key = SessionKey::new(identity, "k/-");
            let name = key.record_name("app/x");
            let rest = name.as_str().strip_prefix("app/x/session/").unwrap();
            assert_eq!(SessionKey::from_record_name(rest), Some(key));
        }
        for odd in ["", "k/-", "k/n/a", "k/-/a/b", "k/-/%2", "k/-/%zz"] {
            assert_eq!(SessionKey::from_record_name(odd), None, "{odd}");
        }
    }
}
