//! One session's access to a gateway: its questions, asked with its own credential, and what the
//! answers mean.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline::provider::{ErrorKind, Live, OpenMode};
use moorline::{ProviderError, UserAction};
use serde_json::Value;
use tokio::sync::watch;

use super::frames::Frames;
use super::gateway::{Caller, Gateway, Refusal, Why};
use super::hearing::Ear;
use super::state::{Authentication, GatewaySession, GatewayState, Reach, StreamState};
use crate::auth::{AuthErrorKind, Credential, Issued};
use crate::fence;
use crate::types::{ConnectResult, StatusEvent, Wallet};
use crate::{auth, methods, reading};

/// Nobody can be asked for anything.
pub(super) const NOBODY: &(dyn Fn(UserAction) + Send + Sync) = &|_| {};

/// One session's access to a gateway.
pub(super) struct Access {
    pub(super) gateway: Arc<Gateway>,
    pub(super) fence: fence::Present,
    ear: Mutex<Ear>,
    state: watch::Sender<GatewayState>,
}

impl Access {
    pub(super) fn new(gateway: Arc<Gateway>) -> Self {
        let ear = Ear::new(gateway.options.all_transactions);
        Self {
            gateway,
            fence: fence::Present::default(),
            ear: Mutex::new(ear),
            state: watch::Sender::default(),
        }
    }

    pub(super) fn ear(&self) -> MutexGuard<'_, Ear> {
        self.ear.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the gateway has confirmed the session in this epoch.
    pub(super) fn is_established(&self) -> bool {
        self.ear().known().is_some()
    }

    pub(super) fn state(&self) -> &watch::Sender<GatewayState> {
        &self.state
    }

    /// The credential to use; fetched, or renewed if it has ended or is in doubt. `None` where this
    /// program has none to show.
    pub(super) async fn credential(
        &self,
        mode: OpenMode,
        prompt: &(dyn Fn(UserAction) + Send + Sync),
    ) -> Result<Option<Issued>, ProviderError> {
        let Some(credentials) = &self.gateway.credentials else {
            return Ok(None);
        };
        if credentials.current().is_none() {
            self.authentication(Authentication::Pending, None);
        }
        match credentials.get(mode, prompt).await {
            Ok(issued) => Ok(Some(issued)),
            Err(error) => {
                let said = error.to_provider_error();
                let now = match (credentials.current(), error.kind()) {
                    (Some(_), AuthErrorKind::NeedsUser) => Authentication::Expired,
                    _ => Authentication::Missing,
                };
                self.authentication(now, Some(&said));
                Err(said)
            }
        }
    }

    /// Another credential than this one, which was rejected; `None` if there is no better one.
    pub(super) async fn better(&self, issued: Option<&Issued>) -> Option<Issued> {
        let (issued, credentials) = (issued?, self.gateway.credentials.as_ref()?);
        credentials.reject(issued.number);
        let next = self.credential(OpenMode::Silent, NOBODY).await.ok()??;
        (next.number > issued.number).then_some(next)
    }

    /// Calls a method. A call that is refused for its credential is made once more if there is a
    /// better one: it was not executed.
    pub(super) async fn call(&self, method: &str, params: &Value) -> Result<Value, ProviderError> {
        let issued = self.credential(OpenMode::Silent, NOBODY).await?;
        match self.call_with(issued.as_ref(), method, params).await {
            Err(error)
                if error.kind() == ErrorKind::Unauthorized
                    && error.sent() == moorline::provider::Sent::Answered =>
            {
                match self.better(issued.as_ref()).await {
                    Some(better) => self.call_with(Some(&better), method, params).await,
                    None => Err(error),
                }
            }
            answer => answer,
        }
    }

    pub(super) async fn call_with(
        &self,
        issued: Option<&Issued>,
        method: &str,
        params: &Value,
    ) -> Result<Value, ProviderError> {
        let credential = issued.map(|issued| &*issued.credential);
        let fence = self.fence.get();
        let caller = Caller {
            credential,
            fence: fence.as_ref(),
        };
        let answer = self.gateway.call(caller, method, params).await;
        self.note(credential, answer.as_ref().err());
        answer
    }

    /// Opens the event stream.
    pub(super) async fn listen(&self, credential: Option<&Credential>) -> Result<Frames, Refusal> {
        let fence = self.fence.get();
        let caller = Caller {
            credential,
            fence: fence.as_ref(),
        };
        self.gateway.listen(caller).await
    }

    /// Makes sure that the gateway has a session for this credential.
    pub(super) async fn log_in(&self, credential: &Credential) -> Result<(), ProviderError> {
        let fence = self.fence.get();
        let caller = Caller {
            credential: Some(credential),
            fence: fence.as_ref(),
        };
        self.gateway.log_in(caller).await
    }

    /// The truth about the session: `status` and `listAccounts`.
    pub(super) async fn ask(&self) -> Result<Live, ProviderError> {
        let answer = self.ask_well().await;
        match &answer {
            Ok(live) => self.ear().learn(Some(live.clone())),
            Err(_) => self.ear().learn_nothing(),
        }
        answer
    }

