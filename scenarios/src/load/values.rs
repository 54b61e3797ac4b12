//! Plain values: numbers, durations, words out of a fixed set, accounts, errors.

use std::time::Duration;

use moorline::provider::{ErrorKind, ProviderError};
use moorline::{Account, Identity, NetworkId, NetworkLink};

use super::problem::{Problem, suggestion};
use super::tree::{Node, Read, Tree};

impl Read for String {
    fn read(node: &Node) -> Result<Self, Problem> {
        node.text("a string").map(Into::into)
    }
}

impl Read for bool {
    fn read(node: &Node) -> Result<Self, Problem> {
        match node.tree {
            Tree::Boolean(boolean) => Ok(boolean),
            _ => Err(node.expected("true or false")),
        }
    }
}

impl Read for f64 {
    fn read(node: &Node) -> Result<Self, Problem> {
        match node.tree {
            Tree::Float(float) => Ok(float),
            Tree::Integer(integer) => Ok(integer as Self),
            _ => Err(node.expected("a number")),
        }
    }
}

macro_rules! read_integer {
    ($($type:ty),*) => {$(
        impl Read for $type {
            fn read(node: &Node) -> Result<Self, Problem> {
                match node.tree {
                    Tree::Integer(integer) => Self::try_from(integer)
                        .map_err(|_| node.problem(format!("{integer} is out of range here"))),
                    _ => Err(node.expected("a whole number")),
                }
            }
        }
    )*};
}

read_integer!(u32, u64, usize, i64);

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node) -> Result<Self, Problem> {
        match &node.tree {
            Tree::Array(items) => items.iter().map(T::read).collect(),
            _ => Err(node.expected("a list")),
        }
    }
}

/// `"1500ms"`, `"30d"`, `"1h 30m"`, `"100y"` (a year is 365.25 days).
impl Read for Duration {
    fn read(node: &Node) -> Result<Self, Problem> {
        let wanted = "a duration such as \"1500ms\", \"30d\" or \"1h 30m\"";
        let text = node.text(wanted)?;
        duration(text).map_err(|why| node.problem(format!("`{text}` is not {wanted}: {why}")))
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// A word out of a fixed set.
pub(crate) fn word<T: Copy>(node: &Node, what: &str, known: &[(&str, T)]) -> Result<T, Problem> {
    let written = node.text("a string")?;
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    known
        .iter()
        .find(|(name, _)| *name == written)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let suggestion = suggestion(written, &names);
            node.problem(format!("`{written}` is not {what}{suggestion}"))
        })
}

impl Read for NetworkLink {
    fn read(node: &Node) -> Result<Self, Problem> {
        let known = [
            ("unknown", Self::Unknown),
            ("up", Self::Up),
            ("down", Self::Down),
        ];
        word(node, "a network link", &known)
    }
}

const ERROR_KINDS: &[(&str, ErrorKind)] = &[
    ("unauthorized", ErrorKind::Unauthorized),
    ("session-gone", ErrorKind::SessionGone),
    ("user-rejected", ErrorKind::UserRejected),
    ("user-action-pending", ErrorKind::UserActionPending),
    ("unreachable", ErrorKind::Unreachable),
    ("network-unreachable", ErrorKind::NetworkUnreachable),
    ("timed-out", ErrorKind::TimedOut),
    ("rate-limited", ErrorKind::RateLimited),
    ("unsupported", ErrorKind::Unsupported),
    ("invalid-request", ErrorKind::InvalidRequest),
    ("refused", ErrorKind::Refused),
    ("malformed", ErrorKind::Malformed),
    ("internal", ErrorKind::Internal),
    ("panicked", ErrorKind::Panicked),
];

/// A kind of error by its name.
pub(crate) fn error_kind(node: &Node) -> Result<ErrorKind, Problem> {
    word(node, "a kind of error", ERROR_KINDS)
}

