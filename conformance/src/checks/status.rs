//! `status`.

use serde_json::Value;

use super::{none_of, shaped};
use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;
use crate::shape;

const STATUS: &str = "CIP-0103, status; OpenRPC dApp API, StatusEvent";
const PROVIDER: &str = "CIP-0103, status (Provider)";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "status.shape", "`status` answers a StatusEvent while connected", STATUS,
        "answer `provider` and `connection`, and what else there is in the described form", [], |e| shaped(e, "in/status", shape::status, "a StatusEvent")),
    check!(Must Both "status.shape-out", "`status` answers a StatusEvent while not connected", STATUS,
        "`status` needs no session: answer `isConnected: false`", [], |e| shaped(e, "out/status", shape::status, "a StatusEvent")),
    check!(Must Both "status.provider-type", "`provider.providerType` says what the wallet is", PROVIDER,
        "set it to browser, desktop, mobile or remote", ["status.shape-out"], provider_type),
    check!(Should Both "status.provider-version", "`provider.version` is the version of the API", "CIP-0103, status (Provider) and Versioning (\"MUST be versioned\")",
        "set it to the version of the API description you implement, such as 1.0.0", ["status.shape-out"], version),
    check!(Must Both "status.agrees", "`status` and `isConnected` agree, connected and not", STATUS,
        "answer both from the same state", [], agrees),
    check!(Should Both "status.network-caip2", "`network.networkId` is a CAIP-2 id", "CIP-0103, status (\"SHOULD be CAIP-2 compliant\")",
        "write it as `canton:<name>`", [], caip2),
    check!(May Both "status.network", "`status` names the network while connected", STATUS,
        "clients find out about a switch of networks by it", [], |e| part(e, "network")),
    check!(May Both "status.session", "`status` gives the session while connected", STATUS,
        "clients learn by it when the session ends", [], |e| part(e, "session")),
    check!(Should Both "status.no-extra-fields", "a StatusEvent has no fields beyond its description", "OpenRPC dApp API, StatusEvent (additionalProperties: false)",
        "leave fields out that the description does not have", [], extra),
];

fn provider(e: &Evidence) -> Result<&Value, Problem> {
    Ok(&e.result("out/status")?["provider"])
}

fn provider_type(e: &Evidence) -> Finding {
    let provider = provider(e)?;
    ensure(
        provider["providerType"].is_string(),
        "`providerType`",
        || e.show(provider),
    )
}

fn version(e: &Evidence) -> Finding {
    let provider = provider(e)?;
    let version = provider["version"].as_str().unwrap_or_default();
    ensure(
        version.starts_with(|it: char| it.is_ascii_digit()),
        "a version, such as 1.0.0",
        || e.show(provider),
    )
}

fn agrees(e: &Evidence) -> Finding {
    for part in ["out", "in"] {
        let status = match e.result(&format!("{part}/status")) {
            Err(Problem::NotChecked(_)) => continue,
            other => &other?["connection"]["isConnected"],
        };
        let is = &e.result(&format!("{part}/isConnected"))?["isConnected"];
        ensure(status == is, "the same of both", || {
            format!("`status` says {status}, `isConnected` says {is}")
        })?;
    }
    Ok(())
}

fn caip2(e: &Evidence) -> Finding {
    let network = &e.result("in/status")?["network"]["networkId"];
    match network.as_str() {
        None => Err(Problem::not_checked("`status` names no network")),
        Some(id) => ensure(
            shape::is_caip2(id),
            "a CAIP-2 id such as canton:da-mainnet",
            || id.to_owned(),
        ),
    }
}

fn part(e: &Evidence, field: &str) -> Finding {
    let status = e.result("in/status")?;
    ensure(status[field].is_object(), &format!("`{field}`"), || {
        "no such field".into()
    })
}

fn extra(e: &Evidence) -> Finding {
    let mut found = shape::status_strangers(e.result("out/status")?, "result");
    if let Ok(status) = e.result("in/status") {
        found.extend(shape::status_strangers(status, "result"));
    }
    none_of(found, "no other fields")
}
