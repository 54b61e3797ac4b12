//! `prepareExecute`, `prepareExecuteAndWait`, and what `txChanged` says of them.

use serde_json::Value;

use crate::check::{Check, Finding, Problem, Transport, check, ensure};
use crate::evidence::Evidence;
use crate::shape;

const PREPARE: &str = "CIP-0103, prepareExecute; OpenRPC dApp API, prepareExecute";
const EVENT: &str = "CIP-0103, prepareExecute (\"MUST emit a txChanged event\") and txChanged";
const LIFECYCLE: &str =
    "CIP-0103, txChanged (\"emitted along the lifecycle of a command submission\")";
const WAIT: &str = "OpenRPC dApp API, prepareExecuteAndWait";
const ASYNC: &str = "CIP-0103, Asynchronous dApp API (\"MUST return a userUrl\"; \"MUST emit the corresponding event once the action is finalized\")";
const REQUEST: &str =
    "OpenRPC dApp API, JsPrepareSubmissionRequest (required: commands); CIP-0103, Error Types";
const REJECTED: &str = "CIP-0103, Error Types (4001 User Rejected Request); EIP-1193";

pub(super) const CHECKS: &[Check] = &[
    check!(Must WebSocket "prepareExecute.null", "`prepareExecute` answers null", PREPARE,
        "answer `\"result\": null`; how it ends is told by events", ["connect.connected"], null),
    check!(Must Http "prepareExecute.user-url", "`prepareExecute` answers a `userUrl`", ASYNC,
        "answer `{\"userUrl\": \"..\"}`, where a person can approve", ["connect.connected"], user_url),
    check!(Must Both "prepareExecute.params", "a submission without commands is refused with -32602 or -32000", REQUEST,
        "check params before anything is prepared", ["connect.connected"], params),
    check!(Must Both "prepareExecute.stranger", "a submission for a party that is not the user's is not executed", "CIP-0103, Error Types (4100: \"the requested method and/or account has not been authorized by the user\")",
        "refuse `actAs` that is not among the user's accounts, with 4100", ["connect.connected"], stranger),
    check!(Should Both "prepareExecute.no-network", "a submission without a network is refused with 4900, 4901 or -32002", "CIP-0103, Error Types (4900, 4901, -32002)",
        "answer 4901 while the ledger cannot be reached", ["connect.connected"], |e| e.refused("cut/prepareExecute", &[4900, 4901, -32002])),
    check!(Must Both "txChanged.pending", "a submission is announced by `txChanged` pending, with its `commandId`", EVENT,
        "emit it at the latest when the commands are prepared, with the id the caller gave", ["connect.connected"], pending),
    check!(Must Both "txChanged.own-id", "a submission without `commandId` gets one", EVENT,
        "make an id up, and use it in all events of the submission", ["connect.connected"], own_id),
    check!(Must Both "txChanged.ends", "an approved submission ends in executed or failed", LIFECYCLE,
        "emit `executed` or `failed` once it is decided", ["connect.connected"], ends),
    check!(Must Both "txChanged.order", "pending, signed, executed come in this order, and nothing after the end", LIFECYCLE,
        "emit the events of one submission in order", ["txChanged.pending"], order),
    check!(Should Both "txChanged.signed", "an executed submission was announced as signed", LIFECYCLE,
        "emit `signed` with signature, signedBy and party", ["txChanged.ends"], signed),
    check!(Must Both "txChanged.shape", "every `txChanged` is one of the four described forms", "CIP-0103, txChanged; OpenRPC dApp API, TxChangedEvent",
        "send status and commandId, and the payload that goes with the status", ["txChanged.pending"], event_shape),
    check!(Should Both "txChanged.no-extra-fields", "`txChanged` has no fields beyond its description", "OpenRPC dApp API, TxChangedEvent (additionalProperties: false)",
        "do not send what you store of a transaction", ["txChanged.pending"], extra),
    check!(Must Both "txChanged.failed", "a submission that the ledger rejects ends in failed", ASYNC,
        "emit `failed` when the ledger rejects what was approved", ["txChanged.pending"], failed),
    check!(Must Both "txChanged.refused-ends", "a submission that was announced and then refused ends in failed", ASYNC,
        "emit `failed` for what you announced as pending and refuse", ["connect.connected"], refused_ends),
    check!(Must WebSocket "prepareExecuteAndWait.executed", "`prepareExecuteAndWait` answers the executed event", WAIT,
        "answer `{\"tx\": {\"status\": \"executed\", ..}}` once it is on the ledger", ["connect.connected"], waited),
    check!(Must Both "reject.failed", "a submission that the user rejects ends in `failed`", ASYNC,
        "emit `txChanged` failed when the user rejects", ["connect.connected"], rejected_event),
    check!(Must WebSocket "reject.wait-4001", "`prepareExecuteAndWait` is refused with 4001 when the user rejects", REJECTED,
        "answer error 4001", ["connect.connected"], |e| e.refused("reject/prepareExecuteAndWait", &[4001])),
    check!(Must WebSocket "reject.sign-4001", "`signMessage` is refused with 4001 when the user rejects", REJECTED,
        "answer error 4001", ["connect.connected"], |e| e.refused("reject/signMessage", &[4001])),
];

