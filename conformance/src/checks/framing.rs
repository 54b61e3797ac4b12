//! JSON-RPC 2.0.

use serde_json::Value;

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;

const REQUEST: &str = "JSON-RPC 2.0, section 4 (Request object)";
const NOTIFICATION: &str = "JSON-RPC 2.0, section 4.1 (Notification)";
const PARAMS: &str = "JSON-RPC 2.0, section 4.2 (Parameter Structures)";
const RESPONSE: &str = "JSON-RPC 2.0, section 5 (Response object)";
const ERROR: &str = "JSON-RPC 2.0, section 5.1 (Error object); CIP-0103, Error Types";
const BATCH: &str = "JSON-RPC 2.0, section 6 (Batch)";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "framing.version", "every answer says `\"jsonrpc\":\"2.0\"`", RESPONSE,
        "add `\"jsonrpc\":\"2.0\"` to every answer, errors included", [], version),
    check!(Must Both "framing.result-or-error", "an answer has a result or an error, never both", RESPONSE,
        "leave `result` out of errors and `error` out of results", [], either),
    check!(Must Both "framing.id-string", "a string id comes back as it was sent", RESPONSE,
        "echo the id of the request, whatever its type", [], |e| echoed(e, "framing/id-string")),
    check!(Must Both "framing.id-zero", "the id 0 comes back as it was sent", RESPONSE,
        "do not take 0 for a missing id", [], |e| echoed(e, "framing/id-zero")),
    check!(Must Both "framing.id-large", "an id of 2^53-1 comes back as it was sent", RESPONSE,
        "do not round ids", [], |e| echoed(e, "framing/id-large")),
    check!(Must Both "framing.error-id", "errors carry the id of the request they answer", RESPONSE,
        "answer with the id of the request wherever it can be read; `null` is for requests that cannot be parsed", [], error_id),
    check!(Must Both "framing.unknown-method", "an unknown method is refused with -32601", ERROR,
        "answer methods you do not know with error -32601", [], |e| e.refused("framing/unknown", &[-32601])),
    check!(Must Both "framing.prototype-method", "a method called like something of the language is unknown, too", ERROR,
        "look methods up in a table of your own, not on an object that inherits", [], |e| e.refused("framing/prototype", &[-32601])),
    check!(Must Both "framing.parse-error", "what is no JSON is refused with -32700", ERROR,
        "answer bodies that cannot be parsed with a JSON-RPC error -32700 and id null", [], |e| e.refused("framing/parse", &[-32700])),
    check!(Must Both "framing.invalid-method", "a method that is no string is refused with -32600", REQUEST,
        "check that `method` is a string", [], |e| e.refused("framing/bad-method", &[-32600])),
    check!(Must Both "framing.invalid-body", "JSON that is no request is refused with -32600", REQUEST,
        "answer JSON that is no object with error -32600", [], |e| e.refused("framing/no-object", &[-32600, -32700])),
    check!(Should Both "framing.no-version", "a request without `jsonrpc` is refused with -32600", REQUEST,
        "check that `jsonrpc` is `2.0`", [], |e| e.refused("framing/no-version", &[-32600])),
    check!(Must Both "framing.batch-empty", "an empty batch is refused with one -32600", BATCH,
        "answer `[]` with a single error -32600", [], |e| e.refused("framing/batch-empty", &[-32600])),
    check!(Must Both "framing.batch-answered", "a batch is executed, or refused with -32600", BATCH,
        "execute batches, or answer them with a single error -32600", [], batch_answered),
    check!(May Both "framing.batch", "batches are executed", BATCH,
        "execute every request of a batch and answer with an array", [], batch_executed),
    check!(Must Both "framing.goes-on", "requests are answered after malformed ones", RESPONSE,
        "do not let a bad request end the connection or the process", [], |e| e.result("framing/afterwards").map(drop)),
    check!(Must Both "framing.params-array", "`params: []` is as good as none", PARAMS,
        "accept empty params in both forms", [], |e| e.result("framing/params-array").map(drop)),
    check!(Must Both "framing.params-object", "`params: {}` is as good as none", PARAMS,
        "accept empty params in both forms", [], |e| e.result("framing/params-object").map(drop)),
    check!(May Both "framing.params-null", "`params: null` is as good as none", PARAMS,
        "accept it: clients in some languages cannot leave a field out", [], |e| e.result("framing/params-null").map(drop)),
    check!(Should Both "framing.params-unknown", "unknown params are ignored or refused with -32602", PARAMS,
        "ignore params you do not know, or refuse them with -32602", [], params_unknown),
    check!(Should Both "framing.params-text", "params that are neither array nor object are refused with -32600 or -32602", PARAMS,
        "check that `params` is structured", [], |e| e.refused("framing/params-text", &[-32600, -32602])),
    check!(Must WebSocket "framing.notification", "a request without an id is not answered", NOTIFICATION,
        "do not answer requests that have no id", [], notification),
    check!(Must Http "framing.notification-http", "a request without an id gets no JSON-RPC answer", NOTIFICATION,
        "answer notifications with HTTP 202 or 204 and no body", [], notification_http),
    check!(Must WebSocket "framing.pipelined", "two requests at once are both answered, each with its id", RESPONSE,
        "answer every request, also while another is being executed", [], |e| ensure(e.fact("framing/pipelined")?, "two answers with the two ids", || "other or fewer answers".into())),
    check!(Must WebSocket "framing.ping", "a ping is answered with a pong", "RFC 6455, section 5.5.2 (Ping)",
        "answer pings: clients take a silent connection for dead", [], pong),
];

