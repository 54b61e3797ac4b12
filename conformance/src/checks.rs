//! The checks, by area. Each is a line in a table: what holds, how binding it is, the paragraph it
//! rests on, and a function that decides from the evidence.

mod accounts;
mod connect;
mod errors;
mod events;
mod framing;
mod http;
mod ledger;
mod lifecycle;
mod methods;
mod network;
mod security;
mod signing;
mod sse;
mod status;
mod transactions;

use serde_json::Value;

use crate::check::{Check, Finding, Problem, ensure};
use crate::evidence::Evidence;
use crate::shape::Shape;

/// Every check, in the order of a report.
pub fn catalogue() -> impl Iterator<Item = &'static Check> {
    let areas: [&'static [Check]; 15] = [
        framing::CHECKS,
        http::CHECKS,
        errors::CHECKS,
        methods::CHECKS,
        connect::CHECKS,
        status::CHECKS,
        network::CHECKS,
        accounts::CHECKS,
        signing::CHECKS,
        ledger::CHECKS,
        transactions::CHECKS,
        events::CHECKS,
        sse::CHECKS,
        lifecycle::CHECKS,
        security::CHECKS,
    ];
    areas.into_iter().flatten()
}

/// That a result has a shape.
fn shaped(e: &Evidence, label: &str, shape: fn(&Value, &str) -> Shape, expected: &str) -> Finding {
    let result = e.result(label)?;
    shape(result, "result").map_err(|problem| Problem::wrong(expected, problem))
}

/// That nothing is in a list of what should not be.
fn none_of(found: Vec<String>, expected: &str) -> Finding {
    ensure(found.is_empty(), expected, || found.join(", "))
}

/// The list of accounts.
fn accounts_list(e: &Evidence) -> Result<&Vec<Value>, Problem> {
    let result = e.result("in/listAccounts")?;
    let list = result.as_array();
    list.ok_or_else(|| Problem::wrong("a list of accounts", e.show(result)))
}

/// The list of accounts, if there are any.
fn some_accounts(e: &Evidence) -> Result<&Vec<Value>, Problem> {
    let list = accounts_list(e)?;
    if list.is_empty() {
        return Err(Problem::not_checked("the wallet has no account"));
    }
    Ok(list)
}

pub(crate) use self::signing::is_two_step;
