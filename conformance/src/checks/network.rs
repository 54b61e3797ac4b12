//! `getActiveNetwork`.

use super::shaped;
use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;
use crate::shape;

const NETWORK: &str = "CIP-0103, getActiveNetwork; OpenRPC dApp API, Network";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "network.shape", "`getActiveNetwork` answers a Network", NETWORK,
        "answer `networkId`, and `ledgerApi` and `accessToken` where there are any", [], |e| shaped(e, "in/getActiveNetwork", shape::network, "a Network")),
    check!(Must Both "network.agrees", "`getActiveNetwork` and `status` name the same network", NETWORK,
        "answer both from the same state", [], agrees),
    check!(Should Both "network.caip2", "the network's id is a CAIP-2 id", "CIP-0103, status (\"SHOULD be CAIP-2 compliant\"); CAIP-2",
        "write it as `canton:<name>`", [], caip2),
];

fn agrees(e: &Evidence) -> Finding {
    let active = &e.result("in/getActiveNetwork")?["networkId"];
    let status = &e.result("in/status")?["network"]["networkId"];
    if status.is_null() {
        return Err(Problem::not_checked("`status` names no network"));
    }
    ensure(active == status, "the same of both", || {
        format!("{active} and {status}")
    })
}

fn caip2(e: &Evidence) -> Finding {
    let network = e.result("in/getActiveNetwork")?;
    let id = network["networkId"].as_str().unwrap_or_default();
    ensure(
        shape::is_caip2(id),
        "a CAIP-2 id such as canton:da-mainnet",
        || e.show(&network["networkId"]),
    )
}
