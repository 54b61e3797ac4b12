//! The asynchronous dApp API.

use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Reply;
use super::envelope::{Answer, Call, Refusal};
use crate::approval::{Approval, PendingKind};
use crate::error::{invalid_params, plain, rejected, unauthorized};
use crate::gateway::{Caller, GatewaySession, Known, Owner, Wanted, thrown};
use crate::ledger_api::LedgerRequest;
use crate::methods::ask_for_login;
use crate::state::{DevWalletState, Inner};

const EVENTS: [&str; 6] = [
    "accountsChanged",
    "connected",
    "messageSignature",
    "onStatusChanged",
    "statusChanged",
    "txChanged",
];

/// Executes a method.
pub(crate) async fn call(state: &DevWalletState, call: &Call) -> Answer {
    if let Caller::User(known) = &call.caller {
        state.lock().ensure_api_session(known);
    }
    match call.method.as_str() {
        "status" => status(state, call),
        "connect" => connect(state, call).await,
        "disconnect" => disconnect(state, call),
        "isConnected" => is_connected(state, call),
        "getActiveNetwork" => get_active_network(state, call),
        "listAccounts" => list_accounts(state, call),
        "getPrimaryAccount" => get_primary_account(state, call),
        "prepareExecute" => prepare_execute(state, call),
        "signMessage" => sign_message(state, call).await,
        "ledgerApi" => ledger_api(state, call),
        other => Err(unknown(state, other)),
    }
}

fn unknown(state: &DevWalletState, method: &str) -> Refusal {
    let dialect = state.lock().dialect();
    let event = EVENTS.contains(&method);
    if event && dialect.event_names_crash {
        return thrown("Only for events.").into();
    }
    if dialect.prototype_methods_crash && matches!(method, "toString" | "valueOf" | "constructor") {
        let what = "TypeError: methodFn(...).then is not a function";
        return Refusal::Page(Reply::crash(500, what));
    }
    let elsewhere = method == "prepareExecuteAndWait" && !dialect.absent_method_unknown;
    if event || elsewhere {
        let why = format!("unsupported method: `{method}` cannot be called over this API");
        return plain(4200, &why).into();
    }
    plain(-32601, &format!("method not found: {method}")).into()
}

/// Who a request is for.
enum Access {
    /// The wallet's one session.
    Open,
    /// A user's.
    Of(Known, GatewaySession),
}

impl Access {
    fn owner(&self) -> Owner {
        match self {
            Self::Open => Owner::Everybody,
            Self::Of(_, session) => session.owner(),
        }
    }
}

/// The session a request needs; why there is none.
fn access(inner: &Inner, call: &Call) -> Result<Access, ErrorObjectOwned> {
    match &call.caller {
        Caller::Nobody(why) => Err(unauthorized(&format!("unauthorized: {why}"))),
        Caller::Everybody => match inner.not_connected() {
            None => Ok(Access::Open),
            Some(why) => {
                let why = format!("unauthorized ({why}): connect first");
                Err(unauthorized(&why))
            }
        },
        Caller::User(known) => match inner.session_of(known) {
            Some(session) => {
                let session = session.clone();
                inner.check_network(&session)?;
                Ok(Access::Of(known.clone(), session))
            }
            None if inner.dialect().no_session_is_internal => Err(thrown("No session found")),
            None => Err(unauthorized("unauthorized: no session; log in first")),
        },
    }
}

impl Inner {
    /// Sessions for networks that do not exist are of no use.
    fn check_network(&self, session: &GatewaySession) -> Result<(), ErrorObjectOwned> {
        let known = self
            .gateway
            .networks
            .iter()
            .any(|it| it.id == session.network);
        if known {
            return Ok(());
        }
        Err(thrown(&format!("Network {} not found", session.network)))
    }

    /// The session of a caller who has one, for methods that say so instead of failing.
    fn session_for(&self, call: &Call) -> Result<Option<GatewaySession>, ErrorObjectOwned> {
        let Caller::User(known) = &call.caller else {
            return Ok(None);
        };
        let session = self.session_of(known).cloned();
        if let Some(session) = &session {
            self.check_network(session)?;
        }
        Ok(session)
    }
}

fn is_stale(call: &Call) -> bool {
    matches!(&call.caller, Caller::User(known) if known.stale)
}

