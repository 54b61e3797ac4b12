//! Signatures, however long a person takes.

use std::time::Duration;

use moorline::EventKind;
use moorline::session::{EventItem, EventStream};
use serde::Deserialize;
use serde_json::json;

use super::transaction::is_gap;
use super::{CallError, DappClient, UnknownCause};
use crate::events::MESSAGE_SIGNATURE;
use crate::methods::SIGN_MESSAGE;
use crate::types::{MessageSignature, SignAnswer, SignMessageResult, TxStatus};

impl DappClient {
    /// `signMessage`: a signature with the key of the primary account, or of another one if the
    /// person so decides. May take a person: newer gateways answer with an address, which the
    /// session's events tell of, and send the signature by an event.
    ///
    /// Cancel safety: dropping the future stops the waiting; a person may still sign.
    ///
    /// # Errors
    ///
    /// [`CallError`]; see [`CallError::is_user_rejection`]. At gateways that answer with an address
    /// also [`CallError::RejectedOrFailed`], [`CallError::ApprovalTimeout`] (see
    /// [`with_approval_deadline`](Self::with_approval_deadline)) and [`CallError::Unknown`].
    pub async fn sign_message(&self, message: &str) -> Result<SignMessageResult, CallError> {
        // Before the call: the event may overtake the answer.
        let events = self.session.events();
        let params = json!({ "message": message });
        let answer = self.call(SIGN_MESSAGE, params, self.options()).await?;
        match answer {
            SignAnswer::Bare(signature) | SignAnswer::Done { signature } => {
                Ok(SignMessageResult { signature })
            }
            SignAnswer::Pending { message_id, .. } => {
                let limit = self.approval;
                match tokio::time::timeout(limit, signature(events, &message_id)).await {
                    Ok(result) => result,
                    Err(_) => Err(timed_out(limit)),
                }
            }
        }
    }
}

/// Waits for the event that ends it.
async fn signature(
    mut events: EventStream,
    message_id: &str,
) -> Result<SignMessageResult, CallError> {
    let unknown = |cause| CallError::Unknown {
        method: SIGN_MESSAGE,
        cause,
    };
    while let Some(item) = events.next().await {
        let event = match item {
            EventItem::Event(event) => event,
            EventItem::Missed(_) => return Err(unknown(UnknownCause::EventsMissed)),
        };
        let message = match &event.kind {
            EventKind::Provider(message) if &*message.name == MESSAGE_SIGNATURE => message,
            EventKind::Provider(message) if is_gap(message) => {
                return Err(unknown(UnknownCause::LinkLost));
            }
            EventKind::Reconnecting { .. } | EventKind::Disconnected { .. } => {
                return Err(unknown(UnknownCause::LinkLost));
            }
            _ => continue,
        };
        let Ok(said) = MessageSignature::deserialize(&*message.payload) else {
            continue;
        };
        if said.message_id != message_id {
            continue;
        }
        match (said.status, said.signature) {
            (TxStatus::Signed, Some(signature)) => return Ok(SignMessageResult { signature }),
            (TxStatus::Failed, _) => {
                return Err(CallError::RejectedOrFailed {
                    method: SIGN_MESSAGE,
                });
            }
            _ => {}
        }
    }
    Err(unknown(UnknownCause::Closed))
}

fn timed_out(after: Duration) -> CallError {
    CallError::ApprovalTimeout {
        method: SIGN_MESSAGE,
        after,
    }
}
