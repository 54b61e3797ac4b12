//! Sessions: before, after, again, and over several links.

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;

const UNAUTHORIZED: &str = "CIP-0103, Error Types (4100 Unauthorized); EIP-1193";
const END: &str = "CIP-0103, disconnect (\"the user session is being invalidated on the server\")";
const LINKS: &str = "CIP-0103, connect (a session between user client and server, not a connection); moorline-cip0103, binding";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "out.getActiveNetwork", "`getActiveNetwork` without a session is refused with 4100", UNAUTHORIZED,
        "answer error 4100", [], |e| e.refused("out/getActiveNetwork", &[4100])),
    check!(Must Both "out.listAccounts", "`listAccounts` without a session is refused with 4100", UNAUTHORIZED,
        "answer error 4100", [], |e| e.refused("out/listAccounts", &[4100])),
    check!(Must Both "out.getPrimaryAccount", "`getPrimaryAccount` without a session is refused with 4100", UNAUTHORIZED,
        "answer error 4100", [], |e| e.refused("out/getPrimaryAccount", &[4100])),
    check!(Must Both "out.signMessage", "`signMessage` without a session is refused with 4100", UNAUTHORIZED,
        "answer error 4100", [], |e| e.refused("out/signMessage", &[4100])),
    check!(Must Both "out.prepareExecute", "`prepareExecute` without a session is refused with 4100", UNAUTHORIZED,
        "answer error 4100", [], |e| e.refused("out/prepareExecute", &[4100])),
    check!(Must WebSocket "out.prepareExecuteAndWait", "`prepareExecuteAndWait` without a session is refused with 4100", UNAUTHORIZED,
        "answer error 4100", [], |e| e.refused("out/prepareExecuteAndWait", &[4100])),
    check!(Must Both "out.ledgerApi", "`ledgerApi` without a session is refused with 4100", UNAUTHORIZED,
        "answer error 4100", [], |e| e.refused("out/ledgerApi", &[4100])),
    check!(Must Both "lifecycle.end-status", "after `disconnect`, `status` and `isConnected` say so", END,
        "end the session on the server", ["connect.connected"], end_status),
    check!(Must Both "lifecycle.end-4100", "after `disconnect`, everything that wants a session is refused with 4100", END,
        "answer error 4100 once the session has ended", ["connect.connected"], end_refused),
    check!(Must Both "lifecycle.end-not-executed", "after `disconnect`, nothing is executed", END,
        "check the session before anything is prepared", ["connect.connected"], end_not_executed),
    check!(Must Http "lifecycle.end-token", "after `disconnect`, its token opens no session any more", "CIP-0103, disconnect (\"the user session, involving the access token, is being invalidated on the server\")",
        "take the token for dead once its session was disconnected", ["connect.connected"], end_token),
    check!(Must Both "lifecycle.again", "after `disconnect`, the user can connect again", "CIP-0103, connect",
        "start a new session when the user connects again", ["connect.connected"], again),
    check!(Should Both "lifecycle.relinked", "the session outlives the link it was made over", LINKS,
        "keep the session when a connection breaks", ["connect.connected"], |e| connected(e, "links/relinked")),
    check!(Should WebSocket "lifecycle.second-link", "a second link sees the session", LINKS,
        "keep the session with the user, not with a connection", ["connect.connected"], |e| connected(e, "links/second")),
    check!(Should WebSocket "lifecycle.second-link-events", "a second link hears the session's events", LINKS,
        "send events to every link of the session", ["txChanged.pending"], |e| ensure(e.fact("links/second-hears")?, "the event on both links", || "not on the second".into())),
    check!(Must Both "lifecycle.expired", "an expired session is no session", UNAUTHORIZED,
        "check the expiry with every request", ["connect.connected"], |e| ended(e, "expired")),
    check!(Should Http "lifecycle.expired-disconnect", "`disconnect` with a token that has expired is refused with 4100", UNAUTHORIZED,
        "answer error 4100 instead of a success: nothing was ended, and the caller should know", ["connect.connected"], |e| e.refused("expired/disconnect", &[4100])),
    check!(Should Http "lifecycle.idp-outage", "an outage of the identity provider is no logout", "CIP-0103, Error Types (4100: \"not been authorized by the user\"; -32002 Resource unavailable)",
        "go on with tokens that were verified before, or answer -32002", ["connect.connected"], outage),
    check!(Must Both "lifecycle.logout", "after a logout at the wallet there is no session", END,
        "end the session on the server", ["connect.connected"], |e| ended(e, "logout")),
];

fn end_status(e: &Evidence) -> Finding {
    let status = &e.result("end/status")?["connection"]["isConnected"];
    let is = &e.result("end/isConnected")?["isConnected"];
    ensure(*status == false && *is == false, "not connected", || {
        format!("`status` says {status}, `isConnected` says {is}")
    })
}

fn end_refused(e: &Evidence) -> Finding {
    for method in [
        "getActiveNetwork",
        "listAccounts",
        "getPrimaryAccount",
        "signMessage",
        "ledgerApi",
        "prepareExecute",
    ] {
        e.refused(&format!("end/{method}"), &[4100])
            .map_err(|problem| match problem {
                Problem::Wrong { expected, seen } => {
                    Problem::wrong(expected, format!("to `{method}`: {seen}"))
                }
                other => other,
            })?;
    }
    Ok(())
}

fn end_not_executed(e: &Evidence) -> Finding {
    e.error("end/prepareExecute")?;
    let events = e.events.iter().filter(|it| it.name == "txChanged");
    let late = events.filter_map(|it| it.payload.as_ref()).find(|it| {
        let id = it["commandId"].as_str().unwrap_or_default();
        id.starts_with("moorline-check-end-") || id.starts_with("moorline-check-out-")
    });
    match late {
        Some(event) => Err(Problem::wrong("no `txChanged` for it", e.show(event))),
        None => Ok(()),
    }
}

fn end_token(e: &Evidence) -> Finding {
    e.took_place("revived")?;
    if e.refused("revived/isConnected", &[4100]).is_ok() {
        return Ok(());
    }
    let is = e.result("revived/isConnected")?;
    ensure(is["isConnected"] == false, "`isConnected: false`", || {
        format!("{}, after a session was made with it", e.show(is))
    })
}

fn outage(e: &Evidence) -> Finding {
    e.took_place("outage")?;
    let reply = e.reply("outage/isConnected")?;
    let known = match e.result("outage/isConnected") {
        Ok(is) => is["isConnected"] == true,
        Err(_) => e.error("outage/isConnected")?.code() != Some(4100),
    };
    ensure(
        known,
        "connected still, or an error other than 4100",
        || e.show_reply(reply),
    )
}

fn again(e: &Evidence) -> Finding {
    e.took_place("again")?;
    connected(e, "again/status")
}

fn connected(e: &Evidence, label: &str) -> Finding {
    let status = e.result(label)?;
    ensure(
        status["connection"]["isConnected"] == true,
        "connected",
        || e.show(&status["connection"]),
    )
}

fn ended(e: &Evidence, part: &str) -> Finding {
    e.took_place(part)?;
    let is = e.result(&format!("{part}/isConnected"))?;
    ensure(is["isConnected"] == false, "`isConnected: false`", || {
        e.show(is)
    })?;
    e.refused(&format!("{part}/listAccounts"), &[4100])
}