fn status(state: &DevWalletState, call: &Call) -> Answer {
    let inner = state.lock();
    if let Caller::Everybody = call.caller {
        return Ok(inner.remote_status());
    }
    Ok(match inner.session_for(call)? {
        Some(session) => {
            let mut status = inner.session_status(&session, is_stale(call));
            if inner.dialect().extra_status_fields {
                status["session"]["id"] = json!(session.id);
                status["userUrl"] = json!(inner.login_url());
            }
            status
        }
        None => inner.no_session_status(),
    })
}

fn is_connected(state: &DevWalletState, call: &Call) -> Answer {
    let inner = state.lock();
    if let Caller::Everybody = call.caller {
        return Ok(inner.connection());
    }
    Ok(match inner.session_for(call)? {
        Some(_) => with_url(&inner, inner.live_connection(is_stale(call))),
        None => inner.no_session_connection(),
    })
}

/// Where the person may go, for gateways that say so when nothing is to be done there.
fn with_url(inner: &Inner, mut connection: Value) -> Value {
    if inner.dialect().user_url_when_connected {
        connection["userUrl"] = json!(inner.login_url());
    }
    connection
}

async fn connect(state: &DevWalletState, call: &Call) -> Answer {
    if let Caller::Everybody = call.caller {
        return connect_openly(state).await;
    }
    let (session, announces) = {
        let inner = state.lock();
        (inner.session_for(call)?, inner.dialect().connect_announces)
    };
    let Some(session) = session else {
        return Ok(state.lock().no_session_connection());
    };
    let (connection, status) = {
        let inner = state.lock();
        let connection = with_url(&inner, inner.live_connection(is_stale(call)));
        let mut status = inner.session_status(&session, is_stale(call));
        status["connection"] = connection.clone();
        (connection, status)
    };
    if announces {
        let owner = session.owner();
        state.emit(&owner, "statusChanged", status.clone());
        state.emit(&owner, "connected", status);
    }
    Ok(connection)
}

/// Without a login, the wallet's one session is everybody's.
async fn connect_openly(state: &DevWalletState) -> Answer {
    let (connected, approval) = {
        let inner = state.lock();
        (inner.not_connected().is_none(), inner.approval)
    };
    if connected {
        return Ok(state.lock().connection());
    }
    match approval {
        Approval::Reject => Err(rejected().into()),
        Approval::Auto => {
            state.start_session();
            state.announce_status("statusChanged");
            state.announce_status("connected");
            Ok(state.lock().connection())
        }
        Approval::Manual => Ok(ask_for_login(state, "/login/")),
        Approval::After(delay) => {
            let answer = ask_for_login(state, "/login/");
            let (state, real) = (state.clone(), state.lock().gateway.clock.real(delay));
            tokio::spawn(async move {
                tokio::time::sleep(real).await;
                state.answer_kind(PendingKind::Connect, true);
            });
            Ok(answer)
        }
    }
}

fn disconnect(state: &DevWalletState, call: &Call) -> Answer {
    match &call.caller {
        Caller::User(known) => {
            state.disconnect_user(known);
        }
        Caller::Everybody => {
            if state.change(|inner| inner.session.take()).is_some() {
                state.announce_end("disconnect");
            }
        }
        Caller::Nobody(why) if !state.lock().dialect().deaf_disconnect => {
            return Err(unauthorized(&format!("unauthorized: {why}")).into());
        }
        Caller::Nobody(_) => {}
    }
    Ok(Value::Null)
}

fn get_active_network(state: &DevWalletState, call: &Call) -> Answer {
    let inner = state.lock();
    Ok(match access(&inner, call)? {
        Access::Open => inner.network_json(),
        Access::Of(_, session) => inner.session_network(&session),
    })
}

fn list_accounts(state: &DevWalletState, call: &Call) -> Answer {
    let inner = state.lock();
    Ok(match access(&inner, call)? {
        Access::Open => inner.accounts_json(),
        Access::Of(_, session) => inner.session_accounts(&session),
    })
}

fn get_primary_account(state: &DevWalletState, call: &Call) -> Answer {
    let Value::Array(accounts) = list_accounts(state, call)? else {
        return Ok(Value::Null);
    };
    let mut accounts = accounts.into_iter();
    let primary = accounts.find(|account| account["primary"] == json!(true));
    primary.ok_or_else(|| thrown("No primary wallet found").into())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)]
