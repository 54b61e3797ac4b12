//! `connect`, `isConnected`, `disconnect`.

use super::{none_of, shaped};
use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;
use crate::shape;

const CONNECT: &str = "CIP-0103, connect; OpenRPC dApp API, ConnectResult";
const IS: &str = "CIP-0103, isConnected; OpenRPC dApp API, ConnectResult";
const ASYNC: &str = "CIP-0103, Asynchronous dApp API, connect (\"a userUrl is returned\")";
const DISCONNECT: &str = "CIP-0103, disconnect; OpenRPC dApp API, disconnect (Null)";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "connect.shape", "`connect` answers a ConnectResult", CONNECT,
        "answer `isConnected` and `isNetworkConnected`, booleans both", [], |e| shaped(e, "login/connect", shape::connect_result, "a ConnectResult")),
    check!(Must Both "connect.connected", "after `connect`, and a login where one is needed, the wallet is connected", CONNECT,
        "answer `isConnected: true` once the user has logged in", [], connected),
    check!(Must Http "connect.user-url", "`connect` without a session gives a `userUrl`", ASYNC,
        "answer `userUrl`, where a person can log in", [], user_url),
    check!(Must Both "connect.twice", "`connect` while connected answers that it is", CONNECT,
        "answer `isConnected: true` without another login", ["connect.connected"], twice),
    check!(Should Both "connect.no-extra-fields", "a ConnectResult has no fields beyond its description", "OpenRPC dApp API, ConnectResult (additionalProperties: false)",
        "leave fields out that the description does not have", [], extra),
    check!(Should Both "connect.reason", "a ConnectResult that says no gives a reason", CONNECT,
        "say in `reason` why the user is not connected", [], reason),
    check!(Should Both "connect.reason-only-when-not", "reasons are given only where something is wrong", "CIP-0103, connect (\"optionally accompanied by an error reason\")",
        "leave `reason` and `networkReason` out when all is well", ["connect.connected"], no_needless_reason),
    check!(Should Both "connect.user-url-only-when-needed", "a `userUrl` is given only where something is to be done there", "CIP-0103, Asynchronous dApp API, connect (\"if no prior connection is established\")",
        "leave `userUrl` out while the user is connected", ["connect.connected"], no_needless_url),
    check!(Must Both "isConnected.shape", "`isConnected` answers a ConnectResult", IS,
        "answer `isConnected` and `isNetworkConnected`, booleans both", [], is_shape),
    check!(Must Both "isConnected.false-when-out", "`isConnected` is false without a session", IS,
        "answer `isConnected: false` until the user has connected", [], |e| says(e, "out/isConnected", false)),
    check!(Must Both "isConnected.true-when-in", "`isConnected` is true with a session", IS,
        "answer `isConnected: true` while there is a session", ["connect.connected"], |e| says(e, "in/isConnected", true)),
    check!(Must Both "disconnect.null", "`disconnect` answers null", DISCONNECT,
        "answer `\"result\": null`", ["connect.connected"], |e| null(e, "end/disconnect")),
    check!(Should Both "disconnect.twice", "`disconnect` without a session answers null, or 4100 where the token ended with it", DISCONNECT,
        "make it idempotent", [], |e| null(e, "end/disconnect-again").or_else(|_| e.refused("end/disconnect-again", &[4100]))),
];

fn connected(e: &Evidence) -> Finding {
    e.took_place("connected")?;
    if e.result("login/connect")?["isConnected"] == true {
        return Ok(());
    }
    ensure(
        e.result("login/isConnected")?["isConnected"] == true,
        "connected",
        || "not connected".into(),
    )
}

/// `connect` when there was no session; nobody's own login counts.
fn user_url(e: &Evidence) -> Finding {
    for label in ["login/connect", "again/connect"] {
        let Ok(result) = e.result(label) else {
            continue;
        };
        if result["isConnected"] == false {
            return ensure(result["userUrl"].is_string(), "a `userUrl`", || {
                e.show(result)
            });
        }
    }
    e.result("login/connect")?;
    Err(Problem::not_checked("the wallet connected without a login"))
}

fn twice(e: &Evidence) -> Finding {
    says(e, "in/connect", true)
}

fn says(e: &Evidence, label: &str, connected: bool) -> Finding {
    let result = e.result(label)?;
    ensure(
        result["isConnected"] == connected,
        &format!("`isConnected: {connected}`"),
        || e.show(result),
    )
}

fn is_shape(e: &Evidence) -> Finding {
    shaped(
        e,
        "out/isConnected",
        shape::connect_result,
        "a ConnectResult",
    )?;
    match shaped(
        e,
        "in/isConnected",
        shape::connect_result,
        "a ConnectResult",
    ) {
        Err(Problem::NotChecked(_)) => Ok(()),
        other => other,
    }
}

fn extra(e: &Evidence) -> Finding {
    let found = shape::connection_strangers(e.result("login/connect")?, "result");
    none_of(found, "no other fields")
}

fn reason(e: &Evidence) -> Finding {
    let result = e.result("out/isConnected")?;
    if result["isConnected"] == true {
        return Err(Problem::not_checked("the wallet does not disconnect"));
    }
    ensure(result["reason"].is_string(), "a `reason`", || {
        e.show(result)
    })
}

/// What `isConnected` says while all is well.
fn while_well(e: &Evidence) -> Result<&serde_json::Value, Problem> {
    let result = e.result("in/isConnected")?;
    if result["isConnected"] == true && result["isNetworkConnected"] == true {
        return Ok(result);
    }
    Err(Problem::not_checked(
        "the wallet is not connected to its network",
    ))
}

fn no_needless_reason(e: &Evidence) -> Finding {
    let result = while_well(e)?;
    ensure(
        result["reason"].is_null() && result["networkReason"].is_null(),
        "no reason",
        || e.show(result),
    )
}

fn no_needless_url(e: &Evidence) -> Finding {
    let result = while_well(e)?;
    ensure(result["userUrl"].is_null(), "no `userUrl`", || {
        e.show(result)
    })
}

fn null(e: &Evidence, label: &str) -> Finding {
    let result = e.result(label)?;
    ensure(result.is_null(), "null", || e.show(result))
}
