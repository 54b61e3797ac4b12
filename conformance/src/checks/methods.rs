//! That every method is there at all.

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;

const SYNC: &str = "CIP-0103, Synchronous dApp API (\"MUST support all listed methods\"); OpenRPC dApp API, methods";
const EVENTS: &str = "OpenRPC dApp API, methods named like events; CIP-0103, Error Types";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "methods.status", "`status` is implemented", SYNC, "implement it", [], |e| offered(e, "first/status")),
    check!(Must Both "methods.connect", "`connect` is implemented", SYNC, "implement it", [], |e| offered(e, "login/connect")),
    check!(Must Both "methods.isConnected", "`isConnected` is implemented", SYNC, "implement it", [], |e| offered(e, "out/isConnected")),
    check!(Must Both "methods.disconnect", "`disconnect` is implemented", SYNC, "implement it", [], |e| offered(e, "out/disconnect")),
    check!(Must Both "methods.getActiveNetwork", "`getActiveNetwork` is implemented", SYNC, "implement it", [], |e| offered(e, "out/getActiveNetwork")),
    check!(Must Both "methods.listAccounts", "`listAccounts` is implemented", SYNC, "implement it", [], |e| offered(e, "out/listAccounts")),
    check!(Must Both "methods.getPrimaryAccount", "`getPrimaryAccount` is implemented", SYNC, "implement it", [], |e| offered(e, "out/getPrimaryAccount")),
    check!(Must Both "methods.signMessage", "`signMessage` is implemented", SYNC, "implement it", [], |e| offered(e, "out/signMessage")),
    check!(Must Both "methods.prepareExecute", "`prepareExecute` is implemented", SYNC, "implement it", [], |e| offered(e, "out/prepareExecute")),
    check!(Must WebSocket "methods.prepareExecuteAndWait", "`prepareExecuteAndWait` is implemented",
        "OpenRPC dApp API, prepareExecuteAndWait", "implement it", [], |e| offered(e, "out/prepareExecuteAndWait")),
    check!(Must Both "methods.ledgerApi", "`ledgerApi` is implemented", SYNC, "implement it", [], |e| offered(e, "out/ledgerApi")),
    check!(Must Both "methods.event-names", "an event's name, called as a method, is answered like any method", EVENTS,
        "answer with error -32601, with code and message", [], names),
    check!(Should Both "methods.event-names-unknown", "an event's name, called as a method, is refused as unknown rather than as an internal error", EVENTS,
        "answer with error -32601 (or 4200)", [], names_unknown),
    check!(Should Http "methods.unsupported", "`prepareExecuteAndWait`, which only the synchronous API has, is refused as unsupported", "CIP-0103, Error Types (4200 Unsupported Method); EIP-1193",
        "answer error 4200: the method is known, and not offered here", [], unsupported),
];

fn unsupported(e: &Evidence) -> Finding {
    match e.result("names/prepareExecuteAndWait") {
        // Offered all the same.
        Ok(_) => Ok(()),
        Err(_) => e.refused("names/prepareExecuteAndWait", &[4200, 4100, -32004]),
    }
}

/// Answered, and not as unknown.
fn offered(e: &Evidence, label: &str) -> Finding {
    let (exchange, reply) = (e.exchange(label)?, e.reply(label)?);
    let expected = format!("`{}` is known", exchange.method);
    if reply.result(&exchange.id).is_some() {
        return Ok(());
    }
    match reply.error() {
        Some(error) if error.member.is_object() => {
            let unknown = [-32601, -32004, 4200];
            ensure(
                !error.code().is_some_and(|code| unknown.contains(&code)),
                &expected,
                || e.show_reply(reply),
            )
        }
        _ => Err(Problem::wrong(expected, e.show_reply(reply))),
    }
}

const NAMES: [&str; 4] = [
    "names/accountsChanged",
    "names/txChanged",
    "names/statusChanged",
    "names/connected",
];

fn names(e: &Evidence) -> Finding {
    for label in NAMES {
        if e.result(label).is_err() {
            e.error(label)?;
        }
    }
    Ok(())
}

fn names_unknown(e: &Evidence) -> Finding {
    for label in NAMES {
        if e.result(label).is_err() {
            e.refused(label, &[-32601, -32004, 4200, 4100])?;
        }
    }
    Ok(())
}
