//! `expect = { … }`: what is expected once a step is done.

use std::time::Duration;

use super::Source;
use super::pattern;
use super::problem::Problem;
use super::tree::{Node, Read, Table, Tree};
use super::values::provider_error;
use crate::model::{Check, Expect, RecordPattern, SecondPattern, Since};

/// Reads expectations in the order in which they stand in the file.
struct Reader<'a, 's> {
    table: Table<'a>,
    source: &'s Source<'s>,
    found: Vec<Expect>,
}

impl<'a> Reader<'a, '_> {
    fn on(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'a Node) -> Result<Check, Problem>,
    ) -> Result<(), Problem> {
        if let Some(node) = self.table.node(key) {
            let check = read(node)?;
            self.push(key, node, check);
        }
        Ok(())
    }

    fn each(
        &mut self,
        key: &'static str,
        read: impl Fn(&str, &'a Node) -> Result<Check, Problem>,
    ) -> Result<(), Problem> {
        let Some(node) = self.table.node(key) else {
            return Ok(());
        };
        let Tree::Table(entries) = &node.tree else {
            return Err(node.expected("a table"));
        };
        for entry in entries {
            if matches!(key, "counts" | "since") {
                pattern::counted(&entry.key, &entry.span)?;
            }
            let check = read(&entry.key, &entry.node)?;
            self.push(key, &entry.node, check);
        }
        Ok(())
    }

    fn push(&mut self, key: &'static str, node: &Node, check: Check) {
        let line = self.source.line(node.span.start);
        self.found.push(Expect { key, line, check });
    }
}

fn plain<T: Read>(check: impl FnOnce(T) -> Check) -> impl FnOnce(&Node) -> Result<Check, Problem> {
    move |node| T::read(node).map(check)
}

/// `"none"` for what must not be there.
fn or_none<T: Read>(
    check: impl FnOnce(Option<T>) -> Check,
) -> impl FnOnce(&Node) -> Result<Check, Problem> {
    move |node| {
        let none = matches!(node.as_str(), Some("none" | "never"));
        let value = (!none).then(|| T::read(node)).transpose()?;
        Ok(check(value))
    }
}

pub(super) fn read(node: &Node, source: &Source<'_>) -> Result<Vec<Expect>, Problem> {
    let table = node.table("an expectation")?;
    let mut reader = Reader {
        table,
        source,
        found: Vec::new(),
    };
    let r = &mut reader;
    r.on("result", |node| {
        Ok(Check::Result(None, pattern::result(node)?))
    })?;
    r.on("status", |node| pattern::status(node).map(Check::Status))?;
    r.on("reason", |node| pattern::reason(node).map(Check::Reason))?;
    r.on("cause", |node| pattern::cause(node).map(Check::Cause))?;
    r.on("accounts", plain(Check::Accounts))?;
    r.on("primary", or_none(Check::Primary))?;
    r.on("network", or_none(Check::Network))?;
    r.on("identity", or_none(Check::Identity))?;
    r.on("link", plain(Check::Link))?;
    r.on("stale", plain(Check::Stale))?;
    r.on("expires_at", or_none::<Duration>(Check::ExpiresAt))?;
    r.on("expired", plain(Check::Expired))?;
    r.on("last_error", last_error)?;
    r.on("held", plain(Check::Held))?;
    r.each("results", |name, node| {
        Ok(Check::Result(Some(name.into()), pattern::result(node)?))
    })?;
    r.on("events", |node| {
        pattern::list(node, pattern::event).map(Check::Events)
    })?;
    r.on("includes", |node| {
        pattern::list(node, pattern::event).map(Check::Includes)
    })?;
    r.on("never", |node| pattern::event_names(node).map(Check::Never))?;
    r.on("calls", |node| {
        pattern::list(node, pattern::call).map(Check::Calls)
    })?;
    r.each("counts", |name, node| {
        Ok(Check::Count(name.into(), usize::read(node)?, Since::Start))
    })?;
    r.each("since", |name, node| {
        Ok(Check::Count(
            name.into(),
            usize::read(node)?,
            Since::LastLook,
        ))
    })?;
    r.each("executed", |method, node| {
        Ok(Check::Executed(method.into(), u64::read(node)?))
    })?;
    r.on("pending", plain(Check::Pending))?;
    r.on("record", |node| record(node).map(Check::Record))?;
    r.on("aside", plain(Check::Aside))?;
    r.on("writes", plain(Check::Writes))?;
    r.on("second", |node| second(node).map(Check::Second))?;
    r.on("notices", plain(Check::Notices))?;
    r.each("hooks", |name, node| match name {
        "reauth" | "invalidate" => Ok(Check::Hooks(name.into(), u64::read(node)?)),
        _ => Err(node.problem(format!(
            "`{name}` is not a hook; known are `invalidate`, `reauth`"
        ))),
    })?;
    r.on("invalidations", plain(Check::Invalidations))?;
    r.on("elapsed", plain(Check::Elapsed))?;
    r.each("missed", |name, node| {
        Ok(Check::Missed(name.into(), u64::read(node)?))
    })?;
    r.each("kept", |name, node| {
        Ok(Check::Kept(name.into(), String::read(node)?))
    })?;
    let Reader {
        table, mut found, ..
    } = reader;
    table.finish()?;
    if found.is_empty() {
        return Err(node.problem("nothing is expected here: leave `expect` out, or name something"));
    }
    found.sort_by_key(|expect| expect.line);
    Ok(found)
}

