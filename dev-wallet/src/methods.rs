//! The methods of the synchronous dApp API.

use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::approval::{Approval, PendingKind, Prompt};
use crate::error::{invalid_params, plain, rejected, unauthorized};
use crate::ledger_api::LedgerRequest;
use crate::state::{DevWalletState, Inner};
use crate::transactions::Submission;

type Answer = Result<Value, ErrorObjectOwned>;

/// Every method, bound to a state.
pub(crate) fn module(
    state: DevWalletState,
) -> Result<RpcModule<DevWalletState>, RegisterMethodError> {
    let mut module = RpcModule::new(state);
    macro_rules! methods {
        ($($name:literal => $method:path,)*) => {$(
            module.register_async_method($name, |params, state, _| async move {
                $method(&state, &params).await
            })?;
        )*};
    }
    methods! {
        "connect" => connect,
        "disconnect" => disconnect,
        "getActiveNetwork" => get_active_network,
        "getPrimaryAccount" => get_primary_account,
        "isConnected" => is_connected,
        "ledgerApi" => ledger_api,
        "listAccounts" => list_accounts,
        "prepareExecute" => prepare_execute,
        "prepareExecuteAndWait" => prepare_execute_and_wait,
        "signMessage" => sign_message,
        "status" => status,
    }
    Ok(module)
}

async fn status(state: &DevWalletState, _: &Params<'_>) -> Answer {
    Ok(state.lock().status())
}

async fn is_connected(state: &DevWalletState, _: &Params<'_>) -> Answer {
    Ok(state.lock().connection())
}

async fn connect(state: &DevWalletState, _: &Params<'_>) -> Answer {
    let (connected, approval, prompt) = {
        let inner = state.lock();
        (
            inner.not_connected().is_none(),
            inner.approval,
            inner.prompt,
        )
    };
    if connected {
        return Ok(state.lock().connection());
    }
    if approval == Approval::Manual && prompt == Prompt::UserUrl {
        return Ok(ask_for_login(state, "/login"));
    }
    if !state.consent(PendingKind::Connect, "a program").await {
        return Err(rejected());
    }
    state.start_session();
    state.announce_status("statusChanged");
    Ok(state.lock().connection())
}

/// Answers with where to log in, and goes on once the person has decided.
pub(crate) fn ask_for_login(state: &DevWalletState, path: &str) -> Value {
    let (already, url) = state.change(|inner| {
        let already = std::mem::replace(&mut inner.logging_in, true);
        (already, format!("{}{path}", inner.base_url()))
    });
    if !already {
        let decided = state.ask(PendingKind::Connect, "a program");
        let state = state.clone();
        tokio::spawn(async move {
            let agreed = decided.await.unwrap_or(false);
            state.lock().logging_in = false;
            if agreed {
                state.start_session();
                state.announce_status("statusChanged");
                state.announce_status("connected");
            } else {
                state.announce_end("rejected by the user");
            }
        });
    }
    let mut connection = state.lock().connection();
    connection["userUrl"] = json!(url);
    connection
}

impl DevWalletState {
    pub(crate) fn start_session(&self) {
        self.change(Inner::begin_session);
    }
}

async fn disconnect(state: &DevWalletState, _: &Params<'_>) -> Answer {
    if state.change(|inner| inner.session.take()).is_some() {
        state.announce_end("disconnect");
    }
    Ok(Value::Null)
}

async fn get_active_network(state: &DevWalletState, _: &Params<'_>) -> Answer {
    let inner = state.lock();
    authorized(&inner)?;
    Ok(inner.network_json())
}

async fn list_accounts(state: &DevWalletState, _: &Params<'_>) -> Answer {
    let inner = state.lock();
    authorized(&inner)?;
    Ok(inner.accounts_json())
}

async fn get_primary_account(state: &DevWalletState, _: &Params<'_>) -> Answer {
    let inner = state.lock();
    authorized(&inner)?;
    match inner.accounts.get(inner.primary) {
        Some(account) => Ok(account.to_json(true, &inner.network)),
        None => Err(plain(-32603, "the wallet has no primary account")),
    }
}

async fn sign_message(state: &DevWalletState, params: &Params<'_>) -> Answer {
    #[derive(Deserialize)]
    struct SignMessage {
        message: String,
    }

    let SignMessage { message } = one(params)?;
    // Signed by who was primary when the person was asked.
    let account = {
        let inner = state.lock();
        authorized(&inner)?;
        let primary = inner.accounts.get(inner.primary).cloned();
        primary.ok_or_else(|| plain(-32603, "the wallet has no primary account"))?
    };
    if !state.consent(PendingKind::Sign, &message).await {
        return Err(rejected());
    }
    Ok(json!({ "signature": account.sign_base64(message.as_bytes()) }))
}

async fn prepare_execute(state: &DevWalletState, params: &Params<'_>) -> Answer {
    let submission: Submission = one(params)?;
    authorized(&state.lock())?;
    let prepared = state.prepare(submission)?;
    let state = state.clone();
    // How it ends is told by events.
    tokio::spawn(async move { state.execute(prepared).await.ok() });
    Ok(Value::Null)
}

async fn prepare_execute_and_wait(state: &DevWalletState, params: &Params<'_>) -> Answer {
    let submission: Submission = one(params)?;
    authorized(&state.lock())?;
    let prepared = state.prepare(submission)?;
    let executed = state.execute(prepared).await?;
    Ok(json!({ "tx": executed }))
}

async fn ledger_api(state: &DevWalletState, params: &Params<'_>) -> Answer {
    let request: LedgerRequest = one(params)?;
    let inner = state.lock();
    authorized(&inner)?;
    inner.ledger_api(&request)
}

fn authorized(inner: &Inner) -> Result<(), ErrorObjectOwned> {
    match inner.not_connected() {
        None => Ok(()),
        Some(reason) => Err(unauthorized(&format!(
            "unauthorized ({reason}): connect first"
        ))),
    }
}

/// The one object of params, bare or in an array.
fn one<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, ErrorObjectOwned> {
    let params: Value = params
        .parse()
        .map_err(|error| invalid_params(error.message()))?;
    let object = match params {
        Value::Array(mut items) if items.len() == 1 => items.remove(0),
        other => other,
    };
    if !object.is_object() {
        return Err(invalid_params("one object is expected"));
    }
    serde_json::from_value(object).map_err(invalid_params)
}
