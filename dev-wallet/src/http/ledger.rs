//! The ledger itself, as far as there is one: programs are to read from it directly, with the token
//! and the address that the wallet gives them.

use serde_json::{Map, Value, json};

use super::{Asked, Reply};
use crate::gateway::Caller;
use crate::ledger_api::LedgerRequest;
use crate::state::DevWalletState;

/// Answers a request to the ledger.
pub(crate) fn serve(state: &DevWalletState, asked: &Asked) -> Reply {
    let problem = |status: u16, code: &str, cause: &str| {
        Reply::json(status, &json!({ "code": code, "cause": cause }))
    };
    if let Caller::Nobody(why) = asked.caller(state) {
        return problem(401, "UNAUTHENTICATED", why);
    }
    let inner = state.lock();
    if !inner.network_up {
        return problem(503, "UNAVAILABLE", "the ledger is down");
    }
    let query = asked.query.iter().filter(|(name, _)| name != "token");
    let query: Map<String, Value> = query
        .map(|(name, value)| {
            let number = value.parse::<u64>().map(Value::from);
            (name.clone(), number.unwrap_or_else(|_| json!(value)))
        })
        .collect();
    let body = asked.body.as_deref().unwrap_or_default();
    let request = json!({
        "requestMethod": asked.method.as_str().to_ascii_lowercase(),
        "resource": asked.path.trim_start_matches("/ledger"),
        "query": query,
        "body": serde_json::from_slice::<Map<String, Value>>(body).ok(),
    });
    let answered = serde_json::from_value::<LedgerRequest>(request)
        .map_err(|problem| problem.to_string())
        .and_then(|request| {
            let answer = inner.ledger_api(&request);
            answer.map_err(|error| error.message().to_owned())
        });
    match answered {
        Ok(answer) => Reply::json(200, &answer),
        Err(why) => problem(404, "NOT_FOUND", &why),
    }
}
