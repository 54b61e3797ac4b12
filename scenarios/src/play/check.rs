//! Whether what is expected is what is seen.

use std::time::Duration;

use moorline::snapshot::Status;
use moorline::store::{Intent, Stored};
use moorline::{NetworkLink, Snapshot, Timestamp};
use serde_json::{Value, json};

use super::lists;
use super::matching::{fields, matches, plain};
use super::results;
use super::world::{Looked, World};
use crate::model::{Check, Expect, RecordPattern, ResultPattern};
use crate::report::{Failure, Row, short};

/// One comparison: rows of what was expected beside what was seen.
pub(super) type Rows = Vec<Row>;

/// A comparison of one thing with one.
pub(super) fn one(same: bool, expected: impl Into<String>, seen: impl Into<String>) -> Rows {
    vec![Row {
        same,
        expected: Some(expected.into()),
        seen: Some(seen.into()),
    }]
}

impl World<'_> {
    /// Checks all expectations of a step; `looked` is moved on by those that look at a list.
    pub(super) fn check(&mut self, expect: &[Expect], looked: &mut Looked) -> Vec<Failure> {
        expect
            .iter()
            .filter_map(|expect| {
                let rows = self.rows(&expect.check, looked);
                let failed = rows.iter().any(|row| !row.same);
                failed.then(|| Failure {
                    step: 0,
                    line: expect.line,
                    about: about(expect),
                    message: None,
                    rows,
                })
            })
            .collect()
    }

    fn rows(&mut self, check: &Check, looked: &mut Looked) -> Rows {
        match check {
            Check::Events(wanted) => lists::events(self, wanted, looked),
            Check::Includes(wanted) => lists::includes(self, wanted, looked),
            Check::Never(kinds) => lists::never(self, kinds),
            Check::Calls(wanted) => lists::calls(self, wanted, looked),
            Check::Count(what, wanted, since) => lists::count(self, what, *wanted, *since, looked),
            Check::Notices(wanted) => lists::notices(self, wanted, looked),
            Check::Invalidations(wanted) => lists::invalidations(self, wanted, looked),
            Check::Executed(method, wanted) => {
                let seen = self.executions(method);
                one(seen == *wanted, wanted.to_string(), seen.to_string())
            }
            Check::Pending(wanted) => {
                let seen = self.control().map_or(0, |wallet| wallet.pending());
                one(seen == *wanted, wanted.to_string(), seen.to_string())
            }
            Check::Hooks(name, wanted) => {
                let hook = match name.as_str() {
                    "reauth" => &self.reauth,
                    _ => &self.invalidate,
                };
                let seen = hook.as_ref().map_or(0, super::hooks::ScriptedHook::calls);
                one(seen == *wanted, wanted.to_string(), seen.to_string())
            }
            Check::Aside(wanted) => {
                let seen = self.store.aside() as u64;
                one(seen == *wanted, wanted.to_string(), seen.to_string())
            }
            Check::Writes(wanted) => {
                let seen = self.store.written();
                one(seen == *wanted, wanted.to_string(), seen.to_string())
            }
            Check::Second(wanted) => match &self.second {
                Some(second) => second.rows(wanted),
                None => one(false, "a second process", "none"),
            },
            Check::Elapsed(wanted) => {
                let seen = self.elapsed();
                one(self.is_time(*wanted, seen), short(*wanted), short(seen))
            }
            Check::Missed(name, wanted) => {
                let seen = self.missed(name);
                one(seen == *wanted, wanted.to_string(), seen.to_string())
            }
            Check::Kept(name, wanted) => self.kept(name, wanted),
            Check::Record(wanted) => self.record(wanted),
            Check::Result(name, wanted) => self.result(name.as_deref(), wanted),
            check => match self.session.as_ref() {
                None => one(false, "a session", "none: the last handle was dropped"),
                Some(session) => {
                    if let Check::Held(wanted) = check {
                        let seen = session.held_operations();
                        return one(seen == *wanted, wanted.to_string(), seen.to_string());
                    }
                    if let Check::Expired(wanted) = check {
                        let seen = session.is_expired();
                        return one(seen == *wanted, wanted.to_string(), seen.to_string());
                    }
                    self.state(check, &session.snapshot())
                }
            },
        }
    }

    fn state(&self, check: &Check, snapshot: &Snapshot) -> Rows {
        let status = snapshot.status;
        match check {
            Check::Status(wanted) => {
                let seen = status_name(status);
                one(seen == wanted, wanted, status.to_string())
            }
            Check::Reason(wanted) => {
                let same =
                    matches!(status, Status::Disconnected { reason } if reason.as_str() == wanted);
                one(same, format!("disconnected ({wanted})"), status.to_string())
            }
            Check::Cause(wanted) => {
                let same =
                    matches!(status, Status::Reconnecting { cause } if cause.as_str() == wanted);
                one(same, format!("reconnecting ({wanted})"), status.to_string())
            }
            Check::Accounts(wanted) => {
                let seen: Vec<&str> = snapshot.accounts.iter().map(|a| a.id.as_str()).collect();
                one(seen == *wanted, format!("{wanted:?}"), format!("{seen:?}"))
            }
            Check::Primary(wanted) => {
                let seen = snapshot.primary().map(|account| account.id.as_str());
                optional(wanted.as_deref(), seen)
            }
            Check::Network(wanted) => {
                let seen = snapshot.network.as_ref().map(moorline::NetworkId::as_str);
                optional(wanted.as_deref(), seen)
            }
            Check::Identity(wanted) => {
                let seen = snapshot.identity().map(|identity| identity.to_string());
                optional(wanted.as_deref(), seen.as_deref())
            }
            Check::Link(wanted) => {
                let seen = snapshot.network_link;
                one(seen == *wanted, link_name(*wanted), link_name(seen))
            }
            Check::Stale(wanted) => {
                let seen = snapshot.stale;
                one(seen == *wanted, wanted.to_string(), seen.to_string())
            }
            Check::ExpiresAt(wanted) => {
                let wanted = wanted.map(|after| self.start.saturating_add(after));
                let seen = snapshot.expires_at;
                let text = |at: Option<Timestamp>| {
                    at.map_or_else(|| "none".to_owned(), |at| at.to_string())
                };
                one(self.same_expiry(wanted, seen), text(wanted), text(seen))
            }
            Check::LastError(wanted) => {
                let seen = snapshot.last_error.as_ref().map(results::error);
                let same = match (wanted, &seen) {
                    (None, None) => true,
                    (Some(wanted), Some(seen)) => matches(wanted, seen, &self.times()),
                    _ => false,
                };
                let none = || "none".to_owned();
                let expected = wanted.as_ref().map_or_else(none, plain);
                one(same, expected, seen.as_ref().map_or_else(none, plain))
            }
            // The rest does not look at the snapshot.
            _ => one(true, "", ""),
        }
    }

    fn result(&self, name: Option<&str>, wanted: &ResultPattern) -> Rows {
        let started = match name {
            Some(name) => self.find(name),
            None => self
                .started
                .iter()
                .rev()
                .find(|started| started.name.is_none()),
        };
        let seen = match started.and_then(super::world::Started::result) {
            Some((mut value, at)) => {
                value["at"] = json!(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
                value
            }
            None => json!({ "is": "pending" }),
        };
        let (same, expected) = match wanted {
            ResultPattern::Name(name) => (seen["is"] == *name.as_str(), name.clone()),
            ResultPattern::Fields(wanted) => {
                let same = wanted.iter().all(|(key, wanted)| {
                    if let ("at", Some(wanted), Some(seen)) =
                        (key.as_str(), wanted.as_u64(), seen["at"].as_u64())
                    {
                        let millis = Duration::from_millis;
                        return self.is_time(millis(wanted), millis(seen));
                    }
                    matches(wanted, seen.get(key).unwrap_or(&Value::Null), &self.times())
                });
                let shown = fields(wanted.iter().map(|(key, value)| (key, value)));
                (same, shown)
            }
        };
        let seen = seen.as_object().map_or_else(String::new, fields);
        one(same, expected, seen)
    }

    fn record(&self, wanted: &RecordPattern) -> Rows {
        let stored = match self.store.peek() {
            Ok(stored) => stored,
            Err(error) => {
                let same = matches!(wanted, RecordPattern::Unreadable);
                let wanted = if same { "unreadable" } else { "a record" };
                return one(same, wanted, format!("unreadable ({error})"));
            }
        };
        let seen = show_stored(&stored);
        match (wanted, &stored) {
            (RecordPattern::Unreadable, _) => one(false, "unreadable", seen),
            (RecordPattern::Absent, stored) => {
                one(matches!(stored, Stored::Nothing), "absent", seen)
            }
            (RecordPattern::Tombstone(reason), Stored::Tombstone { tombstone, .. }) => one(
                tombstone.reason.as_str() == reason,
                format!("tombstone {reason}"),
                seen,
            ),
            (RecordPattern::Tombstone(reason), _) => {
                one(false, format!("tombstone {reason}"), seen)
            }
            (RecordPattern::Record { .. }, Stored::Record { record, .. }) => {
                let (expected, same) = self.compare_record(wanted, record);
                one(same, expected, seen)
            }
            (RecordPattern::Record { .. }, _) => one(false, "a record", seen),
        }
    }

    fn compare_record(
        &self,
        wanted: &RecordPattern,
        record: &moorline::store::Record,
    ) -> (String, bool) {
        let RecordPattern::Record {
            accounts,
            account,
            network,
            expires_at,
            intent,
        } = wanted
        else {
            return (String::new(), false);
        };
        let mut shown = Vec::new();
        let mut same = true;
        if let Some(wanted) = accounts {
            shown.push(format!("accounts: [{}]", wanted.join(", ")));
            same &= record
                .accounts
                .iter()
                .map(|a| a.id.as_str())
                .eq(wanted.iter().map(String::as_str));
        }
        if let Some(wanted) = account {
            shown.push(format!("account: {wanted}"));
            let primary = record.identity().map(|identity| identity.account);
            same &= primary.is_some_and(|account| account.as_str() == wanted);
        }
        if let Some(wanted) = network {
            shown.push(format!("network: {wanted}"));
            same &= record
                .network
                .as_ref()
                .is_some_and(|network| network.as_str() == wanted);
        }
        if let Some(wanted) = expires_at {
            let wanted = wanted.map(|after| self.start.saturating_add(after));
            let text = wanted.map_or_else(|| "never".to_owned(), |at| at.to_string());
            shown.push(format!("expires at: {text}"));
            same &= self.same_expiry(wanted, record.expires_at);
        }
        if let Some(wanted) = intent {
            shown.push(format!("intent: {wanted}"));
            same &= intent_name(record.intent) == wanted;
        }
        (shown.join(", "), same)
    }

    fn same_expiry(&self, wanted: Option<Timestamp>, seen: Option<Timestamp>) -> bool {
        match (wanted, seen) {
            (Some(wanted), Some(seen)) => self.times().same(wanted, seen),
            (wanted, seen) => wanted == seen,
        }
    }

    fn missed(&mut self, name: &str) -> u64 {
        use moorline::session::EventItem;
        let Some(subscriber) = self.subscribers.get_mut(name) else {
            return 0;
        };
        while let Some(item) = subscriber.events.try_next() {
            if let EventItem::Missed(count) = item {
                subscriber.missed += count;
            }
        }
        subscriber.missed
    }

    fn kept(&self, name: &str, wanted: &str) -> Rows {
        let Some((snapshot, json)) = self.kept.get(name) else {
            return one(false, wanted, "nothing was kept");
        };
        let now = serde_json::to_value(&**snapshot).unwrap_or_default();
        let same = now == *json && status_name(snapshot.status) == wanted;
        one(same, format!("{wanted}, unchanged"), plain(&now))
    }
}