/// `"none"`, `"unreachable"`, or `{ kind = "rate-limited", code = -32005 }`.
fn last_error(node: &Node) -> Result<Check, Problem> {
    if node.as_str() == Some("none") {
        return Ok(Check::LastError(None));
    }
    // Only what could be an error is accepted; what was written is compared.
    let written = node.json();
    if node.as_str().is_some() {
        provider_error(node)?;
        return Ok(Check::LastError(Some(
            serde_json::json!({ "kind": written }),
        )));
    }
    let mut table = node.table("an error")?;
    for key in ["kind", "code", "message"] {
        table.node(key);
    }
    table.finish()?;
    Ok(Check::LastError(Some(written)))
}

/// `{ status = "disconnected", reason = "remote", probes = 1 }`.
fn second(node: &Node) -> Result<SecondPattern, Problem> {
    let mut table = node.table("a second process")?;
    let pattern = SecondPattern {
        status: table.node("status").map(pattern::status).transpose()?,
        reason: table.node("reason").map(pattern::reason).transpose()?,
        identity: table.get("identity")?,
        probes: table.get("probes")?,
        result: table.get("result")?,
    };
    table.finish()?;
    Ok(pattern)
}

/// `"absent"`, `"unreadable"`, `"tombstone user"`, or `{ account = "alice", network = "canton:local",
/// expires_at = "30d", intent = "connected" }`.
fn record(node: &Node) -> Result<RecordPattern, Problem> {
    if let Some(text) = node.as_str() {
        if text == "absent" {
            return Ok(RecordPattern::Absent);
        }
        if text == "unreadable" {
            return Ok(RecordPattern::Unreadable);
        }
        if let Some(reason) = text.strip_prefix("tombstone ") {
            let known = moorline::snapshot::DisconnectReason::ALL;
            if known.iter().any(|known| known.as_str() == reason) {
                return Ok(RecordPattern::Tombstone(reason.into()));
            }
        }
        return Err(node.problem(format!(
            "`{text}` is not a record: write \"absent\", \"unreadable\", \"tombstone REASON\" or a \
             table"
        )));
    }
    let mut table = node.table("a record")?;
    let never = |node: &Node| node.as_str() == Some("never");
    let pattern = RecordPattern::Record {
        accounts: table.get("accounts")?,
        account: table.get("account")?,
        network: table.get("network")?,
        expires_at: match table.node("expires_at") {
            None => None,
            Some(node) if never(node) => Some(None),
            Some(node) => Some(Some(Duration::read(node)?)),
        },
        intent: table.get("intent")?,
    };
    table.finish()?;
    Ok(pattern)
}
