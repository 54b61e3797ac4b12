//! What can be expected in a step.

use std::time::Duration;

use moorline::NetworkLink;
use serde_json::Value;

/// An expectation and its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct Expect {
    pub(crate) key: &'static str,
    pub(crate) line: usize,
    pub(crate) check: Check,
}

#[derive(Clone, Debug)]
pub(crate) enum Check {
    Status(String),
    Reason(String),
    Cause(String),
    Accounts(Vec<String>),
    Primary(Option<String>),
    Network(Option<String>),
    Identity(Option<String>),
    Link(NetworkLink),
    Stale(bool),
    /// Counted from the start; `None` for never.
    ExpiresAt(Option<Duration>),
    Expired(bool),
    LastError(Option<ErrorPattern>),
    Held(usize),
    /// The result of this step, or of something started by name.
    Result(Option<String>, ResultPattern),
    /// All events since the last look, in order.
    Events(Vec<EventPattern>),
    /// These events among those since the last look, in this order.
    Includes(Vec<EventPattern>),
    /// None of these events, ever.
    Never(Vec<String>),
    /// All calls since the last look, in order.
    Calls(Vec<CallPattern>),
    /// How many calls of a kind reached the wallet.
    Count(String, usize, Since),
    /// How often the wallet executed requests of a method.
    Executed(String, u64),
    Pending(usize),
    Record(RecordPattern),
    /// All notices sent since the last look, in order.
    Notices(Vec<String>),
    /// How often a hook was called.
    Hooks(String, u64),
    /// Everything the invalidation hook was told since the last look.
    Invalidations(Vec<String>),
    /// How often anybody wrote to the store so that it took effect.
    Writes(u64),
    /// What is to be seen of the second process.
    Second(SecondPattern),
    /// How many records were set aside because they could not be read.
    Aside(u64),
    /// The time since the start.
    Elapsed(Duration),
    /// How many events a subscriber that does not read has missed.
    Missed(String, u64),
    /// A snapshot that was kept still says so.
    Kept(String, String),
}

/// What counts are counted from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Since {
    Start,
    LastLook,
}

/// An event, in part: fields that are not named are not looked at.
#[derive(Clone, Debug)]
pub(crate) struct EventPattern {
    pub(crate) kind: String,
    /// When, counted from the start.
    pub(crate) at: Option<Duration>,
    /// How long after the event before it in the list.
    pub(crate) after: Option<Duration>,
    pub(crate) fields: Vec<(String, Value)>,
}

#[derive(Clone, Debug)]
pub(crate) struct CallPattern {
    /// `open silent`, `probe`, `request signMessage`…
    pub(crate) what: String,
    pub(crate) at: Option<Duration>,
    pub(crate) ended: Option<String>,
    pub(crate) identity: Option<String>,
}

/// A result: its short name, or fields of it.
#[derive(Clone, Debug)]
pub(crate) enum ResultPattern {
    Name(String),
    Fields(Vec<(String, Value)>),
}

pub(crate) type ErrorPattern = Value;

/// What is expected of the second process; what is not named is not looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecondPattern {
    pub(crate) status: Option<String>,
    pub(crate) reason: Option<String>,
    /// `"none"` for nobody.
    pub(crate) identity: Option<String>,
    /// How often it asked the wallet, from the start.
    pub(crate) probes: Option<usize>,
    /// How the last command ended, by name.
    pub(crate) result: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum RecordPattern {
    Absent,
    Unreadable,
    Tombstone(String),
    Record {
        accounts: Option<Vec<String>>,
        account: Option<String>,
        network: Option<String>,
        expires_at: Option<Option<Duration>>,
        intent: Option<String>,
    },
}
