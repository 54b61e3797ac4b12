//! For every check a wallet that is well but for one fault: that check turns red, and nothing that
//! does not rest on it.

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
const AT_ONCE: usize = 32;

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

/// The faults. Requests are counted by method over the whole run.
const PLANTED: &[Planted] = &[
    plant("framing.version", &[], |it| {
        on(it, |_| true, |a| a["jsonrpc"] = json!("1.0"))
    }),
    plant("framing.result-or-error", &[], |it| {
        on(it, nth("status", 1), |a| a["error"] = Value::Null)
    }),
    plant("framing.id-string", &[], |it| {
        on(it, |a| a.id.is_string(), |a| a["id"] = json!("other"))
    }),
    plant("framing.id-zero", &[], |it| {
        on(it, |a| a.id == 0, |a| a["id"] = Value::Null)
    }),
    plant("framing.id-large", &[], |it| {
        on(
            it,
            |a| a.id == 9_007_199_254_740_991_u64,
            |a| a["id"] = json!(9_007_199_254_740_992_u64),
        )
    }),
    plant("framing.error-id", &[], |it| {
        on(it, nth("moorline_noSuchMethod", 0), |a| {
            a["id"] = Value::Null
        })
    }),
    plant("framing.unknown-method", &[], |it| {
        on(it, nth("moorline_noSuchMethod", 0), code(-32603))
    }),
    plant("framing.prototype-method", &[], |it| {
        on(it, nth("toString", 0), code(-32603))
    }),
    plant("framing.parse-error", &[], |it| {
        on(it, |a| a.raw.ends_with("\"id\":"), code(-32603))
    }),
    plant("framing.invalid-method", &[], |it| {
        on(it, raw("\"method\":1"), code(-32603))
    }),
    plant("framing.invalid-body", &[], |it| {
        on(it, |a| a.raw == "7", code(-32603))
    }),
    plant("framing.no-version", &[], |it| {
        on(
            it,
            |a| a.raw.starts_with("{\"id\"") && !a.raw.contains("jsonrpc"),
            code(-32603),
        )
    }),
    plant("framing.batch-empty", &[], |it| {
        on(it, |a| a.raw == "[]", code(-32603))
    }),
    plant("framing.batch-answered", &[], |it| {
        on(it, |a| a.raw.starts_with("[{"), code(-32603))
    }),
    plant("framing.goes-on", &[], |it| {
        on(it, nth("isConnected", 10), code(-32603))
    }),
    plant("framing.params-array", &[], |it| {
        on(it, |a| a.params == json!([]), code(-32602))
    }),
    plant("framing.params-object", ROOT, |it| {
        on(
            it,
            |a| a.params == json!({}) && a.method == "isConnected",
            code(-32602),
        )
    }),
    plant("framing.params-null", &[], |it| {
        on(it, raw("\"params\":null"), code(-32602))
    }),
    plant("framing.params-unknown", &[], |it| {
        on(it, |a| a.params["moorline"] == 1, code(-32603))
    }),
    plant("framing.notification", &[], |it| {
        instead(
            it,
            |a| a.method == "isConnected" && a.id.is_null() && a.raw.contains("2.0"),
            |a| vec![result(a, json!({}))],
        )
    }),
    plant("framing.pipelined", &[], |it| {
        instead(it, nth("isConnected", 13), |_| Vec::new())
    }),
    plant(
        "errors.object",
        &[
            "out.listAccounts",
            "methods.listAccounts",
            "framing.error-id",
        ],
        |it| on(it, nth("listAccounts", 0), |a| a["error"] = json!("no")),
    ),
    plant("errors.code", &["out.ledgerApi"], |it| {
        on(it, nth("ledgerApi", 0), |a| {
            a["error"]["code"] = json!("4100")
        })
    }),
    plant("errors.message", &[], |it| {
        on(it, nth("ledgerApi", 0), |a| {
            a["error"]["message"] = json!(" ")
        })
    }),
    plant("errors.known-codes", &["out.ledgerApi"], |it| {
        on(it, nth("ledgerApi", 0), code(-1))
    }),
    plant("methods.status", &["security.user-url"], |it| {
        on(it, nth("status", 0), code(-32601))
    }),
    plant("methods.connect", EVERYTHING, |it| {
        on(it, nth("connect", 0), code(-32601))
    }),
    plant(
        "methods.isConnected",
        &[
            "isConnected.shape",
            "isConnected.false-when-out",
            "connect.reason",
            "status.agrees",
        ],
        |it| on(it, nth("isConnected", 0), code(-32601)),
    ),
    plant("methods.disconnect", &[], |it| {
        on(it, nth("disconnect", 0), code(4200))
    }),
    plant(
        "methods.getActiveNetwork",
        &["out.getActiveNetwork"],
        |it| on(it, nth("getActiveNetwork", 0), code(-32601)),
    ),
    plant("methods.listAccounts", &["out.listAccounts"], |it| {
        on(it, nth("listAccounts", 0), code(-32601))
    }),
    plant(
        "methods.getPrimaryAccount",
        &["out.getPrimaryAccount"],
        |it| on(it, nth("getPrimaryAccount", 0), code(-32601)),
    ),
    plant("methods.signMessage", &["out.signMessage"], |it| {
        on(it, nth("signMessage", 0), code(-32004))
    }),
    plant("methods.prepareExecute", &["out.prepareExecute"], |it| {
        on(it, nth("prepareExecute", 0), code(-32601))
    }),
    plant(
        "methods.prepareExecuteAndWait",
        &["out.prepareExecuteAndWait"],
        |it| on(it, nth("prepareExecuteAndWait", 0), code(-32601)),
    ),
    plant("methods.ledgerApi", &["out.ledgerApi"], |it| {
        on(it, nth("ledgerApi", 0), code(-32601))
    }),
    plant(
        "methods.event-names",
        &["errors.object", "methods.event-names-unknown"],
        |it| on(it, nth("txChanged", 0), |a| a["error"] = json!("no")),
    ),
    plant("methods.event-names-unknown", &[], |it| {
        on(it, nth("txChanged", 0), code(-32603))
    }),
    plant("connect.shape", &[], |it| {
        on(
            it,
            nth("connect", 0),
            set("/isNetworkConnected", json!("yes")),
        )
    }),
    plant("connect.connected", EVERYTHING, |it| {
        on(
            it,
            |a| ["connect", "isConnected"].contains(&&*a.method),
            set("/isConnected", json!(false)),
        )
    }),
    plant("connect.twice", &[], |it| {
        on(it, nth("connect", 1), set("/isConnected", json!(false)))
    }),
    plant("connect.no-extra-fields", &[], |it| {
        on(it, nth("connect", 0), set("/planted", json!(1)))
    }),
    plant("connect.reason", &[], |it| {
        on(it, nth("isConnected", 0), without("", "reason"))
    }),
    plant("connect.reason-only-when-not", &[], |it| {
        on(
            it,
            |a| a.method == "isConnected" && a.connected,
            set("/reason", json!("OK")),
        )
    }),
    plant("connect.user-url-only-when-needed", &[], |it| {
        on(
            it,
            |a| a.method == "isConnected" && a.connected,
            set("/userUrl", json!("https://w.example/")),
        )
    }),
    plant("isConnected.shape", &[], |it| {
        on(
            it,
            nth("isConnected", 0),
            set("/isNetworkConnected", json!(1)),
        )
    }),
    plant(
        "isConnected.false-when-out",
        &["status.agrees", "connect.reason"],
        |it| on(it, nth("isConnected", 0), set("/isConnected", json!(true))),
    ),
    plant("isConnected.true-when-in", &["status.agrees"], |it| {
        on(
            it,
            nth("isConnected", 14),
            set("/isConnected", json!(false)),
        )
    }),
    plant("disconnect.null", &[], |it| {
        on(it, nth("disconnect", 1), set("", json!({})))
    }),
    plant("disconnect.twice", &[], |it| {
        on(it, nth("disconnect", 2), code(-32603))
    }),
    plant("status.shape", &[], |it| {
        on(it, nth("status", 2), set("/provider/id", json!(7)))
    }),
    plant("status.shape-out", &[], |it| {
        on(it, nth("status", 1), set("/provider/id", json!("")))
    }),
    plant("status.provider-type", &[], |it| {
        on(it, nth("status", 1), without("/provider", "providerType"))
    }),
    plant("status.provider-version", &[], |it| {
        on(
            it,
            nth("status", 1),
            set("/provider/version", json!("TODO")),
        )
    }),
    plant("status.agrees", &[], |it| {
        on(
            it,
            nth("status", 2),
            set("/connection/isConnected", json!(false)),
        )
    }),
    plant("status.network-caip2", &["network.agrees"], |it| {
        on(
            it,
            nth("status", 2),
            set("/network/networkId", json!("devnet")),
        )
    }),
    plant("status.network", &[], |it| {
        on(it, nth("status", 2), without("", "network"))
    }),
    plant("status.session", &[], |it| {
        on(it, nth("status", 2), without("", "session"))
    }),
    plant("status.no-extra-fields", &[], |it| {
        on(it, nth("status", 2), set("/session/id", json!("s")))
    }),
    plant("network.shape", &["network.agrees"], |it| {
        on(
            it,
            nth("getActiveNetwork", 1),
            set("/accessToken", json!(7)),
        )
    }),
    plant("network.agrees", &["primary.on-network"], |it| {
        on(
            it,
            nth("getActiveNetwork", 1),
            set("/networkId", json!("canton:other")),
        )
    }),
    plant(
        "network.caip2",
        &["network.agrees", "primary.on-network"],
        |it| {
            on(
                it,
                nth("getActiveNetwork", 1),
                set("/networkId", json!("devnet")),
            )
        },
    ),
    plant("accounts.shape", &[], |it| {
        on(it, nth("listAccounts", 1), set("/0/hint", json!(7)))
    }),
    plant("accounts.one-primary", &["primary.listed"], |it| {
        on(it, nth("listAccounts", 1), set("/1/primary", json!(true)))
    }),
    plant("accounts.distinct", &["accounts.one-primary"], |it| {
        on(it, nth("listAccounts", 1), |a| {
            let first = a["result"][0].clone();
            a["result"][1] = first;
        })
    }),
    plant("accounts.party", &["accounts.namespace"], |it| {
        on(it, nth("listAccounts", 1), set("/1/partyId", json!("bob")))
    }),
    plant("accounts.namespace", &[], |it| {
        on(
            it,
            nth("listAccounts", 1),
            set("/1/namespace", json!("1220")),
        )
    }),
    plant("accounts.no-extra-fields", &[], |it| {
        on(it, nth("listAccounts", 1), set("/1/rights", json!([])))
    }),
    plant("primary.shape", &[], |it| {
        on(
            it,
            nth("getPrimaryAccount", 1),
            set("/status", json!("gone")),
        )
    }),
    plant("primary.listed", &[], |it| {
        on(
            it,
            nth("getPrimaryAccount", 1),
            set("/partyId", json!("eve::1220")),
        )
    }),
    plant("primary.on-network", &[], |it| {
        on(
            it,
            nth("getPrimaryAccount", 1),
            set("/networkId", json!("canton:other")),
        )
    }),
    plant("signMessage.shape", &[], |it| {
        on(
            it,
            nth("signMessage", 1),
            set("", json!({ "signature": "" })),
        )
    }),
    plant("signMessage.verifies", &[], |it| {
        on(
            it,
            nth("signMessage", 1),
            set("/signature", json!("ab".repeat(64))),
        )
    }),
    plant("signMessage.params", &[], |it| {
        on(
            it,
            |a| a.method == "signMessage" && a.params["message"] == 7,
            code(-32603),
        )
    }),
    plant(
        "ledgerApi.get",
        &["ledgerApi.path", "ledgerApi.headers"],
        |it| on(it, resource("get", "/v2/version"), set("", json!(7))),
    ),
    plant("ledgerApi.unknown-resource", &[], |it| {
        on(it, resource("get", UNKNOWN), |a| {
            a.as_object_mut().unwrap().remove("error");
            a["result"] = json!({});
        })
    }),
    plant("ledgerApi.unknown-resource-code", &[], |it| {
        on(it, resource("get", UNKNOWN), code(-32603))
    }),
    plant("ledgerApi.verbs", &[], |it| {
        on(it, resource("patch", UNKNOWN), code(-32602))
    }),
    plant("ledgerApi.path", &[], |it| {
        on(it, resource("get", "/v2/{what}"), code(-32602))
    }),
    plant("ledgerApi.headers", &[], |it| {
        on(it, |a| a.params["headers"].is_object(), code(-32602))
    }),
    plant("ledgerApi.params", &[], |it| {
        on(it, resource("destroy", "/v2/version"), code(-32603))
    }),
    plant("prepareExecute.null", &[], |it| {
        on(it, submission("tx"), set("", json!({})))
    }),
    plant("prepareExecute.params", &[], |it| {
        on(
            it,
            |a| a.method == "prepareExecute" && a.params["commands"] == 7,
            code(-32603),
        )
    }),
    plant("prepareExecute.stranger", &[], |it| {
        instead(it, submission("stranger"), |a| {
            let id = &a.params["commandId"];
            let executed = json!({ "status": "executed", "commandId": id, "payload": { "updateId": "u", "completionOffset": 1 } });
            vec![result(a, Value::Null), notification("txChanged", executed)]
        })
    }),
    plant("prepareExecute.no-network", &[], |it| {
        on(it, submission("cut"), code(-32603))
    }),
    plant("txChanged.pending", &[], |it| {
        event(it, "txChanged", tx("tx", "pending"), lost)
    }),
    plant("txChanged.own-id", &[], |it| {
        event(
            it,
            "txChanged",
            |it| {
                !it["commandId"]
                    .as_str()
                    .unwrap_or_default()
                    .starts_with("moorline-check")
            },
            |mut it| {
                it["commandId"] = json!("moorline-check-own");
                vec![it]
            },
        )
    }),
    plant("txChanged.ends", &[], |it| {
        event(it, "txChanged", tx("tx", "executed"), lost)
    }),
    plant("txChanged.order", &[], |it| {
        event(it, "txChanged", tx("tx", "executed"), |it| {
            vec![
                it.clone(),
                json!({ "status": "pending", "commandId": it["commandId"] }),
            ]
        })
    }),
    plant("txChanged.signed", &[], |it| {
        event(it, "txChanged", tx("tx", "signed"), lost)
    }),
    plant("txChanged.shape", &[], |it| {
        event(it, "txChanged", tx("tx", "signed"), |mut it| {
            it["payload"] = Value::Null;
            vec![it]
        })
    }),
    plant("txChanged.no-extra-fields", &[], |it| {
        event(it, "txChanged", tx("tx", "pending"), |mut it| {
            it["origin"] = json!("x");
            vec![it]
        })
    }),
    plant("txChanged.refused-ends", &[], |it| match it {
        Passing::Answer(asked, answer) if submission("stranger")(asked) => {
            let pending = json!({ "status": "pending", "commandId": asked.params["commandId"] });
            Some(vec![
                notification("txChanged", pending).to_string(),
                answer.to_string(),
            ])
        }
        _ => None,
    }),
    plant("prepareExecuteAndWait.executed", &[], |it| {
        on(
            it,
            |a| a.method == "prepareExecuteAndWait" && command("wait")(&a.params),
            set("/tx/status", json!("failed")),
        )
    }),
    plant("reject.failed", &[], |it| {
        event(it, "txChanged", tx("reject", "failed"), lost)
    }),
    plant("reject.wait-4001", &[], |it| {
        on(it, |a| command("reject-wait")(&a.params), code(-32603))
    }),
    plant("reject.sign-4001", &[], |it| {
        on(
            it,
            |a| a.params["message"] == "moorline: reject me",
            code(-32603),
        )
    }),
    plant("events.payloads", &["events.status-shape"], |it| match it {
        Passing::Event(name, ..) if name == "connected" => Some(vec![
            json!({ "jsonrpc": "2.0", "method": name, "params": [] }).to_string(),
        ]),
        _ => None,
    }),
    plant("events.status-shape", &[], |it| {
        event(
            it,
            "connected",
            |_| true,
            |mut it| {
                it.as_object_mut().unwrap().remove("provider");
                vec![it]
            },
        )
    }),
    plant("events.known-names", &[], |it| match it {
        Passing::Answer(asked, answer) if nth("connect", 1)(asked) => Some(vec![
            notification("messageSignature", json!({})).to_string(),
            answer.to_string(),
        ]),
        _ => None,
    }),
    plant("events.end-announced", &[], |it| {
        event(
            it,
            "statusChanged",
            |it| it["connection"]["reason"] == "disconnect",
            lost,
        )
    }),
    plant("events.login-announced", &[], |it| {
        event(it, "connected", |_| true, lost)
    }),
    plant("events.connected-only-at-login", &[], |it| match it {
        Passing::Answer(asked, answer) if nth("connect", 1)(asked) => {
            let connection = json!({ "isConnected": true, "isNetworkConnected": true });
            let status = json!({ "provider": { "id": "w" }, "connection": connection });
            Some(vec![
                notification("connected", status).to_string(),
                answer.to_string(),
            ])
        }
        _ => None,
    }),
    plant("events.accounts", &[], |it| {
        event(it, "accountsChanged", |_| true, lost)
    }),
    plant("events.accounts-agree", &[], |it| {
        event(
            it,
            "accountsChanged",
            |_| true,
            |mut it| {
                for account in it.as_array_mut().unwrap() {
                    account["primary"] = json!(account["primary"] != true);
                }
                vec![it]
            },
        )
    }),
    plant("events.logout", &[], |it| {
        event(
            it,
            "statusChanged",
            |it| {
                it["connection"]["networkReason"] == "removed session"
                    || it["connection"]["reason"] == "removed session"
            },
            lost,
        )
    }),
    plant("events.network", &[], |it| {
        event(
            it,
            "statusChanged",
            |it| {
                it["connection"]["isNetworkConnected"] == false
                    && it["connection"]["isConnected"] == true
            },
            lost,
        )
    }),
    plant("out.getActiveNetwork", &[], |it| {
        on(it, nth("getActiveNetwork", 0), code(-32603))
    }),
    plant("out.listAccounts", &[], |it| {
        on(it, nth("listAccounts", 0), code(-32603))
    }),
    plant("out.getPrimaryAccount", &[], |it| {
        on(it, nth("getPrimaryAccount", 0), code(-32603))
    }),
    plant("out.signMessage", &[], |it| {
        on(it, nth("signMessage", 0), code(-32603))
    }),
    plant("out.prepareExecute", &[], |it| {
        on(it, nth("prepareExecute", 0), code(-32603))
    }),
    plant("out.prepareExecuteAndWait", &[], |it| {
        on(it, nth("prepareExecuteAndWait", 0), code(-32603))
    }),
    plant("out.ledgerApi", &[], |it| {
        on(it, nth("ledgerApi", 0), code(-32603))
    }),
    plant("lifecycle.end-status", &[], |it| {
        on(
            it,
            nth("status", 6),
            set("/connection/isConnected", json!(true)),
        )
    }),
    plant("lifecycle.end-4100", &[], |it| {
        on(it, nth("listAccounts", 5), code(-32603))
    }),
    plant("lifecycle.end-not-executed", &[], |it| match it {
        Passing::Answer(asked, answer) if submission("end")(asked) => {
            let pending = json!({ "status": "pending", "commandId": asked.params["commandId"] });
            Some(vec![
                answer.to_string(),
                notification("txChanged", pending).to_string(),
            ])
        }
        _ => None,
    }),
    plant("lifecycle.again", &[], |it| {
        on(
            it,
            nth("status", 7),
            set("/connection/isConnected", json!(false)),
        )
    }),
    plant("lifecycle.relinked", &[], |it| {
        on(
            it,
            nth("status", 4),
            set("/connection/isConnected", json!(false)),
        )
    }),
    plant("lifecycle.second-link", &[], |it| {
        on(
            it,
            nth("status", 3),
            set("/connection/isConnected", json!(false)),
        )
    }),
    plant("lifecycle.second-link-events", &[], |it| match it {
        // The first connection only looks whether anybody is there.
        Passing::Event(_, _, 3) => Some(Vec::new()),
        _ => None,
    }),
    plant("lifecycle.expired", &[], |it| {
        on(it, nth("listAccounts", 3), code(-32603))
    }),
    plant("lifecycle.logout", &[], |it| {
        on(it, nth("listAccounts", 4), code(-32603))
    }),
    plant(
        "security.status-without-secrets",
        &["status.no-extra-fields"],
        |it| {
            on(
                it,
                nth("status", 1),
                set(
                    "/session",
                    json!({ "accessToken": "a-secret", "userId": "u" }),
                ),
            )
        },
    ),
    plant("security.user-url", &[], |it| {
        on(
            it,
            |a| a.method == "connect" && !a.connected,
            set("/userUrl", json!("http://w.example/login")),
        )
    }),
];

async fn run(fault: Fault) -> Report {
    let wallet = DevWallet::builder().start().await.unwrap();
    let mut options = Options::new(proxy::start(wallet.address(), fault).await);
    options.person = Arc::new(AtTheWallet(wallet.control()));
    options.timeout = Duration::from_secs(3);
    check(options).await.unwrap()
}

fn red(report: &Report) -> HashSet<&'static str> {
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
    let planted: HashSet<&str> = PLANTED.iter().map(|it| it.id).collect();
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
    let runs = futures_util::stream::iter(PLANTED).map(async |planted| {
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
