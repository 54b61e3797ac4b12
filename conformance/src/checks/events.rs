//! `accountsChanged`, `statusChanged`, `connected`.

use serde_json::Value;

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::{Evidence, Heard};
use crate::shape::{self, Shape};

const STATUS: &str = "CIP-0103, statusChanged; OpenRPC dApp API, StatusEvent";
const ACCOUNTS: &str = "CIP-0103, accountsChanged (\"MUST at least include all accounts that changed\"); OpenRPC dApp API, AccountsChangedEvent";
const CONNECTED: &str = "CIP-0103, Asynchronous dApp API (\"after a successful login, a connected event MUST be submitted\")";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "events.payloads", "every event carries its payload, and nothing else", "CIP-0103, dApp API events; moorline-cip0103, binding",
        "send the payload as the only param (or the only element of `data`)", ["connect.connected"], payloads),
    check!(Must Both "events.status-shape", "every `statusChanged` and `connected` is a StatusEvent", STATUS,
        "send what `status` would answer", ["connect.connected"], |e| shapes(e, &["statusChanged", "connected"], shape::status)),
    check!(Should Both "events.known-names", "no events but the described ones are sent", "CIP-0103, Overview of supported events",
        "keep events of your own out of the stream of dApps", ["connect.connected"], names),
    check!(May Both "events.end-announced", "`disconnect` is confirmed by `statusChanged`", "CIP-0103, disconnect (\"MAY be emitted\")",
        "emit it: other links of the session learn by it", ["connect.connected"], |e| told_of_end(e, "end")),
    check!(Must Both "events.login-announced", "a login in a second step is followed by `connected`", CONNECTED,
        "emit `connected` when the user has logged in", ["connect.connected"], login),
    check!(Must Both "events.connected-only-at-login", "`connected` is not sent when nobody logged in", "CIP-0103, Asynchronous dApp API (connected: \"only emitted as part of the login flow\")",
        "do not emit it for a `connect` that changes nothing", ["connect.connected"], no_needless_connected),
    check!(Must Both "events.accounts", "`accountsChanged` follows a switch of the primary account", ACCOUNTS,
        "emit it with all accounts that changed, the new primary one included", ["connect.connected"], switched),
    check!(Must Both "events.accounts-agree", "`listAccounts` and `getPrimaryAccount` agree with `accountsChanged`", ACCOUNTS,
        "change the state before the event is sent", ["events.accounts"], agree),
    check!(Must Both "events.logout", "`statusChanged` follows a logout at the wallet", "CIP-0103, statusChanged (\"changes made by the user related to network connectivity and/or authentication\")",
        "emit it with `isConnected: false`", ["connect.connected"], |e| told_of_end(e, "logout")),
    check!(Should Both "events.network", "`statusChanged` follows the loss of the network", "CIP-0103, statusChanged (network connectivity)",
        "emit it with `isNetworkConnected: false`", ["connect.connected"], network),
];

const KNOWN: [&str; 4] = ["accountsChanged", "statusChanged", "txChanged", "connected"];

/// The events, of which there must be some: a transaction was asked for.
fn heard(e: &Evidence) -> Result<impl Iterator<Item = &Heard>, Problem> {
    if e.events.is_empty() {
        e.took_place("tx")?;
        return Err(Problem::wrong("events", "none in the whole run"));
    }
    Ok(e.events.iter())
}

fn payloads(e: &Evidence) -> Finding {
    for event in heard(e)?.filter(|it| KNOWN.contains(&it.name.as_str())) {
        ensure(
            event.payload.as_ref().is_some_and(fits),
            "one payload",
            || format!("`{}`: {}", event.name, e.secrets.excerpt(&event.raw)),
        )?;
    }
    Ok(())
}

/// Not two payloads in one array: only lists of accounts are arrays.
fn fits(payload: &Value) -> bool {
    payload.is_object()
        || payload
            .as_array()
            .is_some_and(|it| it.iter().all(Value::is_object))
}

