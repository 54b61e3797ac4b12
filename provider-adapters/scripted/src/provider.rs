//! The scripted wallet as a session sees it.

use std::future::pending;

use moorline::provider::{
    Capabilities, CloseMode, ErrorKind, EventSink, Live, OpenMode, OpenRequest, Opened, Provider,
    ProviderError, ProviderFuture, ProviderPayload, Request,
};
use moorline::sync::Fence;
use serde_json::{Value, json};

use crate::behaviour::{Behaviour, Outcome};
use crate::state::{Begun, State, Wallet, session_gone, waited};
use crate::traffic::{Ending, What};

/// A provider whose wallet is played from a script. Made by
/// [`ScriptedWallet::build`](crate::ScriptedWallet::build).
#[derive(Debug)]
pub struct ScriptedProvider {
    kind: String,
    capabilities: Capabilities,
    wallet: Wallet,
}

impl ScriptedProvider {
    pub(crate) fn new(kind: String, capabilities: Capabilities, wallet: Wallet) -> Self {
        Self {
            kind,
            capabilities,
            wallet,
        }
    }

    /// Plays a call that has begun. `answer` is what a well-behaved wallet does, `special` what it
    /// makes of an outcome that only this kind of call knows.
    fn play<T: Send + 'static>(
        &self,
        begun: Begun,
        answer: impl FnOnce(&mut State) -> Result<T, ProviderError> + Send + 'static,
        special: impl Fn(&Outcome, &mut State) -> Option<T> + Send + 'static,
    ) -> ProviderFuture<'_, T> {
        let Begun {
            behaviour,
            overruled,
            guard,
            ..
        } = begun;
        if let Outcome::PanicAtCall(message) = &behaviour.outcome {
            guard.end(Ending::Panicked);
            unwind(message.clone());
        }
        let wallet = self.wallet.clone();
        Box::pin(async move {
            let behaviour = treatment(behaviour, overruled).await;
            let result = match behaviour.outcome {
                Outcome::Answer => answer(&mut wallet.lock()),
                Outcome::Fail(error) => Err(error),
                Outcome::Panic(message) | Outcome::PanicAtCall(message) => {
                    guard.end(Ending::Panicked);
                    unwind(message)
                }
                outcome => special(&outcome, &mut wallet.lock()).ok_or_else(|| {
                    ProviderError::new(
                        ErrorKind::Internal,
                        format!("the script answers this call with {outcome:?}, which it cannot"),
                    )
                }),
            };
            guard.end(match result {
                Ok(_) => Ending::Answered,
                Err(_) => Ending::Failed,
            });
            if let (Ok(_), Some(payload)) = (&result, behaviour.payload) {
                wallet.change_payload(payload);
            }
            result
        })
    }
}

/// How a call is treated in the end: as scripted, unless it is overruled while it waits.
async fn treatment(
    scripted: Behaviour,
    overruled: tokio::sync::oneshot::Receiver<Behaviour>,
) -> Behaviour {
    let overruling = if matches!(scripted.outcome, Outcome::Silence) {
        overruled.await.ok()
    } else if waited(scripted.after) {
        match tokio::time::timeout(scripted.after, overruled).await {
            Ok(overruling) => overruling.ok(),
            Err(_) => return scripted,
        }
    } else {
        return scripted;
    };
    let Some(behaviour) = overruling else {
        return pending().await;
    };
    if waited(behaviour.after) {
        tokio::time::sleep(behaviour.after).await;
    }
    match behaviour.outcome {
        Outcome::Silence => pending().await,
        _ => behaviour,
    }
}

/// Panics without the message of the panic hook: a scripted panic is no news.
fn unwind(message: String) -> ! {
    std::panic::resume_unwind(Box::new(message))
}

impl Provider for ScriptedProvider {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn open(&self, request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        let (epoch, mode) = (request.epoch, request.mode);
        self.wallet.lock().sinks.push(events);
        let what = What::Open {
            mode,
            last_known: request.last_known,
        };
        let begun = self.wallet.begin(what, Some(epoch));
        self.play(
            begun,
            move |wallet| {
                if let Some(error) = &wallet.away {
                    return Err(error.clone());
                }
                if mode == OpenMode::Interactive {
                    wallet.revoked = false;
                    wallet.awaiting_user = false;
                } else if wallet.revoked {
                    return Err(session_gone());
                }
                Ok(Opened::Established)
            },
            |outcome, wallet| match outcome {
                Outcome::UserAction(action) => {
                    wallet.revoked = false;
                    wallet.awaiting_user = true;
                    Some(Opened::UserActionRequired(action.clone()))
                }
                _ => None,
            },
        )
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        let begun = self.wallet.begin(What::Probe, None);
        let as_of_call = begun.behaviour.as_of_call.then(|| begun.live.clone());
        self.play(
            begun,
            |wallet| {
                if let Some(error) = wallet.refusal() {
                    return Err(error);
                }
                if wallet.awaiting_user {
                    return Err(ProviderError::new(
                        ErrorKind::UserActionPending,
                        "the person has not finished yet",
                    )
                    .answered());
                }
                Ok(as_of_call.unwrap_or_else(|| wallet.live()))
            },
            |outcome, wallet| match outcome {
                Outcome::NoAccounts => {
                    let mut live = wallet.live();
                    live.accounts.clear();
                    Some(live)
                }
                _ => None,
            },
        )
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        let what = What::Request {
            method: request.method.clone().into_owned(),
            params: request.params.clone(),
            identity: request.identity.clone(),
        };
        let begun = self.wallet.begin(what, None);
        let answer = json!({
            "method": request.method,
            "params": request.params,
            "account": request.identity.account,
        });
        self.play(
            begun,
            move |wallet| match wallet.refusal() {
                Some(error) => Err(error),
                None => Ok(answer),
            },
            |outcome, _| match outcome {
                Outcome::Value(value) => Some(value.clone()),
                _ => None,
            },
        )
    }

    fn close(&self, mode: CloseMode) -> ProviderFuture<'_, ()> {
        let begun = self.wallet.begin(What::Close(mode), None);
        self.play(
            begun,
            move |wallet| {
                if let Some(error) = wallet.refusal() {
                    return Err(error);
                }
                wallet.revoked |= mode == CloseMode::Disconnect;
                Ok(())
            },
            |_, _| None,
        )
    }

    fn reauthenticate(&self) -> ProviderFuture<'_, ()> {
        let begun = self.wallet.begin(What::Reauthenticate, None);
        self.play(
            begun,
            |wallet| match &wallet.away {
                Some(error) => Err(error.clone()),
                None => {
                    wallet.revoked = false;
                    Ok(())
                }
            },
            |_, _| None,
        )
    }

    fn payload(&self) -> Result<Option<ProviderPayload>, ProviderError> {
        self.wallet.lock().payload.clone()
    }

    fn fenced(&self, fence: &Fence) {
        self.wallet.lock().fence = Some(fence.clone());
    }
}
