//! The user API: what the pages of a wallet call, and programs that log in without a browser.

use jsonrpsee::types::ErrorObjectOwned;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::Reply;
use super::dapp::one;
use super::envelope::{Answer, Call, Refusal};
use crate::config::Network;
use crate::error::{invalid_params, not_found, plain, unauthorized};
use crate::gateway::{Caller, GatewaySession, Known, Login, Transaction, thrown};
use crate::idp::SELF_SIGNED_ISSUER;
use crate::state::{DevWalletState, Inner};

/// Executes a method.
pub(crate) async fn call(state: &DevWalletState, call: &Call) -> Answer {
    match call.method.as_str() {
        "listNetworks" => {
            let inner = state.lock();
            let networks = inner.gateway.networks.iter();
            let networks: Value = networks.map(|it| inner.network_details(it)).collect();
            return Ok(json!({ "networks": networks }));
        }
        "listIdps" => {
            let inner = state.lock();
            let idps = [
                inner.idp_json("idp-oauth"),
                inner.idp_json("idp-self-signed"),
            ];
            return Ok(json!({ "idps": idps }));
        }
        "addSession" => return add_session(state, call),
        "getUser" => {
            return match &call.caller {
                Caller::User(known) => Ok(json!({ "userId": known.user, "isAdmin": false })),
                _ => Err(unauthorized("unauthorized: log in first").into()),
            };
        }
        _ => {}
    }
    let (known, session) = session(state, call)?;
    let params = one(&call.params).unwrap_or_default();
    let text = |name: &str| params[name].as_str().map(str::to_owned);
    let transaction = || {
        let id = text("transactionId")
            .ok_or_else(|| invalid_params("`transactionId` is not a string"))?;
        let inner = state.lock();
        match inner.transaction(&id) {
            Some(transaction) if is_users(transaction, &known) => Ok(transaction.clone()),
            _ if inner.dialect().unchecked_params => Err(thrown("Transaction not found")),
            _ => Err(not_found("transaction")),
        }
    };
    match call.method.as_str() {
        "removeSession" => {
            state.log_out(&known);
            Ok(Value::Null)
        }
        "listSessions" => {
            let inner = state.lock();
            let sessions = inner.gateway.sessions.iter();
            let sessions: Value = sessions
                .filter(|it| it.user == known.user)
                .map(|it| inner.session_json(it))
                .collect();
            Ok(json!({ "sessions": sessions }))
        }
        "listWallets" => Ok(state.lock().session_accounts(&session)),
        "setPrimaryWallet" => {
            let party = text("partyId").unwrap_or_default();
            let switched = crate::Control::new(state.clone()).switch_party(&party);
            switched.map_err(|_| not_found("party"))?;
            Ok(Value::Null)
        }
        "getTransaction" => Ok(transaction()?.to_json()),
        "listTransactions" => {
            let inner = state.lock();
            let all = inner.gateway.transactions.iter();
            let all: Value = all
                .filter(|it| is_users(it, &known))
                .map(Transaction::to_json)
                .collect();
            Ok(json!({ "transactions": all }))
        }
        "sign" => {
            let id = transaction()?.id;
            Ok(state.sign_transaction(&id, text("partyId").as_deref())?)
        }
        "execute" => {
            let id = transaction()?.id;
            Ok(state.execute_transaction(&id)?)
        }
        "deleteTransaction" => {
            let id = transaction()?.id;
            state.reject_by_id(&id)?;
            Ok(Value::Null)
        }
        other => Err(plain(-32601, &format!("method not found: {other}")).into()),
    }
}

fn is_users(transaction: &Transaction, known: &Known) -> bool {
    matches!(&transaction.owner, crate::gateway::Owner::User { user, .. } if *user == known.user)
}

/// Who calls, with their session.
fn session(state: &DevWalletState, call: &Call) -> Result<(Known, GatewaySession), Refusal> {
    let inner = state.lock();
    let bare = inner.dialect().bare_user_api_errors;
    let known = match &call.caller {
        Caller::User(known) => known,
        _ if bare => {
            return Err(Refusal::Page(Reply::crash(
                500,
                "Error: User is not connected",
            )));
        }
        Caller::Everybody => return Err(unauthorized("unauthorized: log in first").into()),
        Caller::Nobody(why) => {
            return Err(unauthorized(&format!("unauthorized: {why}")).into());
        }
    };
    match inner.session_of(known) {
        Some(session) => Ok((known.clone(), session.clone())),
        None if bare => Err(Refusal::Page(Reply::json(
            401,
            &json!({ "error": "No active session found" }),
        ))),
        None => Err(unauthorized("unauthorized: no session; log in first").into()),
    }
}

fn add_session(state: &DevWalletState, call: &Call) -> Answer {
    let dialect = state.lock().dialect();
    let known = match &call.caller {
        Caller::User(known) => known.clone(),
        _ if dialect.bare_user_api_errors => return Err(thrown("Failed to add session").into()),
        Caller::Everybody => {
            return Err(unauthorized("unauthorized: a bearer token is needed").into());
        }
        Caller::Nobody(why) => {
            return Err(unauthorized(&format!("unauthorized: {why}")).into());
        }
    };
    let params = one(&call.params).unwrap_or_default();
    let text = |name: &str| params[name].as_str().map(str::to_owned);
    let network = match text("networkId") {
        Some(network) => network,
        None if dialect.unchecked_params => String::new(),
        None => return Err(invalid_params("`networkId` is not a string").into()),
    };
    let login = Login {
        known,
        network,
        origin: text("origin").or_else(|| call.origin.clone()),
    };
    let session = state.log_in(login).map_err(|error| {
        if error.message() == "Failed to add session" {
            thrown(error.message())
        } else {
            ErrorObjectOwned::clone(&error)
        }
    })?;
    Ok(state.lock().session_json(&session))
}

impl Inner {
    /// A network as the user API writes it.
    pub(crate) fn network_details(&self, network: &Network) -> Value {
        let self_signed = network.idp == "idp-self-signed";
        let mut auth = json!({
            "method": if self_signed { "self_signed" } else { "authorization_code" },
            "audience": self.gateway.audience,
            "scope": "openid daml_ledger_api offline_access",
            "clientId": self.gateway.clients.first().map(|it| it.id.clone()),
        });
        let mut admin = json!({
            "method": if self_signed { "self_signed" } else { "client_credentials" },
            "audience": self.gateway.audience,
            "scope": "daml_ledger_api",
            "clientId": "participant_admin",
        });
        if self_signed {
            auth["issuer"] = json!(SELF_SIGNED_ISSUER);
            let secret = self.gateway.self_signed_secret.expose_secret();
            if self.dialect().leaks_secrets {
                auth["clientSecret"] = json!(secret);
            }
        }
        if self.dialect().leaks_secrets {
            admin["clientSecret"] = json!("admin-client-secret");
        }
        json!({
            "id": network.id,
            "name": network.name,
            "description": network.description,
            "identityProviderId": network.idp,
            "ledgerApi": network.ledger_url(&self.base_url()),
            "auth": auth,
            "adminAuth": admin,
        })
    }

    /// An identity provider as the user API writes it.
    pub(crate) fn idp_json(&self, id: &str) -> Value {
        if id == "idp-self-signed" {
            return json!({ "id": id, "type": "self_signed", "issuer": SELF_SIGNED_ISSUER });
        }
        let issuer = self.issuer();
        json!({
            "id": id, "type": "oauth", "issuer": issuer,
            "configUrl": format!("{issuer}/.well-known/openid-configuration"),
        })
    }
}