fn shapes(e: &Evidence, names: &[&str], shape: fn(&Value, &str) -> Shape) -> Finding {
    let mut seen = false;
    for event in heard(e)?.filter(|it| names.contains(&it.name.as_str())) {
        seen = true;
        let payload = event.payload.as_ref().unwrap_or(&Value::Null);
        shape(payload, "event").map_err(|problem| {
            Problem::wrong("a StatusEvent", format!("`{}`: {problem}", event.name))
        })?;
    }
    if seen {
        return Ok(());
    }
    Err(Problem::not_checked(
        "the wallet sent none (it is free not to, except after a login)",
    ))
}

fn names(e: &Evidence) -> Finding {
    let mut found: Vec<String> = heard(e)?.map(|it| it.name.clone()).collect();
    found.retain(|it| !KNOWN.contains(&it.as_str()));
    found.sort();
    found.dedup();
    super::none_of(found, "no other events")
}

/// Payloads of an event in a part of the run.
fn told<'e>(e: &'e Evidence, part: &'e str, name: &'e str) -> impl Iterator<Item = &'e Value> {
    e.heard(part, name).filter_map(|it| it.payload.as_ref())
}

fn told_of_end(e: &Evidence, part: &str) -> Finding {
    e.took_place(part)?;
    let ended = told(e, part, "statusChanged").any(|it| it["connection"]["isConnected"] == false);
    ensure(ended, "`statusChanged` with `isConnected: false`", || {
        "none".into()
    })
}

fn login(e: &Evidence) -> Finding {
    if !e.facts.contains_key("login/two-steps") {
        e.took_place("again/asked")?;
        return Err(Problem::not_checked(
            "the wallet connected without a second step",
        ));
    }
    let mut told = ["login", "again"]
        .into_iter()
        .flat_map(|part| e.heard(part, "connected"));
    ensure(told.next().is_some(), "`connected`", || "none".into())
}

fn no_needless_connected(e: &Evidence) -> Finding {
    e.result("in/connect")?;
    ensure(
        e.heard("in", "connected").next().is_none(),
        "no event",
        || "`connected`, after a `connect` while connected".into(),
    )
}

fn switched(e: &Evidence) -> Finding {
    e.took_place("switch")?;
    let lists: Vec<&Value> = told(e, "switch", "accountsChanged").collect();
    let Some(last) = lists.last() else {
        return Err(Problem::wrong("`accountsChanged`", "none"));
    };
    // A list of one may have been taken for the array around a payload.
    let wrapped = Value::Array(vec![(*last).clone()]);
    let list = if last.is_array() { last } else { &wrapped };
    shape::accounts(list, "event")
        .map_err(|problem| Problem::wrong("a list of accounts", problem))?;
    let primaries = list
        .as_array()
        .map_or(0, |it| it.iter().filter(|it| it["primary"] == true).count());
    ensure(primaries == 1, "the new primary account", || e.show(list))
}

fn agree(e: &Evidence) -> Finding {
    let last = told(e, "switch", "accountsChanged")
        .last()
        .unwrap_or(&Value::Null);
    let items = last
        .as_array()
        .map_or_else(|| vec![last], |items| items.iter().collect());
    let party = items
        .iter()
        .find(|it| it["primary"] == true)
        .map(|it| &it["partyId"]);
    let listed = e
        .result("switch/listAccounts")?
        .as_array()
        .into_iter()
        .flatten();
    let listed = listed
        .filter(|it| it["primary"] == true)
        .map(|it| &it["partyId"])
        .next();
    let primary = &e.result("switch/getPrimaryAccount")?["partyId"];
    ensure(
        party.is_some() && party == listed && party == Some(primary),
        "the same primary account everywhere",
        || format!("the event says {party:?}, the list {listed:?}, `getPrimaryAccount` {primary}"),
    )
}

fn network(e: &Evidence) -> Finding {
    e.took_place("cut")?;
    let lost =
        told(e, "cut", "statusChanged").any(|it| it["connection"]["isNetworkConnected"] == false);
    ensure(
        lost,
        "`statusChanged` with `isNetworkConnected: false`",
        || "none".into(),
    )
}
