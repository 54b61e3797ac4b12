//! Requests that the wallet passes on to the JSON Ledger API.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request to the JSON Ledger API, read as the party of the account (CIP-0103, "ledgerApi").
///
/// ```
/// use moorline_cip0103::types::LedgerApiRequest;
/// use serde_json::json;
///
/// let request = LedgerApiRequest::get("/v2/updates/{id}").with_path(json!({ "id": "1220" }));
/// assert_eq!(serde_json::to_value(&request)?["requestMethod"], "get");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LedgerApiRequest {
    /// The HTTP method.
    pub request_method: HttpMethod,
    /// The path of the operation, `{...}` marking what [`path`](Self::path) fills in.
    pub resource: String,
    /// Values of path parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Value>,
    /// Values of query parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Value>,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Further headers. In the standard since March 2026; older wallets ignore them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Value>,
}

/// The HTTP methods of the Ledger API, in lower case on the wire.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpMethod {
    /// `delete`
    Delete,
    /// `get`
    Get,
    /// `patch`
    Patch,
    /// `post`
    Post,
    /// `put`
    Put,
}

impl LedgerApiRequest {
    /// A request of `method` on `resource`, with nothing else.
    pub fn new(method: HttpMethod, resource: impl Into<String>) -> Self {
        Self {
            request_method: method,
            resource: resource.into(),
            path: None,
            query: None,
            body: None,
            headers: None,
        }
    }

    /// A `get` of `resource`.
    pub fn get(resource: impl Into<String>) -> Self {
        Self::new(HttpMethod::Get, resource)
    }

    /// A `post` of `body` to `resource`.
    pub fn post(resource: impl Into<String>, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(HttpMethod::Post, resource)
        }
    }

    /// Sets the path parameters, an object.
    #[must_use]
    pub fn with_path(mut self, path: Value) -> Self {
        self.path = Some(path);
        self
    }

    /// Sets the query parameters, an object.
    #[must_use]
    pub fn with_query(mut self, query: Value) -> Self {
        self.query = Some(query);
        self
    }

    /// Sets further headers, an object.
    #[must_use]
    pub fn with_headers(mut self, headers: Value) -> Self {
        self.headers = Some(headers);
        self
    }
}
