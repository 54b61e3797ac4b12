//! JSON-RPC over HTTP: statuses, content types, sizes, and what browsers need.

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;

const HTTP: &str = "CIP-0103, Transport-agnostic design (HTTPS endpoints); RFC 9110";
const CORS: &str = "WHATWG Fetch, CORS protocol";
const ERROR: &str = "CIP-0103, Error Types (a consistent error format)";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Http "http.content-type", "answers are `application/json`", HTTP,
        "set `Content-Type: application/json` on JSON-RPC answers", [], content_type),
    check!(Must Http "http.charset", "`application/json; charset=utf-8` is accepted", HTTP,
        "ignore parameters of the content type", [], |e| e.result("http/charset").map(drop)),
    check!(Should Http "http.status-ok", "results come with HTTP 200", HTTP,
        "answer results with status 200", [], status_ok),
    check!(Must Http "http.errors-are-json", "every refused JSON-RPC request gets a JSON body", ERROR,
        "catch exceptions and errors of the body parser, and answer with a JSON-RPC error", [], errors_are_json),
    check!(Should Http "http.no-stack-trace", "no answer shows a stack trace", ERROR,
        "do not run in a development mode where others can reach it", [], no_stack_trace),
    check!(Should Http "http.text-refused", "a body that is not `application/json` is executed, or refused with a 4xx", HTTP,
        "answer other content types with 415", [], text_refused),
    check!(Should Http "http.get-refused", "GET at the address of the API is refused with a 4xx", HTTP,
        "answer GET with 405 (or 404)", [], |e| status(e, "http/get", 400..500, "a 4xx")),
    check!(Must Http "http.large", "a request of 100 KiB is taken", HTTP,
        "allow bodies of at least 100 KiB: commands with disclosed contracts are large", [], |e| e.result("http/large").map(drop)),
    check!(Should Http "http.huge", "a request of 2 MiB is answered, if only with 413", HTTP,
        "answer bodies that are too long with 413 instead of dropping the connection", [], huge),
    check!(Should Http "http.kept", "after a method it does not know, the connection takes further requests", "RFC 9112, section 9.3 (Persistence)",
        "answer -32601 and leave the connection open; a client in a hurry sends its next request on it", [], |e| ensure(e.fact("http/kept")?, "an answer to the next request", || "the connection is closed".into())),
    check!(Must Http "http.limit-code", "a request beyond the limit is refused with HTTP 429 and -32005", "CIP-0103, Error Types (-32005 Limit exceeded); RFC 6585, section 4",
        "answer a JSON-RPC error with code -32005, not a text", [], limit_code),
    check!(Should Http "http.retry-after", "a request beyond the limit is told when to come back", "RFC 6585, section 4 (429 Too Many Requests: Retry-After)",
        "send `Retry-After`, in seconds", [], retry_after),
    check!(Should Http "http.cors-preflight", "a preflight is answered with `Access-Control-Allow-Origin`", CORS,
        "answer OPTIONS with the CORS headers, or dApps in browsers cannot use the wallet", [], |e| allows(e, "http/preflight")),
    check!(Should Http "http.cors-result", "results carry `Access-Control-Allow-Origin`", CORS,
        "send the CORS headers with results", [], |e| allows(e, "http/origin")),
    check!(Should Http "http.cors-error", "refusals carry `Access-Control-Allow-Origin`", CORS,
        "mount CORS before authorisation and parsing, or a browser sees no more than `network error`", [], |e| allows(e, "http/origin-refused")),
];

fn content_type(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    for (_, exchange, reply) in e.replies().filter(|it| it.2.is_rpc()) {
        let kind = reply.head.as_ref().map(crate::reply::Head::content_type);
        let kind = kind.unwrap_or_default();
        ensure(kind == "application/json", "`application/json`", || {
            format!("`{kind}`, to `{}`", exchange.method)
        })?;
    }
    Ok(())
}

fn status_ok(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    for (_, exchange, reply) in e.replies() {
        let status = reply.head.as_ref().map_or(0, |head| head.status);
        if reply.result(&exchange.id).is_some() && status != 200 {
            return Err(Problem::wrong(
                "HTTP 200",
                format!("HTTP {status} with the result of `{}`", exchange.method),
            ));
        }
    }
    Ok(())
}

/// Labels of requests that were JSON-RPC, or meant to be, as JSON.
fn is_request(label: &str) -> bool {
    let special = [
        "framing/notification",
        "http/get",
        "http/preflight",
        "http/text",
        "http/huge",
        // has a check of its own
        "limited/isConnected",
    ];
    !special.contains(&label) && !label.starts_with("user/")
}

fn errors_are_json(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    let mut seen = false;
    for (label, exchange, reply) in e.replies().filter(|it| is_request(it.0)) {
        let status = reply.head.as_ref().map_or(0, |head| head.status);
        seen |= reply.is_rpc();
        if status >= 400 && reply.json.is_none() {
            return Err(Problem::wrong(
                "a JSON-RPC error",
                format!(
                    "to `{}` ({label}): {}",
                    exchange.method,
                    e.show_reply(reply)
                ),
            ));
        }
    }
    ensure(seen, "JSON-RPC answers", || "none".into())
}

fn no_stack_trace(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    for (label, _, reply) in e.replies() {
        let trace = [
            "    at ",
            "&nbsp;at ",
            "stack backtrace",
            "Traceback (most recent",
        ];
        if trace.iter().any(|it| reply.body.contains(it)) {
            return Err(Problem::wrong(
                "no stack trace",
                format!("one, to {label}: {}", e.show_reply(reply)),
            ));
        }
    }
    Ok(())
}

fn status(e: &Evidence, label: &str, within: std::ops::Range<u16>, expected: &str) -> Finding {
    e.result("framing/params-object")?;
    let reply = e.reply(label)?;
    let status = reply.head.as_ref().map_or(0, |head| head.status);
    ensure(within.contains(&status), expected, || e.show_reply(reply))
}

fn text_refused(e: &Evidence) -> Finding {
    if e.result("http/text").is_ok() {
        return Ok(());
    }
    status(e, "http/text", 400..500, "a result, or a 4xx")
}

fn huge(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    let reply = e.reply("http/huge")?;
    let status = reply.head.as_ref().map_or(0, |head| head.status);
    ensure(status < 500, "a result or a 4xx", || e.show_reply(reply))
}

/// The answer beyond the limit.
fn limited(e: &Evidence) -> Result<&crate::reply::Reply, Problem> {
    e.took_place("limited")?;
    let reply = e.reply("limited/isConnected")?;
    let status = reply.head.as_ref().map_or(0, |head| head.status);
    ensure(status == 429, "HTTP 429", || e.show_reply(reply))?;
    Ok(reply)
}

fn limit_code(e: &Evidence) -> Finding {
    limited(e)?;
    e.refused("limited/isConnected", &[-32005])
}

fn retry_after(e: &Evidence) -> Finding {
    let reply = limited(e)?;
    let header = reply.head.as_ref().and_then(|it| it.header("retry-after"));
    ensure(header.is_some(), "`Retry-After`", || {
        format!("no such header, {}", e.show_reply(reply))
    })
}

fn allows(e: &Evidence, label: &str) -> Finding {
    let reply = e.reply(label)?;
    let header = reply
        .head
        .as_ref()
        .and_then(|it| it.header("access-control-allow-origin"));
    ensure(
        header.is_some_and(|it| it == "*" || it.starts_with("https://dapp.")),
        "`Access-Control-Allow-Origin`",
        || {
            format!(
                "{}, {}",
                header.unwrap_or("no such header"),
                e.show_reply(reply)
            )
        },
    )
}
