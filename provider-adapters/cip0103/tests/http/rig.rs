//! What every test needs: a gateway, a session on it, and its events.

use std::time::Duration;

use moorline::Session;
use moorline::session::EventStream;
use moorline_cip0103::auth::StaticToken;
use moorline_cip0103::{HttpProvider, HttpProviderBuilder};

use crate::gate::Gate;
pub(crate) use crate::support::names::{connecting, name, names_until, sent_to};
pub(crate) use crate::support::session::{next_event, session, soon};

/// A provider that is quick to come back.
pub(crate) fn builder(gate: &Gate) -> HttpProviderBuilder {
    HttpProvider::builder(&gate.url())
        .authenticator(StaticToken::new("good".to_owned().into()))
        .stream_backoff(Duration::from_millis(5), Duration::from_millis(50))
}

/// A gateway, and a session that is connected to it with its stream open.
pub(crate) async fn connected() -> (Gate, Session, EventStream) {
    connected_with(|builder| builder).await
}

pub(crate) async fn connected_with(
    options: impl FnOnce(HttpProviderBuilder) -> HttpProviderBuilder,
) -> (Gate, Session, EventStream) {
    let gate = Gate::start().await;
    let session = session(options(builder(&gate)).build().unwrap());
    soon(session.connect()).await.unwrap();
    gate.until_streams(1).await;
    let events = session.events();
    (gate, session, events)
}
