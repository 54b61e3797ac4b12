//! What a frame from the wallet is: a notification, an answer, or nothing that can be understood.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// One frame from the wallet.
#[derive(Debug)]
pub(super) enum Frame {
    /// The wallet says something by itself.
    Notification {
        /// The method: for events of the dApp API, the name of the event.
        name: String,
        /// The params as they came.
        params: Option<Value>,
    },
    /// The answer to a call.
    Answer {
        /// The id of the call, as JSON.
        id: String,
        /// The answer in the form JSON-RPC demands, where it did not come so.
        mended: Option<String>,
    },
    /// Nothing that can be understood. The frame's content is not part of it: it may hold secrets.
    Unreadable(&'static str),
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a frame. `only` names the one call the wallet has, if it is the only one.
pub(super) fn read(text: &str, only: impl FnOnce() -> Option<u64>) -> Frame {
    let parts: Parts<'_> = match serde_json::from_str(text) {
        Ok(parts) => parts,
        Err(problem) if problem.is_data() => {
            return Frame::Unreadable("it is no JSON-RPC object");
        }
        Err(_) => return Frame::Unreadable("it is no JSON"),
    };
    let id = parts.id.filter(|id| id.get() != "null");
    if let Some(name) = parts.method {
        let params = parts
            .params
            .and_then(|params| serde_json::from_str(params.get()).ok());
        return Frame::Notification {
            name: name.into_owned(),
            params,
        };
    }
    // Some wallets write `"error": null` beside a result, or the other way round.
    let error = parts.error.filter(|error| error.get() != "null");
    match (id, parts.result, error) {
        (Some(id), _, Some(error)) => mend(id.get(), error),
        (None, _, Some(error)) => match only() {
            Some(id) => mend(&id.to_string(), error),
            None => Frame::Unreadable("it is an error that does not say which request it answers"),
        },
        (Some(id), Some(result), None) => Frame::Answer {
            mended: parts.error.map(|_null| {
                let (id, result) = (id.get(), result.get());
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
            }),
            id: id.get().to_owned(),
        },
        (None, Some(_), None) => {
            Frame::Unreadable("it is an answer that does not say which request it answers")
        }
        (_, None, None) => Frame::Unreadable("it holds neither a method, a result nor an error"),
    }
}

/// An error answer in the form JSON-RPC demands: wallets are known to leave the message out, and to
/// send a bare string.
fn mend(id: &str, error: &RawValue) -> Frame {
    let error: Value = serde_json::from_str(error.get()).unwrap_or_default();
    let code = error.get("code").and_then(Value::as_i64);
    let code = code.and_then(|code| i32::try_from(code).ok());
    let message = match (&error, error.get("message")) {
        (Value::String(message), _) | (_, Some(Value::String(message))) => message.as_str(),
        _ => "",
    };
    let mut mended = json!({ "code": code.unwrap_or(-32603), "message": message });
    if let Some(data) = error.get("data") {
        mended["data"] = data.clone();
    }
    Frame::Answer {
        mended: Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{mended}}}"#)),
        id: id.to_owned(),
    }
}

/// The id of a call on its way out. `None` for what is no call.
pub(super) fn id_of_call(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Call {
        #[serde(default)]
        id: Option<u64>,
    }
    serde_json::from_str::<Call>(text).ok()?.id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str, only: Option<u64>) -> Value {
        match read(text, || only) {
            Frame::Answer {
                mended: Some(text), ..
            } => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn proper_answers_pass_untouched() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"error":{}}}"#,
        ] {
            let read = read(text, || None);
            assert!(
                matches!(&read, Frame::Answer { id, mended: None } if id == "1"),
                "{read:?}"
            );
        }
    }

    #[test]
    fn notifications_are_told_from_answers() {
        let text = r#"{"jsonrpc":"2.0","method":"txChanged","params":[{"a":1}],"id":null}"#;
        match read(text, || None) {
            Frame::Notification { name, params } => {
                assert_eq!(name, "txChanged");
                assert_eq!(params, Some(json!([{ "a": 1 }])));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_are_put_right() {
        let bare = mended(r#"{"jsonrpc":"2.0","id":1,"error":{"code":4100}}"#, None);
        assert_eq!(bare["error"], json!({ "code": 4100, "message": "" }));
        let string = mended(r#"{"id":1,"error":"No active session found"}"#, None);
        assert_eq!(string["error"]["code"], -32603);
        assert_eq!(string["error"]["message"], "No active session found");
        let huge = mended(r#"{"id":1,"error":{"code":1e300,"data":{"a":1}}}"#, None);
        assert_eq!(huge["error"]["code"], -32603);
        assert_eq!(huge["error"]["data"], json!({ "a": 1 }));
    }

    #[test]
    fn an_error_without_an_id_answers_the_only_call() {
        let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601}}"#;
        assert_eq!(mended(text, Some(9))["id"], 9);
        assert!(matches!(read(text, || None), Frame::Unreadable(_)));
    }

    #[test]
    fn a_null_error_beside_a_result_is_no_error() {
        let text = r#"{"jsonrpc":"2.0","id":3,"result":true,"error":null}"#;
        assert_eq!(
            mended(text, None),
            json!({ "jsonrpc": "2.0", "id": 3, "result": true })
        );
    }

    #[test]
    fn garbage_is_unreadable_and_not_repeated() {
        for text in [
            "",
            "{",
            "s3cret",
            "[]",
            "[1]",
            "42",
            "null",
            "{}",
            r#"{"id":1}"#,
            "\u{0}",
        ] {
            let read = read(text, || None);
            assert!(matches!(read, Frame::Unreadable(_)), "{text}: {read:?}");
            assert!(!format!("{read:?}").contains("s3cret"));
        }
    }

    #[test]
    fn calls_are_known_by_their_id() {
        assert_eq!(
            id_of_call(r#"{"jsonrpc":"2.0","id":12,"method":"x"}"#),
            Some(12)
        );
        assert_eq!(id_of_call(r#"{"jsonrpc":"2.0","method":"x"}"#), None);
    }
}
