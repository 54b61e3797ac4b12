//! The table of known deviations.

use super::Deviation;
use super::Generation::{G1, G2};
use crate::checks;
use crate::evidence::Evidence;

const GATEWAY: &str = "reference wallet gateway, release 1.1.0 (May 2026)";
const LATER: &str = "reference wallet gateway, later releases (2026)";

/// Every deviation that is known by name.
pub const DEVIATIONS: &[Deviation] = &[
    Deviation {
        id: "G1-error-without-message",
        about: "errors (4100, -32601, -32600) carry a code and no message",
        known_of: &[G1],
        checks: &["errors.message"],
        reference: GATEWAY,
        sign: |e| {
            e.errors()
                .any(|it| it.2.code() == Some(4100) && it.2.message().is_none())
        },
    },
    Deviation {
        id: "G1-no-session-as-internal-error",
        about: "a valid token without a session is refused with -32603 \"No session found\" instead of 4100",
        known_of: &[G1, G2],
        checks: &[
            "lifecycle.end-4100",
            "lifecycle.logout",
            "lifecycle.expired",
        ],
        reference: GATEWAY,
        sign: |e| says(e, "No session found"),
    },
    Deviation {
        id: "G1-error-id-null",
        about: "-32601 and -32600 carry the id null although the request had one",
        known_of: &[G1, G2],
        checks: &["framing.error-id"],
        reference: GATEWAY,
        sign: |e| {
            e.reply("framing/unknown")
                .is_ok_and(|it| it.id().is_some_and(serde_json::Value::is_null))
        },
    },
    Deviation {
        id: "G1-html-error-bodies",
        about: "what is no JSON, or throws, is answered with an HTML page (and a stack trace)",
        known_of: &[G1],
        checks: &[
            "framing.parse-error",
            "framing.prototype-method",
            "framing.error-id",
            "http.errors-are-json",
            "http.text-refused",
            "http.huge",
            "framing.invalid-body",
        ],
        reference: GATEWAY,
        sign: |e| e.replies().any(|it| is_html(it.2)),
    },
    Deviation {
        id: "G2-parse-error-as-internal",
        about: "what is no JSON is answered with HTTP 500 \"Something went wrong\" instead of -32700",
        known_of: &[G2],
        checks: &[
            "framing.parse-error",
            "framing.invalid-body",
            "http.text-refused",
            "http.errors-are-json",
        ],
        reference: LATER,
        sign: |e| {
            e.reply("framing/parse")
                .is_ok_and(|it| !is_html(it) && it.head.as_ref().is_some_and(|it| it.status == 500))
        },
    },
    Deviation {
        id: "G1-notification-answered",
        about: "a request without an id is answered, with id null",
        known_of: &[G1, G2],
        checks: &["framing.notification-http"],
        reference: GATEWAY,
        sign: |e| {
            e.reply("framing/notification")
                .is_ok_and(crate::reply::Reply::is_rpc)
        },
    },
    Deviation {
        id: "G1-event-names-internal-error",
        about: "an event's name, called as a method, is refused with -32603 \"Only for events.\"",
        known_of: &[G1, G2],
        checks: &["methods.event-names-unknown"],
        reference: GATEWAY,
        sign: |e| says(e, "Only for events"),
    },
    Deviation {
        id: "G1-sign-message-missing",
        about: "`signMessage` is not implemented and throws (HTTP 500, an HTML page)",
        known_of: &[G1],
        checks: &[
            "methods.signMessage",
            "signMessage.shape",
            "signMessage.verifies",
            "signMessage.params",
            "out.signMessage",
            "lifecycle.end-4100",
            "http.errors-are-json",
        ],
        reference: GATEWAY,
        sign: |e| e.reply("out/signMessage").is_ok_and(is_html),
    },
    Deviation {
        id: "G2-sign-message-two-step",
        about: "`signMessage` answers `messageId` and `userUrl`; the signature comes with an event",
        known_of: &[G2],
        checks: &["signMessage.shape", "signMessage.verifies"],
        reference: LATER,
        sign: checks::is_two_step,
    },
    Deviation {
        id: "G2-message-signature-event",
        about: "an event `messageSignature` that the standard does not have",
        known_of: &[G2],
        checks: &["events.known-names"],
        reference: LATER,
        sign: |e| e.events.iter().any(|it| it.name == "messageSignature"),
    },
    Deviation {
        id: "G1-no-params-validation",
        about: "params are not validated: what is missing or wrong goes on to the ledger",
        known_of: &[G1, G2],
        checks: &[
            "prepareExecute.params",
            "signMessage.params",
            "ledgerApi.params",
            "framing.params-text",
        ],
        reference: GATEWAY,
        sign: |e| {
            e.refused("params/prepareExecute-empty", &[-32602, -32000])
                .is_err()
        },
    },
    Deviation {
        id: "G1-version-placeholder",
        about: "`provider.version` is the text `TODO`, or missing",
        known_of: &[G1, G2],
        checks: &["status.provider-version"],
        reference: GATEWAY,
        sign: |e| {
            e.result("out/status")
                .is_ok_and(|it| it["provider"]["version"] == "TODO")
        },
    },
    Deviation {
        id: "G1-extra-status-fields",
        about: "`status` has a `userUrl` of its own and `session.id`",
        known_of: &[G1, G2],
        checks: &["status.no-extra-fields"],
        reference: GATEWAY,
        sign: |e| {
            e.result("in/status")
                .is_ok_and(|it| it["session"]["id"].is_string() || it["userUrl"].is_string())
        },
    },
    Deviation {
        id: "G1-extra-account-fields",
        about: "accounts have a field `rights`",
        known_of: &[G1, G2],
        checks: &["accounts.no-extra-fields"],
        reference: GATEWAY,
        sign: |e| {
            e.result("in/listAccounts")
                .is_ok_and(|it| it[0].get("rights").is_some())
        },
    },
    Deviation {
        id: "G1-unreasoned-refusal",
        about: "`isConnected: false` gives a `networkReason` and no `reason`",
        known_of: &[G1, G2],
        checks: &["connect.reason"],
        reference: GATEWAY,
        sign: |e| {
            e.result("out/isConnected")
                .is_ok_and(|it| it["networkReason"].is_string())
        },
    },
    Deviation {
        id: "G1-stored-transaction-as-event",
        about: "`txChanged` executed carries everything that is stored of the transaction",
        known_of: &[G1, G2],
        checks: &["txChanged.no-extra-fields"],
        reference: GATEWAY,
        sign: |e| {
            tx(e, "executed")
                .any(|it| it.get("preparedTransaction").is_some() || it.get("id").is_some())
        },
    },
    Deviation {
        id: "G1-no-signed-event",
        about: "`txChanged` signed is not sent where the participant signs",
        known_of: &[G1],
        checks: &["txChanged.signed"],
        reference: GATEWAY,
        sign: |e| tx(e, "executed").next().is_some() && tx(e, "signed").next().is_none(),
    },
    Deviation {
        id: "G2-signed-without-signature",
        about: "`txChanged` signed carries the stored transaction, not signature, signedBy and party",
        known_of: &[G2],
        checks: &["txChanged.shape", "txChanged.no-extra-fields"],
        reference: LATER,
        sign: |e| tx(e, "signed").any(|it| it["payload"]["signature"].is_null()),
    },
    Deviation {
        id: "G1-rejection-silent",
        about: "a rejected transaction is deleted without any event",
        known_of: &[G1],
        checks: &["reject.failed"],
        reference: GATEWAY,
        sign: |e| {
            let told = |status: &str| {
                let mut events = e.heard("reject", "txChanged");
                events.any(|it| {
                    it.payload
                        .as_ref()
                        .is_some_and(|it| it["status"] == *status)
                })
            };
            !told("failed") && !told("executed")
        },
    },
    Deviation {
        id: "G1-events-user-wide",
        about: "every stream of a user hears everything, tokens and transactions of other sessions included",
        known_of: &[G1],
        checks: &["security.other-session", "security.other-token"],
        reference: GATEWAY,
        sign: |e| {
            e.facts.get("other/hears") == Some(&true)
                || e.facts.get("other/token-told") == Some(&true)
        },
    },
    Deviation {
        id: "G1-stream-survives-disconnect",
        about: "the stream goes on after `disconnect`, and delivers what comes later",
        known_of: &[G1, G2],
        checks: &["sse.ends-with-session"],
        reference: GATEWAY,
        sign: |e| e.facts.get("end/stream-ended") == Some(&false),
    },
    Deviation {
        id: "G1-stream-survives-logout",
        about: "the stream goes on after a logout at the wallet, and delivers the next login's token",
        known_of: &[G1],
        checks: &["sse.ends-with-logout"],
        reference: GATEWAY,
        sign: |e| e.facts.get("logout/stream-ended") == Some(&false),
    },
    Deviation {
        id: "G1-stream-survives-token",
        about: "the stream goes on after its token has expired",
        known_of: &[G1, G2],
        checks: &["sse.ends-with-token"],
        reference: GATEWAY,
        sign: |e| e.facts.get("expired/stream-ended") == Some(&false),
    },
    Deviation {
        id: "G1-stack-traces",
        about: "pages about errors show a stack trace",
        known_of: &[G1, G2],
        checks: &["http.no-stack-trace"],
        reference: GATEWAY,
        sign: |e| e.replies().any(|it| is_html(it.2)),
    },
    Deviation {
        id: "G1-no-batch",
        about: "batches are refused",
        known_of: &[G1, G2],
        checks: &["framing.batch"],
        reference: GATEWAY,
        sign: |e| e.refused("framing/batch", &[-32600]).is_ok(),
    },
    Deviation {
        id: "G1-reason-ok",
        about: "`reason` and `networkReason` say `OK` while all is well",
        known_of: &[G1, G2],
        checks: &["connect.reason-only-when-not"],
        reference: GATEWAY,
        sign: |e| {
            e.result("in/isConnected")
                .is_ok_and(|it| it["reason"] == "OK")
        },
    },
    Deviation {
        id: "G1-user-url-when-connected",
        about: "`connect` and `isConnected` give a `userUrl` although the user is connected",
        known_of: &[G1, G2],
        checks: &["connect.user-url-only-when-needed"],
        reference: GATEWAY,
        sign: |e| {
            e.result("in/isConnected")
                .is_ok_and(|it| it["userUrl"].is_string())
        },
    },
    Deviation {
        id: "G1-connect-announces",
        about: "every `connect` with a session sends `statusChanged` and `connected`",
        known_of: &[G1, G2],
        checks: &["events.connected-only-at-login"],
        reference: GATEWAY,
        sign: |e| e.heard("in", "connected").next().is_some(),
    },
    Deviation {
        id: "G1-sessions-user-wide",
        about: "there is one session a user: a `disconnect` anywhere ends it for every program",
        known_of: &[G1],
        checks: &["security.other-disconnect"],
        reference: GATEWAY,
        sign: |e| e.result("other/status").is_ok(),
    },
    Deviation {
        id: "G1-prepare-failure-silent",
        about: "a submission that cannot be prepared was announced as pending, and never as failed",
        known_of: &[G1, G2],
        checks: &["txChanged.refused-ends"],
        reference: GATEWAY,
        sign: |e| tx(e, "pending").next().is_some(),
    },
    Deviation {
        id: "G1-ledger-errors-internal",
        about: "what the ledger refuses is an internal error (-32603), with the ledger's own error as data",
        known_of: &[G1, G2],
        checks: &[
            "ledgerApi.unknown-resource-code",
            "prepareExecute.no-network",
            "ledgerApi.no-network",
        ],
        reference: GATEWAY,
        sign: |e| {
            e.error("in/ledgerApi-unknown")
                .is_ok_and(|it| it.code() == Some(-32603))
        },
    },
    Deviation {
        id: "G1-ledger-get-post-only",
        about: "`ledgerApi` knows get and post alone",
        known_of: &[G1, G2],
        checks: &["ledgerApi.verbs"],
        reference: GATEWAY,
        sign: |e| says(e, "Unsupported request method"),
    },
    Deviation {
        id: "G1-network-loss-silent",
        about: "losing the ledger sends no `statusChanged`",
        known_of: &[G1, G2],
        checks: &["events.network"],
        reference: GATEWAY,
        sign: |e| e.heard("cut", "statusChanged").next().is_none(),
    },
    Deviation {
        id: "G2-api-key-unattended",
        about: "with an API key nobody is asked: what is submitted is signed and executed",
        known_of: &[G2],
        checks: &["reject.failed"],
        reference: LATER,
        sign: |e| e.facts.get("login/api-key") == Some(&true),
    },
    Deviation {
        id: "G2-api-key-session-anew",
        about: "an API key opens a session by itself: `disconnect` does not last",
        known_of: &[G2],
        checks: &[
            "lifecycle.end-status",
            "lifecycle.end-4100",
            "lifecycle.end-not-executed",
            "lifecycle.logout",
            "lifecycle.expired",
            "sse.refused-after-end",
        ],
        reference: LATER,
        sign: |e| e.facts.get("login/api-key") == Some(&true),
    },
    Deviation {
        id: "G1-token-not-verified",
        about: "a self-signed token is read and not verified: neither signature nor expiry",
        known_of: &[G1],
        checks: &["security.altered-token", "lifecycle.expired"],
        reference: GATEWAY,
        sign: |e| {
            e.result("altered/isConnected")
                .is_ok_and(|it| it["isConnected"] == true)
                || e.result("expired/isConnected")
                    .is_ok_and(|it| it["isConnected"] == true)
        },
    },
    Deviation {
        id: "G1-networks-leak-secrets",
        about: "`listNetworks` at the user API gives client secrets to anybody",
        known_of: &[G1],
        checks: &["security.networks-without-secrets"],
        reference: GATEWAY,
        sign: |e| e.result("user/listNetworks").is_ok(),
    },
    Deviation {
        id: "G1-cors-after-auth",
        about: "refusals carry no CORS headers",
        known_of: &[G1, G2],
        checks: &["http.cors-error"],
        reference: GATEWAY,
        sign: |e| {
            e.reply("http/origin").is_ok_and(|it| {
                it.head
                    .as_ref()
                    .is_some_and(|it| it.header("access-control-allow-origin").is_some())
            })
        },
    },
    Deviation {
        id: "G1-close-after-unknown-method",
        about: "the connection is closed after -32601",
        known_of: &[G1],
        checks: &["http.kept"],
        reference: GATEWAY,
        sign: |e| e.facts.get("http/kept") == Some(&false),
    },
    Deviation {
        id: "G1-plain-rate-limit",
        about: "429 has a plain text for a body, sent as text/html",
        known_of: &[G1, G2],
        checks: &["http.limit-code"],
        reference: GATEWAY,
        sign: |e| e.reply("limited/isConnected").is_ok_and(|it| !it.is_rpc()),
    },
    Deviation {
        id: "G1-absent-method-unknown",
        about: "methods that only the synchronous API has are refused with -32601",
        known_of: &[G1, G2],
        checks: &["methods.unsupported"],
        reference: GATEWAY,
        sign: |e| e.refused("names/prepareExecuteAndWait", &[-32601]).is_ok(),
    },
    Deviation {
        id: "G1-execution-failure-silent",
        about: "a transaction that the ledger rejects is never announced as failed",
        known_of: &[G1, G2],
        checks: &["txChanged.failed"],
        reference: GATEWAY,
        sign: |e| e.heard("failing", "txChanged").next().is_some(),
    },
    Deviation {
        id: "G1-token-outlives-disconnect",
        about: "the token of a session that was disconnected opens another",
        known_of: &[G1, G2],
        checks: &["lifecycle.end-token"],
        reference: GATEWAY,
        sign: |e| {
            e.result("revived/isConnected")
                .is_ok_and(|it| it["isConnected"] == true)
        },
    },
    Deviation {
        id: "G1-deaf-disconnect",
        about: "`disconnect` without a good token answers null, and does nothing",
        known_of: &[G1, G2],
        checks: &["lifecycle.expired-disconnect"],
        reference: GATEWAY,
        sign: |e| e.result("expired/disconnect").is_ok(),
    },
    Deviation {
        id: "G1-idp-outage-is-logout",
        about: "while the identity provider is down everybody is `Unauthenticated`",
        known_of: &[G1, G2],
        checks: &["lifecycle.idp-outage"],
        reference: GATEWAY,
        sign: |e| {
            e.result("outage/isConnected")
                .is_ok_and(|it| it["isConnected"] == false)
        },
    },
];

fn says(e: &Evidence, what: &str) -> bool {
    e.errors()
        .any(|it| it.2.message().is_some_and(|it| it.contains(what)))
}

fn is_html(reply: &crate::reply::Reply) -> bool {
    reply
        .head
        .as_ref()
        // The text about too many requests is called HTML, and is none.
        .is_some_and(|it| it.content_type() == "text/html" && it.status != 429)
}

fn tx<'e>(e: &'e Evidence, status: &'e str) -> impl Iterator<Item = &'e serde_json::Value> {
    let events = e.events.iter().filter(|it| it.name == "txChanged");
    events
        .filter_map(|it| it.payload.as_ref())
        .filter(move |it| it["status"] == status)
}
