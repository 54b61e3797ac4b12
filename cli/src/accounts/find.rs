//! Which account somebody means.

use moorline::manager::SessionKey;

use super::stored::StoredSession;
use crate::failure::Failure;

/// The account with this label or id, or the only one whose label or id begins so. An id may be
/// followed by its network, as in `alice::1220 on canton:local`.
pub(super) fn find<'a>(
    accounts: &'a [StoredSession],
    text: &str,
) -> Result<(&'a StoredSession, &'a SessionKey), Failure> {
    let keyed = || {
        let keyed = accounts.iter();
        keyed.filter_map(|account| Some((account, account.key.as_ref()?)))
    };
    let exact = |(account, key): &(&StoredSession, &SessionKey)| {
        account.label.as_deref() == Some(text)
            || key.account.as_str() == text
            || key.identity().to_string() == text
    };
    let begins = |(account, key): &(&StoredSession, &SessionKey)| {
        let label = account.label.as_deref();
        label.is_some_and(|label| label.starts_with(text)) || key.to_string().starts_with(text)
    };
    let mut found: Vec<_> = keyed().filter(exact).collect();
    if found.is_empty() && !text.is_empty() {
        found = keyed().filter(begins).collect();
    }
    match found[..] {
        [] => Err(Failure::NoAccount(text.to_owned())),
        [one] => Ok(one),
        _ => Err(Failure::AmbiguousAccount {
            text: text.to_owned(),
            candidates: found.iter().map(candidate).collect(),
        }),
    }
}

fn candidate((account, key): &(&StoredSession, &SessionKey)) -> String {
    match &account.label {
        Some(label) => format!("{label} ({})", key.identity()),
        None => key.identity().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use moorline::store::{About, MemoryStore, Record, Revision, Store};
    use moorline::{Account, NetworkId, Timestamp};

    use super::*;
    use crate::accounts::stored;

    async fn accounts() -> Vec<StoredSession> {
        let store = MemoryStore::new();
        for (account, network, label) in [
            ("alice::1220aa", "canton:local", "work"),
            ("alice::1220bb", "canton:local", "workshop"),
            ("bob::1220cc", "canton:local", ""),
            ("bob::1220cc", "canton:test", ""),
        ] {
            let network = NetworkId::from(network);
            let accounts = vec![Account::primary(account)];
            let record = Record::new("cip0103", accounts, Some(network.clone()), Timestamp::EPOCH);
            let mut about = About::new(Timestamp::EPOCH);
            about.label = (!label.is_empty()).then(|| label.into());
            let name = format!("accounts/{account}/{network}").into();
            let record = record.with_about(about);
            store.save(&name, record, Revision::NONE).await.unwrap();
        }
        stored::sessions(&store, Some("accounts")).await.unwrap()
    }

    #[tokio::test]
    async fn accounts_are_named_by_label_id_or_the_begin_of_one() {
        let accounts = accounts().await;
        let found = |text: &str| match find(&accounts, text) {
            Ok((_, key)) => key.identity().to_string(),
            Err(error) => error.to_string(),
        };
        // A whole label counts more than the begin of another.
        assert_eq!(found("work"), "alice::1220aa on canton:local");
        assert_eq!(found("works"), "alice::1220bb on canton:local");
        assert_eq!(found("alice::1220b"), "alice::1220bb on canton:local");
        assert_eq!(
            found("bob::1220cc on canton:t"),
            "bob::1220cc on canton:test"
        );
        for (text, candidates) in [
            ("alice", ["work (alice::1220aa", "workshop (alice::1220bb"]),
            ("bob::1220cc", ["on canton:local", "on canton:test"]),
        ] {
            let error = found(text);
            assert!(candidates.iter().all(|it| error.contains(it)), "{error}");
        }
        assert!(found("carol").contains("`carol`"));
        assert!(found("").contains("no account"));
    }
}
