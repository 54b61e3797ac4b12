//! `ledgerApi`.

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;

const LEDGER: &str = "CIP-0103, ledgerApi; OpenRPC dApp API, LedgerApiRequest";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "ledgerApi.get", "`get /v2/version` is passed to the ledger", LEDGER,
        "pass the request to the JSON Ledger API and answer what it answers", ["connect.connected"], get),
    check!(Must Both "ledgerApi.unknown-resource", "a resource that the ledger does not have is an error", LEDGER,
        "answer the ledger's refusal as an error with code and message", ["connect.connected"], |e| e.error("in/ledgerApi-unknown").map(drop)),
    check!(Should Both "ledgerApi.unknown-resource-code", "a resource that the ledger does not have is no internal error", "CIP-0103, Error Types (-32001 Resource not found)",
        "answer -32001 where the ledger answers 404", ["ledgerApi.unknown-resource"], |e| e.refused("in/ledgerApi-unknown", &[-32001, -32002, -32000, -32602])),
    check!(Should Both "ledgerApi.verbs", "every HTTP method of the ledger is passed on", "CIP-0103, ledgerApi (\"Any HTTP method supported by the Ledger API\")",
        "pass patch, put and delete on, too", ["ledgerApi.unknown-resource"], verbs),
    check!(Should Both "ledgerApi.path", "`{..}` in a resource is filled in from `path`", "CIP-0103, ledgerApi (\"The template is resolved by the path request object\")",
        "replace `{name}` by the value of `name` in `path`", ["ledgerApi.get"], |e| same(e, "in/ledgerApi-path")),
    check!(Should Both "ledgerApi.headers", "`headers` are accepted", "CIP-0103, ledgerApi (`headers`, amendment of 2026-03-10)",
        "pass further headers on, or ignore them", ["ledgerApi.get"], |e| same(e, "in/ledgerApi-headers")),
    check!(Should Both "ledgerApi.no-network", "a request to a ledger that is away is refused with 4900, 4901 or -32002", "CIP-0103, Error Types (4900, 4901, -32002)",
        "answer 4901 while the ledger cannot be reached", ["connect.connected"], |e| e.refused("cut/ledgerApi", &[4900, 4901, -32002])),
    check!(Must Both "ledgerApi.params", "a request without a resource, or with a method that is none, is refused with -32602 or -32000", "OpenRPC dApp API, LedgerApiRequest (required; enum); CIP-0103, Error Types",
        "check params before anything is passed on", [], params),
];

fn get(e: &Evidence) -> Finding {
    let result = e.result("in/ledgerApi")?;
    ensure(result.is_object(), "an object", || e.show(result))
}

fn same(e: &Evidence, label: &str) -> Finding {
    let (one, other) = (e.result("in/ledgerApi")?, e.result(label)?);
    ensure(one == other, "the same as without it", || e.show(other))
}

/// Asked of a resource that is not there: nothing is changed by it.
fn verbs(e: &Evidence) -> Finding {
    for verb in ["patch", "put", "delete"] {
        let label = format!("in/ledgerApi-{verb}");
        if e.result(&label).is_ok() {
            continue;
        }
        let error = e.error(&label)?;
        let said = error.message().unwrap_or_default().to_lowercase();
        let refused =
            said.contains("unsupported") || matches!(error.code(), Some(-32602 | -32601 | 4200));
        ensure(!refused, "the ledger's own answer", || {
            e.reply(&label)
                .map(|it| e.show_reply(it))
                .unwrap_or_default()
        })?;
    }
    Ok(())
}

fn params(e: &Evidence) -> Finding {
    for what in ["none", "empty", "type"] {
        let label = format!("params/ledgerApi-{what}");
        e.refused(&label, &[-32602, -32000, -32004])
            .map_err(|problem| match problem {
                Problem::Wrong { expected, seen } => {
                    Problem::wrong(expected, format!("{what}: {seen}"))
                }
                other => other,
            })?;
    }
    Ok(())
}