fn version(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    let mut seen = false;
    for (_, exchange, reply) in rpc(e) {
        seen = true;
        let json = reply.json.as_ref().unwrap_or(&Value::Null);
        if json["jsonrpc"] != "2.0" {
            return Err(Problem::wrong(
                "`\"jsonrpc\":\"2.0\"`",
                format!("to `{}`: {}", exchange.method, e.show_reply(reply)),
            ));
        }
    }
    ensure(seen, "JSON-RPC answers", || "none".into())
}

fn notification(e: &Evidence) -> Finding {
    // A wallet that answers nothing at all keeps quiet here, too.
    e.result("framing/params-object")?;
    ensure(e.fact("framing/notification-silent")?, "nothing", || {
        "an answer".into()
    })
}

fn pong(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    ensure(e.fact("framing/pong")?, "a pong", || "none in time".into())
}

fn either(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    for (_, exchange, reply) in rpc(e) {
        let json = reply.json.as_ref().unwrap_or(&Value::Null);
        if json.get("result").is_some() && json.get("error").is_some() {
            return Err(Problem::wrong(
                "`result` or `error`",
                format!("both, to `{}`: {}", exchange.method, e.show_reply(reply)),
            ));
        }
    }
    Ok(())
}

/// Answers that are JSON-RPC, to JSON-RPC requests.
fn rpc(
    e: &Evidence,
) -> impl Iterator<Item = (&str, &crate::evidence::Exchange, &crate::reply::Reply)> {
    e.replies().filter(|(label, _, reply)| {
        !label.starts_with("user/") && !label.starts_with("http/") && reply.is_rpc()
    })
}

fn echoed(e: &Evidence, label: &str) -> Finding {
    let (exchange, reply) = (e.exchange(label)?, e.reply(label)?);
    ensure(
        reply.is_rpc() && reply.id() == Some(&exchange.id),
        &format!("an answer with the id {}", exchange.id),
        || e.show_reply(reply),
    )
}

fn error_id(e: &Evidence) -> Finding {
    for label in ["framing/unknown", "framing/prototype", "out/listAccounts"] {
        let (exchange, error) = (e.exchange(label)?, e.error(label)?);
        let _ = error;
        let reply = e.reply(label)?;
        ensure(
            reply.id() == Some(&exchange.id),
            &format!("an error with the id {}", exchange.id),
            || e.show_reply(reply),
        )?;
    }
    Ok(())
}

fn batch_answered(e: &Evidence) -> Finding {
    if batch_executed(e).is_ok() {
        return Ok(());
    }
    e.refused("framing/batch", &[-32600])
}

fn batch_executed(e: &Evidence) -> Finding {
    let (exchange, reply) = (e.exchange("framing/batch")?, e.reply("framing/batch")?);
    let answers = reply.json.as_ref().and_then(Value::as_array);
    let all = answers.is_some_and(|answers| {
        let asked = exchange
            .id
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        asked
            .iter()
            .all(|id| answers.iter().any(|it| it["id"] == *id))
    });
    ensure(all, "an array with both answers", || e.show_reply(reply))
}

fn params_unknown(e: &Evidence) -> Finding {
    if e.result("framing/params-stranger").is_ok() {
        return Ok(());
    }
    e.refused("framing/params-stranger", &[-32602])
}

fn notification_http(e: &Evidence) -> Finding {
    e.result("framing/params-object")?;
    let reply = e.reply("framing/notification")?;
    ensure(!reply.is_rpc(), "no JSON-RPC answer", || {
        e.show_reply(reply)
    })
}
