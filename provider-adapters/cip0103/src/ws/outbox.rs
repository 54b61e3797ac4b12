//! Which calls are on their way: whether each has left this program, whether anybody still waits
//! for it, and what was answered.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonrpsee::core::client::{
    Error, MiddlewareBatchResponse, MiddlewareMethodResponse, MiddlewareNotifResponse,
};
use jsonrpsee::core::middleware::{Batch, Notification, Request, RpcServiceT};
use jsonrpsee::types::{Id, Response};
use serde::de::Error as _;
use serde_json::value::RawValue;

/// The calls of one link, by JSON-RPC id.
///
/// jsonrpsee reports a call that never left and one that was answered by silence with the same
/// error. What happens to the wallet differs: the one is certainly not executed, the other may be.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<HashMap<u64, Place>>);

enum Place {
    /// Still in this program.
    Here,
    /// Handed to the socket: the wallet may have it.
    Gone,
    /// Answered with this frame.
    Answered(String),
}

impl fmt::Debug for Place {
    /// Not what was answered: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "here",
            Self::Gone => "gone",
            Self::Answered(_) => "answered",
        })
    }
}

/// The cause of a call that failed before it left this program.
#[derive(Debug, thiserror::Error)]
#[error("it was not handed to the socket")]
pub(super) struct NotHandedOver;

impl Outbox {
    fn calls(&self) -> MutexGuard<'_, HashMap<u64, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a call is about to leave. `false` if nobody waits for it any more: it must then
    /// stay here, because its caller was told so.
    pub(super) fn hand_over(&self, id: u64) -> bool {
        match self.calls().get_mut(&id) {
            Some(place) => {
                *place = Place::Gone;
                true
            }
            None => false,
        }
    }

    /// The one call the wallet has, if it is the only one: the call that an answer without an id
    /// belongs to.
    pub(super) fn only(&self) -> Option<u64> {
        let calls = self.calls();
        let mut gone = calls
            .iter()
            .filter(|(_, place)| matches!(place, Place::Gone))
            .map(|(id, _)| *id);
        gone.next().filter(|_| gone.next().is_none())
    }

    /// Keeps the answer to a call, if anybody waits for it.
    pub(super) fn keep(&self, id: u64, frame: String) {
        if let Some(place) = self.calls().get_mut(&id) {
            *place = Place::Answered(frame);
        }
    }

    fn has_left(&self, id: u64) -> bool {
        !matches!(self.calls().get(&id), None | Some(Place::Here))
    }
}

/// Removes a call from the outbox however it ends.
struct Entry {
    outbox: Arc<Outbox>,
    id: u64,
}

impl Entry {
    fn new(outbox: Arc<Outbox>, id: u64) -> Self {
        outbox.calls().insert(id, Place::Here);
        Self { outbox, id }
    }
}

impl Entry {
    /// The answer that was kept.
    fn answer(&self) -> Result<MiddlewareMethodResponse, Error> {
        let Some(Place::Answered(frame)) = self.outbox.calls().remove(&self.id) else {
            let missing = "it was announced and is not there";
            return Err(serde_json::Error::custom(missing).into());
        };
        let answer: Response<'_, Box<RawValue>> = serde_json::from_str(&frame)?;
        Ok(MiddlewareMethodResponse::response(
            answer.into_owned().into(),
        ))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.outbox.calls().remove(&self.id);
    }
}

/// The layer of the JSON-RPC client that keeps the outbox.
#[derive(Clone, Debug)]
pub(super) struct Track<S> {
    inner: S,
    outbox: Arc<Outbox>,
}

impl<S> Track<S> {
    pub(super) fn new(inner: S, outbox: Arc<Outbox>) -> Self {
        Self { inner, outbox }
    }
}

impl<S> RpcServiceT for Track<S>
where
    S: RpcServiceT<
            MethodResponse = Result<MiddlewareMethodResponse, Error>,
            BatchResponse = Result<MiddlewareBatchResponse, Error>,
            NotificationResponse = Result<MiddlewareNotifResponse, Error>,
        >,
{
    type MethodResponse = S::MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = S::BatchResponse;

    fn call<'a>(
        &self,
        request: Request<'a>,
    ) -> impl Future<Output = Self::MethodResponse> + Send + 'a {
        let entry = match &request.id {
            Id::Number(id) => Some(Entry::new(Arc::clone(&self.outbox), *id)),
            Id::Null | Id::Str(_) => None,
        };
        let answer = self.inner.call(request);
        async move {
            match (answer.await, entry) {
                (Err(Error::ServiceDisconnect), Some(entry))
                    if !entry.outbox.has_left(entry.id) =>
                {
                    Err(Error::Transport(Box::new(NotHandedOver)))
                }
                (Ok(_announced), Some(entry)) => entry.answer(),
                (answer, _) => answer,
            }
        }
    }

    fn batch<'a>(
        &self,
        requests: Batch<'a>,
    ) -> impl Future<Output = Self::BatchResponse> + Send + 'a {
        self.inner.batch(requests)
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_nobody_waits_for_stays_here() {
        let outbox = Arc::new(Outbox::default());
        let entry = Entry::new(Arc::clone(&outbox), 7);
        assert!(!outbox.has_left(7));
        drop(entry);
        assert!(!outbox.hand_over(7));
    }

    #[test]
    fn an_answer_without_an_id_belongs_to_the_only_call() {
        let outbox = Arc::new(Outbox::default());
        let _first = Entry::new(Arc::clone(&outbox), 1);
        let second = Entry::new(Arc::clone(&outbox), 2);
        assert_eq!(outbox.only(), None);
        assert!(outbox.hand_over(1));
        assert_eq!(outbox.only(), Some(1));
        assert!(outbox.hand_over(2));
        assert_eq!(outbox.only(), None);
        drop(second);
        assert_eq!(outbox.only(), Some(1));
    }
}
