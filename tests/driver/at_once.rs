//! Requests that go to the wallet at once, and sessions that end while the wallet is being called.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::provider::{
    CloseMode, ErrorKind, EventSink, Live, OpenRequest, Opened, ProviderError, ProviderFuture,
    Request,
};
use moorline::snapshot::DisconnectReason;
use moorline::{Account, OperationError, Provider, ProviderEvent, Session, Status};
use serde_json::Value;

use crate::support::{builder, poll_once, settle};

/// What happens on the wallet's side while it is called.
type Meddling = Box<dyn Fn(&Session, &EventSink) + Send>;

/// A wallet whose own code gets at the session.
#[derive(Default)]
struct Inner {
    session: Mutex<Option<Session>>,
    sink: Mutex<Option<EventSink>>,
    meddling: Mutex<Option<Meddling>>,
    answers: Mutex<bool>,
}

#[derive(Clone, Default)]
struct Meddler(Arc<Inner>);

impl Provider for Meddler {
    fn kind(&self) -> &str {
        "meddler"
    }

    fn open(&self, _: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        *self.0.sink.lock().unwrap() = Some(events);
        Box::pin(async { Ok(Opened::Established) })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async { Ok(Live::new(vec![Account::primary("alice")])) })
    }

    fn request(&self, _: Request) -> ProviderFuture<'_, Value> {
        Box::pin(async move {
            let meddling = self.0.meddling.lock().unwrap().take();
            let session = self.0.session.lock().unwrap().clone();
            let sink = self.0.sink.lock().unwrap().clone();
            if let (Some(meddling), Some(session), Some(sink)) = (meddling, session, sink) {
                meddling(&session, &sink);
            }
            if !*self.0.answers.lock().unwrap() {
                pending::<()>().await;
            }
            Ok(Value::Null)
        })
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Meddler {
    fn answers(&self, answers: bool) {
        *self.0.answers.lock().unwrap() = answers;
    }

    fn meddle(&self, meddling: impl Fn(&Session, &EventSink) + Send + 'static) {
        *self.0.meddling.lock().unwrap() = Some(Box::new(meddling));
    }
}

/// A session that takes its wallet for one that answers at once, or for one that does not.
async fn session(waits: bool) -> (Session, Meddler) {
    let wallet = Meddler::default();
    let session = builder(wallet.clone()).build().unwrap();
    session.connect().await.unwrap();
    *wallet.0.session.lock().unwrap() = Some(session.clone());
    if waits {
        let request = session.request("waits", Value::Null);
        assert!(poll_once(&mut Box::pin(request)).is_pending());
    }
    (session, wallet)
}

/// Begins what `deed` returns and forgets it.
fn begin<F: Future>(deed: F) {
    let _begun = poll_once(&mut Box::pin(deed)).is_ready();
}

fn dropped(sink: &EventSink) {
    let error = ProviderError::new(ErrorKind::Unreachable, "cut while calling");
    sink.send(ProviderEvent::Dropped(error));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_breaks_while_the_wallet_is_called_interrupts_the_request() {
    for waits in [false, true] {
        let (session, wallet) = session(waits).await;
        wallet.meddle(|_, sink| dropped(sink));
        let error = session.request("pay", Value::Null).await.unwrap_err();
        let OperationError::Interrupted { cause } = error else {
            panic!("{error:?}");
        };
        assert_eq!(cause.message(), "cut while calling");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_pass_to_the_next_connection() {
    for waits in [false, true] {
        let (session, wallet) = session(waits).await;
        wallet.meddle(|session, sink| {
            dropped(sink);
            begin(session.connect());
        });
        let error = session.request("pay", Value::Null).await.unwrap_err();
        assert!(error.may_have_executed(), "{error:?}");
        settle().await;
        assert_eq!(session.status(), Status::Connected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_while_the_wallet_is_called_says_so() {
    for waits in [false, true] {
        let (disconnected, wallet) = session(waits).await;
        wallet.meddle(|session, _| begin(session.disconnect()));
        let error = disconnected.request("pay", Value::Null).await.unwrap_err();
        let OperationError::Disconnected { reason, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(reason, DisconnectReason::User);
        assert!(error.may_have_executed());

        let (closed, wallet) = session(waits).await;
        wallet.meddle(|session, _| begin(session.close()));
        let error = closed.request("pay", Value::Null).await.unwrap_err();
        assert!(matches!(error, OperationError::Closed { .. }), "{error:?}");
        assert!(error.may_have_executed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_at_once_counts_whatever_became_of_the_session() {
    for waits in [false, true] {
        let (session, wallet) = session(waits).await;
        wallet.answers(true);
        wallet.meddle(|_, sink| dropped(sink));
        session.request("pay", Value::Null).await.unwrap();
        // From here on it answers at once, and then it does not any more.
        settle().await;
        session.request("pay", Value::Null).await.unwrap();
        wallet.answers(false);
        let late = tokio::time::timeout(
            Duration::from_secs(3600),
            session.request("pay", Value::Null),
        );
        let error = late.await.unwrap().unwrap_err();
        assert!(
            matches!(error, OperationError::DeadlineExceeded { .. }),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_recheck_while_the_wallet_is_called_leaves_the_request_alone() {
    for waits in [false, true] {
        let (session, wallet) = session(waits).await;
        wallet.meddle(|_, sink| {
            sink.send(ProviderEvent::Recheck);
        });
        let request = session.request("pay", Value::Null);
        let mut request = Box::pin(request);
        assert!(poll_once(&mut request).is_pending());
        settle().await;
        assert_eq!(session.status(), Status::Connected);
        assert!(poll_once(&mut request).is_pending());
        drop(request);
        assert_eq!(session.held_operations(), 0);
    }
}
