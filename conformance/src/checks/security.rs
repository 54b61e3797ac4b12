//! Secrets, tokens, addresses.

use serde_json::Value;

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;
use crate::shape;

const AUTH: &str =
    "CIP-0103, Error Types (4100 Unauthorized); CIP-0103, Abstract (wallets enforce authorization)";
const SECRETS: &str =
    "CIP-0103, Abstract (the attack surface is minimized); status (session, if authenticated)";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "security.status-without-secrets", "`status` gives no token to who is not connected", SECRETS,
        "leave `session` and `network.accessToken` out until the user has connected", [], status_quiet),
    check!(Must Http "security.garbage-token", "a token that is none opens nothing", AUTH,
        "verify tokens", [], |e| opens_nothing(e, "garbage")),
    check!(Must Http "security.altered-token", "a token that was tampered with opens nothing", "RFC 7519, section 7.2 (Validating a JWT); CIP-0103, Error Types (4100)",
        "verify the signature of every token", ["connect.connected"], |e| opens_nothing(e, "altered")),
    check!(Must Http "security.other-session", "a session does not hear the transactions of another", "CIP-0103, txChanged (\"initiated transactions\"); Motivation (privacy)",
        "send events to the streams of the session they belong to", ["connect.connected"], other_session),
    check!(Must Http "security.other-token", "a session is not told the token of another", SECRETS,
        "send events to the streams of the session they belong to", ["connect.connected"], other_token),
    check!(Must Http "security.other-disconnect", "a session outlives the end of another", "CIP-0103, disconnect (\"the user session ... is being invalidated\": that one)",
        "keep the sessions of one user apart", ["connect.connected"], other_disconnect),
    check!(Should Http "security.networks-without-secrets", "the list of networks at the user API gives no secrets to anybody", "reference gateway, User API, listNetworks",
        "leave credentials out of what is answered without authorisation", [], networks_quiet),
    check!(Must Both "security.user-url", "every `userUrl` is https, or http on this computer", "RFC 6749, section 10 (logins over TLS)",
        "serve logins over https", [], user_urls),
    check!(Must Http "security.no-echo", "no refusal repeats the token it refuses", SECRETS,
        "leave credentials out of messages", [], no_echo),
];

/// The places of tokens in a value.
fn tokens(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = format!("{path}.{name}");
                let said = field.as_str().is_some_and(|it| !it.is_empty());
                if said && moorline_cip0103::redact::is_secret(name) {
                    found.push(path);
                } else {
                    tokens(field, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                tokens(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn status_quiet(e: &Evidence) -> Finding {
    let status = e.result("out/status")?;
    ensure(status["connection"].is_object(), "a StatusEvent", || {
        e.show(status)
    })?;
    let mut found = Vec::new();
    tokens(status, "result", &mut found);
    super::none_of(found, "no token")
}

fn other_disconnect(e: &Evidence) -> Finding {
    let status = e.result("other/status")?;
    ensure(
        status["connection"]["isConnected"] == true,
        "connected",
        || e.show(&status["connection"]),
    )
}

fn networks_quiet(e: &Evidence) -> Finding {
    let Ok(networks) = e.result("user/listNetworks") else {
        e.took_place("connected")?;
        return Err(Problem::not_checked(
            "the wallet has no user API that lists networks",
        ));
    };
    let mut found = Vec::new();
    tokens(networks, "result", &mut found);
    super::none_of(found, "no secret")
}

fn opens_nothing(e: &Evidence, part: &str) -> Finding {
    e.took_place(part)?;
    let found = is_closed(e, part);
    if found.is_err() && !e.wants_credentials {
        e.took_place("connected")?;
        return Err(Problem::not_checked("the wallet wants no token"));
    }
    found
}

fn is_closed(e: &Evidence, part: &str) -> Finding {
    let is = e.result(&format!("{part}/isConnected"))?;
    ensure(is["isConnected"] == false, "`isConnected: false`", || {
        e.show(is)
    })?;
    e.refused(&format!("{part}/listAccounts"), &[4100])
}

fn other_session(e: &Evidence) -> Finding {
    ensure(
        !e.fact("other/hears")?,
        "no event of the first session",
        || "a transaction of it".into(),
    )
}

fn other_token(e: &Evidence) -> Finding {
    ensure(
        !e.fact("other/token-told")?,
        "no token of the second session",
        || "it, on the stream of the first".into(),
    )
}

fn user_urls(e: &Evidence) -> Finding {
    e.result("first/status")?;
    let mut urls = Vec::new();
    for (_, _, reply) in e.replies() {
        addresses(reply.json.as_ref().unwrap_or(&Value::Null), &mut urls);
    }
    for event in &e.events {
        addresses(event.payload.as_ref().unwrap_or(&Value::Null), &mut urls);
    }
    if urls.is_empty() {
        return Err(Problem::not_checked("the wallet gave no `userUrl`"));
    }
    for url in urls {
        ensure(
            shape::is_safe_url(&url),
            "https, or http on this computer",
            || e.secrets.excerpt(&url),
        )?;
    }
    Ok(())
}

fn addresses(value: &Value, urls: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(url) if name == "userUrl" => urls.push(url.to_owned()),
                    _ => addresses(field, urls),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|it| addresses(it, urls)),
        _ => {}
    }
}

fn no_echo(e: &Evidence) -> Finding {
    if e.result("garbage/listAccounts").is_err() {
        e.error("garbage/listAccounts")?;
    }
    e.result("garbage/isConnected")?;
    let reply = e.reply("garbage/listAccounts")?;
    ensure(
        !reply.body.contains("moorline-check-garbage-token"),
        "a refusal without the token",
        || "the token".into(),
    )
}
