//! Calls of the backend: each with a deadline, each answered exactly once.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use super::driver::Message;
use super::machine::{Answer, Call, Content, Effect, Place, Timing};
use super::member::MemberId;
use super::wire;
use crate::clock::millis;
use crate::store::Slot;
use crate::store::backend::{Backend, BackendError, Blob};

/// How long a call may take. Those of members are short, so that a renewal whose answer was lost
/// is noticed, and read, while there is time.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    member: Duration,
    lease: Duration,
}

impl Limits {
    pub(super) fn new(timing: &Timing) -> Self {
        Self {
            member: timing.ttl / 6,
            lease: timing.ttl / 3,
        }
    }
}

/// Where the lease record of what stands in `slot` stands: tells nothing of it.
pub(super) fn lease_slot(slot: Slot) -> Slot {
    let mut hash = Sha256::new();
    hash.update(b"moorline lease");
    hash.update(slot.as_bytes());
    Slot::new(hash.finalize().into())
}

fn backend_slot(place: Place) -> Slot {
    match place {
        Place::Member(id) => id.slot(),
        Place::Lease(slot) => lease_slot(slot),
    }
}

/// Answers for a call that ended without an answer.
struct Reply {
    call: Call,
    messages: UnboundedSender<Message>,
    answer: Option<Answer>,
}

impl Drop for Reply {
    fn drop(&mut self) {
        let answer = self.answer.take();
        let answer = answer.unwrap_or_else(|| Answer::Failed("the call was cut off".into()));
        let _ended = self.messages.send(Message::Answer(self.call, answer));
    }
}

/// Carries out a call that an effect names; `None` for other effects.
pub(super) fn call(
    effect: Effect,
    backend: &Arc<dyn Backend>,
    limits: Limits,
    messages: &UnboundedSender<Message>,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    let (call, place) = match &effect {
        Effect::Get(call, place)
        | Effect::Put(call, place, ..)
        | Effect::Remove(call, place, _) => (*call, Some(*place)),
        Effect::List(call) => (*call, None),
        _ => return None,
    };
    let limit = match place {
        Some(Place::Member(_)) => limits.member,
        Some(Place::Lease(_)) | None => limits.lease,
    };
    let reply = Reply {
        call,
        messages: messages.clone(),
        answer: None,
    };
    let backend = backend.clone();
    Some(async move {
        // Whole: it answers when it is dropped.
        let mut reply = reply;
        let answer = timeout(limit, answer(effect, &*backend)).await;
        reply.answer = Some(answer.unwrap_or_else(|_| {
            let (place, limit) = (backend.describe(), millis(limit));
            Answer::Failed(format!("{place} did not answer within {limit} ms").into())
        }));
    })
}

async fn answer(effect: Effect, backend: &dyn Backend) -> Answer {
    match effect {
        Effect::Get(_, place) => match backend.get(backend_slot(place)).await {
            Ok(None) => Answer::Found(crate::store::Revision::NONE, Content::Nothing),
            Ok(Some(blob)) => Answer::Found(blob.revision, wire::decode(&blob.bytes)),
            Err(BackendError::Damaged { reason }) => {
                Answer::Found(crate::store::Revision::NONE, Content::Unreadable(reason))
            }
            Err(error) => failed(&error),
        },
        Effect::Put(_, place, record, expected) => match wire::encode(&record) {
            Ok(bytes) => {
                let revision = expected.next();
                let blob = Blob { revision, bytes };
                written(backend.put(backend_slot(place), blob, expected).await)
            }
            Err(reason) => Answer::Failed(reason.into()),
        },
        Effect::Remove(_, place, expected) => {
            written(backend.remove(backend_slot(place), expected).await)
        }
        _ => match backend.list().await {
            Ok(slots) => Answer::Listed(slots.into_iter().filter_map(MemberId::of_slot).collect()),
            Err(error) => failed(&error),
        },
    }
}

fn written(result: Result<(), BackendError>) -> Answer {
    match result {
        Ok(()) => Answer::Written,
        Err(BackendError::Conflict { .. }) => Answer::Conflict,
        Err(error) => failed(&error),
    }
}

fn failed(error: &BackendError) -> Answer {
    Answer::Failed(error.to_string().into())
}