struct Submission {
    #[serde(default)]
    command_id: Option<String>,
    commands: Value,
    #[serde(default)]
    act_as: Vec<String>,
    #[serde(default)]
    read_as: Vec<String>,
    #[serde(default)]
    disclosed_contracts: Vec<Disclosed>,
    #[serde(default)]
    synchronizer_id: Option<String>,
    #[serde(default)]
    package_id_selection_preference: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)]
struct Disclosed {
    #[serde(default)]
    template_id: Option<String>,
    #[serde(default)]
    contract_id: Option<String>,
    created_event_blob: String,
    #[serde(default)]
    synchronizer_id: Option<String>,
}

fn prepare_execute(state: &DevWalletState, call: &Call) -> Answer {
    let (owner, dialect) = {
        let inner = state.lock();
        (access(&inner, call)?.owner(), inner.dialect())
    };
    let params = one(&call.params);
    let (command_id, commands, act_as) = if dialect.unchecked_params {
        let params = params.unwrap_or_default();
        let parties = params["actAs"].as_array().into_iter().flatten();
        let act_as = parties.filter_map(Value::as_str).map(str::to_owned);
        (
            params["commandId"].as_str().map(str::to_owned),
            params["commands"].clone(),
            act_as.collect(),
        )
    } else {
        let params = params.ok_or_else(|| invalid_params("one object is expected"))?;
        let submission: Submission = serde_json::from_value(params).map_err(invalid_params)?;
        let empty = match &submission.commands {
            Value::Array(commands) => commands.is_empty(),
            Value::Object(commands) => commands.is_empty(),
            _ => true,
        };
        if empty {
            return Err(invalid_params("`commands` holds no command").into());
        }
        (
            submission.command_id,
            submission.commands,
            submission.act_as,
        )
    };
    let user_url = state.prepare_for(Wanted {
        command_id,
        commands,
        act_as,
        owner,
        origin: call.origin.clone(),
    })?;
    Ok(json!({ "userUrl": user_url }))
}

async fn sign_message(state: &DevWalletState, call: &Call) -> Answer {
    let dialect = state.lock().dialect();
    if dialect.sign_message_crashes {
        let what = "Error: Function not implemented.";
        return Err(Refusal::Page(Reply::crash(500, what)));
    }
    let (owner, account) = {
        let inner = state.lock();
        let owner = access(&inner, call)?.owner();
        (owner, inner.accounts.get(inner.primary).cloned())
    };
    let params = one(&call.params).unwrap_or_default();
    let message = match (&params["message"], dialect.unchecked_params) {
        (Value::String(message), _) => message.clone(),
        (_, true) => String::new(),
        (_, false) => return Err(invalid_params("`message` is not a string").into()),
    };
    if dialect.sign_message_by_event {
        let (id, url) = state.message_for(owner, message);
        return Ok(json!({ "messageId": id, "userUrl": url }));
    }
    let account = account.ok_or_else(|| thrown("No primary wallet found"))?;
    if !state.consent(PendingKind::Sign, &message).await {
        return Err(rejected().into());
    }
    Ok(json!({ "signature": account.sign_base64(message.as_bytes()) }))
}

fn ledger_api(state: &DevWalletState, call: &Call) -> Answer {
    let inner = state.lock();
    let access = access(&inner, call)?;
    let dialect = inner.dialect();
    if let Access::Of(known, _) = &access
        && known.stale
    {
        return Err(thrown("Attempted to refresh a token, but it came back expired.").into());
    }
    if dialect.internal_ledger_errors && !inner.network_up {
        return Err(thrown("fetch failed").into());
    }
    let params = one(&call.params).ok_or_else(|| invalid_params("one object is expected"))?;
    let method = params["requestMethod"].as_str().unwrap_or_default();
    if dialect.ledger_get_post_only && !matches!(method, "get" | "post") {
        return Err(thrown(&format!("Unsupported request method: {method}")).into());
    }
    let request: LedgerRequest = serde_json::from_value(params).map_err(invalid_params)?;
    inner.ledger_api(&request).map_err(|error| {
        if !dialect.internal_ledger_errors {
            return error.into();
        }
        let cause = error.message().to_owned();
        let data = json!({ "code": "NOT_FOUND", "cause": cause, "grpcCodeValue": 5 });
        ErrorObjectOwned::owned(-32603, cause, Some(data)).into()
    })
}

/// The one object of params, bare or in an array.
pub(crate) fn one(params: &Value) -> Option<Value> {
    match params {
        Value::Object(_) => Some(params.clone()),
        Value::Array(items) if items.len() == 1 => items.first().cloned(),
        _ => None,
    }
}