/// The name of a kind of error.
pub(crate) fn error_kind_name(kind: ErrorKind) -> &'static str {
    ERROR_KINDS
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or("unknown", |(name, _)| name)
}

/// `"unreachable"`, or `{ kind = "rate-limited", code = -32005, message = "…",
/// retry_after = "20s", sent = "no" }`; with a code, the kind may be left out.
pub(crate) fn provider_error(node: &Node) -> Result<ProviderError, Problem> {
    if node.as_str().is_some() {
        let kind = error_kind(node)?;
        return Ok(with_sent(
            ProviderError::new(kind, format!("scripted: {}", error_kind_name(kind))),
            default_sent(kind),
        ));
    }
    let mut table = node.table("an error")?;
    let code: Option<i64> = table.get("code")?;
    let kind = match (table.node("kind"), code) {
        (Some(node), _) => error_kind(node)?,
        (None, Some(code)) => ErrorKind::from_code(code),
        (None, None) => return Err(node.problem("an error needs the key `kind` or `code`")),
    };
    let message: Option<String> = table.get("message")?;
    let message = message.unwrap_or_else(|| format!("scripted: {}", error_kind_name(kind)));
    let mut error = ProviderError::new(kind, message);
    if let Some(code) = code {
        error = error.with_code(code);
    }
    if let Some(after) = table.get("retry_after")? {
        error = error.with_retry_after(after);
    }
    let sent = match table.node("sent") {
        Some(node) => {
            let known = [
                ("no", Said::No),
                ("maybe", Said::Maybe),
                ("answered", Said::Answered),
            ];
            word(node, "an answer to \"was it sent\"", &known)?
        }
        None if code.is_some() => Said::Answered,
        None => default_sent(kind),
    };
    table.finish()?;
    Ok(with_sent(error, sent))
}

#[derive(Clone, Copy)]
enum Said {
    No,
    Maybe,
    Answered,
}

/// What is usual for errors of this kind.
fn default_sent(kind: ErrorKind) -> Said {
    match kind {
        ErrorKind::Unreachable | ErrorKind::TimedOut | ErrorKind::Panicked => Said::Maybe,
        _ => Said::Answered,
    }
}

fn with_sent(error: ProviderError, sent: Said) -> ProviderError {
    match sent {
        Said::No => error.not_sent(),
        Said::Maybe => error,
        Said::Answered => error.answered(),
    }
}

/// `["alice", "bob"]`, the first one primary, or `[{ id = "alice", primary = true, label = "…" }]`,
/// as written.
pub(crate) fn accounts(node: &Node) -> Result<Vec<Account>, Problem> {
    let Tree::Array(items) = &node.tree else {
        return Err(node.expected("a list of accounts"));
    };
    let named = items.iter().all(|item| item.as_str().is_some());
    items
        .iter()
        .enumerate()
        .map(|(index, item)| match item.as_str() {
            Some(id) if named && index == 0 => Ok(Account::primary(id)),
            Some(id) => Ok(Account::new(id)),
            None => account(item),
        })
        .collect()
}

fn account(node: &Node) -> Result<Account, Problem> {
    let mut table = node.table("an account")?;
    let id: String = table.need("id")?;
    let mut account = Account::new(id);
    account.primary = table.or_default("primary")?;
    let label: Option<String> = table.get("label")?;
    account.label = label.map(Into::into);
    table.finish()?;
    Ok(account)
}

impl Read for NetworkId {
    fn read(node: &Node) -> Result<Self, Problem> {
        node.text("a network id").map(Self::from)
    }
}

/// `"alice on canton:local"`, or `"alice"` where the wallet names no network.
impl Read for Identity {
    fn read(node: &Node) -> Result<Self, Problem> {
        let text = node.text("an identity such as \"alice on canton:local\"")?;
        Ok(match text.split_once(" on ") {
            Some((account, network)) => Self::new(account, Some(network.into())),
            None => Self::new(text, None),
        })
    }
}
