//! The event stream.

use serde_json::Value;

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;

const SSE: &str = "WHATWG HTML, Server-sent events; reference gateway, GET /events";
const FRAME: &str =
    "WHATWG HTML, Server-sent events, Interpreting an event stream; reference gateway, JSON data";
const AUTH: &str = "CIP-0103, Error Types (4100 Unauthorized); RFC 9110, 401 Unauthorized";
const COMFORT: &str = "WHATWG HTML, Server-sent events, Authoring notes";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Http "sse.opens", "GET on `/events` opens a stream with a session", SSE,
        "serve events at `/events` below the address of the API", ["connect.connected"], opens),
    check!(Must Http "sse.content-type", "the stream is `text/event-stream`", SSE,
        "set `Content-Type: text/event-stream`", ["sse.opens"], content_type),
    check!(Should Http "sse.not-cached", "the stream says `Cache-Control: no-cache` (or no-store)", COMFORT,
        "set it, and `X-Accel-Buffering: no`: proxies hold streams back otherwise", ["sse.opens"], not_cached),
    check!(Must Http "sse.data-json", "the data of every event is JSON", FRAME,
        "write the payload as JSON, on `data:` lines", ["sse.opens"], data_json),
    check!(Must Http "sse.named", "every event has a name", FRAME,
        "write the name on an `event:` line", ["sse.opens"], named),
    check!(Should Http "sse.query-token", "the token is accepted as `?token=`, too", "WHATWG HTML, EventSource (a browser sets no headers)",
        "accept it for the stream: browsers can send it no other way", ["sse.opens"], |e| status(e, "sse/query", 200)),
    check!(Must Http "sse.unauthenticated", "the stream is refused with 401 without a token", AUTH,
        "answer 401", [], unauthenticated),
    check!(Must Http "sse.garbage-token", "the stream is refused with 401 with a token that is none", AUTH,
        "answer 401", [], garbage),
    check!(Should Http "sse.second-stream", "two streams of one session both hear its events", SSE,
        "send events to every stream of the session", ["txChanged.pending"], second),
    check!(Must Http "sse.reopens", "a stream that was cut can be opened again, and hears events", SSE,
        "let clients come back: proxies cut long connections", ["txChanged.pending"], reopens),
    check!(Should Http "sse.ends-with-session", "the stream ends when the program disconnects", "CIP-0103, disconnect (the session is invalidated)",
        "end the streams of a session that ends", ["sse.opens"], |e| stream_ends(e, "end/stream-ended")),
    check!(Should Http "sse.ends-with-logout", "the stream ends when the user logs out", "CIP-0103, statusChanged (changes made by the user)",
        "end the streams of a session that ends", ["sse.opens"], |e| stream_ends(e, "logout/stream-ended")),
    check!(Should Http "sse.ends-with-token", "the stream ends when its token expires", AUTH,
        "end streams whose token has expired", ["sse.opens"], |e| stream_ends(e, "expired/stream-ended")),
    check!(Must Http "sse.refused-after-end", "the stream is refused with 401 after `disconnect`", "CIP-0103, disconnect (the session is invalidated)",
        "answer 401 where there is no session", ["sse.opens"], after_end),
    check!(May Http "sse.heartbeat", "the stream carries comments while it is idle", COMFORT,
        "send a comment every 15 seconds or so: clients tell a dead stream from a quiet one by it", ["sse.opens"], |e| offered(e, "sse/comments", "comments")),
    check!(May Http "sse.event-ids", "events carry ids, so that a client can go on where it was", COMFORT,
        "send `id:` and honour `Last-Event-ID`", ["sse.opens"], |e| offered(e, "sse/ids", "ids")),
];

fn opens(e: &Evidence) -> Finding {
    let label = if status(e, "sse/main", 200).is_ok() {
        "sse/main"
    } else {
        "sse/second"
    };
    status(e, label, 200)
}

fn status(e: &Evidence, label: &str, expected: u16) -> Finding {
    let head = e.stream_head(label)?;
    ensure(head.status == expected, &format!("HTTP {expected}"), || {
        let body = e.stream(label).map(|it| e.secrets.excerpt(&it.body));
        format!("HTTP {}: {}", head.status, body.unwrap_or_default())
    })
}

fn content_type(e: &Evidence) -> Finding {
    let kind = e.stream_head("sse/second")?.content_type();
    ensure(kind == "text/event-stream", "`text/event-stream`", || {
        format!("`{kind}`")
    })
}

fn not_cached(e: &Evidence) -> Finding {
    let value = e
        .stream_head("sse/second")?
        .header("cache-control")
        .unwrap_or_default();
    ensure(
        value.contains("no-cache") || value.contains("no-store"),
        "`no-cache`",
        || format!("`{value}`"),
    )
}

fn some_events(e: &Evidence) -> Result<&[crate::evidence::Heard], Problem> {
    if e.events.is_empty() {
        e.took_place("tx")?;
        return Err(Problem::wrong("events", "none in the whole run"));
    }
    Ok(&e.events)
}

fn data_json(e: &Evidence) -> Finding {
    for event in some_events(e)? {
        let json: Option<Value> = serde_json::from_str(&event.raw).ok();
        ensure(json.is_some(), "JSON", || {
            format!("`{}`: {}", event.name, e.secrets.excerpt(&event.raw))
        })?;
    }
    Ok(())
}

fn named(e: &Evidence) -> Finding {
    for event in some_events(e)? {
        // What has no name is called `message` by the standard.
        ensure(event.name != "message", "an `event:` line", || {
            e.secrets.excerpt(&event.raw)
        })?;
    }
    Ok(())
}

fn wants_token(e: &Evidence) -> Finding {
    if e.wants_credentials {
        return Ok(());
    }
    e.took_place("connected")?;
    Err(Problem::not_checked("the wallet wants no token"))
}

fn unauthenticated(e: &Evidence) -> Finding {
    let found = status(e, "sse/nobody", 401);
    if found.is_err() {
        wants_token(e)?;
    }
    found
}

fn garbage(e: &Evidence) -> Finding {
    let found = status(e, "sse/garbage", 401);
    if found.is_err() {
        wants_token(e)?;
    }
    found
}

fn second(e: &Evidence) -> Finding {
    ensure(
        e.fact("links/second-hears")?,
        "the event on both streams",
        || "not on the second".into(),
    )
}

fn reopens(e: &Evidence) -> Finding {
    status(e, "sse/reopened", 200)?;
    ensure(
        e.fact("links/reopened-hears")?,
        "events on the new stream",
        || "none".into(),
    )
}

fn after_end(e: &Evidence) -> Finding {
    wants_token(e)?;
    status(e, "sse/after-end", 401)
}

fn stream_ends(e: &Evidence, fact: &'static str) -> Finding {
    wants_token(e)?;
    ensure(e.fact(fact)?, "the end of the stream", || {
        "a stream that goes on".into()
    })
}

fn offered(e: &Evidence, fact: &'static str, what: &str) -> Finding {
    ensure(e.fact(fact)?, what, || {
        "none while the stream was watched".into()
    })
}