/// That a submission was taken. One that a real ledger refuses, because it does not know the
/// invented command, is nobody's fault.
fn taken<'e>(e: &'e Evidence, label: &str) -> Result<&'e Value, Problem> {
    let result = e.result(label);
    if result.is_err()
        && let Ok(error) = e.error(label)
        && error
            .code()
            .is_some_and(|code| [-32603, -32003, -32002, -32001].contains(&code))
        && !e.fact("tx/own-commands").unwrap_or(false)
    {
        return Err(Problem::not_checked(format!(
            "the wallet refused the invented command ({}); give one that its ledger knows with --commands",
            e.show_reply(e.reply(label)?)
        )));
    }
    result
}

fn null(e: &Evidence) -> Finding {
    let result = taken(e, "tx/prepareExecute")?;
    ensure(result.is_null(), "null", || e.show(result))
}

fn user_url(e: &Evidence) -> Finding {
    let result = taken(e, "tx/prepareExecute")?;
    let url = result["userUrl"]
        .as_str()
        .and_then(|it| url::Url::parse(it).ok());
    ensure(url.is_some(), "a `userUrl`", || e.show(result))
}

fn params(e: &Evidence) -> Finding {
    for what in ["none", "empty", "type"] {
        e.refused(&format!("params/prepareExecute-{what}"), &[-32602, -32000])?;
    }
    Ok(())
}

fn stranger(e: &Evidence) -> Finding {
    if let Some(executed) = events(e, "stranger")
        .into_iter()
        .find(|it| it["status"] == "executed")
    {
        return Err(Problem::wrong(
            "a refusal, or at least no execution",
            e.show(executed),
        ));
    }
    if e.result("tx/stranger").is_err() {
        e.error("tx/stranger")?;
    }
    Ok(())
}

/// Payloads of `txChanged` in a part of the run.
fn events<'e>(e: &'e Evidence, part: &'e str) -> Vec<&'e Value> {
    e.heard(part, "txChanged")
        .filter_map(|it| it.payload.as_ref())
        .collect()
}

/// Events of the submission that was approved.
fn approved(e: &Evidence) -> Result<Vec<&Value>, Problem> {
    taken(e, "tx/prepareExecute")?;
    Ok(events(e, "tx"))
}

