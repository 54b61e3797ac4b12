//! A provider without a wallet: an account that is watched and cannot sign.

use serde_json::Value;

use crate::identity::{Account, Identity};
use crate::provider::{
    Capabilities, CloseMode, ErrorKind, EventSink, Live, OpenRequest, Opened, Provider,
    ProviderError, ProviderFuture, Request,
};

/// The kind of sessions that only watch.
pub(super) const KIND: &str = "read-only";

pub(super) struct ReadOnly(pub(super) Identity);

/// What a session that only watches answers to every request.
pub(super) fn refusal(identity: &Identity) -> ProviderError {
    ProviderError::new(
        ErrorKind::ReadOnly,
        format!("the session only watches {identity}: log in with a wallet to make requests"),
    )
    .not_sent()
}

impl Provider for ReadOnly {
    fn kind(&self) -> &str {
        KIND
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            events: false,
            ..Capabilities::default()
        }
    }

    fn open(&self, _: OpenRequest, _: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(async { Ok(Opened::Established) })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async {
            let live = Live::new(vec![Account::primary(self.0.account.clone())]);
            Ok(match self.0.network.clone() {
                Some(network) => live.on_network(network),
                None => live,
            })
        })
    }

    fn request(&self, _: Request) -> ProviderFuture<'_, Value> {
        Box::pin(async { Err(refusal(&self.0)) })
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
