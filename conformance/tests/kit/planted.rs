//! For every check a wallet that is well but for one fault: that check turns red, and nothing that
//! does not rest on it.

mod requests;
mod transactions;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use moorline_conformance::{Options, Report, Transport, Verdict, catalogue, check};
use moorline_dev_wallet::DevWallet;
use serde_json::{Value, json};

use crate::person::AtTheWallet;
use crate::proxy::{self, Asked, Fault, Passing};

/// Runs at a time: they wait more than they work.
const AT_ONCE: usize = 64;

struct Planted {
    id: &'static str,
    /// What turns red with it, beyond what needs it.
    also: &'static [&'static str],
    fault: Fault,
}

/// Whatever may turn red with a fault at the root of everything.
const EVERYTHING: &[&str] = &["*"];

/// Checks that no fault of a proxy can turn red: null wallets do (`null_wallets`).
const NOT_PLANTED: &[&str] = &["framing.ping"];
/// Checks that are red on the development wallet itself: they can fail.
const RED: &[&str] = &["framing.params-text", "framing.batch"];

const fn plant(id: &'static str, also: &'static [&'static str], fault: Fault) -> Planted {
    Planted { id, also, fault }
}

/// Changes answers.
fn on(
    it: &Passing,
    which: impl Fn(&Asked) -> bool,
    change: impl Fn(&mut Value),
) -> Option<Vec<String>> {
    match it {
        Passing::Answer(asked, answer) if which(asked) => {
            let mut answer = answer.clone();
            change(&mut answer);
            Some(vec![answer.to_string()])
        }
        _ => None,
    }
}

/// Answers requests in the wallet's place.
fn instead(
    it: &Passing,
    which: impl Fn(&Asked) -> bool,
    answer: impl Fn(&Asked) -> Vec<Value>,
) -> Option<Vec<String>> {
    match it {
        Passing::Request(asked) if which(asked) => {
            Some(answer(asked).iter().map(ToString::to_string).collect())
        }
        _ => None,
    }
}

/// Changes events; `None` from `change` loses one.
fn event(
    it: &Passing,
    name: &str,
    which: impl Fn(&Value) -> bool,
    change: impl Fn(Value) -> Vec<Value>,
) -> Option<Vec<String>> {
    match it {
        Passing::Event(event, payload, _) if event == name && which(payload) => {
            let sent = change(payload.clone()).into_iter();
            Some(sent.map(|it| notification(name, it).to_string()).collect())
        }
        _ => None,
    }
}

fn notification(name: &str, payload: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": name, "params": [payload] })
}

fn lost(_: Value) -> Vec<Value> {
    Vec::new()
}

fn result(asked: &Asked, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": asked.id, "result": result })
}

/// Gives errors another code, and results one.
fn code(code: i64) -> impl Fn(&mut Value) {
    move |answer| {
        answer.as_object_mut().unwrap().remove("result");
        answer["error"] = json!({ "code": code, "message": "planted" });
    }
}

/// Sets a part of the result.
fn set(path: &'static str, to: Value) -> impl Fn(&mut Value) {
    move |answer| match path.rsplit_once('/') {
        Some((parent, field)) => {
            if let Some(parent) = answer.pointer_mut(&format!("/result{parent}")) {
                match parent {
                    Value::Array(items) => items[field.parse::<usize>().unwrap()] = to.clone(),
                    other => other[field] = to.clone(),
                }
            }
        }
        None => answer["result"] = to.clone(),
    }
}

/// Removes a part of the result.
fn without(parent: &'static str, field: &'static str) -> impl Fn(&mut Value) {
    move |answer| {
        if let Some(parent) = answer.pointer_mut(&format!("/result{parent}")) {
            parent.as_object_mut().unwrap().remove(field);
        }
    }
}

/// The nth request of a method.
fn nth(method: &'static str, nth: usize) -> impl Fn(&Asked) -> bool {
    move |asked| asked.method == method && asked.nth == nth
}

fn raw(text: &'static str) -> impl Fn(&Asked) -> bool {
    move |asked| asked.raw.contains(text)
}

fn resource(verb: &'static str, resource: &'static str) -> impl Fn(&Asked) -> bool {
    move |asked| {
        asked.connected
            && asked.params["requestMethod"] == verb
            && asked.params["resource"] == resource
    }
}

/// Submissions, and events, of a part of the run.
fn command(of: &'static str) -> impl Fn(&Value) -> bool {
    move |it| {
        let id = it["commandId"].as_str().unwrap_or_default();
        id.starts_with(&format!("moorline-check-{of}-"))
    }
}

fn tx(of: &'static str, status: &'static str) -> impl Fn(&Value) -> bool {
    move |it| command(of)(it) && it["status"] == status
}

fn submission(of: &'static str) -> impl Fn(&Asked) -> bool {
    move |asked| asked.method == "prepareExecute" && command(of)(&asked.params)
}

const UNKNOWN: &str = "/v2/moorline-no-such-resource";
const ROOT: &[&str] = &[
    "framing.params-object",
    "framing.version",
    "framing.result-or-error",
    "framing.notification",
    "framing.ping",
];

/// Every fault.
fn all() -> impl Iterator<Item = &'static Planted> {
    requests::PLANTED.iter().chain(transactions::PLANTED)
}

async fn run(fault: Fault) -> Report {
    let wallet = DevWallet::builder().start().await.unwrap();
    let mut options = Options::new(proxy::start(wallet.address(), fault).await);
    options.person = Arc::new(AtTheWallet(wallet.control()));
    options.timeout = Duration::from_secs(3);
    check(options).await.unwrap()
}

pub(crate) fn red(report: &Report) -> HashSet<&'static str> {
    let failed = report
        .outcomes
        .iter()
        .filter(|it| matches!(it.verdict, Verdict::Failed { .. }));
    failed.map(|it| it.check.id).collect()
}

/// Whether a check needs another, at however many removes.
fn needs(id: &str, other: &str) -> bool {
    let mut all = catalogue();
    let check = all.find(|it| it.id == id).unwrap();
    check
        .needs
        .iter()
        .any(|need| *need == other || needs(need, other))
}

#[test]
fn every_check_over_websockets_has_a_fault() {
    let planted: HashSet<&str> = all().map(|it| it.id).collect();
    let applicable = catalogue().filter(|it| it.applies.to(Transport::WebSocket));
    let missing: Vec<&str> = applicable
        .map(|it| it.id)
        .filter(|id| !planted.contains(id) && !NOT_PLANTED.contains(id) && !RED.contains(id))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_fault_turns_its_check_red_and_nothing_else() {
    let sound = red(&run(|_| None).await);
    assert_eq!(sound, RED.iter().copied().collect(), "without a fault");
    let runs = futures_util::stream::iter(all()).map(async |planted| {
        let report = run(planted.fault).await;
        let red = red(&report);
        let mut wrong = Vec::new();
        if !red.contains(planted.id) {
            wrong.push(format!("{} does not turn red", planted.id));
        }
        for id in red {
            let expected = id == planted.id
                || RED.contains(&id)
                || planted.also == EVERYTHING
                || planted.also.contains(&id)
                || needs(id, planted.id)
                || planted.also.iter().any(|also| needs(id, also));
            if !expected {
                let seen = &report.outcome(id).unwrap().verdict;
                wrong.push(format!("{} turns {id} red: {seen:?}", planted.id));
            }
        }
        wrong
    });
    let wrong: Vec<Vec<String>> = runs.buffer_unordered(AT_ONCE).collect().await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
