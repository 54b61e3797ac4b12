//! The dApp API with types, over a [`Session`].

mod error;
mod settle;
mod signature;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use moorline::Session;
use moorline::session::OperationOptions;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::error::CallError;
pub use self::transaction::{Outcome, Progress, Transaction, UnknownCause};
use crate::types::{
    ConnectResult, HttpMethod, LedgerApiRequest, Network, PrepareExecute, StatusEvent, Wallet,
};
use crate::{command_id, methods};

/// The methods of the dApp API (CIP-0103), typed.
///
/// Wraps a session: each call is an operation of it, held while the session is on its way back,
/// bound to the identity it was made under, answered exactly once. Calls that only read are
/// repeated if the link breaks under them; calls that sign or submit never are. Cheap to clone.
///
/// Cancel safety: dropping the future of a call takes it back if the wallet does not have it yet.
///
/// ```no_run
/// use moorline::Session;
/// use moorline_cip0103::types::PrepareExecute;
/// use moorline_cip0103::{DappClient, Outcome, WsProvider};
/// use serde_json::json;
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::builder(WsProvider::new("ws://127.0.0.1:3030")?).build()?;
/// session.connect().await?;
/// let wallet = DappClient::new(session);
/// let commands = json!([{ "CreateCommand": { "templateId": "#app:Main:Iou", "createArguments": {} } }]);
/// let limit = Duration::from_secs(300);
/// match wallet.prepare_execute_and_wait(PrepareExecute::new(commands), limit).await? {
///     Outcome::Executed { update_id, .. } => println!("on the ledger: {update_id:?}"),
///     Outcome::Failed | Outcome::RejectedOrFailed => println!("not on the ledger"),
///     outcome => println!("nobody knows yet: {outcome:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DappClient {
    session: Session,
    deadline: Option<Duration>,
    approval: Duration,
    settling: Option<Arc<settle::Books>>,
}

impl DappClient {
    /// The dApp API over this session.
    pub fn new(session: Session) -> Self {
        Self {
            session,
            deadline: None,
            approval: Duration::from_secs(300),
            settling: Some(Arc::default()),
        }
    }

    /// Sets how long a person has to approve a signature at wallets that answer with an address.
    /// Default 5 min.
    #[must_use]
    pub fn with_approval_deadline(mut self, deadline: Duration) -> Self {
        self.approval = deadline;
        self
    }

    /// Whether [`prepare_execute_and_wait`](Self::prepare_execute_and_wait) asks the ledger what
    /// became of a submission whose events were lost (default: yes). It costs a look at the end of
    /// the ledger before a submission, at most one a minute.
    #[must_use]
    pub fn with_settling(mut self, settling: bool) -> Self {
        self.settling = settling.then(Arc::default);
        self
    }

    /// Sets within which time each call must be answered, the time it is held included. Default:
    /// the session's own deadline for operations.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The session underneath: for connecting, events, everything that is not a call.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// `status`: wallet, connection, network and session, tokens included.
    ///
    /// # Errors
    ///
    /// [`CallError`], as for every call here.
    pub async fn status(&self) -> Result<StatusEvent, CallError> {
        self.read(methods::STATUS, Value::Null).await
    }

