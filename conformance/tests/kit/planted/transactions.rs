//! Faults in the ledger, transactions, events, lifecycles and secrets. Requests are counted by method over the whole run.

use serde_json::{Value, json};

use super::{
    Planted, UNKNOWN, code, command, event, instead, lost, notification, nth, on, plant, resource,
    result, set, submission, tx,
};
use crate::proxy::Passing;

/// The faults.
pub(super) const PLANTED: &[Planted] = &[
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
    plant("ledgerApi.no-network", &[], |it| {
        on(it, resource("get", "/v2/state/ledger-end"), code(-32603))
    }),
    plant("txChanged.failed", &[], |it| {
        event(it, "txChanged", tx("failing", "failed"), lost)
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