    /// With the best credential there is.
    async fn ask_well(&self) -> Result<Live, ProviderError> {
        let issued = self.credential(OpenMode::Silent, NOBODY).await?;
        match self.ask_with(issued.as_ref()).await {
            Err(error) if error.kind() == ErrorKind::Unauthorized => {
                match self.better(issued.as_ref()).await {
                    Some(better) => self.ask_with(Some(&better)).await,
                    None => Err(error),
                }
            }
            answer => answer,
        }
    }

    async fn ask_with(&self, issued: Option<&Issued>) -> Result<Live, ProviderError> {
        let status = self.connected_status(issued).await?;
        let method = methods::LIST_ACCOUNTS;
        // Always listed: what is unknown is not empty, so a failure is a failure.
        let wallets = self.call_with(issued, method, &Value::Null).await?;
        let wallets: Vec<Wallet> = reading::decode(method, wallets)?;
        let mut live = reading::live(&status, &wallets);
        if let Some(issued) = issued {
            // The token in the answer may be another login's.
            live.expires_at = issued.credential.expires_at();
            self.authentication(Authentication::Valid, None);
        }
        self.session(GatewaySession::Present, None);
        Ok(live)
    }

    /// `status`, if it says that the session stands; else what it means that it does not.
    pub(super) async fn connected_status(
        &self,
        issued: Option<&Issued>,
    ) -> Result<StatusEvent, ProviderError> {
        let status = self
            .call_with(issued, methods::STATUS, &Value::Null)
            .await?;
        let status: StatusEvent = reading::decode(methods::STATUS, status)?;
        if status.connection.is_connected {
            Ok(status)
        } else {
            Err(self.not_connected(issued, &status.connection).await)
        }
    }

    /// What it means that the gateway is "not connected": only the event stream tells.
    pub(super) async fn not_connected(
        &self,
        issued: Option<&Issued>,
        answer: &ConnectResult,
    ) -> ProviderError {
        let said = reading::not_connected(answer);
        let meant = match issued {
            Some(issued) if said.kind() == ErrorKind::Unauthorized => {
                self.meaning(&issued.credential, said).await
            }
            _ => said,
        };
        self.note(issued.map(|issued| &*issued.credential), Some(&meant));
        meant
    }

    async fn meaning(&self, credential: &Credential, said: ProviderError) -> ProviderError {
        if credential.has_ended(auth::now()) {
            let text = "the credential has ended; the gateway no longer takes it";
            return ProviderError::new(ErrorKind::Unauthorized, text).answered();
        }
        let patience = super::keeper::PATIENCE;
        match tokio::time::timeout(patience, self.listen(Some(credential))).await {
            Ok(Err(refusal)) => match refusal.why {
                Why::NoSession | Why::Unreachable => refusal.error,
                Why::Unauthenticated => not_taken(&refusal.error),
                Why::Failing if refusal.error.kind() == ErrorKind::RateLimited => refusal.error,
                Why::Failing => said,
            },
            // It contradicts itself, or says nothing: nobody knows.
            Ok(Ok(_)) | Err(_) => said,
        }
    }

    /// Keeps what an answer says of the gateway.
    pub(super) fn note(&self, credential: Option<&Credential>, error: Option<&ProviderError>) {
        let Some(error) = error else {
            self.reach(Reach::Reachable, None);
            return;
        };
        match error.kind() {
            ErrorKind::RateLimited => self.reach(Reach::Limited, Some(error)),
            ErrorKind::Unreachable | ErrorKind::TimedOut => {
                self.reach(Reach::Unreachable, Some(error));
            }
            ErrorKind::SessionGone => {
                self.reach(Reach::Reachable, None);
                self.session(GatewaySession::Gone, Some(error));
            }
            ErrorKind::Unauthorized => {
                self.reach(Reach::Reachable, None);
                let ended = credential.is_some_and(|it| it.has_ended(auth::now()));
                let now = if ended {
                    Authentication::Expired
                } else {
                    Authentication::Rejected
                };
                self.authentication(now, Some(error));
            }
            _ => self.reach(Reach::Reachable, None),
        }
    }

    fn authentication(&self, now: Authentication, problem: Option<&ProviderError>) {
        self.state
            .send_if_modified(|state| state.authentication.set(now, problem));
    }

    fn session(&self, now: GatewaySession, problem: Option<&ProviderError>) {
        self.state
            .send_if_modified(|state| state.session.set(now, problem));
    }

    fn reach(&self, now: Reach, problem: Option<&ProviderError>) {
        self.state
            .send_if_modified(|state| state.network.set(now, problem));
    }

    pub(super) fn stream(&self, now: StreamState, problem: Option<&ProviderError>) {
        self.state
            .send_if_modified(|state| state.stream.set(now, problem));
    }
}

/// The gateway does not take a credential, which says little.
pub(super) fn not_taken(said: &ProviderError) -> ProviderError {
    ProviderError::new(
        ErrorKind::Unauthorized,
        "the gateway does not take the credential: it is wrong, or the identity provider cannot be \
         reached from there",
    )
    .answered()
    .with_source(said.clone())
}
