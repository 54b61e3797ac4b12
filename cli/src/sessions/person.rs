//! Stored sessions in the words of people.

use std::time::{Duration, SystemTime};

use moorline::Timestamp;
use moorline::store::{Intent, Record, Stored};

/// What a session is up to.
pub(crate) fn state(stored: &Stored, now: Timestamp) -> String {
    match stored {
        Stored::Nothing => "nothing".into(),
        Stored::Tombstone { tombstone, .. } => {
            format!(
                "ended ({}), {} ago",
                tombstone.reason,
                ago(tombstone.at, now)
            )
        }
        Stored::Record { record, .. } => of_record(record, now),
    }
}

pub(crate) fn of_record(record: &Record, now: Timestamp) -> String {
    match record.expires_at {
        _ if record.intent == Intent::Disconnected => "ended".into(),
        Some(at) if at <= now => format!("expired {} ago", ago(at, now)),
        Some(at) => format!("stands, expires in {}", ago(now, at)),
        None => "stands".into(),
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// The time between two moments, in the two largest units.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let passed = Duration::from_secs(now.saturating_since(then).as_secs());
    let whole = humantime::format_duration(passed).to_string();
    whole.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// `1 session`, `2 sessions`.
pub(crate) fn sessions(count: usize) -> String {
    match count {
        1 => "1 session".into(),
        count => format!("{count} sessions"),
    }
}
