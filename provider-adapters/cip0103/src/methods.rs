//! The methods of the dApp API that the adapter itself uses or touches.

use moorline::Identity;
use serde_json::{Value, json};

/// Logs in and connects; may take a person.
pub(crate) const CONNECT: &str = "connect";
/// Ends the session at the wallet.
pub(crate) const DISCONNECT: &str = "disconnect";
/// Every account.
pub(crate) const LIST_ACCOUNTS: &str = "listAccounts";
/// Connection, wallet, network, session.
pub(crate) const STATUS: &str = "status";
/// Prepares, signs and executes commands.
pub(crate) const PREPARE_EXECUTE: &str = "prepareExecute";
/// The same, answered once they are on the ledger.
pub(crate) const PREPARE_EXECUTE_AND_WAIT: &str = "prepareExecuteAndWait";

/// Signs a text; may take a person.
pub(crate) const SIGN_MESSAGE: &str = "signMessage";

/// Whether a method submits commands.
pub(crate) fn is_submission(method: &str) -> bool {
    matches!(method, PREPARE_EXECUTE | PREPARE_EXECUTE_AND_WAIT)
}

/// The id of the command in the params of a submission; one is drawn if there is none, so that its
/// events can be told from those of others.
#[cfg(feature = "http")]
pub(crate) fn name_submission(params: &mut Value, draw: fn() -> String) -> Option<String> {
    let request = request_in(params)?;
    match request.get("commandId") {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Null) | None => {
            let id = draw();
            request.insert("commandId".to_owned(), json!(id));
            Some(id)
        }
        Some(_) => None,
    }
}

fn request_in(params: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    match params {
        Value::Array(items) => items.first_mut().and_then(Value::as_object_mut),
        other => other.as_object_mut(),
    }
}

/// Names on the wire whom a request acts for, where the method has a place for it: `actAs` of
/// submissions. A caller that names parties itself is left alone.
///
/// `signMessage` has no such place: the wallet signs with its primary account, or with the one the
/// person picks.
pub(crate) fn pin(method: &str, params: &mut Value, identity: &Identity) {
    if !is_submission(method) {
        return;
    }
    if let Some(request) = request_in(params) {
        let named = match request.get("actAs") {
            Some(Value::Array(parties)) => !parties.is_empty(),
            Some(Value::Null) | None => false,
            Some(_) => true,
        };
        if !named {
            request.insert("actAs".to_owned(), json!([identity.account]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(method: &str, mut params: Value) -> Value {
        pin(method, &mut params, &Identity::new("alice::1", None));
        params
    }

    #[test]
    fn submissions_name_their_party() {
        for method in [PREPARE_EXECUTE, PREPARE_EXECUTE_AND_WAIT] {
            for params in [json!({}), json!({ "actAs": [] }), json!({ "actAs": null })] {
                assert_eq!(pinned(method, params)["actAs"], json!(["alice::1"]));
            }
            assert_eq!(pinned(method, json!([{}]))[0]["actAs"], json!(["alice::1"]));
        }
    }

    #[test]
    fn what_the_caller_says_stands() {
        let params = json!({ "actAs": ["bob::1"] });
        assert_eq!(pinned(PREPARE_EXECUTE, params.clone()), params);
    }

    #[test]
    fn other_methods_and_odd_params_stay_as_they_are() {
        for (method, params) in [
            ("signMessage", json!({ "message": "hi" })),
            (PREPARE_EXECUTE, Value::Null),
            (PREPARE_EXECUTE, json!([])),
            (PREPARE_EXECUTE, json!("x")),
        ] {
            assert_eq!(pinned(method, params.clone()), params);
        }
    }
}
