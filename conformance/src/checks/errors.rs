//! The form of errors.

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::Evidence;

const FORM: &str = "CIP-0103, Error Types (\"MUST be an object containing a code member and a descriptive message member\")";
const CODES: &str = "CIP-0103, Error Types (table of codes); EIP-1193; EIP-1474";

/// Every code of the table.
const TABLE: [i64; 16] = [
    4001, 4100, 4200, 4900, 4901, -32700, -32600, -32601, -32602, -32603, -32000, -32001, -32002,
    -32003, -32004, -32005,
];

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "errors.object", "every error is an object", FORM,
        "answer `\"error\": {\"code\": .., \"message\": ..}`, never a bare string", [], object),
    check!(Must Both "errors.code", "every error has an integer code", FORM,
        "give every error a code of the table", [], code),
    check!(Must Both "errors.message", "every error has a message that is not empty", FORM,
        "give every error a message, 4100 and -32601 included", [], message),
    check!(Should Both "errors.known-codes", "every code stands in the table", CODES,
        "use the codes of EIP-1193 and EIP-1474 that the standard lists", [], known),
];

/// Errors of the dApp API. There are some: the kit asks for what nobody can answer.
fn all(e: &Evidence) -> Result<Vec<(String, crate::reply::RpcError<'_>, String)>, Problem> {
    let errors: Vec<_> = e
        .errors()
        .filter(|(exchange, ..)| !exchange.method.starts_with("http/"))
        .map(|(exchange, reply, error)| (exchange.method.clone(), error, e.show_reply(reply)))
        .collect();
    if errors.is_empty() {
        return Err(Problem::wrong(
            "errors, where there is something to refuse",
            "none in the whole run",
        ));
    }
    Ok(errors)
}

fn object(e: &Evidence) -> Finding {
    for (method, error, shown) in all(e)? {
        ensure(error.member.is_object(), "an object", || {
            format!("to `{method}`: {shown}")
        })?;
    }
    Ok(())
}

fn code(e: &Evidence) -> Finding {
    for (method, error, shown) in all(e)? {
        if error.member.is_object() {
            ensure(error.code().is_some(), "an integer `code`", || {
                format!("to `{method}`: {shown}")
            })?;
        }
    }
    Ok(())
}

fn message(e: &Evidence) -> Finding {
    let errors = all(e)?;
    let mute: Vec<_> = errors
        .iter()
        .filter(|(_, error, _)| error.member.is_object() && error.message().is_none())
        .collect();
    match mute.first() {
        None => Ok(()),
        Some((method, _, shown)) => Err(Problem::wrong(
            "a `message` in every error",
            format!(
                "none in {} of {}; to `{method}`: {shown}",
                mute.len(),
                errors.len()
            ),
        )),
    }
}

fn known(e: &Evidence) -> Finding {
    for (method, error, _) in all(e)? {
        if let Some(code) = error.code() {
            ensure(TABLE.contains(&code), "a code of the table", || {
                format!("{code}, to `{method}`")
            })?;
        }
    }
    Ok(())
}
