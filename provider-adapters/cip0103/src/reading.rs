//! What a wallet's answers mean for a session. Knows nothing of transports.

use moorline::Account;
use moorline::provider::{
    ErrorKind, Live, NetworkLink, OpenMode, Opened, ProviderError, UserAction, UserActionKind,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::address::is_trustworthy;
use crate::error::malformed;
use crate::jwt;
use crate::redact::scrub_text;
use crate::types::{AccountStatus, ConnectResult, StatusEvent, Wallet};

/// Reasons with which a wallet says that the session is over, for certain.
const OVER: [&str; 13] = [
    "disconnect",
    "disconnected",
    "disconnected by user",
    "logged out",
    "logout",
    "no active session",
    "no active session found",
    "no session",
    "no session found",
    "removed session",
    "session ended",
    "session expired",
    "session revoked",
];

/// Reasons that tell nothing: they stand for an expired token as well as for an identity provider
/// that is down.
const AMBIGUOUS: [&str; 3] = ["not connected", "unauthenticated", "unauthorized"];

/// Parts of reasons that speak of trouble on the way, not of an end.
const TROUBLE: [&str; 8] = [
    "connecting",
    "fetch failed",
    "loading",
    "locked",
    "starting",
    "timed out",
    "timeout",
    "unreachable",
];

/// Parts of reasons that say that a person has not finished.
const UNFINISHED: [&str; 4] = ["approval", "in progress", "pending", "waiting"];

/// Parts of reasons that say that a person refused.
const REFUSED: [&str; 3] = ["denied", "refused by", "reject"];

/// Decodes an answer.
pub(crate) fn decode<T: DeserializeOwned>(method: &str, answer: Value) -> Result<T, ProviderError> {
    serde_json::from_value(answer).map_err(|problem| malformed(method, problem))
}

/// What the answer to `connect` (interactive) or `isConnected` (silent) means for an open.
pub(crate) fn opened(mode: OpenMode, answer: &ConnectResult) -> Result<Opened, ProviderError> {
    if answer.is_connected {
        return Ok(Opened::Established);
    }
    match (mode, &answer.user_url) {
        (OpenMode::Interactive, Some(url)) => {
            let url = user_url(url)?;
            Ok(Opened::UserActionRequired(UserAction::new(
                UserActionKind::Login,
                url,
            )))
        }
        (OpenMode::Interactive | OpenMode::Silent, _) => Err(not_connected(answer)),
    }
}

/// What `status` and `listAccounts` say together.
pub(crate) fn live(status: &StatusEvent, wallets: &[Wallet]) -> Live {
    let accounts = accounts(wallets);
    let of_primary = || {
        let primary = wallets.iter().find(|wallet| wallet.primary);
        primary.or_else(|| wallets.first())?.network_id.as_deref()
    };
    let named = status.network.as_ref().map(|it| it.network_id.as_str());
    let mut live = Live::new(accounts).with_link(link(&status.connection));
    if let Some(network) = named.or_else(of_primary) {
        live = live.on_network(network);
    }
    match expiry(status) {
        Some(at) => live.expiring_at(at),
        None => live,
    }
}

/// The accounts that can be acted for: those that were removed are left out.
pub(crate) fn accounts(wallets: &[Wallet]) -> Vec<Account> {
    wallets
        .iter()
        .filter(|wallet| wallet.status != AccountStatus::Removed)
        .map(Wallet::to_account)
        .collect()
}

/// Whether the wallet reaches its network.
pub(crate) fn link(connection: &ConnectResult) -> NetworkLink {
    match connection.is_network_connected {
        Some(true) => NetworkLink::Up,
        Some(false) => NetworkLink::Down,
        None => NetworkLink::Unknown,
    }
}

/// When the wallet's credentials end: the session's token, else that of the ledger.
pub(crate) fn expiry(status: &StatusEvent) -> Option<moorline::Timestamp> {
    let session = status
        .session
        .as_ref()
        .and_then(|it| it.access_token.as_ref());
    let ledger = status
        .network
        .as_ref()
        .and_then(|it| it.access_token.as_ref());
    session.or(ledger).and_then(jwt::expiry)
}

/// What `isConnected: false` says, as an error.
///
/// "Not connected" is ambiguous by construction: an expired token, an identity provider that is
/// down and a logout can look the same. The session is gone only where the wallet says so
/// plainly: a reason that means an end, or any other clear reason while its network is reachable.
/// Everything else is "unknown", and tried again.
pub(crate) fn not_connected(answer: &ConnectResult) -> ProviderError {
    let reasons = [&answer.reason, &answer.network_reason].map(|reason| {
        reason
            .as_deref()
            .map(|reason| scrub_text(reason.trim()))
            .filter(|reason| !reason.is_empty())
    });
    let [reason, network_reason] = &reasons;
    let said = match (reason, network_reason) {
        (Some(reason), _) => format!("the wallet is not connected: {reason}"),
        (None, Some(reason)) => format!("the wallet is not connected (network: {reason})"),
        (None, None) => "the wallet is not connected and does not say why".to_owned(),
    };
    let plain = |reason: &Option<String>| reason.as_deref().unwrap_or_default().to_lowercase();
    let (reason, network_reason) = (plain(reason), plain(network_reason));
    let has = |parts: &[&str]| parts.iter().any(|part| reason.contains(part));

    let kind = if has(&REFUSED) {
        ErrorKind::UserRejected
    } else if OVER.contains(&reason.as_str()) || OVER.contains(&network_reason.as_str()) {
        ErrorKind::SessionGone
    } else if has(&UNFINISHED) {
        ErrorKind::UserActionPending
    } else if reason.is_empty() || AMBIGUOUS.contains(&reason.as_str()) {
        ErrorKind::Unauthorized
    } else if has(&TROUBLE) || answer.is_network_connected != Some(true) {
        ErrorKind::Unreachable
    } else {
        ErrorKind::SessionGone
    };
    let error = ProviderError::new(kind, said).answered();
    match kind {
        ErrorKind::UserRejected => error.with_code(4001),
        _ => error,
    }
}

/// An address a person may be sent to: `https`, or `http` on this very computer.
pub(crate) fn user_url(text: &str) -> Result<String, ProviderError> {
    let refuse = |why: &str| {
        ProviderError::new(
            ErrorKind::Malformed,
            format!("the wallet sends a person to an address that cannot be trusted: {why}"),
        )
        .answered()
    };
    let url = Url::parse(text).map_err(|problem| refuse(&problem.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a user name or a password"));
    }
    if !is_trustworthy(&url) {
        return Err(refuse(&format!(
            "`{}` on another computer; only https, or http on this one, will do",
            url.scheme()
        )));
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(fields: Value) -> ConnectResult {
        decode("connect", fields).unwrap()
    }

    fn kind(fields: Value) -> ErrorKind {
        not_connected(&answer(fields)).kind()
    }

    #[test]
    fn connected_is_established_whatever_else_it_says() {
        let said = answer(json!({
            "isConnected": true, "isNetworkConnected": false, "userUrl": "http://evil.example/",
        }));
        for mode in [OpenMode::Interactive, OpenMode::Silent] {
            assert_eq!(opened(mode, &said), Ok(Opened::Established));
        }
    }

    #[test]
    fn a_login_is_asked_for_only_at_trustworthy_addresses() {
        let open = |url: &str| {
            opened(
                OpenMode::Interactive,
                &answer(json!({ "isConnected": false, "userUrl": url })),
            )
        };
        for url in [
            "https://wallet.example/login/",
            "http://localhost:3030/login/",
            "http://127.0.0.1:3030/login",
            "http://[::1]/login",
        ] {
            let login = UserAction::new(UserActionKind::Login, url);
            assert_eq!(open(url), Ok(Opened::UserActionRequired(login)));
        }
        for url in [
            "http://wallet.example/",
            "https://user:secret@wallet.example/",
            "http://localhost.evil.example/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "login",
            "",
        ] {
            let error = open(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{url}");
            assert!(error.message().contains("cannot be trusted"), "{error}");
        }
    }

    #[test]
    fn a_silent_open_never_asks_for_a_login() {
        let said = answer(json!({ "isConnected": false, "userUrl": "https://wallet.example/" }));
        assert!(opened(OpenMode::Silent, &said).is_err());
    }

    #[test]
    fn gone_is_said_only_where_it_is_certain() {
        // What wallets and gateways say at a logout.
        for said in [
            json!({ "isConnected": false, "reason": "disconnect", "isNetworkConnected": false }),
            json!({ "isConnected": false, "networkReason": "removed session" }),
            json!({ "isConnected": false, "reason": "No session" }),
            json!({ "isConnected": false, "reason": "pairing deleted", "isNetworkConnected": true }),
        ] {
            assert_eq!(kind(said.clone()), ErrorKind::SessionGone, "{said}");
        }
        // What they say when an identity provider or a ledger is down, too.
        for said in [
            json!({ "isConnected": false }),
            json!({ "isConnected": false, "isNetworkConnected": true }),
            json!({ "isConnected": false, "isNetworkConnected": false,
                    "networkReason": "Unauthenticated" }),
            json!({ "isConnected": false, "reason": "Unauthenticated" }),
            json!({ "isConnected": false, "reason": "Ledger unreachable: fetch failed" }),
            json!({ "isConnected": false, "reason": "wallet is locked", "isNetworkConnected": true }),
            json!({ "isConnected": false, "reason": "who knows" }),
            json!({ "isConnected": false, "reason": "waiting for approval",
                    "isNetworkConnected": true }),
        ] {
            assert_ne!(kind(said.clone()), ErrorKind::SessionGone, "{said}");
            assert!(not_connected(&answer(said)).is_retryable());
        }
    }

    #[test]
    fn a_refusal_is_a_refusal() {
        let said = json!({ "isConnected": false, "reason": "User rejected the connection" });
        assert_eq!(kind(said), ErrorKind::UserRejected);
    }

    #[test]
    fn the_truth_is_put_together_from_both_answers() {
        let status: StatusEvent = decode(
            "status",
            json!({
                "connection": { "isConnected": true, "isNetworkConnected": false },
                "network": { "networkId": "canton:local" },
                "unknown": [1, 2],
            }),
        )
        .unwrap();
        let wallets: Vec<Wallet> = decode(
            "listAccounts",
            json!([
                { "partyId": "gone::1", "status": "removed", "networkId": "canton:old" },
                { "partyId": "alice::1", "primary": true, "hint": "alice", "rights": [] },
                { "partyId": "bob::1", "status": "frozen" },
            ]),
        )
        .unwrap();
        let live = live(&status, &wallets);
        let alice = Account::primary("alice::1").with_label("alice");
        assert_eq!(live.accounts, [alice, Account::new("bob::1")]);
        assert_eq!(live.network, Some("canton:local".into()));
        assert_eq!(live.link, NetworkLink::Down);
        assert_eq!(live.expires_at, None);
    }

    #[test]
    fn the_network_of_the_primary_account_stands_in_for_a_missing_one() {
        let status: StatusEvent =
            decode("status", json!({ "connection": { "isConnected": true } })).unwrap();
        let wallets: Vec<Wallet> = decode(
            "listAccounts",
            json!([{ "partyId": "a", "networkId": "n:1" },
                   { "partyId": "b", "networkId": "n:2", "primary": true }]),
        )
        .unwrap();
        let live = live(&status, &wallets);
        assert_eq!(live.network, Some("n:2".into()));
        assert_eq!(live.link, NetworkLink::Unknown);
    }
}
