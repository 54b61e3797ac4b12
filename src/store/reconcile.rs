//! What a record says beside what the wallet says.

use serde::Serialize;

use super::Record;
use crate::identity::{AccountId, NetworkId, primary_account};
use crate::provider::Live;

/// Something that is recorded one way and live another.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference<T> {
    /// As the record has it.
    pub recorded: Option<T>,
    /// As the wallet has it.
    pub live: T,
}

/// How a wallet's live state differs from a record.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Differences {
    /// The account to act for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Difference<AccountId>>,
    /// The network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Difference<NetworkId>>,
    /// Accounts that only the wallet has.
    pub added: Vec<AccountId>,
    /// Accounts that only the record has.
    pub removed: Vec<AccountId>,
}

impl Differences {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// Whether the session would act for somebody else, or elsewhere, than its record says: what
    /// was meant for the one must not run for the other.
    pub fn change_identity(&self) -> bool {
        self.account.is_some() || self.network.is_some()
    }
}

/// Compares a record with what a probe of the wallet found, as every restore does. The order of
/// accounts makes no difference, and unknown is not empty: a wallet that names no account or no
/// network differs in nothing.
pub fn reconcile(record: &Record, live: &Live) -> Differences {
    let mut differences = Differences::default();
    if let Some(network) = &live.network
        && record.network.as_ref() != Some(network)
    {
        differences.network = Some(Difference {
            recorded: record.network.clone(),
            live: network.clone(),
        });
    }
    let Some(primary) = primary_account(&live.accounts) else {
        return differences;
    };
    let recorded = primary_account(&record.accounts).map(|account| &account.id);
    if recorded != Some(&primary.id) {
        differences.account = Some(Difference {
            recorded: recorded.cloned(),
            live: primary.id.clone(),
        });
    }
    let (before, now) = (&record.accounts, &live.accounts);
    let only_in = |these: &[crate::Account], those: &[crate::Account]| {
        let lacks = |id: &AccountId| those.iter().all(|it| it.id != *id);
        let ids = these.iter().map(|account| &account.id);
        ids.filter(|id| lacks(id)).cloned().collect()
    };
    differences.added = only_in(now, before);
    differences.removed = only_in(before, now);
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Account, Timestamp};

    fn record() -> Record {
        let accounts = vec![Account::primary("alice"), Account::new("bob")];
        Record::new("test", accounts, Some("canton:a".into()), Timestamp::EPOCH)
    }

    #[test]
    fn the_same_in_another_order_is_the_same() {
        let live = Live::new(vec![Account::new("bob"), Account::primary("alice")]);
        assert!(reconcile(&record(), &live.clone().on_network("canton:a")).is_empty());
        assert!(
            reconcile(&record(), &live).is_empty(),
            "unknown is not empty"
        );
        assert!(reconcile(&record(), &Live::new(Vec::new())).is_empty());
    }

    #[test]
    fn pl_2_every_difference_is_named() {
        let live = Live::new(vec![Account::primary("carol"), Account::new("bob")]);
        let found = reconcile(&record(), &live.on_network("canton:b"));
        assert!(found.change_identity());
        let json = serde_json::to_value(&found).unwrap();
        let expected = serde_json::json!({
            "account": { "recorded": "alice", "live": "carol" },
            "network": { "recorded": "canton:a", "live": "canton:b" },
            "added": ["carol"],
            "removed": ["alice"],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn another_account_beside_changes_no_identity() {
        let live = Live::new(vec![Account::primary("alice"), Account::new("dora")]);
        let found = reconcile(&record(), &live);
        assert!(!found.change_identity() && !found.is_empty());
        assert_eq!(found.added, ["dora".into()]);
        assert_eq!(found.removed, ["bob".into()]);
    }
}
