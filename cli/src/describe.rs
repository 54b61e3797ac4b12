//! Events in words.

use moorline::OperationError;
use moorline::event::EventKind;
use moorline::provider::NetworkLink;

/// What an event says beyond its name.
pub(crate) fn describe(kind: &EventKind) -> String {
    match kind {
        EventKind::UserActionRequired { action } => format!("go to {}", action.url),
        EventKind::Connected {
            account,
            network,
            expires_at,
        } => {
            let network = network.as_ref().map(|network| format!(" on {network}"));
            let until = expires_at.map(|at| format!(", until {at}"));
            let (network, until) = (network.unwrap_or_default(), until.unwrap_or_default());
            format!("as {}{network}{until}", short(account.as_str()))
        }
        EventKind::Disconnected { reason, error } => with_error(reason.as_str(), error.as_ref()),
        EventKind::Reconnecting { cause, error } => with_error(cause.as_str(), error.as_ref()),
        EventKind::ReconnectScheduled { attempt, delay_ms } => {
            format!("attempt {attempt} in {delay_ms} ms")
        }
        EventKind::ReconnectDeferred { attempt, delay_ms } => {
            format!("attempt {attempt} waits {delay_ms} ms more for its turn")
        }
        EventKind::ReconnectAttempt { attempt } => format!("attempt {attempt}"),
        EventKind::ReconnectSucceeded { attempt } => format!("at attempt {attempt}"),
        EventKind::ReconnectGaveUp {
            attempts,
            last_error,
        } => with_error(&format!("after {attempts} attempts"), last_error.as_ref()),
        EventKind::Expiring { expires_at } => format!("at {expires_at}"),
        EventKind::Expired { expired_at } => format!("at {expired_at}"),
        EventKind::Renewed { expires_at } => format!("until {expires_at}"),
        EventKind::ReauthStarted { reason } => format!("because {}", lower(reason)),
        EventKind::ReauthSucceeded { expires_at } => expires_at
            .map(|at| format!("until {at}"))
            .unwrap_or_default(),
        EventKind::ReauthFailed { error } => error.to_string(),
        EventKind::PartyChanged { previous, current } => {
            format!(
                "from {} to {}",
                short(previous.as_str()),
                short(current.as_str())
            )
        }
        EventKind::NetworkChanged { previous, current } => format!("from {previous} to {current}"),
        EventKind::AccountsChanged { accounts } => format!("{} accounts", accounts.len()),
        EventKind::NetworkLinkChanged { link } => match link {
            NetworkLink::Up => "the wallet reaches its network".into(),
            NetworkLink::Down => "the wallet does not reach its network".into(),
            NetworkLink::Unknown => "unknown".into(),
        },
        EventKind::OperationQueued { operation, depth } => {
            format!("operation {operation}, {depth} held")
        }
        EventKind::OperationReleased { operation } => format!("operation {operation}"),
        EventKind::OperationAbandoned { operation } => format!("operation {operation}"),
        EventKind::OperationRejected { operation, error } => match error {
            OperationError::IdentityChanged {
                submitted, current, ..
            } => format!(
                "operation {operation}: meant for {}, the session acts for {}",
                short(submitted.account.as_str()),
                short(current.account.as_str()),
            ),
            error => format!("operation {operation}: {error}"),
        },
        EventKind::PersistFailed { error, retry_in_ms } => {
            format!("{error}; again in {retry_in_ms} ms")
        }
        EventKind::HookFailed { error, .. } => error.to_string(),
        EventKind::Malformed { what, problem } => format!("{what}: {problem}"),
        EventKind::Provider(message) => {
            let status = message
                .payload
                .get("status")
                .and_then(|status| status.as_str());
            format!("{} {}", message.name, status.unwrap_or_default())
                .trim_end()
                .to_owned()
        }
        _ => String::new(),
    }
}

/// The part of a party id that people tell parties apart by.
pub(crate) fn short(party: &str) -> String {
    match party.split_once("::") {
        Some((hint, namespace)) if namespace.len() > 8 => {
            let head: String = namespace.chars().take(6).collect();
            format!("{hint}::{head}…")
        }
        _ => party.to_owned(),
    }
}

fn with_error(what: &str, error: Option<&moorline::ProviderError>) -> String {
    match error {
        Some(error) => format!("{what}: {error}"),
        None => what.to_owned(),
    }
}

fn lower(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}
