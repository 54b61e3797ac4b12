//! What a wallet answered, as raw as it came.

use serde_json::{Map, Value};

/// The head of an HTTP answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(it, _)| it == name)
            .map(|(_, value)| &**value)
    }

    /// The content type without parameters, in lower case; empty if there is none.
    pub(crate) fn content_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        let plain = value.split(';').next().unwrap_or_default();
        plain.trim().to_ascii_lowercase()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Over HTTP only.
    pub(crate) head: Option<Head>,
    /// The body, or the frame.
    pub(crate) body: String,
    /// The body, where it is JSON.
    pub(crate) json: Option<Value>,
}

/// A JSON-RPC error, as far as it is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RpcError<'a> {
    pub(crate) member: &'a Value,
}

impl RpcError<'_> {
    pub(crate) fn code(&self) -> Option<i64> {
        self.member.get("code").and_then(Value::as_i64)
    }

    /// The message, if there is one that says something.
    pub(crate) fn message(&self) -> Option<&str> {
        let message = self.member.get("message").and_then(Value::as_str)?;
        (!message.trim().is_empty()).then_some(message)
    }
}

impl Reply {
    pub(crate) fn new(head: Option<Head>, body: String) -> Self {
        let json = serde_json::from_str(&body).ok();
        Self { head, body, json }
    }

    fn object(&self) -> Option<&Map<String, Value>> {
        self.json.as_ref()?.as_object()
    }

    /// The id, `null` included.
    pub(crate) fn id(&self) -> Option<&Value> {
        self.object()?.get("id")
    }

    /// The error it carries, whatever its form. Bare `{"error": ..}` objects count.
    pub(crate) fn error(&self) -> Option<RpcError<'_>> {
        let member = self.object()?.get("error").filter(|it| !it.is_null())?;
        Some(RpcError { member })
    }

    /// The result, if this answers the request with this id and carries no error.
    pub(crate) fn result(&self, id: &Value) -> Option<&Value> {
        if self.error().is_some() || self.id()? != id {
            return None;
        }
        self.object()?.get("result")
    }

    /// Whether it is a JSON-RPC answer at all: an object with a result or an error object.
    pub(crate) fn is_rpc(&self) -> bool {
        self.object().is_some_and(|object| {
            object.contains_key("result") || object.get("error").is_some_and(Value::is_object)
        })
    }
}