fn statuses(events: &[&Value]) -> String {
    match events {
        [] => "no `txChanged`".to_owned(),
        events => {
            let one = |it: &&Value| format!("{} of {}", it["status"], it["commandId"]);
            events.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

fn is_ours(event: &Value) -> bool {
    let id = event["commandId"].as_str().unwrap_or_default();
    id.starts_with("moorline-check-tx-")
}

fn pending(e: &Evidence) -> Finding {
    let events = approved(e)?;
    let told = events
        .iter()
        .any(|it| it["status"] == "pending" && is_ours(it));
    ensure(told, "pending, with the id of the submission", || {
        statuses(&events)
    })
}

fn own_id(e: &Evidence) -> Finding {
    taken(e, "tx/prepareExecute-unnamed")?;
    let events = events(e, "unnamed");
    let ids: Vec<&str> = events
        .iter()
        .filter_map(|it| it["commandId"].as_str())
        .collect();
    let fresh = ids
        .first()
        .is_some_and(|it| !it.is_empty() && !it.starts_with("moorline-check-"));
    ensure(
        fresh && ids.windows(2).all(|it| it[0] == it[1]),
        "one id of the wallet's own",
        || statuses(&events),
    )
}

fn ends(e: &Evidence) -> Finding {
    e.took_place("tx/end")?;
    let events = approved(e)?;
    let ended = events.iter().any(|it| is_ours(it) && is_end(it));
    ensure(ended, "executed or failed", || statuses(&events))
}

fn is_end(event: &Value) -> bool {
    matches!(event["status"].as_str(), Some("executed" | "failed"))
}

fn order(e: &Evidence) -> Finding {
    let events: Vec<&Value> = approved(e)?.into_iter().filter(|it| is_ours(it)).collect();
    let rank = |it: &&Value| match it["status"].as_str() {
        Some("pending") => 0,
        Some("signed") => 1,
        _ => 2,
    };
    let ranks: Vec<i32> = events.iter().map(rank).collect();
    let ordered = ranks.windows(2).all(|it| it[0] < it[1]);
    ensure(
        ordered,
        "pending, signed, then executed or failed, each once",
        || statuses(&events),
    )
}

fn signed(e: &Evidence) -> Finding {
    let events = approved(e)?;
    if !events.iter().any(|it| it["status"] == "executed") {
        return Err(Problem::not_checked("the submission was not executed"));
    }
    ensure(
        events.iter().any(|it| it["status"] == "signed"),
        "signed",
        || statuses(&events),
    )
}

fn all_events(e: &Evidence) -> impl Iterator<Item = &crate::evidence::Heard> {
    e.events.iter().filter(|it| it.name == "txChanged")
}

fn event_shape(e: &Evidence) -> Finding {
    approved(e)?;
    for heard in all_events(e) {
        let payload = heard.payload.as_ref().unwrap_or(&Value::Null);
        shape::tx_changed(payload, "event").map_err(|problem| {
            Problem::wrong(
                "one of the four forms of `txChanged`",
                format!("{problem}: {}", e.secrets.excerpt(&heard.raw)),
            )
        })?;
    }
    Ok(())
}

fn extra(e: &Evidence) -> Finding {
    approved(e)?;
    let payloads = all_events(e).filter_map(|it| it.payload.as_ref());
    let mut found: Vec<String> = payloads
        .flat_map(|it| shape::tx_strangers(it, "event"))
        .collect();
    found.sort();
    found.dedup();
    super::none_of(found, "no other fields")
}

fn failed(e: &Evidence) -> Finding {
    e.took_place("failing")?;
    let events = events(e, "failing");
    let told = |status: &str| events.iter().any(|it| it["status"] == *status);
    if told("executed") {
        return Err(Problem::not_checked("the ledger took the submission"));
    }
    ensure(told("failed"), "failed", || statuses(&events))
}

/// Submissions refused by an error: for a stranger, without a network, of nothing.
fn refused_ends(e: &Evidence) -> Finding {
    let mut announced = Vec::new();
    for (part, label) in [
        ("params", "params/prepareExecute-empty"),
        ("stranger", "tx/stranger"),
        ("cut", "cut/prepareExecute"),
    ] {
        if !e.reply(label).is_ok_and(|it| it.error().is_some()) {
            continue;
        }
        let events = events(e, part);
        for event in events.iter().filter(|it| it["status"] == "pending") {
            let all = e.events.iter().filter_map(|it| it.payload.as_ref());
            let mut same = all.filter(|it| it["commandId"] == event["commandId"]);
            if !same.any(is_end) {
                announced.push(format!("{} ({part})", event["commandId"]));
            }
        }
    }
    let asked = e.reply("tx/stranger")?;
    ensure(asked.is_rpc(), "an answer", || e.show_reply(asked))?;
    super::none_of(announced, "failed, for every submission that was announced")
}

fn waited(e: &Evidence) -> Finding {
    let exchange = e.exchange("tx/prepareExecuteAndWait")?;
    if exchange.outcome.is_err() && !events(e, "wait").is_empty() {
        e.took_place("tx/end")?;
    }
    let result = taken(e, "tx/prepareExecuteAndWait")?;
    let tx = &result["tx"];
    let shape = shape::executed(tx, "result.tx");
    ensure(
        tx["status"] == "executed" && shape.is_ok(),
        "`tx`, an executed event",
        || e.show(result),
    )
}

fn rejected_event(e: &Evidence) -> Finding {
    if e.transport == Transport::Http || e.result("reject/prepareExecute").is_ok() {
        taken(e, "reject/prepareExecute")?;
        let events = events(e, "reject");
        let ours = |it: &&&Value| {
            it["commandId"]
                .as_str()
                .is_some_and(|id| id.starts_with("moorline-check-reject-"))
        };
        let failed = events
            .iter()
            .filter(ours)
            .any(|it| it["status"] == "failed");
        let executed = events
            .iter()
            .filter(ours)
            .any(|it| it["status"] == "executed");
        return ensure(failed && !executed, "failed, and not executed", || {
            statuses(&events)
        });
    }
    e.refused("reject/prepareExecute", &[4001])
}