fn about(expect: &Expect) -> String {
    match &expect.check {
        Check::Result(Some(name), _) => format!("results.{name}"),
        Check::Count(what, ..) => format!("{}.\"{what}\"", expect.key),
        Check::Executed(method, _) => format!("executed.{method}"),
        Check::Hooks(name, _) => format!("hooks.{name}"),
        Check::Missed(name, _) | Check::Kept(name, _) => format!("{}.{name}", expect.key),
        _ => expect.key.into(),
    }
}

pub(super) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Disconnected { .. } => "disconnected",
        Status::Connecting => "connecting",
        Status::Connected => "connected",
        Status::Reconnecting { .. } => "reconnecting",
        _ => "unknown",
    }
}

fn optional(wanted: Option<&str>, seen: Option<&str>) -> Rows {
    one(
        wanted == seen,
        wanted.unwrap_or("none"),
        seen.unwrap_or("none"),
    )
}

fn link_name(link: NetworkLink) -> &'static str {
    match link {
        NetworkLink::Unknown => "unknown",
        NetworkLink::Up => "up",
        NetworkLink::Down => "down",
    }
}

fn intent_name(intent: Intent) -> &'static str {
    match intent {
        Intent::Connected => "connected",
        Intent::Disconnected => "disconnected",
    }
}

fn show_stored(stored: &Stored) -> String {
    match stored {
        Stored::Nothing => "absent".into(),
        Stored::Tombstone { tombstone, .. } => format!("tombstone {}", tombstone.reason),
        Stored::Record { record, .. } => {
            let accounts: Vec<&str> = record.accounts.iter().map(|a| a.id.as_str()).collect();
            let network = record
                .network
                .as_ref()
                .map_or("none", |network| network.as_str());
            let expires = record
                .expires_at
                .map_or_else(|| "never".to_owned(), |at| at.to_string());
            format!(
                "accounts: [{}], network: {network}, expires at: {expires}, intent: {}",
                accounts.join(", "),
                intent_name(record.intent)
            )
        }
    }
}
