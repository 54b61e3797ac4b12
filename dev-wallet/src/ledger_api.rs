//! The part of the JSON Ledger API that the wallet passes on.

use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{invalid_params, network_down, not_found, plain};
use crate::state::Inner;

/// A request to the ledger.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LedgerRequest {
    request_method: String,
    resource: String,
    #[serde(default)]
    path: Option<Map<String, Value>>,
    #[serde(default)]
    query: Option<Map<String, Value>>,
    #[serde(default)]
    body: Option<Map<String, Value>>,
}

impl Inner {
    /// Answers a request to the ledger.
    pub(crate) fn ledger_api(&self, request: &LedgerRequest) -> Result<Value, ErrorObjectOwned> {
        if !self.network_up {
            return Err(network_down());
        }
        let method = request.request_method.as_str();
        if !matches!(method, "get" | "post" | "put" | "delete" | "patch") {
            return Err(invalid_params(format!(
                "`{method}` is no HTTP method of the ledger"
            )));
        }
        let resource = fill_in(&request.resource, request.path.as_ref())?;
        match (method, resource.as_str()) {
            ("get", "/v2/version") => Ok(json!({ "version": "3.4.0-dev-wallet", "features": {} })),
            ("get", "/v2/state/ledger-end") => Ok(json!({ "offset": self.ledger.end() })),
            ("get", "/v2/parties") => Ok(self.parties(None)),
            ("post", "/v2/commands/completions") => {
                Ok(self.completions(request.body.as_ref(), request.query.as_ref()))
            }
            ("get", other) => match other.strip_prefix("/v2/parties/") {
                Some(party) => Ok(self.parties(Some(party))),
                None => Err(not_found(other)),
            },
            (_, "/v2/version" | "/v2/state/ledger-end" | "/v2/parties") => Err(plain(
                -32004,
                &format!("method not supported: {method} {resource}"),
            )),
            (_, other) => Err(not_found(other)),
        }
    }

    fn parties(&self, only: Option<&str>) -> Value {
        let parties: Vec<Value> = self
            .accounts
            .iter()
            .map(crate::DevAccount::party_id)
            .filter(|party| only.is_none_or(|only| only == *party))
            .map(|party| json!({ "party": party, "isLocal": true }))
            .collect();
        json!({ "partyDetails": parties })
    }

    fn completions(
        &self,
        body: Option<&Map<String, Value>>,
        query: Option<&Map<String, Value>>,
    ) -> Value {
        let field = |name: &str| body.and_then(|body| body.get(name));
        let after = field("beginExclusive").and_then(Value::as_u64).unwrap_or(0);
        let parties: Vec<&str> = field("parties")
            .and_then(Value::as_array)
            .map(|parties| parties.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut completions = self.ledger.completions(after, &parties);
        let limit = query
            .and_then(|query| query.get("limit"))
            .and_then(Value::as_u64);
        if let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) {
            completions.truncate(limit);
        }
        Value::Array(completions)
    }
}

/// Fills path parameters in.
fn fill_in(resource: &str, path: Option<&Map<String, Value>>) -> Result<String, ErrorObjectOwned> {
    let mut filled = String::with_capacity(resource.len());
    let mut rest = resource;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| invalid_params("`resource` has a `{` without a `}`"))?;
        let value = path.and_then(|path| path.get(name)).ok_or_else(|| {
            invalid_params(format!("`path` does not say what `{{{name}}}` stands for"))
        })?;
        filled.push_str(before);
        match value {
            Value::String(text) => filled.push_str(text),
            other => filled.push_str(&other.to_string()),
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_parameters_are_filled_in() {
        let path = json!({ "a": "x", "b": 7 });
        let fill = |resource: &str| fill_in(resource, path.as_object()).map_err(|it| it.code());
        assert_eq!(fill("/v2/{a}/y/{b}"), Ok("/v2/x/y/7".to_owned()));
        assert_eq!(fill("/v2"), Ok("/v2".to_owned()));
        for broken in ["/v2/{c}", "/v2/{a", "{"] {
            assert_eq!(fill(broken), Err(-32602), "{broken}");
        }
    }
}
