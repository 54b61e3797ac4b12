//! Faults in framing, errors, methods, sessions, accounts and signing. Requests are counted by method over the whole run.

use serde_json::{Value, json};

use super::{EVERYTHING, Planted, ROOT, code, instead, nth, on, plant, raw, result, set, without};

/// The faults.
pub(super) const PLANTED: &[Planted] = &[
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
];