    /// `isConnected`: whether the wallet is connected. Never brings up a prompt.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn is_connected(&self) -> Result<ConnectResult, CallError> {
        self.read("isConnected", Value::Null).await
    }

    /// `getActiveNetwork`: the network, with its ledger's address and token where the wallet
    /// gives them.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn get_active_network(&self) -> Result<Network, CallError> {
        self.read("getActiveNetwork", Value::Null).await
    }

    /// `listAccounts`: every account the program may use.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn list_accounts(&self) -> Result<Vec<Wallet>, CallError> {
        self.read(methods::LIST_ACCOUNTS, Value::Null).await
    }

    /// `getPrimaryAccount`: the account to act for.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn get_primary_account(&self) -> Result<Wallet, CallError> {
        self.read("getPrimaryAccount", Value::Null).await
    }

    /// `ledgerApi`: a request to the JSON Ledger API. A `get` is repeated if the link breaks.
    ///
    /// # Errors
    ///
    /// [`CallError`], with the ledger's own details in the data of the provider error.
    pub async fn ledger_api(&self, request: &LedgerApiRequest) -> Result<Value, CallError> {
        let options = self
            .options()
            .repeatable(request.request_method == HttpMethod::Get);
        let params = to_params("ledgerApi", request)?;
        self.call("ledgerApi", params, options).await
    }

    /// `prepareExecute`: submits commands, and follows what becomes of them by `txChanged` events.
    /// Subscribed before the request leaves: no event is lost between. A command id is drawn if
    /// the request has none.
    ///
    /// # Errors
    ///
    /// [`CallError`]. If it [may have been executed](CallError::may_have_executed), the commands
    /// may end up on the ledger all the same;
    /// [`prepare_execute_and_wait`](Self::prepare_execute_and_wait) keeps looking.
    pub async fn prepare_execute(
        &self,
        mut request: PrepareExecute,
    ) -> Result<Transaction, CallError> {
        let mut transaction = self.follow(&mut request);
        transaction.ask_at(self.submit(&request).await?);
        Ok(transaction)
    }

    /// Submits commands and waits, at most `within`, for their end: `prepareExecute` and the
    /// events that follow it, which works with wallets that lack `prepareExecuteAndWait`. Where
    /// events were lost the ledger is asked, if the wallet lets it be asked.
    ///
    /// Cancel safety: dropping the future stops the waiting; what was submitted stays submitted.
    ///
    /// # Errors
    ///
    /// [`CallError`] only if the commands were certainly not submitted. Whatever is in doubt is
    /// [`Outcome::Unknown`].
    pub async fn prepare_execute_and_wait(
        &self,
        mut request: PrepareExecute,
        within: Duration,
    ) -> Result<Outcome, CallError> {
        let end = tokio::time::Instant::now() + within;
        // The last part of the time is for asking the ledger.
        let until = end - settle::share_of(within);
        let begin = self.begin_of_search().await;
        let mut transaction = self.follow(&mut request);
        let lost = match tokio::time::timeout_at(until, self.submit(&request)).await {
            Ok(Ok(url)) => {
                transaction.ask_at(url);
                None
            }
            Ok(Err(error)) if !error.may_have_executed() => return Err(error),
            Ok(Err(_)) => Some(transaction.so_far(UnknownCause::LinkLost)),
            Err(_) => Some(transaction.so_far(UnknownCause::TimedOut)),
        };
        let mut outcome = match lost {
            Some(outcome) => outcome,
            None => transaction.outcome(left(until)).await,
        };
        while let Some(cause) = outcome.doubt() {
            let found = self.settle_since(begin, &request, left(end)).await;
            match found {
                Some(Some(settled)) => {
                    transaction.settle(settled.clone());
                    return Ok(settled);
                }
                // Not there yet, and the way to the wallet is well: it may still come.
                Some(None) if cause != UnknownCause::TimedOut && !left(until).is_zero() => {
                    outcome = transaction.outcome(left(until)).await;
                }
                Some(None) | None => return Ok(outcome),
            }
        }
        Ok(outcome)
    }

    /// Names the submission and subscribes to its events.
    fn follow(&self, request: &mut PrepareExecute) -> Transaction {
        let id = request.command_id.get_or_insert_with(command_id::draw);
        Transaction::new(id.as_str(), self.session.events())
    }

    /// Submits. Returns where a person approves, where the wallet says so.
    async fn submit(&self, request: &PrepareExecute) -> Result<Option<Arc<str>>, CallError> {
        let params = to_params(methods::PREPARE_EXECUTE, request)?;
        // `null`, or `{userUrl}` from wallets that follow the asynchronous API.
        let answer: Value = self
            .call(methods::PREPARE_EXECUTE, params, self.options())
            .await?;
        Ok(answer["userUrl"].as_str().map(Arc::from))
    }

    fn options(&self) -> OperationOptions {
        let options = OperationOptions::default();
        match self.deadline {
            Some(deadline) => options.deadline(deadline),
            None => options,
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, CallError> {
        self.call(method, params, self.options().repeatable(true))
            .await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        options: OperationOptions,
    ) -> Result<T, CallError> {
        let answer = self.session.request_with(method, params, options).await?;
        serde_json::from_value(answer).map_err(|problem| CallError::malformed(method, &problem))
    }
}

/// How much time is left.
fn left(until: tokio::time::Instant) -> Duration {
    until.saturating_duration_since(tokio::time::Instant::now())
}

fn to_params(method: &'static str, request: &impl Serialize) -> Result<Value, CallError> {
    serde_json::to_value(request).map_err(|problem| CallError::Unencodable {
        method,
        problem: problem.to_string(),
    })
}
